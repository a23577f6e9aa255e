#include <fmt/format.h>

#include "config/run_config.hpp"
#include "config/schema.hpp"

// The schema of one engine of the run file: one describe() per struct, one line per key.
namespace tessera {

namespace {

constexpr Word<NoiseModel> noise_models[] = {{"amplitude", NoiseModel::amplitude},
                                             {"poisson", NoiseModel::poisson},
                                             {"gaussian", NoiseModel::gaussian}};
constexpr Word<EngineName> engine_names[] = {
    {"CG", EngineName::CG},     {"GD", EngineName::GD},     {"DM", EngineName::DM},
    {"RAAR", EngineName::RAAR}, {"AP", EngineName::AP},     {"ePIE", EngineName::ePIE},
    {"rPIE", EngineName::rPIE}, {"mPIE", EngineName::mPIE}, {"LSQML", EngineName::LSQML},
};
constexpr Word<BatchingMode> batching_modes[] = {
    {"random", BatchingMode::random}, {"compact", BatchingMode::compact}, {"uniform", BatchingMode::uniform}};
constexpr Word<ConjugateRule> conjugate_rules[] = {{"polak_ribiere", ConjugateRule::polak_ribiere},
                                                   {"dai_yuan", ConjugateRule::dai_yuan},
                                                   {"fletcher_reeves", ConjugateRule::fletcher_reeves}};

}  // namespace

// DM, RAAR and AP. Of `alpha` and `beta` other engines have their own.
static void describe_projection(KeyVisitor& io, const EngineConfig& engine, ProjectionConfig& c) {
    const bool is_used = projects_waves(engine.name);
    const auto of = [&](const Rule& rule) { return rule.only_if(is_used, projecting_engines); };
    if (is_used) {
        const bool is_dm = engine.name == EngineName::DM;
        io.key("alpha", c.alpha, within(0, 2).only_if(is_dm, "engine DM"));
        io.key("beta", is_dm ? c.beta : c.raar_beta,
               above_up_to(0, 1).only_if(engine.name != EngineName::AP, "engines CG, DM and RAAR"));
    }
    io.key("fourier_relax_factor", c.fourier_relax_factor, of(from_below(0, 1)));
    io.key("fourier_power_bound", c.fourier_power_bound, of(at_least(0).or_auto()));
    io.key("overlap_max_iterations", c.overlap_max_iterations, of(within(1, 100)));
    io.key("overlap_converge_factor", c.overlap_converge_factor, of(at_least(0)));
    io.key("update_object_first", c.update_object_first, of({}));
    io.key("probe_inertia", c.probe_inertia, of(above(0)));
    io.key("object_inertia", c.object_inertia, of(above(0)));
    io.key("clip_object", c.clip_object, of(at_least(0)));
    io.key("probe_center_tol", c.probe_center_tol, of(above(0)));
    io.key("probe_support_radius", c.probe_support_radius, of(above(0)));
    io.key("average_last", c.average_last, of(within(0, 1)));
    io.key("cost_interval", c.cost_interval, of(at_least(1)));

    io.check(!c.clip_object || (*c.clip_object)[0] <= (*c.clip_object)[1], "clip_object",
             "the least amplitude must not exceed the largest");
    io.check(!c.probe_center_tol || c.overlap_max_iterations > 1, "probe_center_tol",
             "needs overlap_max_iterations of at least 2: the object follows in the second");
}

static void describe_pie(KeyVisitor& io, EngineConfig& c) {
    constexpr std::string_view pie_engines = "engines ePIE, rPIE and mPIE";
    const bool is_mpie = c.name == EngineName::mPIE;
    const bool is_used = c.name == EngineName::ePIE || c.name == EngineName::rPIE || is_mpie;
    io.key("alpha_object", c.alpha_object, above_up_to(0, 1).or_auto().only_if(is_used, pie_engines));
    io.key("alpha_probe", c.alpha_probe, above_up_to(0, 1).or_auto().only_if(is_used, pie_engines));
    io.key(
        "step_size", c.step_size,
        above_up_to(0, 2).or_auto().only_if(c.name == EngineName::rPIE || is_mpie, "engines rPIE and mPIE"));
    io.key("object_norm_is_global", c.object_norm_is_global, anything().only_if(is_used, pie_engines));
    io.key("friction", c.friction, from_below(0, 1).only_if(is_mpie, "engine mPIE"));
    io.key("feedback_interval", c.feedback_interval, at_least(1).only_if(is_mpie, "engine mPIE"));
    io.check(!is_used || c.noise_model == NoiseModel::amplitude, "noise_model",
             "must be amplitude: the PIE engines replace the modulus of the far field (LSQML has poisson)");
}

static void describe_lsqml(KeyVisitor& io, EngineConfig& c) {
    constexpr std::string_view engine = "engine LSQML";
    const bool is_used = c.name == EngineName::LSQML;
    io.also_called("beta_LSQ", "optimal_step_size_scaler");
    io.also_called("preconditioning_damping_factor", "delta_p");
    io.key("beta_LSQ", c.beta_LSQ, above_up_to(0, 2).only_if(is_used, engine));
    io.key("preconditioning_damping_factor", c.preconditioning_damping_factor,
           above_up_to(0, 1).only_if(is_used, engine));
    io.key("momentum_acceleration_gain", c.momentum_acceleration_gain,
           within(0, 10).only_if(is_used, engine));
    io.key("momentum_acceleration_friction", c.momentum_acceleration_friction,
           above_up_to(0, 1).only_if(is_used, engine));
    io.key("momentum_acceleration_gradient_mixing_factor", c.momentum_acceleration_gradient_mixing_factor,
           above_up_to(0, 1).only_if(is_used, engine));
    io.check(!is_used || c.noise_model != NoiseModel::gaussian, "noise_model",
             "must be amplitude (which PtychoShelves calls gaussian) or poisson with LSQML");
}

static void describe_minibatches(KeyVisitor& io, EngineConfig& c) {
    const bool is_used = has_minibatches(c.name);
    io.also_called("minibatch_size", "batch_size");
    io.key("minibatch_size", c.minibatch_size, at_least(1).or_auto().only_if(is_used, minibatch_engines));
    io.choice("batching_mode", c.batching_mode, batching_modes,
              anything().only_if(is_used, minibatch_engines));
    describe_pie(io, c);
    describe_lsqml(io, c);
}

static void describe(KeyVisitor& io, PositionModelConfig& c) {
    io.key("scale", c.scale);
    io.key("asymmetry", c.asymmetry);
    io.key("rotation", c.rotation);
    io.key("shear", c.shear);
}

static void describe(KeyVisitor& io, SearchPositionsConfig& c) {
    io.key("start", c.start, at_least(0));
    io.key("stop", c.stop, at_least(1));
    io.key("interval", c.interval, at_least(1));
    io.key("num_tries", c.num_tries, within(1, max_num_position_tries));
    io.key("radius_px", c.radius_px, above_up_to(0, 1000).or_auto());
    io.key("suspicious_error", c.suspicious_error, at_least(0));
    io.check(!c.stop || *c.stop > c.start, "stop", "must be above start");
}

static void describe(KeyVisitor& io, RefinePositionsConfig& c) {
    io.key("start", c.start, at_least(0));
    io.key("stop", c.stop, at_least(1));
    io.key("interval", c.interval, at_least(1));
    io.key("step_size", c.step_size, above_up_to(0, 2));
    io.key("momentum", c.momentum, from_below(0, 1));
    io.also_called("max_step_px", "update_magnitude_limit");
    io.key("max_step_px", c.max_step_px, above_up_to(0, 100));
    io.group("model", c.model);
    io.key("model_weight", c.model_weight, within(0, 1));
    io.key("keep_jitter", c.keep_jitter, within(0, 1));
    io.optional_group("search", c.search);
    io.check(!c.stop || *c.stop > c.start, "stop", "must be above start");
}

void describe(KeyVisitor& io, EngineConfig& c) {
    io.choice("name", c.name, engine_names);
    const bool has_gradient = !projects_waves(c.name);
    io.key("num_iter", c.num_iter, at_least(1));
    io.choice("noise_model", c.noise_model, noise_models, anything().only_if(has_gradient, gradient_engines));
    if (has_gradient)
        io.choice("beta", c.beta, conjugate_rules, anything().only_if(c.name == EngineName::CG, "engine CG"));
    io.key("preconditioner_alpha", c.preconditioner_alpha,
           above_up_to(0, 1).only_if(has_gradient && !has_minibatches(c.name), "engines CG and GD"));
    io.key("step", c.step, above(0).only_if(c.name == EngineName::GD, "engine GD"));
    io.key("momentum", c.momentum, from_below(0, 1).only_if(c.name == EngineName::GD, "engine GD"));
    io.key("tolerance", c.tolerance, from_below(0, 1).only_if(has_gradient, gradient_engines));
    describe_projection(io, c, c.projection);
    describe_minibatches(io, c);
    io.optional_group("refine_positions", c.refine_positions);
}

}  // namespace tessera

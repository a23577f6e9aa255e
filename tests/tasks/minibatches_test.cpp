// Engines with mini-batches: the same numbers as their formulas in double precision, whatever the tiles,
// ranks of the graph and schedule.
#include "tiling/minibatches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "support/reference_run.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

using reference::RealImage;
using reference::Unknowns;

// ---- The methods once more, by the oracle

// The frames of one mini-batch.
reference::Problem only(const reference::Problem& all, const std::vector<std::ptrdiff_t>& frames) {
    reference::Problem some = all;
    some.windows.clear();
    const auto [num_frames, num_y, num_x] = all.patterns.extents();
    some.patterns = Array<double, 3>({std::ssize(frames), num_y, num_x});
    for (std::size_t i = 0; i < frames.size(); ++i) {
        some.windows.push_back(all.windows[static_cast<std::size_t>(frames[i])]);
        std::memcpy(&some.patterns(static_cast<std::ptrdiff_t>(i), 0, 0), &all.patterns(frames[i], 0, 0),
                    static_cast<std::size_t>(num_y * num_x) * sizeof(double));
    }
    return some;
}

double largest_norm(const reference::Stack& stack) {
    double largest = 0;
    for (std::ptrdiff_t i = 0; i < stack.size(); ++i) largest = std::max(largest, std::norm(stack[i]));
    return largest;
}

// By the weight of each pixel, the same for all modes.
void multiply(reference::Stack& stack, const RealImage& weight, double factor) {
    for (std::ptrdiff_t i = 0; i < stack.size(); ++i) stack[i] *= factor * weight[i % weight.size()];
}

void add(reference::Stack& to, double factor, const reference::Stack& what) {
    for (std::ptrdiff_t i = 0; i < to.size(); ++i) to[i] += factor * what[i];
}

double power(const reference::Stack& stack) {
    double sum = 0;
    for (std::ptrdiff_t i = 0; i < stack.size(); ++i) sum += std::norm(stack[i]);
    return sum;
}

// The step along its own derivative that a frame's far field takes.
double far_field_step(const reference::Problem& frame) {
    if (frame.noise_model == reference::NoiseModel::amplitude) return 1;
    const RealImage intensity = reference::intensity(frame, 0);
    double fall = 0, curvature = 0;
    for (std::ptrdiff_t i = 0; i < intensity.size(); ++i) {
        const double counts = frame.patterns[i];
        const double slope =
            frame.mask[i] * reference::pixel_slope(frame.noise_model, intensity[i], counts, frame.epsilon);
        fall += slope * ((1 - slope / 2) * intensity[i] - counts / (1 - slope / 2));
        curvature += slope * slope * (intensity[i] + counts / std::pow(1 - slope / 2, 2));
    }
    return std::clamp(0.5 + fall / curvature, 0.0, 1.0);
}

struct StepPair {
    double object = 0, probe = 0;
};

// What a frame adds to |P dO|^2, Re <P dO, dP O>, |dP O|^2 and minus what the steps are to undo: <P dO, chi>
// is <dO, g_O> of that frame alone.
std::array<double, 5> step_products(const reference::Problem& frame, const Unknowns& direction) {
    reference::Problem along = frame;
    along.object = direction.object;
    const reference::Stack by_object = reference::exit_waves(along, 0);
    along = frame;
    along.probe = direction.probe;
    const reference::Stack by_probe = reference::exit_waves(along, 0);
    const Unknowns gradient = reference::gradient(frame);
    const double s = far_field_step(frame);
    return {power(by_object), reference::dot(by_object, by_probe).real(), power(by_probe),
            -s * reference::dot(direction.object, gradient.object).real(),
            -s * reference::dot(direction.probe, gradient.probe).real()};
}

// Least squares over all of them.
StepPair optimal_steps(const std::array<double, 5>& products, bool probe_moves) {
    const double a11 = 1.1 * products[0], a12 = products[1], a22 = 1.1 * products[2];
    const double b1 = products[3], b2 = products[4];
    if (!probe_moves) return {std::max(0.0, b1 / a11), 0};
    const double determinant = a11 * a22 - a12 * a12;
    return {std::max(0.0, (a22 * b1 - a12 * b2) / determinant),
            std::max(0.0, (a11 * b2 - a12 * b1) / determinant)};
}

struct OracleRun {
    reference::Problem problem;
    std::vector<double> costs;
};

// Momentum of one of the unknowns.
struct Velocity {
    reference::Stack velocity, anchor;
    explicit Velocity(const reference::Stack& start) : velocity(start.extents()), anchor(start) {
        for (std::ptrdiff_t i = 0; i < velocity.size(); ++i) velocity[i] = 0;
    }
    // Maiden's eqs. 19 to 21: from where it was, by what was added since and the last velocity.
    void feed_back(reference::Stack& value, double friction) {
        for (std::ptrdiff_t i = 0; i < value.size(); ++i) {
            velocity[i] = friction * velocity[i] + (value[i] - anchor[i]);
            value[i] = anchor[i] + velocity[i];
        }
        anchor = value;
    }
    // Once an iteration; the last velocity is halved, and unused, when the cost rose.
    void accelerate(reference::Stack& value, const EngineConfig& engine, bool rose) {
        for (std::ptrdiff_t i = 0; i < value.size(); ++i) {
            if (rose) {
                velocity[i] *= 0.5;
                continue;
            }
            velocity[i] = (1 - engine.momentum_acceleration_friction) * velocity[i] +
                          engine.momentum_acceleration_gradient_mixing_factor * (value[i] - anchor[i]);
            value[i] += engine.momentum_acceleration_gain * velocity[i];
        }
        anchor = value;
    }
};

class Oracle {
  public:
    Oracle(reference::Problem start, const RunConfig& config, const Minibatches& minibatches)
        : config_(config), engine_(config.engines[0]), minibatches_(minibatches) {
        run_.problem = std::move(start);
    }

    OracleRun run() {
        Velocity object(run_.problem.object), probe(run_.problem.probe);
        for (int n = 0; n < engine_.num_iter; ++n) {
            const bool moves = n >= config_.probe.update.start;
            const auto order = minibatch_order(minibatches_.count, config_.runtime.random_seed, n);
            double cost = 0;
            object.anchor = run_.problem.object;
            probe.anchor = run_.problem.probe;
            begin_ = run_.problem;
            for (std::size_t i = 0; i < order.size(); ++i) {
                cost += update(order[i], moves);
                const bool feeds_back = (i + 1) % static_cast<std::size_t>(engine_.feedback_interval) == 0 ||
                                        i + 1 == order.size();
                if (engine_.name != EngineName::mPIE || !feeds_back) continue;
                object.feed_back(run_.problem.object, engine_.friction);
                if (moves) probe.feed_back(run_.problem.probe, engine_.friction);
            }
            if (engine_.name == EngineName::LSQML && engine_.momentum_acceleration_gain > 0) {
                const bool rose = n > 0 && cost > run_.costs.back();
                object.accelerate(run_.problem.object, engine_, rose);
                if (moves) probe.accelerate(run_.problem.probe, engine_, rose);
            }
            run_.costs.push_back(cost);
        }
        return run_;
    }

  private:
    // Object and probe after one mini-batch; its cost before.
    double update(int minibatch, bool moves) {
        std::vector<std::ptrdiff_t> frames;
        for (std::ptrdiff_t j = 0; j < run_.problem.num_frames(); ++j) {
            if (minibatches_.of(j) == minibatch) frames.push_back(j);
        }
        const reference::Problem some = only(run_.problem, frames);
        Unknowns direction = reference::gradient(some);
        const auto alphas = regularisations();
        const reference::Problem& weighing = engine_.name == EngineName::LSQML ? begin_ : some;
        multiply(direction.object,
                 reference::preconditioner(reference::illumination(weighing), alphas.object), -1);
        multiply(direction.probe, probe_weight(weighing, alphas.probe), -1);
        const StepPair step = steps(frames, direction);
        add(run_.problem.object, step.object, direction.object);
        if (moves) add(run_.problem.probe, step.probe, direction.probe);
        return reference::cost(some).total;
    }

    RealImage probe_weight(const reference::Problem& some, double alpha) const {
        RealImage weight = reference::coverage(some);
        if (!engine_.object_norm_is_global) return reference::preconditioner(weight, alpha);
        const double largest = static_cast<double>(some.num_frames()) * largest_norm(some.object);
        for (std::ptrdiff_t i = 0; i < weight.size(); ++i)
            weight[i] = 1 / ((1 - alpha) * weight[i] + alpha * largest);
        return weight;
    }

    StepPair regularisations() const {
        if (engine_.name == EngineName::ePIE) return {1, 1};
        if (engine_.name == EngineName::LSQML)
            return {engine_.preconditioning_damping_factor, engine_.preconditioning_damping_factor};
        return {engine_.alpha_object.value_or(0.1), engine_.alpha_probe.value_or(0.1)};
    }

    StepPair steps(const std::vector<std::ptrdiff_t>& frames, const Unknowns& direction) const {
        if (engine_.name == EngineName::ePIE)
            return {engine_.alpha_object.value_or(1), engine_.alpha_probe.value_or(1)};
        if (engine_.name != EngineName::LSQML) {
            const double of_rpie = std::clamp(12.0 / minibatches_.count, 0.4, 1.0);
            const double step = engine_.step_size.value_or(engine_.name == EngineName::mPIE ? 0.2 : of_rpie);
            return {step, step};
        }
        std::array<double, 5> products = {};
        for (const std::ptrdiff_t frame : frames) {
            const std::array<double, 5> of_frame = step_products(only(run_.problem, {frame}), direction);
            for (std::size_t i = 0; i < products.size(); ++i) products[i] += of_frame[i];
        }
        const StepPair step = optimal_steps(products, config_.probe.update.start < engine_.num_iter);
        return {engine_.beta_LSQ * step.object, engine_.beta_LSQ * step.probe};
    }

    RunConfig config_;
    EngineConfig engine_;
    Minibatches minibatches_;
    OracleRun run_;
    reference::Problem begin_;  // where an iteration begins, all frames
};

struct FormulaCase {
    const char* name;
    Propagation propagation;
    EngineConfig engine;
    int num_modes = 1;
    int probe_update_start = 1;
};

EngineConfig engine(EngineName name, int minibatch_size = 9) {
    EngineConfig config;
    config.name = name;
    config.num_iter = 3;
    config.minibatch_size = minibatch_size;
    return config;
}

template <class Change>
EngineConfig changed(EngineConfig config, const Change& change) {
    change(config);
    return config;
}

const FormulaCase formula_cases[] = {
    {"epie", Propagation::far_field, engine(EngineName::ePIE)},
    {"epie_steps_of_single_frames", Propagation::far_field,
     changed(engine(EngineName::ePIE, 1),
             [](EngineConfig& c) {
                 c.num_iter = 2;
                 c.alpha_object = 0.8;
                 c.alpha_probe = 0.6;
             })},
    {"rpie", Propagation::far_field, engine(EngineName::rPIE)},
    {"rpie_shorter_steps", Propagation::far_field, engine(EngineName::rPIE, 2)},  // of 18 mini-batches
    {"rpie_single_frames", Propagation::far_field, engine(EngineName::rPIE, 1)},
    {"rpie_near_two_modes", Propagation::near_field,
     changed(engine(EngineName::rPIE),
             [](EngineConfig& c) {
                 c.alpha_object = 0.05;
                 c.alpha_probe = 0.8;
                 c.batching_mode = BatchingMode::random;
             }),
     2},
    {"rpie_global_norm", Propagation::far_field,
     changed(engine(EngineName::rPIE),
             [](EngineConfig& c) {
                 c.object_norm_is_global = true;
                 c.batching_mode = BatchingMode::compact;
             })},
    {"mpie", Propagation::far_field,
     changed(engine(EngineName::mPIE), [](EngineConfig& c) { c.feedback_interval = 3; })},
    {"mpie_friction", Propagation::far_field,
     changed(engine(EngineName::mPIE),
             [](EngineConfig& c) {
                 c.feedback_interval = 100;
                 c.friction = 0.5;
                 c.step_size = 0.7;
             })},
    {"lsqml", Propagation::far_field, engine(EngineName::LSQML)},
    {"lsqml_probe_never_moves", Propagation::far_field, engine(EngineName::LSQML), 1, 3},
    {"lsqml_near_two_modes_compact", Propagation::near_field,
     changed(engine(EngineName::LSQML), [](EngineConfig& c) { c.batching_mode = BatchingMode::compact; }), 2},
    {"lsqml_poisson_momentum", Propagation::far_field,
     changed(engine(EngineName::LSQML),
             [](EngineConfig& c) {
                 c.num_iter = 4;
                 c.noise_model = NoiseModel::poisson;
                 c.momentum_acceleration_gain = 0.5;
             })},
};

class Formulas : public testing::TestWithParam<FormulaCase> {};

TEST_P(Formulas, AreThoseOfTheOracle) {
    SimulationConfig simulation =
        GetParam().propagation == Propagation::far_field ? far_field_scan() : near_field_scan();
    simulation.probe.num_modes = GetParam().num_modes;
    simulation.detector.background_per_pixel = 0.5;
    simulation.detector.masked_fraction = 0.02;
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.engines = {GetParam().engine};
    config.probe.update.start = GetParam().probe_update_start;
    const Outcome outcome = run(config);

    // Where the run began: ones, and a probe that one iteration leaves alone.
    RunConfig beginning = config;
    beginning.engines[0].num_iter = 1;
    const Outcome start = run(beginning);
    reference::Problem problem = problem_at_the_end(start, scan.truth(), config.engines[0].noise_model);
    for (std::ptrdiff_t i = 0; i < problem.object.size(); ++i) problem.object[i] = 1;
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i)
        problem.probe[i] = {static_cast<double>(start.probe[i].re), static_cast<double>(start.probe[i].im)};
    const OracleRun expected = Oracle(problem, config, outcome.problem.tiling.minibatches).run();

    constexpr double rounding_bound = 1e-4;
    ASSERT_EQ(outcome.reports.size(), expected.costs.size());
    for (std::size_t n = 0; n < expected.costs.size(); ++n)
        EXPECT_NEAR(outcome.reports[n].cost / expected.costs[n], 1, rounding_bound) << "iteration " << n;
    EXPECT_NEAR(outcome.result.final_cost / reference::cost(expected.problem).total, 1, rounding_bound);
    double difference = 0;
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i) {
        const reference::Value mine = {static_cast<double>(outcome.probe[i].re),
                                       static_cast<double>(outcome.probe[i].im)};
        difference += std::norm(mine - expected.problem.probe[i]);
    }
    EXPECT_LT(std::sqrt(difference / power(expected.problem.probe)), rounding_bound);
    difference = 0;
    for (std::ptrdiff_t i = 0; i < problem.object.size(); ++i) {
        const reference::Value mine = {static_cast<double>(outcome.result.object[i].re),
                                       static_cast<double>(outcome.result.object[i].im)};
        difference += std::norm(mine - expected.problem.object[i]);
    }
    EXPECT_LT(std::sqrt(difference / power(expected.problem.object)), rounding_bound);
    EXPECT_LT(outcome.result.final_cost, 0.8 * outcome.reports.front().cost);  // something has happened
}

INSTANTIATE_TEST_SUITE_P(All, Formulas, testing::ValuesIn(formula_cases),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- Tiles, schedules

struct InvariantCase {
    const char* name;
    EngineConfig engine;
    Exchange exchange = Exchange::neighbours;
};

const InvariantCase invariant_cases[] = {
    {"epie_random",
     changed(engine(EngineName::ePIE), [](EngineConfig& c) { c.batching_mode = BatchingMode::random; })},
    {"rpie_passes", engine(EngineName::rPIE), Exchange::passes},
    {"rpie_voxels", engine(EngineName::rPIE), Exchange::voxels},
    {"mpie_compact", changed(engine(EngineName::mPIE),
                             [](EngineConfig& c) {
                                 c.batching_mode = BatchingMode::compact;
                                 c.feedback_interval = 2;
                             })},
    {"lsqml_momentum",
     changed(engine(EngineName::LSQML), [](EngineConfig& c) { c.momentum_acceleration_gain = 0.5; })},
};

class Minibatched : public testing::TestWithParam<InvariantCase> {
  protected:
    Minibatched() {
        config_ = scan_.run_config();
        config_.engines = {GetParam().engine};
        config_.engines[0].num_iter = 4;
        config_.probe.update.start = 1;
        config_.tiling.exchange = GetParam().exchange;
    }
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

TEST_P(Minibatched, OnTilesGivesTheAnswerOfTheWhole) {
    constexpr double rounding_bound = 1e-4;
    RunConfig whole_config = config_;
    whole_config.tiling.tiles = {1, 1};
    const Outcome whole = run(whole_config);
    for (const auto& [rows, columns] : {std::pair{2, 2}, {3, 4}, {1, 5}}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns);
        config_.tiling.tiles = {rows, columns};
        const Outcome tiled = run(config_);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), rounding_bound);
        for (std::size_t n = 0; n < whole.reports.size(); ++n)
            EXPECT_NEAR(tiled.reports[n].cost / whole.reports[n].cost, 1, rounding_bound) << n;
        expect_equal_overlaps(tiled);
    }
}

TEST_P(Minibatched, OfAnyScheduleGivesTheSameBits) {
    config_.tiling.tiles = {2, 3};
    const Outcome expected = run(config_);
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    for (const char* scheduler : {"lws", "prio", "dmdas"}) {
        SCOPED_TRACE(scheduler);
        config_.runtime.scheduler = scheduler;
        config_.runtime.submit_ahead = scheduler[0] == 'p' ? 1 : 6;
        expect_bitwise_equal(run(config_), expected);
    }
    expect_bitwise_equal(run(config_, {.num_out_slots = 1}), expected);
}

INSTANTIATE_TEST_SUITE_P(All, Minibatched, testing::ValuesIn(invariant_cases),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- The rest

TEST(MinibatchEngines, WorkInSequenceWithOthers) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.engines = {
        engine(EngineName::rPIE),
        {.name = EngineName::CG, .num_iter = 4},
        engine(EngineName::mPIE),
        changed(engine(EngineName::LSQML), [](EngineConfig& c) { c.momentum_acceleration_gain = 0.5; }),
        {.name = EngineName::GD, .num_iter = 2}};
    config.runtime.waves = Waves::keep;
    const Outcome outcome = run(config);
    ASSERT_EQ(outcome.reports.size(), 15U);
    EXPECT_LT(outcome.result.final_cost, 0.3 * outcome.reports.front().cost);
    // Each begins where the one before ended: CG's first cost is what rPIE's final evaluation says.
    EXPECT_NEAR(outcome.reports[3].cost / outcome.result.cost[2], 1, 1e-6);
}

// Their sums have other parts: batches and tiles have room for the largest.
TEST(MinibatchEngines, WorkInSequenceWithProjectionsOnTilesAsOnTheWhole) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.engines = {
        {.name = EngineName::DM, .num_iter = 3},
        changed(engine(EngineName::LSQML), [](EngineConfig& c) { c.momentum_acceleration_gain = 0.5; }),
        {.name = EngineName::AP, .num_iter = 2},
        engine(EngineName::mPIE),
        {.name = EngineName::CG, .num_iter = 2}};
    config.tiling.tiles = {1, 1};
    const Outcome whole = run(config);
    EXPECT_LT(whole.result.final_cost, 0.3 * whole.reports.front().cost);
    config.tiling.tiles = {2, 3};
    const Outcome tiled = run(config);
    // Five engines one after the other: rounding of the first grows in those that follow.
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 5e-4);
    EXPECT_LT(relative_difference(tiled.probe, whole.probe), 5e-4);
    expect_equal_overlaps(tiled);
    // CG's first cost is what mPIE's final evaluation says.
    const std::size_t first = tiled.reports.size() - 2;
    EXPECT_NEAR(tiled.reports[first].cost / tiled.result.cost[first - 1], 1, 1e-6);
}

// The noise of the last frames' estimates is not the answer: with many mini-batches the steps by themselves
// are shorter than full ones, and fit the counts better than those and than much shorter ones.
TEST(MinibatchEngines, ChooseStepsThatSuitTheirNumber) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.probe.update.start = 1;
    const auto cost_after = [&](int minibatch_size, std::optional<double> step_size) {
        config.engines = {engine(EngineName::rPIE, minibatch_size)};
        config.engines[0].num_iter = 20;
        config.engines[0].step_size = step_size;
        return run(config).result.final_cost;
    };
    const double of_many = cost_after(1, std::nullopt);
    EXPECT_LT(of_many, 0.9 * cost_after(1, 1));
    EXPECT_LT(of_many, cost_after(1, 0.04));
    EXPECT_EQ(cost_after(12, std::nullopt), cost_after(12, 1));
}

TEST(MinibatchEngines, StopBeforeAnIterationChangesAnything) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.runtime.submit_ahead = 1;
    config.probe.update.start = 1;
    for (const double gain : {0.0, 0.5}) {
        const EngineName name = gain > 0 ? EngineName::LSQML : EngineName::rPIE;
        SCOPED_TRACE(tessera::name(name));
        config.engines = {engine(name)};
        config.engines[0].momentum_acceleration_gain = gain;
        config.engines[0].num_iter = 2;
        const Outcome two = run(config);
        config.engines[0].num_iter = 9;
        std::atomic<bool> stop = false;
        RunSettings settings;
        settings.stop_requested = &stop;
        settings.on_iteration = [&](const IterationReport& report) { stop = report.iteration >= 1; };
        const Outcome stopped = run(config, settings);
        EXPECT_TRUE(stopped.stopped_early);
        EXPECT_EQ(stopped.result.final_cost, two.result.final_cost);
        EXPECT_EQ(
            std::memcmp(stopped.result.object.data(), two.result.object.data(), two.result.object.bytes()),
            0);
    }
}

TEST(MinibatchEngines, ConvergeByTheirTolerance) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.engines = {engine(EngineName::rPIE)};
    config.engines[0].num_iter = 60;
    config.engines[0].tolerance = 0.2;
    const Outcome outcome = run(config);
    EXPECT_LT(outcome.reports.size(), 30U);
    EXPECT_GT(outcome.reports.size(), 3U);
}

}  // namespace
}  // namespace tessera::test

#include <cmath>

#include "tasks/engines.hpp"

namespace tessera {
namespace {

// Engines that keep the exit waves psi_jk of all frames and modes, and lead them to where two projections
// agree: the overlap projection, which makes of them the closest products P_k O, and the Fourier projection
// F, which gives their far fields the measured amplitudes.
//   DM     psi += beta [F((1 + alpha) P O - alpha psi) - alpha P O - (1 - alpha) psi]
//          the difference map (Thibault et al., Ultramicroscopy 109, 2009; Dong et al., NYSDS 2018 with their
//          beta, PtyPy with its alpha; both 1: psi += F(2 P O - psi) - P O)
//   RAAR   psi <- beta [psi + F(2 P O - psi)] + (1 - 2 beta) P O     (Luke, Inverse Problems 21, 2005)
//   AP     psi <- F(P O)        alternating projections, error reduction
// In an iteration the waves move, then object and probe, in turns until the probe hardly changes.
ProjectionMap map_of(const EngineConfig& engine) {
    const auto map = [](double psi, double overlap, double fourier, double reflect) {
        return ProjectionMap{static_cast<float>(psi), static_cast<float>(overlap),
                             static_cast<float>(fourier), static_cast<float>(reflect)};
    };
    const ProjectionConfig& c = engine.projection;
    switch (engine.name) {
        case EngineName::DM:
            return map(1 - c.beta * (1 - c.alpha), -c.beta * c.alpha, c.beta, 1 + c.alpha);
        case EngineName::RAAR:
            return map(c.raar_beta, 1 - 2 * c.raar_beta, c.raar_beta, 2);
        default:
            return map(0, 0, 1, 1);
    }
}

class Projections : public Engine {
  public:
    explicit Projections(const EngineSettings& settings)
        : settings_(settings), config_(settings.config.projection), map_(map_of(settings.config)) {}

    void submit_iteration(Graph& graph, int n) override {
        const bool probe_moves = settings_.probe_at(n) == ProbeMotion::moving;
        const bool object_is_first = !probe_moves || config_.update_object_first;
        graph.begin_projection(n, averaging_at(n));
        graph.project_waves(projection_at(n, graph.mean_powers(), object_is_first));
        for (int turn = 0; turn < turns_at(n); ++turn) {
            const bool is_first = turn == 0, is_last = turn + 1 == turns_at(n);
            // Before the object has changed no change of the probe is enough.
            if (!object_is_first) graph.update_probe(probe_update(is_first ? 0 : enough(), true));
            // The object's sums of the first turn were made with the new waves.
            const bool has_sums = is_first && object_is_first;
            graph.update_object(object_update(), has_sums ? ObjectSums::are_made : ObjectSums::make);
            if (probe_moves && object_is_first) graph.update_probe(probe_update(enough(), !is_last));
        }
        if (averaging_at(n) != Averaging::off) graph.average(averaging_at(n));
    }

    // Checkpoints hold the exit waves.
    bool can_begin_at(int) const override { return true; }

    Exchanges exchanges(int n) const override {
        const auto turns = static_cast<std::size_t>(turns_at(n));
        const bool probe_moves = settings_.probe_at(n) == ProbeMotion::moving;
        Exchanges made;
        made.overlaps = turns;
        made.sums = probe_moves ? turns : 0;
        made.scalars = 1 + (has_cost_at(n) ? 1 : 0);
        return made;
    }

  private:
    // Only when the probe moves as well there is more than one.
    int turns_at(int n) const {
        return settings_.probe_at(n) == ProbeMotion::moving ? config_.overlap_max_iterations : 1;
    }

    bool has_cost_at(int n) const { return map_.reflect == 1 || n % config_.cost_interval == 0; }

    FourierProjectionArgs projection_at(int n, const MeanPowers& powers, bool object_is_first) const {
        const double relax = config_.fourier_relax_factor;
        FourierProjectionArgs args;
        args.map = map_;
        args.power_bound =
            config_.fourier_power_bound.value_or(0.25 * relax * relax * powers.on_detector_largest);
        args.waves = n == 0 ? ExitWaves::begin : ExitWaves::go_on;
        args.cost = has_cost_at(n) ? OverlapCost::compute : OverlapCost::skip;
        args.object = object_is_first ? ObjectPartial::compute : ObjectPartial::skip;
        return args;
    }

    DivideObjectArgs object_update() const {
        DivideObjectArgs args;
        args.inertia = config_.object_inertia;
        if (config_.clip_object) {
            args.least_amplitude = (*config_.clip_object)[0];
            args.most_amplitude = (*config_.clip_object)[1];
        }
        return args;
    }

    double enough() const { return config_.overlap_converge_factor; }

    // The probe moves to the middle only where the object follows.
    DivideProbeArgs probe_update(double enough, bool object_follows) const {
        DivideProbeArgs args;
        args.inertia = config_.probe_inertia;
        args.enough = enough;
        const bool centers = object_follows && config_.probe_center_tol;
        args.centering = centers ? ProbeCentering::on : ProbeCentering::off;
        args.center_tol_px = config_.probe_center_tol.value_or(0);
        return args;
    }

    Averaging averaging_at(int n) const {
        const int num_iter = settings_.config.num_iter;
        const int first = num_iter - static_cast<int>(std::lround(config_.average_last * num_iter));
        if (n < first) return Averaging::off;
        return n + 1 == num_iter ? Averaging::last : Averaging::on;
    }

    EngineSettings settings_;
    ProjectionConfig config_;
    ProjectionMap map_;
};

}  // namespace

std::unique_ptr<Engine> make_projections(const EngineSettings& settings) {
    return std::make_unique<Projections>(settings);
}

}  // namespace tessera

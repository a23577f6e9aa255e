#include "tasks/engines.hpp"
#include "tiling/minibatches.hpp"

namespace tessera {
namespace {

// Least-squares maximum likelihood (Odstrcil, Menzel and Guizar-Sicairos, Opt. Express 26:3108, 2018). For
// each mini-batch: the directions
//   dO = -sum conj(P) chi / ((1 - damping) A + damping max A),   dP the same with O and C  (eqs. 24, 25),
// and the steps along both that lead its exit waves closest to where they want to go (eq. 22, which the
// paper solves for each frame, codelets/least_squares.hpp for all of them). A and C are those of all frames,
// made anew in each iteration: with weights of its own a mini-batch's noise would count in full where few of
// its frames reach, over what all others have said there. Where the probe moves later in the engine, steps
// are solved for both together before as well: the object leaves to the probe what is the probe's.
// With momentum the velocity v of an iteration's updates u: v = (1 - friction) v + mixing u, O += gain v.
class LeastSquaresMaximumLikelihood : public Engine {
  public:
    explicit LeastSquaresMaximumLikelihood(const EngineSettings& settings) : settings_(settings) {}

    void submit_iteration(Graph& graph, int n) override {
        const EngineConfig& config = settings_.config;
        const ProbeMotion probe = settings_.probe_at(n);
        const ProbeMotion solved = settings_.moves_probe() ? ProbeMotion::moving : ProbeMotion::fixed;
        const auto order = minibatch_order(settings_.num_minibatches, settings_.random_seed, n);
        const double damping = config.preconditioning_damping_factor;
        graph.weigh();
        if (has_momentum()) graph.begin_momentum(n == 0 ? Graph::Velocity::none : Graph::Velocity::kept);
        for (std::size_t i = 0; i < order.size(); ++i) {
            const bool is_first = i == 0;
            graph.minibatch_gradient(order[i], KeptWaves::residual, solved);
            graph.add_up(is_first ? Votes::counted : Votes::none);
            graph.begin_minibatch(order[i], begin_args(n, is_first, solved));
            graph.directions(solved, damping);
            graph.least_squares_steps(order[i], solved, config.beta_LSQ);
            graph.step(probe, Steps::separate);
        }
        if (!has_momentum()) return;
        graph.momentum(momentum_args(), probe);
        graph.end_momentum();
    }

    bool can_begin_at(int) const override { return true; }

    Exchanges exchanges(int) const override {
        const auto count = static_cast<std::size_t>(settings_.num_minibatches);
        return {1 + count, 1 + count, count, count};
    }

  private:
    bool has_momentum() const { return settings_.config.momentum_acceleration_gain > 0; }

    BeginMinibatchArgs begin_args(int n, bool is_first, ProbeMotion probe) const {
        BeginMinibatchArgs args;
        args.iteration = n;
        args.is_first = is_first ? 1 : 0;
        args.probe = probe;
        args.weights = Weights::of_all;
        args.tolerance = settings_.config.tolerance;
        return args;
    }

    MomentumArgs momentum_args() const {
        const EngineConfig& config = settings_.config;
        MomentumArgs args;
        args.kept = 1 - config.momentum_acceleration_friction;
        args.added = config.momentum_acceleration_gradient_mixing_factor;
        args.from_velocity = config.momentum_acceleration_gain * args.kept;
        args.from_update = config.momentum_acceleration_gain * args.added;
        args.halved_when_cost_rises = 1;
        return args;
    }

    EngineSettings settings_;
};

}  // namespace

std::unique_ptr<Engine> make_lsqml(const EngineSettings& settings) {
    return std::make_unique<LeastSquaresMaximumLikelihood>(settings);
}

}  // namespace tessera

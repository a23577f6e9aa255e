#include "tasks/engines.hpp"

namespace tessera {
namespace {

// Preconditioned gradient descent with momentum (Polyak's heavy ball), object and probe together:
//   v = momentum v - M g,  x += step v.
// Half the transforms of a conjugate-gradient iteration, no guarantee that the cost falls; the momentum is
// dropped for an iteration whenever it rose.
class GradientDescent : public Engine {
  public:
    explicit GradientDescent(const EngineSettings& settings) : settings_(settings) {}

    void submit_iteration(Graph& graph, int n) override {
        const ProbeMotion probe = settings_.probe_at(n);
        const double alpha = settings_.config.preconditioner_alpha;
        if (settings_.weighs_at(n)) graph.weigh();
        graph.gradient(KeptWaves::none, probe);
        graph.add_up();
        graph.conjugate(conjugate_args(n, probe));
        graph.directions(probe, alpha);
        graph.step(probe);
        if (settings_.couples_at(n)) graph.couple_slices(settings_.coupling);
    }

    bool can_begin_at(int) const override { return true; }

    Exchanges exchanges(int n) const override {
        const std::size_t fields = settings_.weighs_at(n) ? 2 : 1;
        return {fields, fields, 0, 1, settings_.couples_at(n) ? 1u : 0u};
    }

  private:
    ConjugateArgs conjugate_args(int n, ProbeMotion probe) const {
        ConjugateArgs args;
        args.rule = DirectionRule::heavy_ball;
        args.iteration = n;
        args.restart = settings_.restarts_at(n) ? 1 : 0;
        args.probe = probe;
        args.alpha = settings_.config.preconditioner_alpha;
        args.tolerance = settings_.config.tolerance;
        args.momentum = settings_.config.momentum;
        args.step = settings_.config.step;
        return args;
    }

    EngineSettings settings_;
};

}  // namespace

std::unique_ptr<Engine> make_gradient_descent(const EngineSettings& settings) {
    return std::make_unique<GradientDescent>(settings);
}

}  // namespace tessera

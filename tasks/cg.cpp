#include "tasks/engines.hpp"

namespace tessera {
namespace {

DirectionRule rule_of(ConjugateRule rule) {
    switch (rule) {
        case ConjugateRule::polak_ribiere:
            return DirectionRule::polak_ribiere;
        case ConjugateRule::dai_yuan:
            return DirectionRule::dai_yuan;
        case ConjugateRule::fletcher_reeves:
            return DirectionRule::fletcher_reeves;
    }
    return DirectionRule::polak_ribiere;
}

// Conjugate-gradient maximum likelihood, object and probe together (PtyGer's problem: Yu et al., Sci. Rep.
// 12:5334, 2022; preconditioned and with the probe).
//   g = grad f(x),  z = M g,  d = -z + beta d,  x += s d,  s by one pass over the frames.
class ConjugateGradient : public Engine {
  public:
    explicit ConjugateGradient(const EngineSettings& settings) : settings_(settings) {}

    void submit_iteration(Graph& graph, int n) override {
        const ProbeMotion probe = settings_.probe_at(n);
        const double alpha = settings_.config.preconditioner_alpha;
        const KeptWaves waves = waves_at(n);
        if (settings_.weighs_at(n)) graph.weigh();
        graph.gradient(waves, probe);
        graph.dots(alpha);
        graph.add_up();
        graph.conjugate(conjugate_args(n, probe));
        graph.directions(probe, alpha);
        graph.line_search(waves, probe);
        graph.choose_step();
        graph.step(probe);
        if (settings_.couples_at(n)) graph.couple_slices(settings_.coupling);
    }

    // Checkpoints do not hold the kept far fields: only where they are made afresh anyway.
    bool can_begin_at(int n) const override { return waves_at(n) != KeptWaves::advance; }

    Exchanges exchanges(int n) const override {
        const std::size_t fields = settings_.weighs_at(n) ? 2 : 1;
        return {fields, fields, 1, 1, settings_.couples_at(n) ? 1u : 0u};
    }

  private:
    // Kept far fields follow the steps, but neither frames that move nor modes that are mixed; rounding adds
    // up, so they are made afresh now and then.
    KeptWaves waves_at(int n) const {
        if (!settings_.keep_waves) return KeptWaves::none;
        return n % 10 == 0 || settings_.outdates_waves_at(n - 1) ? KeptWaves::refresh : KeptWaves::advance;
    }

    ConjugateArgs conjugate_args(int n, ProbeMotion probe) const {
        ConjugateArgs args;
        args.rule = rule_of(settings_.config.beta);
        args.iteration = n;
        args.restart = settings_.restarts_at(n) ? 1 : 0;
        args.probe = probe;
        args.alpha = settings_.config.preconditioner_alpha;
        args.tolerance = settings_.config.tolerance;
        return args;
    }

    EngineSettings settings_;
};

}  // namespace

std::unique_ptr<Engine> make_conjugate_gradient(const EngineSettings& settings) {
    return std::make_unique<ConjugateGradient>(settings);
}

}  // namespace tessera

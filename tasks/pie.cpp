#include <algorithm>

#include "tasks/engines.hpp"
#include "tiling/minibatches.hpp"

namespace tessera {
namespace {

// What tells the engines of the family apart (Maiden, Johnson and Li, Optica 4:736, 2017, table 1): alpha is
// the step where the weight is the largest everywhere, else the share of the largest in the weight. The step
// by default is `most_step` for few mini-batches, and shorter for more, down to `least_step`.
struct PieRule {
    EngineName engine;
    bool alpha_is_step;
    double default_alpha;
    double least_step, most_step;
    bool has_momentum;
};
constexpr PieRule rules[] = {
    {EngineName::ePIE, true, 1.0, 1.0, 1.0, false},
    {EngineName::rPIE, false, 0.1, 0.4, 1.0, false},
    {EngineName::mPIE, false, 0.1, 0.2, 0.2, true},
};

// A full step makes of each pixel what the frames of one mini-batch say, and takes over their noise: what
// earlier ones said is forgotten. With steps of s the noise of a pixel falls as s / (2 - s), and it takes 1 /
// s as many updates to come there. A pass has enough of those where mini-batches are many; the least step is
// for pixels that no more frames light than there are mini-batches, and so have no more updates.
constexpr double minibatches_of_full_steps = 12;

double default_step(const PieRule& rule, int num_minibatches) {
    return std::clamp(rule.most_step * minibatches_of_full_steps / num_minibatches, rule.least_step,
                      rule.most_step);
}

const PieRule& rule_of(EngineName engine) {
    for (const PieRule& rule : rules) {
        if (rule.engine == engine) return rule;
    }
    return rules[0];
}

// Ptychographic iterative engines with mini-batches of frames instead of single ones. With chi = psi - psi',
// what each exit wave is too much, summed over the frames of a mini-batch:
//   O -= step sum conj(P) chi / ((1 - alpha) A + alpha max A),   A = sum_k |P_k|^2,
//   P -= step sum conj(O) chi / ((1 - alpha) C + alpha max C),   C = sum |O|^2.
// For mini-batches of one frame these are the published formulas. Where frames of a mini-batch overlap, A is
// what all of them put there: a mean of their updates, never more than one alone would do while frames are
// where the scan has them.
class Pie : public Engine {
  public:
    explicit Pie(const EngineSettings& settings)
        : settings_(settings), rule_(rule_of(settings.config.name)) {}

    void submit_iteration(Graph& graph, int n) override {
        const ProbeMotion probe = settings_.probe_at(n);
        const auto order = minibatch_order(settings_.num_minibatches, settings_.random_seed, n);
        if (rule_.has_momentum) graph.begin_momentum(n == 0 ? Graph::Velocity::none : Graph::Velocity::kept);
        for (std::size_t i = 0; i < order.size(); ++i) {
            const bool is_first = i == 0, is_last = i + 1 == order.size();
            graph.minibatch_gradient(order[i], KeptWaves::none, probe);
            graph.minibatch_weights(order[i], norm());
            graph.add_up(is_first ? Votes::counted : Votes::none);
            graph.begin_minibatch(order[i], begin_args(n, is_first, probe));
            graph.directions(probe, regularisation(object_alpha()), regularisation(probe_alpha()));
            graph.step(probe, Steps::separate);
            if (rule_.has_momentum && (is_last || gives_feedback(i))) graph.momentum(momentum_args(), probe);
        }
        if (rule_.has_momentum) graph.end_momentum();
    }

    bool can_begin_at(int) const override { return true; }

    Exchanges exchanges(int) const override {
        const auto count = static_cast<std::size_t>(settings_.num_minibatches);
        return {count, count, 0, count};
    }

  private:
    ObjectNorm norm() const {
        return settings_.config.object_norm_is_global ? ObjectNorm::of_object : ObjectNorm::of_minibatch;
    }
    double object_alpha() const { return settings_.config.alpha_object.value_or(rule_.default_alpha); }
    double probe_alpha() const { return settings_.config.alpha_probe.value_or(rule_.default_alpha); }
    double regularisation(double alpha) const { return rule_.alpha_is_step ? 1 : alpha; }
    double step(double alpha) const {
        return rule_.alpha_is_step
                   ? alpha
                   : settings_.config.step_size.value_or(default_step(rule_, settings_.num_minibatches));
    }

    BeginMinibatchArgs begin_args(int n, bool is_first, ProbeMotion probe) const {
        BeginMinibatchArgs args;
        args.iteration = n;
        args.is_first = is_first ? 1 : 0;
        args.probe = probe;
        args.norm = norm();
        args.object_step = step(object_alpha());
        args.probe_step = step(probe_alpha());
        args.tolerance = settings_.config.tolerance;
        return args;
    }

    bool gives_feedback(std::size_t i) const {
        return (i + 1) % static_cast<std::size_t>(settings_.config.feedback_interval) == 0;
    }

    // Eqs. 19 to 21 with u what the mini-batches since the last time have added: v = friction v + u, and the
    // object begins again from where it was then, plus v. The same for the probe.
    MomentumArgs momentum_args() const {
        MomentumArgs args;
        args.from_velocity = settings_.config.friction;
        args.kept = settings_.config.friction;
        args.added = 1;
        return args;
    }

    EngineSettings settings_;
    const PieRule& rule_;
};

}  // namespace

std::unique_ptr<Engine> make_pie(const EngineSettings& settings) {
    return std::make_unique<Pie>(settings);
}

}  // namespace tessera

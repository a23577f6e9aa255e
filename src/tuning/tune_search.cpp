#include "tuning/tune_search.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "scan/random.hpp"

namespace tessera {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

class Search {
  public:
    Search(const TuneSpace& space, const TuneConfig& tune, const Trials& trials)
        : space_(space), tune_(tune), trials_(trials) {}

    TuneProgress progress() {
        progress_.best = space_.as_in_the_run_file();
        const bool is_grid =
            tune_.search == TuneSearch::grid ||
            (tune_.search == TuneSearch::automatic &&
             space_.num_points() <= static_cast<std::size_t>(tune_.max_trials / tune_.repetitions));
        if (is_grid) {
            compare(space_.all_points());
        } else {
            go_round();
        }
        confirm();
        return progress_;
    }

  private:
    // Asks for what is missing; afterwards the best of them is known, if nothing is.
    void compare(const std::vector<TunePoint>& points) {
        for (int r = 0; r < tune_.repetitions; ++r) {
            for (const std::size_t i : shuffled(points.size(), r)) ask({TrialKind::search, points[i], r});
        }
        if (progress_.next) return;
        double best_s = never;
        for (const PointTime& time : point_times(trials_)) {
            const bool is_one = std::ranges::find(points, time.point) != points.end();
            if (!is_one || time.median_s() >= best_s) continue;
            best_s = time.median_s();
            progress_.best = time.point;
        }
    }

    void go_round() {
        constexpr int max_rounds = 2;
        for (int round = 0; round < max_rounds; ++round) {
            const TunePoint before = progress_.best;
            for (std::size_t a = 0; a < space_.axes.size() && !progress_.next; ++a) {
                std::vector<TunePoint> points;
                for (std::size_t v = 0; v < space_.axes[a].values.size(); ++v) {
                    points.push_back(progress_.best);
                    points.back()[a] = v;
                }
                compare(points);
                if (progress_.next) count_axes_after(a);
            }
            if (progress_.next || progress_.best == before) return;
        }
    }

    void count_axes_after(std::size_t axis) {
        for (std::size_t a = axis + 1; a < space_.axes.size(); ++a) {
            progress_.num_remaining +=
                (space_.axes[a].values.size() - 1) * static_cast<std::size_t>(tune_.repetitions);
        }
    }

    void confirm() {
        const TunePoint own = space_.as_in_the_run_file();
        if (progress_.next) {
            progress_.num_remaining += 2 * static_cast<std::size_t>(tune_.confirmations);
            return;
        }
        if (progress_.best == own) return;
        for (int r = 0; r < tune_.confirmations; ++r) {
            // In turns: what drifts with time favours neither.
            const auto& first = r % 2 == 0 ? own : progress_.best;
            const auto& second = r % 2 == 0 ? progress_.best : own;
            ask({TrialKind::confirmation, first, r});
            ask({TrialKind::confirmation, second, r});
        }
    }

    // Once a point has failed, it is not tried again.
    bool is_settled(const Trial& trial) const {
        if (trials_.find(trial) != nullptr) return true;
        return std::ranges::any_of(trials_.all(), [&](const Trials::Done& done) {
            return done.trial.kind == trial.kind && done.trial.point == trial.point && done.outcome.failed();
        });
    }

    void ask(const Trial& trial) {
        if (is_settled(trial)) return;
        ++progress_.num_remaining;
        if (!progress_.next) progress_.next = trial;
    }

    static std::vector<std::size_t> shuffled(std::size_t count, int round) {
        std::vector<std::size_t> order(count);
        std::iota(order.begin(), order.end(), std::size_t{0});
        Random random(0, static_cast<std::uint64_t>(round));
        for (std::size_t i = count; i > 1; --i)
            std::swap(order[i - 1],
                      order[static_cast<std::size_t>(random.uniform() * static_cast<double>(i))]);
        return order;
    }

    const TuneSpace& space_;
    const TuneConfig& tune_;
    const Trials& trials_;
    TuneProgress progress_;
};

}  // namespace

double median(std::vector<double> values) {
    if (values.empty()) return never;
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

double PointTime::median_s() const {
    return failure.empty() ? median(run_s) : never;
}

TuneProgress tune_progress(const TuneSpace& space, const TuneConfig& tune, const Trials& trials) {
    return Search(space, tune, trials).progress();
}

std::vector<PointTime> point_times(const Trials& trials) {
    std::vector<PointTime> times;
    for (const auto& [trial, outcome] : trials.all()) {
        if (trial.kind != TrialKind::search) continue;
        auto time = std::ranges::find(times, trial.point, &PointTime::point);
        if (time == times.end()) time = times.insert(time, {trial.point, {}, ""});
        if (outcome.failed()) {
            if (time->failure.empty()) time->failure = outcome.failure;
        } else {
            time->run_s.push_back(outcome.run_s);
        }
    }
    std::ranges::stable_sort(times, {}, &PointTime::median_s);
    return times;
}

std::vector<double> confirmed_ratios(const TunePoint& best, const Trials& trials) {
    std::vector<double> ratios;
    const TunePoint own(best.size(), 0);
    for (const auto& [trial, outcome] : trials.all()) {
        if (trial.kind != TrialKind::confirmation || trial.point != best || outcome.failed()) continue;
        const TrialOutcome* of_own = trials.find({TrialKind::confirmation, own, trial.repetition});
        if (of_own != nullptr && !of_own->failed()) ratios.push_back(of_own->run_s / outcome.run_s);
    }
    return ratios;
}

}  // namespace tessera

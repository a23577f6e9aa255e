#pragma once

#include <optional>
#include <vector>

#include "tuning/trials.hpp"

namespace tessera {

// How long the run would take at a point, from its trials.
struct PointTime {
    TunePoint point;
    std::vector<double> run_s;  // of its repetitions, as they were run
    std::string failure;        // of the first that failed
    double median_s() const;    // infinite where one failed
};
double median(std::vector<double> values);

// Which trial is next: a function of those that are done, so that an interrupted search goes on where it was.
// A grid runs all points `repetitions` times, in rounds, each in another order. One by one, it goes through
// the axes, compares all values of one with the best so far in the others, keeps the best, and goes round
// again while that changes something (at most twice). In the end the best point and the run file's own are
// run in turn, `confirmations` times: what is claimed was measured again, side by side.
struct TuneProgress {
    std::optional<Trial> next;      // nothing: all is done
    std::size_t num_remaining = 0;  // as far as it is known
    TunePoint best;                 // so far
};
TuneProgress tune_progress(const TuneSpace& space, const TuneConfig& tune, const Trials& trials);

// All points that have been run in the search, fastest first.
std::vector<PointTime> point_times(const Trials& trials);

// Of the confirmations, pair by pair: time as in the run file / time with the best settings.
std::vector<double> confirmed_ratios(const TunePoint& best, const Trials& trials);

}  // namespace tessera

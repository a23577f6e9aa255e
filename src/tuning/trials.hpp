#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tuning/tune_space.hpp"

namespace tessera {

enum class TrialKind { search, confirmation };

// One run of one point.
struct Trial {
    TrialKind kind = TrialKind::search;
    TunePoint point;
    int repetition = 0;
    bool operator==(const Trial&) const = default;
};

struct TrialOutcome {
    double run_s = 0;     // what the whole run would take at this speed: sum over engines of num_iter x time
    double wall_s = 0;    // of the trial itself
    std::string failure;  // why it has no time; empty: it has one
    bool failed() const { return !failure.empty(); }
};

// The trials done so far, in a file to which each is added when it ends: an interrupted sweep goes on.
class Trials {
  public:
    // Reads the file if there is one. `fingerprint` stands for all that the trials depend on: a file with
    // another one is a usage Error.
    Trials(const std::filesystem::path& file, const std::string& fingerprint, const TuneSpace& space);

    void add(const Trial& trial, const TrialOutcome& outcome);  // on disk when it returns
    const TrialOutcome* find(const Trial& trial) const;
    std::size_t size() const { return done_.size(); }

    struct Done {
        Trial trial;
        TrialOutcome outcome;
    };
    const std::vector<Done>& all() const { return done_; }

  private:
    void read(std::string_view text, const std::string& fingerprint, const TuneSpace& space);

    std::filesystem::path file_;
    std::vector<Done> done_;
};

}  // namespace tessera

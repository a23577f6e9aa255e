#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "codelets/layout.hpp"
#include "codelets/vote_to_stop.hpp"
#include "io/result_file.hpp"
#include "tasks/checkpoints.hpp"
#include "tasks/engines.hpp"
#include "tasks/frame_statistics.hpp"
#include "tasks/handles.hpp"
#include "tasks/run_state.hpp"
#include "tasks/snapshots.hpp"

namespace tessera {

// What the host learns from an iteration's record.
struct IterationReport {
    std::string engine;
    int iteration = 0;  // of this engine
    int num_iter = 0;
    int overall = 0;  // of the run
    int overall_num_iter = 0;
    double cost = 0;  // before this iteration's step
    double data_error = 0;
    double step = 0;
    double beta = 0;
    double time_s = 0;  // since the first task
};

struct ReconstructionHooks {
    std::function<void(const IterationReport&)> on_iteration;
    // Every output.save_interval iterations, on every rank: for the output thread.
    std::function<void(Result, std::shared_ptr<ObjectOnItsWay>)> on_snapshot;
    const std::atomic<bool>* stop_requested = nullptr;
    Checkpoints* checkpoints = nullptr;  // of this run; null: none
};

// Runs all engines on one graph. The host submits at most runtime.submit_ahead iterations beyond the last
// record it has seen, and learns everything from records: cost, the reason to stop, errors inside tasks.
class Reconstruction {
  public:
    Reconstruction(const Problem& problem, Handles& handles, const FrameStatistics& statistics,
                   ReconstructionHooks hooks);

    // From the beginning, or where a checkpoint was made whose fields the handles have. Throws
    // Error(diverged) when the cost is not finite, naming the iteration.
    void run(const RunState& from = {});
    bool stopped_early() const { return stopped_early_; }  // by a signal or the time limit

    // After run(), on every rank: probe (orthogonal modes by falling power), history, errors per frame; and
    // the object, for the output thread.
    Result result_without_object() const;
    std::shared_ptr<ObjectOnItsWay> object() const { return snapshot_.object(); }

  private:
    struct EngineRun;
    void run_engine(const EngineSettings& settings, EngineRun& run);
    bool take_record(EngineRun& run, int iteration);
    void finish_engine(EngineRun& run);
    void submit_snapshot(EngineRun& run, int iteration);
    VoteToStopArgs stop_condition(const EngineRun& run, int iteration) const;
    void tell_why_it_goes_on(EngineRun& run, int iteration) const;
    RunState state_before(const EngineRun& run, int iteration) const;
    void append(History& history, const EngineRun& run, std::size_t count, double last_cost,
                double last_data_error) const;
    Result snapshot_result(const EngineRun& run, const IterationState& record) const;
    Result result_of(const History& history, double cost, double data_error) const;
    void set_positions(Result& result) const;
    void add_shifts(Result& result) const;
    std::vector<double> gather_lights() const;
    void set_lights(Result& result, const std::vector<double>& lights) const;
    std::vector<double> error_per_frame() const;

    const Problem& problem_;
    Handles& handles_;
    const FrameStatistics& statistics_;
    ReconstructionHooks hooks_;
    Graph graph_;
    Snapshot snapshot_;
    VoteToStopArgs stop_;
    double start_s_ = 0;
    bool stopped_early_ = false;
    int overall_num_iter_ = 0;
    History history_;
    double final_cost_ = 0, final_data_error_ = 0;
};

}  // namespace tessera

#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "config/simulation_config.hpp"
#include "scan/synthetic.hpp"
#include "tasks/reconstruction.hpp"

// Whole reconstructions of small simulated scans inside the test's own process.
namespace tessera::test {

// 36 frames of 24 x 32 pixels on a spiral, a defocused probe whose guess has the wrong distance.
SimulationConfig far_field_scan();
// The same with 32 x 40 pixels behind a focus.
SimulationConfig near_field_scan();

// side x side frames of 40 x 40 pixels, jittered; a small defocused probe on fine features.
SimulationConfig jittered_scan(int side);

// A simulated scan as a CXI file in a folder of its own, removed at the end.
class SmallScan {
  public:
    explicit SmallScan(const SimulationConfig& config);
    ~SmallScan();
    SmallScan(const SmallScan&) = delete;
    SmallScan& operator=(const SmallScan&) = delete;

    const SyntheticScan& truth() const { return truth_; }
    const std::filesystem::path& folder() const { return folder_; }
    // Eight CG iterations on 2 x 2 tiles in batches of four, waves recomputed, one worker.
    RunConfig run_config() const;

  private:
    std::filesystem::path folder_;
    SyntheticScan truth_;
};

struct Outcome {
    explicit Outcome(Problem of_run) : problem(std::move(of_run)) {}

    Problem problem;
    Result result;  // probe: orthogonal modes
    std::vector<IterationReport> reports;
    IterationState final_state;                  // of the last engine
    std::vector<Array<cfloat, 3>> tile_objects;  // each tile's extended memory at the end
    Array<cfloat, 3> probe;                      // modes as they are at the end
    bool stopped_early = false;
};

struct RunSettings {
    std::optional<std::size_t> num_out_slots;  // per tile, and of waves between stages, at most
    const std::atomic<bool>* stop_requested = nullptr;
    std::function<void(const IterationReport&)> on_iteration = {};
    std::filesystem::path checkpoints = {};  // the folder; empty: none are made
    bool resume = false;                     // from the last one, if there is one
};

int most_workers();  // of a run: two, where there are so many cores

// Starts StarPU, reconstructs, stops StarPU.
Outcome run(const RunConfig& config, const RunSettings& settings = {});

// Object, probe, costs and steps are the same to the last bit.
void expect_bitwise_equal(const Outcome& a, const Outcome& b);

// Every pair of tiles holds the same bits of the object where they overlap, and some do.
void expect_equal_overlaps(const Outcome& outcome);

// The same pixels of both: where the centres of the frames' windows are, and `margin` around that.
struct FoundAndTrue {
    Array<cfloat, 2> found, truth;
};
FoundAndTrue where_windows_centre(const Result& result, const SyntheticScan& truth,
                                  std::ptrdiff_t margin = 0);

// ||a - b|| / ||b||
double relative_difference(const Array<cfloat, 3>& a, const Array<cfloat, 3>& b);

}  // namespace tessera::test

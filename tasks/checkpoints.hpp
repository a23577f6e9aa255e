#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint_file.hpp"
#include "tasks/handles.hpp"
#include "tasks/run_state.hpp"
#include "tasks/snapshots.hpp"

namespace tessera {

class WavesOnTheirWay;

// Checkpoints of a run while it goes on. Before every iteration at which a run can begin again
// (Engine::can_begin_at) tasks copy all fields that later iterations depend on: object and probe with their
// directions, their last gradients, illumination and coverage. Kept far fields are not among them: such an
// iteration makes them afresh. Now and then the copies go to disk, on the output thread; meanwhile nothing is
// copied, and the graph goes on. When a run is stopped, the last copies are what it can go on from.
//
// All ranks must write the same iteration. Each votes for the next phase when it is ready, as the graph asks
// it in every iteration; a record in which all have voted moves every rank on:
//   idle     ready when the interval is over (and, on the first rank, the last manifest is on disk)
//   writing  ready when this rank's file is on disk, or could not be written; then the first rank writes the
//            manifest
//
// Exit waves, of engines that keep them, are too many to be copied before every iteration. When all ranks are
// ready they are copied before the next, batch by batch into a ring from which the output thread writes them:
// the iteration follows as fast as the disk lets it. When a run is stopped they are what they were before the
// iteration that did not happen, and are written from where they are.
class Checkpoints {
  public:
    struct Setup {
        std::filesystem::path folder;
        // Null: what writing the last one took, times 100; at least a minute (also before the first), at most
        // an hour.
        std::optional<double> interval_s;
        std::string scan, frames;                                        // fingerprints
        std::optional<CheckpointManifest> began_with;                    // that the run goes on from
        std::function<void(const CheckpointManifest&)> on_written = {};  // on the first rank
    };
    // `output` writes the files; it and this live as long as the run.
    Checkpoints(const Problem& problem, const Handles& handles, Setup setup, OutputThread& output);

    // For the graph to ask. Tasks may outlive this; there is one run at a time in a process.
    static const std::atomic<bool>& vote() { return vote_; }

    struct Point {
        std::size_t engine = 0;
        int iteration = 0;
        std::int64_t num_iterations = 0;  // of the run
        bool operator==(const Point& other) const {
            return engine == other.engine && iteration == other.iteration;
        }
    };
    // Where the run stands before an iteration of the current engine.
    using StateBefore = std::function<RunState(int iteration)>;

    // Before the tasks of an iteration at which a run can begin: copies, unless the last are being written.
    void submit_copies(const Point& point);
    // For the record of each iteration, in order.
    void take_record(int iteration, std::int64_t votes, const StateBefore& state_before);
    // After the last record of an engine. Stopped early: the last copies are written, whatever the interval.
    void end_engine(bool stopped_early, const StateBefore& state_before);
    // After the last engine: waits until all is on disk.
    void finish();
    bool is_any_on_disk() const { return is_any_on_disk_; }  // as the first rank knows

    std::size_t bytes() const;  // of the copies in this rank

  private:
    struct Copies {
        std::vector<Data> tiles;   // empty where a tile is another rank's
        std::vector<Data> places;  // empty too where positions are not refined
        std::vector<Data> lights;  // or where the probe does not vary
        Data probe;
        Data background;          // empty unless it is refined
        std::vector<Data> waves;  // a ring
    };
    enum class Phase { idle, waiting_for_point, waiting_for_copies, writing };
    // What a rank has written.
    struct Written {
        CheckpointFile part, waves;  // no name: it could not be written, or there are none
        double seconds = 0;          // that this took
    };

    bool has_waves(const Point& point) const;
    void submit_waves(const Point& point);
    void enter(Phase phase);
    void write_copies(const StateBefore& state_before);
    void start_writing_waves();
    void add_files(const std::vector<std::int64_t>& bytes, const std::vector<std::int64_t>& checksums,
                   const std::function<std::string(int rank)>& name_of);
    CheckpointPart part_of(const RunState& state, std::deque<HostAccess>& accesses) const;
    void gather_parts();
    void post_manifest();
    bool is_manifest_done() const;
    void wait_for_manifest();
    void settle();

    const Problem& problem_;
    const Handles& handles_;
    Setup setup_;
    OutputThread& output_;
    std::shared_ptr<Copies> copies_;
    inline static std::atomic<bool> vote_ = false;

    Phase phase_ = Phase::idle;
    int num_old_votes_ = 0;  // records to come whose votes may be for an earlier phase
    double idle_since_s_ = 0;
    double interval_s_ = 0;        // between this and the next
    std::deque<Point> submitted_;  // copies that may be on their way
    std::optional<Point> copied_, written_;
    CheckpointManifest manifest_;  // of what is being written
    bool is_whole_ = false;        // all ranks have written theirs
    std::future<Written> part_;
    std::shared_ptr<WavesOnTheirWay> waves_;  // of what is being written; null: none
    std::int64_t waves_number_ = 0;           // in the names of their files
    std::future<bool> manifest_written_;
    std::vector<CheckpointManifest> kept_;
    bool is_any_on_disk_ = false;
};

// What a checkpoint has of a tile, and of the probe.
struct SavedField {
    const char* name;
    const Data* data;
};
using SavedFields = std::array<SavedField, 3>;
SavedFields saved_fields(const TileHandles& tile);
SavedFields saved_probe_fields(const Handles& handles);
std::string path_of_tile(std::size_t tile);  // in a checkpoint's file
std::string path_of_places(std::size_t tile);
std::string path_of_lights(std::size_t tile);
inline constexpr const char* path_of_probe = "/probe";
inline constexpr const char* path_of_background = "/background";

}  // namespace tessera

#include "tasks/checkpoints.hpp"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>

#include "base/log.hpp"
#include "codelets/accumulate.hpp"
#include "codelets/save.hpp"
#include "config/yaml_reader.hpp"
#include "tasks/graph.hpp"

namespace tessera {
namespace {

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

SaveArgs save_args(const SavedFields& fields) {
    SaveArgs args;
    for (std::size_t i = 0; i < fields.size(); ++i) args.bytes[i] = fields[i].data->bytes();
    return args;
}

void submit_save(const SavedFields& fields, const Data& state, const Data& to) {
    save.submit(save_args(fields), {fields[0].data, fields[1].data, fields[2].data, &state, &to},
                interior_batch);
}

void append_blocks(CheckpointPart& part, const std::string& path, const SavedFields& fields,
                   const float* saved) {
    for (const SavedField& field : fields) {
        const std::size_t size = field.data->bytes() / sizeof(float);
        part.blocks.push_back({fmt::format("{}/{}", path, field.name), saved, size});
        saved += size;
    }
}

template <class Visit>
void for_each_wave(const Handles& handles, const Visit& visit) {
    for (const std::size_t t : handles.own) {
        for (const BatchHandles& batch : handles.tiles[t].batches)
            visit(batch.waves, exit_wave_bytes(batch.shape));
    }
}

// On the output thread. A disk that is full is no reason to end a run.
CheckpointFile write_part_or_warn(const std::filesystem::path& folder, std::int64_t num_iterations, int rank,
                                  const CheckpointPart& part) {
    try {
        return write_checkpoint_part(folder, num_iterations, rank, part);
    } catch (const Error& failure) {
        log::warning("{} (no checkpoint after {} iterations; the run goes on)", failure.what(),
                     num_iterations);
        return {};
    }
}

bool write_manifest_or_warn(const std::filesystem::path& folder,
                            const std::vector<CheckpointManifest>& kept) {
    const CheckpointManifest& newest = kept.back();
    try {
        write_manifest(folder, newest);
        keep_only(folder, kept);
    } catch (const Error& failure) {
        log::warning("{} (no checkpoint after {} iterations; the run goes on)", failure.what(),
                     newest.num_iterations);
        // On a disk that is full the result needs their place.
        std::error_code ignored;
        for (const CheckpointFile& file : newest.files) std::filesystem::remove(folder / file.name, ignored);
        return false;
    }
    return true;
}

// What was `kept`, and the newest; two of them.
std::vector<CheckpointManifest> kept_with(std::vector<CheckpointManifest> kept,
                                          const CheckpointManifest& newest) {
    constexpr std::size_t num_kept = 2;
    kept.push_back(newest);
    while (kept.size() > num_kept) kept.erase(kept.begin());
    return kept;
}

// While one is written the run has a part of its cores and its memory's bandwidth less, with exit waves also
// the disk's pace: seldom enough for that not to be seen, often enough for what a killed job loses.
double interval_after(double seconds) {
    constexpr double written_to_computed = 100, least_s = 60, most_s = 3600;
    return std::clamp(written_to_computed * seconds, least_s, most_s);
}

// Runs `job` on the output thread.
template <class Job>
auto post(OutputThread& output, Job job) {
    auto task = std::make_shared<std::packaged_task<decltype(job())()>>(std::move(job));
    auto result = task->get_future();
    output.post([task] { (*task)(); });
    return result;
}

}  // namespace

// Exit waves from the graph, as they come, to the output thread, in the order of their batches.
class WavesOnTheirWay {
  public:
    // What StarPU calls when a copy has been made; it stays so until the output thread releases it.
    struct Arrival {
        std::shared_ptr<WavesOnTheirWay> to;
        std::size_t index;
        starpu_data_handle_t copy;
        std::size_t bytes;
    };
    static void arrive(void* argument) {
        const std::unique_ptr<Arrival> arrival(static_cast<Arrival*>(argument));
        WavesOnTheirWay& to = *arrival->to;
        const std::lock_guard guard(to.lock_);
        to.arrived_.emplace(arrival->index, *arrival);
        to.changed_.notify_all();
    }

    // On the output thread: `num_waves` of them. A disk that is full is no reason to end a run, nor to keep
    // it waiting.
    void write(const std::filesystem::path& folder, std::int64_t number, int rank, std::size_t num_waves) {
        std::optional<CheckpointWavesWriter> writer;
        const auto attempt = [&](const auto& step) {
            if (has_failed_) return;
            const double began_s = now_s();
            try {
                step();
            } catch (const Error& failure) {
                log::warning("{} (no checkpoint; the run goes on)", failure.what());
                has_failed_ = true;
            }
            seconds_ += now_s() - began_s;
        };
        attempt([&] { writer.emplace(folder, number, rank); });
        for (std::size_t i = 0; i < num_waves; ++i) {
            const Arrival arrival = take(i);
            attempt([&] { writer->write(starpu_data_get_local_ptr(arrival.copy), arrival.bytes); });
            starpu_data_release(arrival.copy);
        }
        attempt([&] { file_ = writer->finish(); });
    }
    const CheckpointFile& file() const { return file_; }
    double seconds() const { return seconds_; }  // of writing, without those of waiting

  private:
    Arrival take(std::size_t index) {
        std::unique_lock guard(lock_);
        changed_.wait(guard, [&] { return arrived_.contains(index); });
        return arrived_.extract(index).mapped();
    }

    std::mutex lock_;
    std::condition_variable changed_;
    std::map<std::size_t, Arrival> arrived_;
    bool has_failed_ = false;
    CheckpointFile file_;
    double seconds_ = 0;
};

SavedFields saved_fields(const TileHandles& tile) {
    return {{{"object", &tile.object}, {"gradient", &tile.gradient}, {"illumination", &tile.illumination}}};
}

SavedFields saved_probe_fields(const Handles& handles) {
    return {
        {{"probe", &handles.probe}, {"gradient", &handles.probe_gradient}, {"coverage", &handles.coverage}}};
}

std::string path_of_tile(std::size_t tile) {
    return fmt::format("/tiles/{:06}", tile);
}

std::string path_of_places(std::size_t tile) {
    return path_of_tile(tile) + "/places";
}

std::string path_of_lights(std::size_t tile) {
    return path_of_tile(tile) + "/lights";
}

Checkpoints::Checkpoints(const Problem& problem, const Handles& handles, Setup setup, OutputThread& output)
    : problem_(problem),
      handles_(handles),
      setup_(std::move(setup)),
      output_(output),
      copies_(std::make_shared<Copies>()) {
    copies_->tiles.resize(handles.tiles.size());
    copies_->places.resize(handles.tiles.size());
    copies_->lights.resize(handles.tiles.size());
    for (const std::size_t t : handles.own) {
        copies_->tiles[t] = Data(save_args(saved_fields(handles.tiles[t])).total());
        if (problem.refines_positions()) copies_->places[t] = Data(handles.tiles[t].places.bytes());
        if (problem.varies_probe()) copies_->lights[t] = Data(handles.tiles[t].lights.bytes());
    }
    copies_->probe = Data(save_args(saved_probe_fields(handles)).total());
    if (problem.refines_background()) copies_->background = Data(handles.background.bytes());
    if (problem.projects_waves()) {
        std::size_t num_waves = 0;
        for_each_wave(handles, [&](const Data&, std::size_t) { ++num_waves; });
        const auto slots = static_cast<std::size_t>(num_out_slots(problem.machine.num_workers()));
        for (std::size_t i = 0; i < std::min(num_waves, slots); ++i)
            copies_->waves.emplace_back(exit_wave_bytes(largest_batch(problem)));
    }
    written_ = Point();  // what a run begins with needs no checkpoint
    if (setup_.began_with) {
        written_ = {setup_.began_with->engine, setup_.began_with->iteration};
        kept_ = {*setup_.began_with};
        is_any_on_disk_ = true;
    }
    interval_s_ = setup_.interval_s.value_or(interval_after(0));
    enter(Phase::idle);
    num_old_votes_ = 0;
}

std::size_t Checkpoints::bytes() const {
    std::size_t bytes = copies_->probe.bytes() + copies_->background.bytes();
    for (const auto* all : {&copies_->tiles, &copies_->places, &copies_->lights}) {
        for (const Data& fields : *all) bytes += fields.bytes();
    }
    return bytes;
}

// The tasks that are submitted from now on vote for the new phase.
void Checkpoints::enter(Phase phase) {
    vote_ = false;
    phase_ = phase;
    num_old_votes_ = problem_.config.runtime.submit_ahead - 1;
    if (phase == Phase::idle) idle_since_s_ = now_s();
}

// At the first iteration they are made anew.
bool Checkpoints::has_waves(const Point& point) const {
    return point.iteration > 0 && projects_waves(problem_.config.engines[point.engine].name);
}

// Into the ring: what is copied to a slot waits until the output thread has written what was there.
void Checkpoints::submit_waves(const Point& point) {
    waves_number_ = point.num_iterations;
    start_writing_waves();
    std::size_t i = 0;
    for_each_wave(handles_, [&](const Data& waves, std::size_t bytes) {
        const Data& slot = copies_->waves[i % copies_->waves.size()];
        copy.submit({bytes}, {&waves, &slot}, border_batch);
        auto* arrival = new WavesOnTheirWay::Arrival{waves_, i++, slot.handle(), bytes};
        if (starpu_data_acquire_cb(slot.handle(), STARPU_R, WavesOnTheirWay::arrive, arrival) != 0)
            throw runtime_failure("StarPU: data cannot be acquired");
    });
}

void Checkpoints::start_writing_waves() {
    std::size_t num_waves = 0;
    for_each_wave(handles_, [&](const Data&, std::size_t) { ++num_waves; });
    waves_ = std::make_shared<WavesOnTheirWay>();
    output_.post([waves = waves_, copies = copies_, folder = setup_.folder, number = waves_number_, num_waves,
                  rank = handles_.owners.ranks->rank()] { waves->write(folder, number, rank, num_waves); });
}

void Checkpoints::submit_copies(const Point& point) {
    if (phase_ != Phase::idle && phase_ != Phase::waiting_for_point) return;
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        submit_save(saved_fields(tile), handles_.state, copies_->tiles[t]);
        // Once the state says stopped they stay as they were.
        if (!tile.places.empty())
            copy.submit({tile.places.bytes()}, {&tile.places, &copies_->places[t]}, interior_batch);
        if (!tile.lights.empty())
            copy.submit({tile.lights.bytes()}, {&tile.lights, &copies_->lights[t]}, interior_batch);
    }
    submit_save(saved_probe_fields(handles_), handles_.state, copies_->probe);
    if (!handles_.background.empty()) {
        copy.submit({handles_.background.bytes()}, {&handles_.background, &copies_->background},
                    interior_batch);
    }
    submitted_.push_back(point);
    if (phase_ == Phase::idle) return;
    if (has_waves(point)) submit_waves(point);
    phase_ = Phase::waiting_for_copies;
}

void Checkpoints::take_record(int iteration, std::int64_t votes, const StateBefore& state_before) {
    // Nothing stopped before this iteration, so what was to be copied before it has been.
    while (!submitted_.empty() && submitted_.front().iteration <= iteration) {
        copied_ = submitted_.front();
        submitted_.pop_front();
    }
    if (is_manifest_done()) wait_for_manifest();
    const bool all_are_ready = num_old_votes_ == 0 && votes == handles_.owners.ranks->size();
    if (num_old_votes_ > 0) --num_old_votes_;
    if (phase_ == Phase::idle) {
        if (all_are_ready && copied_ && copied_ != written_) {
            enter(has_waves(*copied_) ? Phase::waiting_for_point : Phase::waiting_for_copies);
        } else if (is_manifest_done() && now_s() - idle_since_s_ >= interval_s_) {
            vote_ = true;
        }
    }
    if (phase_ == Phase::waiting_for_copies && submitted_.empty()) write_copies(state_before);
    if (phase_ == Phase::writing && all_are_ready) {
        gather_parts();
        post_manifest();
    }
}

void Checkpoints::end_engine(bool stopped_early, const StateBefore& state_before) {
    submitted_.clear();  // not copied: the state said stopped
    if (phase_ == Phase::waiting_for_point) enter(Phase::idle);
    // Waves on their way to the disk are those of the last iteration that began, whichever they were for.
    if (phase_ == Phase::waiting_for_copies) write_copies(state_before);
    if (!stopped_early || !copied_ || copied_ == written_) return;
    settle();
    write_copies(state_before);
}

void Checkpoints::finish() {
    settle();
}

void Checkpoints::write_copies(const StateBefore& state_before) {
    wait_for_manifest();  // of the last one: nobody has voted for this before it was on disk
    const RunState state = state_before(copied_->iteration);
    written_ = copied_;
    phase_ = Phase::writing;
    manifest_.num_iterations = state.num_iterations();
    manifest_.engine = state.engine;
    manifest_.iteration = state.iteration;
    if (has_waves(*copied_) && waves_ == nullptr) submit_waves({0, 0, manifest_.num_iterations});
    const auto accesses = std::make_shared<std::deque<HostAccess>>();
    part_ = post(output_, [part = part_of(state, *accesses), accesses, copies = copies_, waves = waves_,
                           folder = setup_.folder, num_iterations = manifest_.num_iterations,
                           rank = handles_.owners.ranks->rank()] {
        const double began_s = now_s();
        Written written;
        written.part = write_part_or_warn(folder, num_iterations, rank, part);
        if (waves != nullptr) written.waves = waves->file();
        accesses->clear();
        written.seconds = now_s() - began_s + (waves != nullptr ? waves->seconds() : 0);
        vote_ = true;
        return written;
    });
}

CheckpointPart Checkpoints::part_of(const RunState& state, std::deque<HostAccess>& accesses) const {
    CheckpointPart part;
    const auto append = [&](const std::string& path, const SavedFields& fields, const Data& saved) {
        append_blocks(part, path, fields, accesses.emplace_back(saved, Access::read).as<const float>());
    };
    const auto append_copy = [&](const std::string& path, const Data& copied) {
        if (copied.empty()) return;
        const HostAccess& access = accesses.emplace_back(copied, Access::read);
        part.blocks.push_back({path, access.as<const float>(), copied.bytes() / sizeof(float)});
    };
    for (const std::size_t t : handles_.own) {
        append(path_of_tile(t), saved_fields(handles_.tiles[t]), copies_->tiles[t]);
        append_copy(path_of_places(t), copies_->places[t]);
        append_copy(path_of_lights(t), copies_->lights[t]);
    }
    if (!handles_.owners.ranks->is_first()) return part;
    append(path_of_probe, saved_probe_fields(handles_), copies_->probe);
    append_copy(path_of_background, copies_->background);
    part.numbers = numbers_of(state);
    return part;
}

// A file of every rank into the manifest; a rank without bytes has none.
void Checkpoints::add_files(const std::vector<std::int64_t>& bytes,
                            const std::vector<std::int64_t>& checksums,
                            const std::function<std::string(int rank)>& name_of) {
    for (std::size_t r = 0; r < bytes.size(); ++r) {
        is_whole_ = is_whole_ && bytes[r] > 0;
        CheckpointFile file = {name_of(static_cast<int>(r)),
                               static_cast<std::uint64_t>(bytes[r]),
                               static_cast<std::uint64_t>(checksums[r]),
                               {}};
        for (std::size_t t = 0; t < handles_.tiles.size(); ++t) {
            if (handles_.owners.of_tile[t] == static_cast<int>(r)) file.tiles.push_back(t);
        }
        manifest_.files.push_back(std::move(file));
    }
}

// Every rank learns what all have written.
void Checkpoints::gather_parts() {
    const Ranks& ranks = *handles_.owners.ranks;
    const Written own = part_.get();
    const auto size = static_cast<std::size_t>(ranks.size()), rank = static_cast<std::size_t>(ranks.rank());
    const auto add = [&](const CheckpointFile& file, const std::function<std::string(int)>& name_of) {
        std::vector<std::int64_t> bytes(size), checksums(size);
        bytes[rank] = static_cast<std::int64_t>(file.bytes);
        checksums[rank] = static_cast<std::int64_t>(file.checksum);
        ranks.sum(bytes);
        ranks.sum(checksums);
        add_files(bytes, checksums, name_of);
    };
    manifest_.files.clear();
    is_whole_ = true;
    add(own.part, [&](int r) { return checkpoint_part_name(manifest_.num_iterations, r); });
    if (waves_ != nullptr) add(own.waves, [&](int r) { return checkpoint_waves_name(waves_number_, r); });
    waves_.reset();
    if (is_whole_) interval_s_ = setup_.interval_s.value_or(interval_after(own.seconds));
    for (const CheckpointFile* file : {&own.part, &own.waves}) {
        std::error_code ignored;
        if (!is_whole_ && !file->name.empty()) std::filesystem::remove(setup_.folder / file->name, ignored);
    }
    enter(Phase::idle);
}

void Checkpoints::post_manifest() {
    const Ranks& ranks = *handles_.owners.ranks;
    if (!ranks.is_first() || !is_whole_) return;
    manifest_.num_ranks = ranks.size();
    manifest_.tiles = problem_.tiling.grid;
    manifest_.scan = setup_.scan;
    manifest_.frames = setup_.frames;
    manifest_.run = write_run_config(resolved_config(problem_));
    manifest_written_ = post(output_, [folder = setup_.folder, kept = kept_with(kept_, manifest_)] {
        return write_manifest_or_warn(folder, kept);
    });
}

bool Checkpoints::is_manifest_done() const {
    return !manifest_written_.valid() ||
           manifest_written_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

void Checkpoints::wait_for_manifest() {
    if (!manifest_written_.valid() || !manifest_written_.get()) return;
    kept_ = kept_with(std::move(kept_), manifest_);
    is_any_on_disk_ = true;
    if (setup_.on_written) setup_.on_written(manifest_);
}

// Nothing is being written any more, on no rank.
void Checkpoints::settle() {
    if (phase_ == Phase::writing) {
        gather_parts();
        post_manifest();
    }
    wait_for_manifest();
    std::vector<std::int64_t> nothing(1);
    handles_.owners.ranks->sum(nothing);
}

}  // namespace tessera

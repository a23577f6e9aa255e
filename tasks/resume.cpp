#include "tasks/resume.hpp"

#include <fstream>
#include <iterator>

#include "base/log.hpp"
#include "tasks/checkpoints.hpp"

namespace tessera {
namespace {

std::string content_of(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// The first rank's text, on all of them.
void share(std::string& text, const Ranks& ranks) {
    std::size_t size = text.size();
    ranks.broadcast(&size, sizeof size);
    text.resize(size);
    ranks.broadcast(text.data(), size);
}

// Is the checkpoint whole? What is wrong is told by who finds it.
bool is_good(const std::filesystem::path& folder, const CheckpointManifest& manifest, const Ranks& ranks) {
    std::vector<std::int64_t> failures(1);
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        if (static_cast<int>(i % static_cast<std::size_t>(ranks.size())) != ranks.rank()) continue;
        try {
            verify(folder, manifest.files[i]);
        } catch (const Error& failure) {
            log::warning("{}", failure.what());
            ++failures[0];
        }
    }
    ranks.sum(failures);
    return failures[0] == 0;
}

void read_block(const CheckpointPartReader& reader, const std::string& path, const Data& to) {
    reader.read(path, to.before_tasks<float>(), to.bytes() / sizeof(float));
}

void read_fields(const CheckpointPartReader& reader, const std::string& path, const SavedFields& fields) {
    for (const SavedField& field : fields) {
        read_block(reader, fmt::format("{}/{}", path, field.name), *field.data);
    }
}

// Of this rank's tiles; those of others are passed over.
void read_waves(Handles& handles, const Problem& problem, const std::filesystem::path& path,
                const std::vector<std::size_t>& tiles) {
    CheckpointWavesReader reader(path);
    const std::size_t frame_bytes = largest_batch(problem).waves_size() * sizeof(cfloat);
    for (const std::size_t t : tiles) {
        if (t >= handles.tiles.size()) throw data_error("{}: has a tile {}", path.string(), t);
        const auto& batches = problem.tiling.tiles[t].batches;
        for (std::size_t b = 0; b < batches.size(); ++b) {
            const std::size_t bytes = batches[b].frames.size() * frame_bytes;
            if (!handles.owners.is_mine(t)) {
                reader.skip(bytes);
                continue;
            }
            BatchHandles& batch = handles.tiles[t].batches[b];
            reader.read(HostAccess(batch.waves, Access::write).as<void>(), bytes);
            batch.waves_are_written = true;
        }
    }
}

}  // namespace

std::optional<CheckpointManifest> find_checkpoint(const std::filesystem::path& folder, const Ranks& ranks) {
    // What the first rank sees counts: a folder on the network may look older elsewhere.
    const auto manifests = ranks.is_first() ? find_manifests(folder) : std::vector<std::filesystem::path>();
    std::size_t count = manifests.size();
    ranks.broadcast(&count, sizeof count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string name = ranks.is_first() ? manifests[i].string() : "";
        std::string text = ranks.is_first() ? content_of(name) : "";
        share(name, ranks);
        share(text, ranks);
        try {
            CheckpointManifest manifest = parse_manifest(text, name);
            if (is_good(folder, manifest, ranks)) return manifest;
        } catch (const Error& failure) {  // the same text, so on all ranks
            if (ranks.is_first()) log::warning("{}", failure.what());
        }
        if (ranks.is_first() && i + 1 < count) log::warning("{}: passed over for the one before", name);
    }
    if (count > 0) {
        ranks.agree([&] {
            throw data_error("{}: no checkpoint in it is good (remove the folder to begin again)",
                             folder.string());
        });
    }
    return std::nullopt;
}

void require_same_scan(const CheckpointManifest& manifest, const std::string& manifest_name,
                       const Problem& problem) {
    if (manifest.scan != fingerprint(problem.scan)) {
        throw data_error("{}: is of another scan than {} (positions, geometry, mask or frame shape differ)",
                         manifest_name, problem.scan.file);
    }
    if (manifest.tiles != problem.tiling.grid) {
        throw data_error("{}: has {} x {} tiles, this run {} x {}", manifest_name, manifest.tiles[0],
                         manifest.tiles[1], problem.tiling.grid[0], problem.tiling.grid[1]);
    }
}

void require_same_frames(const CheckpointManifest& manifest, const std::string& manifest_name,
                         const FrameStatistics& statistics) {
    if (manifest.frames != fingerprint(statistics))
        throw data_error("{}: is of another scan (the counts of its frames differ)", manifest_name);
}

RunState restore(Handles& handles, const Problem& problem, const std::filesystem::path& folder,
                 const CheckpointManifest& manifest) {
    std::vector<bool> is_read(handles.tiles.size());
    for (const CheckpointFile& file : manifest.files) {
        if (is_waves_name(file.name)) {
            read_waves(handles, problem, folder / file.name, file.tiles);
            continue;
        }
        std::optional<CheckpointPartReader> reader;  // opened by those who need it
        for (const std::size_t t : file.tiles) {
            if (t >= handles.tiles.size() || !handles.owners.is_mine(t)) continue;
            if (!reader) reader.emplace(folder / file.name);
            read_fields(*reader, path_of_tile(t), saved_fields(handles.tiles[t]));
            is_read[t] = true;
            TileHandles& tile = handles.tiles[t];
            // Where no engine has moved frames so far they are where the scan has them.
            if (!tile.places.empty() && reader->has(path_of_places(t))) {
                read_block(*reader, path_of_places(t), tile.places);
                set_frames(tile);
            }
            if (tile.lights.empty()) continue;
            read_block(*reader, path_of_lights(t), tile.lights);
            set_lights(tile);
        }
    }
    for (const std::size_t t : handles.own) {
        if (!is_read[t]) throw data_error("{}: no file of the checkpoint has tile {}", folder.string(), t);
    }
    const CheckpointPartReader first(folder / manifest.files.front().name);
    read_fields(first, path_of_probe, saved_probe_fields(handles));
    if (!handles.background.empty()) {
        read_block(first, path_of_background, handles.background);
        set_background(handles);
    }
    return run_state_from(manifest.engine, manifest.iteration,
                          [&](const std::string& name) { return first.numbers(name); });
}

}  // namespace tessera

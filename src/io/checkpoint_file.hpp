#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"

// Checkpoints on disk: a folder beside the result, with one HDF5 file per rank and a manifest for each.
//
//   result.checkpoint/000040.rank-0000.h5    after 40 iterations of the run
//   result.checkpoint/000040.rank-0001.h5
//   result.checkpoint/000040.waves-0000.bin  exit waves of the first rank's tiles, of engines that keep them
//   result.checkpoint/000040.yaml            the manifest
//
// A checkpoint exists when its manifest does, which is written last. All files are written beside their place
// and renamed; the manifest has the size and checksum of the others and ends with its own, so that a torn or
// damaged checkpoint is noticed.
namespace tessera {

inline constexpr int checkpoint_format = 1;

// ---- One rank's file

// Fields are kept as they are in memory (codelets/layout.hpp), float by float; numbers by name.
struct CheckpointBlock {
    std::string path;  // in the file
    const float* values = nullptr;
    std::size_t size = 0;
};
struct CheckpointPart {
    std::vector<CheckpointBlock> blocks;
    std::map<std::string, std::vector<double>> numbers;
};

std::string checkpoint_part_name(std::int64_t num_iterations, int rank);

struct CheckpointFile {
    std::string name;  // in the checkpoint's folder
    std::uint64_t bytes = 0;
    std::uint64_t checksum = 0;
    std::vector<std::size_t> tiles;  // ascending
};

// Makes the folder where it is missing. `tiles` of what is returned are empty. Throws runtime Errors.
CheckpointFile write_checkpoint_part(const std::filesystem::path& folder, std::int64_t num_iterations,
                                     int rank, const CheckpointPart& part);

class CheckpointPartReader {
  public:
    explicit CheckpointPartReader(const std::filesystem::path& file) : file_(file) {}
    bool has(const std::string& path) const;
    // Exactly `size` values, else a data Error.
    void read(const std::string& path, float* values, std::size_t size) const;
    std::vector<double> numbers(const std::string& path) const;

  private:
    hdf5::File file_;
};

// ---- One rank's exit waves

// Many times as much as the rest, so written piece by piece: floats as they are in memory, of the tiles in
// ascending order, batch by batch, nothing between them.
std::string checkpoint_waves_name(std::int64_t num_iterations, int rank);
bool is_waves_name(const std::string& name);

// Throws runtime Errors.
class CheckpointWavesWriter {
  public:
    // Makes the folder where it is missing.
    CheckpointWavesWriter(const std::filesystem::path& folder, std::int64_t num_iterations, int rank);
    void write(const void* waves, std::size_t bytes);
    CheckpointFile finish();

  private:
    CheckpointFile written_;
    Checksum checksum_;
    AtomicFile file_;
};

// Throws data Errors.
class CheckpointWavesReader {
  public:
    explicit CheckpointWavesReader(const std::filesystem::path& file);
    void read(void* waves, std::size_t bytes);
    void skip(std::size_t bytes);

  private:
    std::filesystem::path path_;
    std::ifstream file_;
};

// ---- The manifest

struct CheckpointManifest {
    std::int64_t num_iterations = 0;  // of the run so far
    std::size_t engine = 0;           // index in the run file's engines
    int iteration = 0;                // of this engine, the next one
    int num_ranks = 1;
    std::array<int, 2> tiles = {1, 1};  // the grid
    std::string scan;                   // fingerprints
    std::string frames;
    std::vector<CheckpointFile> files;
    std::string run;  // the run file, with its choices of tiles, batches and waves made
};

std::filesystem::path checkpoint_folder(const std::filesystem::path& result);
std::filesystem::path manifest_path(const std::filesystem::path& folder, std::int64_t num_iterations);
std::string to_text(const CheckpointManifest& manifest);
// Throws data Errors that begin with `name` when it is torn, damaged or of another format.
CheckpointManifest parse_manifest(const std::string& text, const std::string& name);
CheckpointManifest read_manifest(const std::filesystem::path& file);  // also when it is missing
void write_manifest(const std::filesystem::path& folder, const CheckpointManifest& manifest);

// ---- The folder

// The manifests, newest first.
std::vector<std::filesystem::path> find_manifests(const std::filesystem::path& folder);
// Throws a data Error where the file is missing or not as it was written.
void verify(const std::filesystem::path& folder, const CheckpointFile& file);
// Removes all other files of checkpoints, finished or not: call it while none is being written. What cannot
// be removed stays.
void keep_only(const std::filesystem::path& folder, const std::vector<CheckpointManifest>& kept);

}  // namespace tessera

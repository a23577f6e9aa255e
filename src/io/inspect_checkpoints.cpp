#include "io/inspect_checkpoints.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "io/checkpoint_file.hpp"
#include "io/inspection_row.hpp"

namespace tessera {
namespace {

using inspection::row;

struct Inspected {
    std::string text;
    bool is_good = false;  // a run can go on from it
};

// Every file is read.
Inspected inspect_files(const std::filesystem::path& folder, const CheckpointManifest& manifest) {
    constexpr double mebibyte = 1u << 20;
    std::string problems;
    double bytes = 0;
    for (const CheckpointFile& file : manifest.files) {
        bytes += static_cast<double>(file.bytes);
        try {
            verify(folder, file);
        } catch (const Error& error) {
            problems += row("problem", error.what());
        }
    }
    const auto counted = [](auto number, const char* what) {
        return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
    };
    const bool is_good = problems.empty();
    return {row("", fmt::format("{} of {}, {:.1f} MiB{}", counted(manifest.files.size(), "file"),
                                counted(manifest.num_ranks, "rank"), bytes / mebibyte,
                                is_good ? ", as they were written" : "")) +
                problems,
            is_good};
}

Inspected inspect_manifest(const std::filesystem::path& path) {
    try {
        const CheckpointManifest manifest = read_manifest(path);
        const Inspected files = inspect_files(path.parent_path(), manifest);
        return {row("checkpoint", path.string()) +
                    row("", fmt::format(
                                "after {} iterations of the run, {} of them of engines[{}]; {} x {} tiles",
                                manifest.num_iterations, manifest.iteration, manifest.engine,
                                manifest.tiles[0], manifest.tiles[1])) +
                    files.text,
                files.is_good};
    } catch (const Error& error) {
        return {row("problem", error.what()), false};
    }
}

}  // namespace

std::string inspect_checkpoints(const std::filesystem::path& path) {
    const bool is_folder = std::filesystem::is_directory(path);
    if (!is_folder) read_manifest(path);  // what is none is an error
    const auto manifests = is_folder ? find_manifests(path) : std::vector<std::filesystem::path>{path};
    if (manifests.empty())
        throw data_error("{}: is a folder without checkpoints (names such as 000040.yaml)", path.string());
    std::string text, newest;
    for (const auto& manifest : manifests) {
        const Inspected inspected = inspect_manifest(manifest);
        text += inspected.text;
        if (inspected.is_good && newest.empty()) newest = manifest.filename().string();
    }
    return text + row("--resume", newest.empty() ? "none is good" : "goes on from " + newest);
}

}  // namespace tessera

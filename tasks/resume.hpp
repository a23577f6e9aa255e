#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "io/checkpoint_file.hpp"
#include "tasks/frame_statistics.hpp"
#include "tasks/handles.hpp"
#include "tasks/problem.hpp"
#include "tasks/run_state.hpp"

// Going on from a checkpoint (tasks/checkpoints.hpp), exactly as if the run had never ended: on any number of
// ranks and workers, with the same tiles.
namespace tessera {

// The last good checkpoint in `folder`; none where there has never been one. Every rank checks its share of
// the files. A newest one that is torn or damaged is told and passed over; a data Error where none is good.
// Called by all ranks together.
std::optional<CheckpointManifest> find_checkpoint(const std::filesystem::path& folder, const Ranks& ranks);

// A data Error where this is not the scan of the checkpoint.
void require_same_scan(const CheckpointManifest& manifest, const std::string& manifest_name,
                       const Problem& problem);
void require_same_frames(const CheckpointManifest& manifest, const std::string& manifest_name,
                         const FrameStatistics& statistics);

// Instead of set_object and set_probe: this rank's fields, from whichever files have them.
RunState restore(Handles& handles, const Problem& problem, const std::filesystem::path& folder,
                 const CheckpointManifest& manifest);

}  // namespace tessera

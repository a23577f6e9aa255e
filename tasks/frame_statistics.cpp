#include "tasks/frame_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/checksum.hpp"
#include "base/error.hpp"

namespace tessera {
namespace {

// More than these only queue for the disk.
constexpr int most_reading_threads = 16;

// As many as compute, or where GPUs do that, this rank's share of the cores.
int num_reading_threads(const Machine& machine, const Ranks& ranks) {
    const int num = machine.num_gpus > 0 ? num_usable_cores() / ranks.on_this_node() : machine.num_workers();
    return std::clamp(num, 1, most_reading_threads);
}

}  // namespace

FrameStatistics read_frames(const FrameSource& source, const Problem& problem,
                            const FrameDestinations& destinations, const Ranks& ranks) {
    const ScanInfo& scan = problem.scan;
    FrameSums sums;
    ranks.agree(
        [&] { sums = read_frames(source, scan, destinations, num_reading_threads(problem.machine, ranks)); });
    ranks.sum_disjoint(sums.counts);
    ranks.sum(sums.pattern);
    FrameStatistics statistics;
    statistics.counts = std::move(sums.counts);
    statistics.total_counts = std::accumulate(statistics.counts.begin(), statistics.counts.end(), 0.0);
    if (!(statistics.total_counts > 0)) {
        throw data_error(
            "{}: no counts in any of the {} frames on the pixels in use (is the mask inverted? scan.mask)",
            scan.file, scan.num_frames);
    }
    statistics.mean_pattern = Array<float, 2>({scan.frame_shape[0], scan.frame_shape[1]});
    for (std::ptrdiff_t i = 0; i < statistics.mean_pattern.size(); ++i) {
        const double counts =
            static_cast<double>(sums.pattern[static_cast<std::size_t>(i)]) / counts_fraction;
        statistics.mean_pattern[i] = static_cast<float>(counts / static_cast<double>(scan.num_frames));
    }
    return statistics;
}

std::string fingerprint(const FrameStatistics& statistics) {
    Checksum checksum;
    checksum.add(statistics.counts.data(), statistics.counts.size() * sizeof(double));
    return fmt::format("{:016x}", checksum.value());
}

}  // namespace tessera

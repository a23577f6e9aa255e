#include "tasks/traffic.hpp"

#include <algorithm>

#include "tiling/halo_moves.hpp"
#include "tiling/sum_tree.hpp"

namespace tessera {

Traffic traffic_of(const Problem& problem, int rank) {
    const std::vector<int>& owners = problem.owner_of_tile;
    const int num_ranks = *std::max_element(owners.begin(), owners.end()) + 1;
    std::size_t messages = 0;
    for_each_sum(owners.size(), [&](std::size_t to, std::size_t from) {
        messages += owners[from] == rank && owners[to] != rank ? 1 : 0;
    });
    for_each_told_by(rank, num_ranks, [&](int) { ++messages; });
    const BatchShape shape = largest_batch(problem);
    const std::size_t probe_size = problem.projects_waves() ? overlap_probe_size(shape) : shape.probe_size();
    const Exchange exchange = problem.config.tiling.exchange;
    const std::size_t moved = halo_bytes_sent(problem.tiling, exchange, owners, rank, problem.num_slices());
    const bool moves_voxels = exchange == Exchange::voxels;
    return {moves_voxels ? 0 : moved, moves_voxels ? moved : 0, messages * sums_bytes(probe_size),
            messages * sums_bytes(0),
            halo_bytes_sent(problem.tiling, exchange, owners, rank, num_overlap_planes)};
}

std::size_t bytes_sent_in_run(const Problem& problem, int rank) {
    const Traffic traffic = traffic_of(problem, rank);
    std::size_t bytes = 0;
    for_each_engine(problem, [&](const EngineSettings& settings, int) {
        const auto engine = make_engine(settings);
        for (int n = 0; n < settings.config.num_iter; ++n) bytes += traffic.of(engine->exchanges(n));
        bytes += traffic.of({.scalars = 1});
    });
    return bytes;
}

}  // namespace tessera

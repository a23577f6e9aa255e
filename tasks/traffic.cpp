#include "tasks/traffic.hpp"

#include <algorithm>

#include "tasks/mode_turn.hpp"
#include "tasks/ramp_removal.hpp"
#include "tiling/halo_moves.hpp"
#include "tiling/sum_tree.hpp"

namespace tessera {

std::vector<Traffic> traffic_of_ranks(const Problem& problem) {
    const std::vector<int>& owners = problem.owner_of_tile;
    const int num_ranks = *std::max_element(owners.begin(), owners.end()) + 1;
    std::vector<std::size_t> messages(static_cast<std::size_t>(num_ranks));
    for_each_sum(owners.size(), [&](std::size_t to, std::size_t from) {
        if (owners[from] != owners[to]) ++messages[static_cast<std::size_t>(owners[from])];
    });
    for (int rank = 0; rank < num_ranks; ++rank) {
        for_each_told_by(rank, num_ranks, [&](int) { ++messages[static_cast<std::size_t>(rank)]; });
    }
    const Exchange exchange = problem.config.tiling.exchange;
    const bool moves_voxels = exchange == Exchange::voxels;
    const std::size_t size = static_cast<std::size_t>(num_ranks);
    const auto sent = [&](Exchange kind, int num_planes) {
        return halo_bytes_sent(problem.tiling, kind, owners, num_ranks, num_planes);
    };
    const std::vector<std::size_t> nothing(size, 0);
    const std::vector<std::size_t> coupled =
        problem.copies_voxels() ? sent(Exchange::voxels, problem.num_planes()) : nothing;
    const std::vector<std::size_t> overlaps =
        problem.projects_waves() ? sent(exchange, num_overlap_planes(problem.config.object.num_modes))
                                 : nothing;
    std::vector<Traffic> traffic;
    for (const std::size_t moved : sent(exchange, problem.num_planes())) {
        const std::size_t r = traffic.size(), sums = messages[r];
        traffic.push_back({moves_voxels ? 0 : moved, moves_voxels ? moved : 0, coupled[r],
                           sums * sums_bytes(problem.summed_probe_size()), sums * sums_bytes(0),
                           overlaps[r]});
    }
    return traffic;
}

std::size_t bytes_sent_in_run(const Problem& problem, int rank) {
    const Traffic traffic = traffic_of_ranks(problem)[static_cast<std::size_t>(rank)];
    std::size_t bytes = 0;
    for_each_engine(problem, [&](const EngineSettings& settings, int) {
        const auto engine = make_engine(settings);
        for (int n = 0; n < settings.config.num_iter; ++n) {
            bytes += traffic.of(engine->exchanges(n));
            if (settings.refines_at(n)) bytes += traffic.of({.scalars = 1});
            if (settings.smooths_at(n)) bytes += traffic.of({.couplings = 1});
            if (settings.varies_at(n)) bytes += traffic.of({.sums = 1});
            if (settings.refines_background_at(n)) bytes += traffic.of({.sums = 1});
        }
        bytes += traffic.of({.scalars = 1});
    });
    bytes += traffic.of({.sums = ModeTurn::num_sums(problem.config.object),
                         .scalars = RampRemoval::num_sums(problem.config.output)});
    return bytes;
}

}  // namespace tessera

#include "io/hdf5_layout.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace tessera {

namespace {

// scan.keys.positions_order: which column holds `axis`.
std::ptrdiff_t column_of(const std::array<std::string, 2>& order, const char* axis) {
    const auto found = std::ranges::find(order, axis);
    if (found == order.end()) {
        throw usage_error("scan.keys.positions_order: [{}, {}] (a permutation of [y, x] is expected)",
                          order[0], order[1]);
    }
    return found - order.begin();
}

Array<double, 2> positions_from_table(const hdf5::Dataset& dataset, const Hdf5KeysConfig& keys,
                                      const hdf5::Dataset& frames, std::ptrdiff_t num_frames) {
    const auto table = read_table(dataset, num_frames, {2, 3});
    if (!table) {
        throw data_error(
            "{}: positions have shape {}, but {} has {} frames ((frame, 2), (2, frame), (frame, 3) or "
            "(3, frame) is expected)",
            dataset.where(), hdf5::text(dataset.shape()), frames.where(), num_frames);
    }
    const std::ptrdiff_t column_y = column_of(keys.positions_order, "y");
    const std::ptrdiff_t column_x = column_of(keys.positions_order, "x");
    Array<double, 2> positions({num_frames, 2});
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        positions(i, 0) = (*table)(i, column_y);
        positions(i, 1) = (*table)(i, column_x);
    }
    return positions;
}

bool names_positions(const Hdf5KeysConfig& keys) {
    return keys.positions || keys.positions_y || keys.positions_x;
}

// Walks the tree, but never far: links may lead in circles.
struct CandidateSearch {
    const hdf5::File& file;
    std::vector<std::string> found;
    int entries_left = 2000;

    void walk(const std::string& group, int depth) {
        constexpr int max_depth = 8;
        constexpr std::size_t max_found = 8;
        for (const auto& child : file.children(group)) {
            if (found.size() >= max_found || depth > max_depth || --entries_left < 0) return;
            const std::string path = group + "/" + child;
            const auto entry = file.what_is(path);
            if (entry == hdf5::File::Entry::group) walk(path, depth + 1);
            if (entry == hdf5::File::Entry::dataset) consider(path);
        }
    }
    void consider(const std::string& path) {
        try {
            const hdf5::Dataset dataset = file.dataset(path);
            const auto rank = dataset.shape().size();
            if (!dataset.type().is_real() || (rank != 3 && rank != 4)) return;
            found.push_back(
                fmt::format("{} {} {}", path, hdf5::text(dataset.shape()), hdf5::name(dataset.type())));
        } catch (const Error& error) {  // damaged, or its filter is missing: worth saying here
            found.emplace_back(error.what());
        }
    }
};

}  // namespace

void apply_keys(const hdf5::File& file, const Hdf5KeysConfig& keys, ScanLayout& layout) {
    if (keys.frames) layout.frames = open_frames(file, *keys.frames);
    if (keys.mask) layout.mask = file.dataset(*keys.mask);
    if (keys.probe) layout.probe = file.dataset(*keys.probe);
    if (keys.background) layout.background = file.dataset(*keys.background);
    if (!names_positions(keys)) return;

    if (keys.positions && (keys.positions_y || keys.positions_x)) {
        throw usage_error(
            "scan.keys: positions is set and so is positions_y or positions_x (set one or the other)");
    }
    if (!keys.positions && !(keys.positions_y && keys.positions_x)) {
        throw usage_error("scan.keys: positions_y and positions_x must be set together");
    }
    const std::ptrdiff_t num_frames = layout.num_frames();
    layout.position_unit = keys.position_unit;
    layout.positions_where = file.dataset(keys.positions ? *keys.positions : *keys.positions_y).where();
    layout.positions =
        keys.positions
            ? positions_from_table(file.dataset(*keys.positions), keys, layout.frames, num_frames)
            : read_axes(file.dataset(*keys.positions_y), file.dataset(*keys.positions_x), num_frames);
}

std::vector<std::string> frame_candidates(const hdf5::File& file) {
    CandidateSearch search{file, {}};
    search.walk("", 0);
    return search.found;
}

ScanLayout find_hdf5_layout(const hdf5::File& file, const ScanConfig& config) {
    if (!config.keys.frames) {
        throw usage_error("scan.keys.frames: is not set (the dataset of {} that holds the frames)",
                          file.name());
    }
    if (!names_positions(config.keys)) {
        throw usage_error(
            "scan.keys.positions: is not set (the dataset of {} that holds the positions; or set "
            "positions_y and positions_x)",
            file.name());
    }
    ScanLayout layout;
    layout.format = "HDF5 by keys";
    apply_keys(file, config.keys, layout);
    return layout;
}

}  // namespace tessera

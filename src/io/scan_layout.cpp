#include "io/scan_layout.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.hpp"

namespace tessera {

namespace {

constexpr std::ptrdiff_t max_detector_extent = 1 << 16;

std::ptrdiff_t product(const hdf5::Shape& shape, std::size_t begin, std::size_t end) {
    std::ptrdiff_t result = 1;
    for (std::size_t axis = begin; axis < end; ++axis) result *= shape[axis];
    return result;
}

void require_real(const hdf5::Dataset& dataset, const char* what) {
    if (dataset.type().is_real()) return;
    throw data_error("{}: {} hold {} (integers or floating-point numbers are expected)", dataset.where(),
                     what, hdf5::name(dataset.type()));
}

std::optional<double> factor_of(const std::map<std::string, double>& factors, const std::string& unit) {
    const auto found = factors.find(unit);
    if (found == factors.end()) return std::nullopt;
    return found->second;
}

}  // namespace

std::ptrdiff_t ScanLayout::num_frames() const {
    return product(frames.shape(), 0, frames.shape().size() - 2);
}

std::array<int, 2> ScanLayout::frame_shape() const {
    const auto& shape = frames.shape();
    return {static_cast<int>(shape[shape.size() - 2]), static_cast<int>(shape[shape.size() - 1])};
}

hdf5::Dataset open_frames(const hdf5::File& file, const std::string& path) {
    hdf5::Dataset frames = file.dataset(path);
    require_real(frames, "frames");
    const auto& shape = frames.shape();
    if (shape.size() == 2) {
        throw data_error(
            "{}: shape {} is a single frame (ptychography needs overlapping frames: (frame, y, x))",
            frames.where(), hdf5::text(shape));
    }
    if (shape.size() != 3 && shape.size() != 4) {
        throw data_error("{}: shape {} (frames are (frame, y, x), or (row, column, y, x) for a raster)",
                         frames.where(), hdf5::text(shape));
    }
    const std::size_t rank = shape.size();
    if (shape[rank - 2] > max_detector_extent || shape[rank - 1] > max_detector_extent) {
        throw data_error("{}: frames of {} by {} pixels (at most {} along an axis)", frames.where(),
                         shape[rank - 2], shape[rank - 1], max_detector_extent);
    }
    if (frames.size() == 0) {
        throw data_error("{}: shape {} has no frames (was the scan aborted?)", frames.where(),
                         hdf5::text(shape));
    }
    if (product(shape, 0, rank - 2) < 2) {
        throw data_error(
            "{}: shape {} is a single frame (ptychography needs at least two overlapping frames)",
            frames.where(), hdf5::text(shape));
    }
    if (!frames.written()) {
        throw data_error("{}: the dataset was made but its values were never written (was the scan aborted?)",
                         frames.where());
    }
    // Compressed chunks often hold several frames: keep what one pass over the frames comes back to.
    if (frames.chunk().empty()) return frames;
    const auto bytes = static_cast<double>(frames.type().bytes) * static_cast<double>(frames.chunk()[0]) *
                       static_cast<double>(product(shape, rank - 2, rank)) * 1.5;
    constexpr double most = 256.0 * 1024 * 1024, least = 1024.0 * 1024;
    if (bytes <= least || bytes > most) return frames;
    return file.dataset(path, static_cast<std::size_t>(bytes));
}

std::optional<Array<double, 2>> read_table(const hdf5::Dataset& dataset, std::ptrdiff_t num_frames,
                                           std::initializer_list<std::ptrdiff_t> widths) {
    const auto& shape = dataset.shape();
    if (!dataset.type().is_real() || (shape.size() != 2 && shape.size() != 3)) return std::nullopt;
    const auto is_width = [&](std::ptrdiff_t width) {
        return std::ranges::find(widths, width) != widths.end();
    };
    const std::size_t rank = shape.size();
    const bool by_frame = product(shape, 0, rank - 1) == num_frames && is_width(shape[rank - 1]);
    const bool by_component = product(shape, 1, rank) == num_frames && is_width(shape[0]);
    if (!by_frame && !by_component) return std::nullopt;

    const auto values = dataset.read_vector<double>();
    const std::ptrdiff_t width = by_frame ? shape[rank - 1] : shape[0];
    Array<double, 2> table({num_frames, width});
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        for (std::ptrdiff_t k = 0; k < width; ++k) {
            table(i, k) = values[static_cast<std::size_t>(by_frame ? i * width + k : k * num_frames + i)];
        }
    }
    return table;
}

Array<double, 2> read_axes(const hdf5::Dataset& y, const hdf5::Dataset& x, std::ptrdiff_t num_frames) {
    require_real(y, "positions");
    require_real(x, "positions");
    const bool one_per_frame = y.size() == num_frames && x.size() == num_frames;
    // Compared by division: the product of two sizes from a damaged file may overflow.
    const bool raster = y.size() > 0 && num_frames % y.size() == 0 && num_frames / y.size() == x.size();
    if (!one_per_frame && !raster) {
        throw data_error(
            "{} has {} values and {} has {}, but there are {} frames (one value per frame each, or the two "
            "axes of a raster whose product is the number of frames)",
            y.where(), y.size(), x.where(), x.size(), num_frames);
    }
    const auto values_y = y.read_vector<double>();
    const auto values_x = x.read_vector<double>();
    Array<double, 2> positions({num_frames, 2});
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        const std::ptrdiff_t i_y = one_per_frame ? i : i / x.size();
        const std::ptrdiff_t i_x = one_per_frame ? i : i % x.size();
        positions(i, 0) = values_y[static_cast<std::size_t>(i_y)];
        positions(i, 1) = values_x[static_cast<std::size_t>(i_x)];
    }
    return positions;
}

Array<cfloat, 3> read_probe(const hdf5::Dataset& dataset) {
    const auto& shape = dataset.shape();
    const std::size_t rank = shape.size();
    const bool numbers = dataset.type().is_real() || dataset.type().kind == hdf5::Kind::complex;
    if (!numbers || rank < 2 || dataset.size() == 0 || (rank > 3 && product(shape, 0, rank - 3) != 1)) {
        throw data_error("{}: {} of shape {} is not a probe (complex (y, x) or (mode, y, x) is expected)",
                         dataset.where(), hdf5::name(dataset.type()), hdf5::text(shape));
    }
    if (shape[rank - 2] > max_detector_extent || shape[rank - 1] > max_detector_extent) {
        throw data_error("{}: a probe of shape {} (at most {} pixels along an axis)", dataset.where(),
                         hdf5::text(shape), max_detector_extent);
    }
    const auto values = dataset.read_vector<cfloat>();
    Array<cfloat, 3> probe({rank == 2 ? 1 : shape[rank - 3], shape[rank - 2], shape[rank - 1]});
    double power = 0;
    for (std::ptrdiff_t i = 0; i < probe.size(); ++i) {
        const cfloat value = values[static_cast<std::size_t>(i)];
        if (!std::isfinite(value.re) || !std::isfinite(value.im)) {
            throw data_error("{}: the probe's element {} is not finite", dataset.where(), i);
        }
        power += static_cast<double>(norm(value));
        probe[i] = value;
    }
    if (power == 0) throw data_error("{}: the probe is zero everywhere", dataset.where());
    return probe;
}

Array<float, 2> read_background(const hdf5::Dataset& dataset, std::array<int, 2> frame_shape) {
    require_real(dataset, "background counts");
    const auto& shape = dataset.shape();
    const std::size_t rank = shape.size();
    const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(frame_shape[0]) * frame_shape[1];
    if (rank < 2 || rank > 3 || shape[rank - 2] != frame_shape[0] || shape[rank - 1] != frame_shape[1] ||
        dataset.size() == 0) {
        throw data_error("{}: the background has shape {}, but frames are ({}, {})", dataset.where(),
                         hdf5::text(shape), frame_shape[0], frame_shape[1]);
    }
    const std::ptrdiff_t num_darks = dataset.size() / pixels;
    std::vector<double> sum(static_cast<std::size_t>(pixels), 0.0);
    std::vector<double> dark(sum.size());
    for (std::ptrdiff_t i = 0; i < num_darks; ++i) {
        hdf5::Block block{{0, 0}, {1, 1}, {frame_shape[0], frame_shape[1]}};
        if (rank == 3) block = {{i, 0, 0}, {1, 1, 1}, {1, frame_shape[0], frame_shape[1]}};
        dataset.read(block, dark.data());
        for (std::size_t pixel = 0; pixel < sum.size(); ++pixel) sum[pixel] += dark[pixel];
    }
    Array<float, 2> background({frame_shape[0], frame_shape[1]});
    for (std::ptrdiff_t pixel = 0; pixel < pixels; ++pixel) {
        background[pixel] =
            static_cast<float>(sum[static_cast<std::size_t>(pixel)] / static_cast<double>(num_darks));
    }
    return background;
}

std::optional<double> metres_per(const std::string& unit) {
    static const std::map<std::string, double> factors = {
        {"m", 1},
        {"meter", 1},
        {"metre", 1},
        {"meters", 1},
        {"metres", 1},
        {"cm", 1e-2},
        {"mm", 1e-3},
        {"um", 1e-6},
        {"\xC2\xB5m", 1e-6},
        {"\xCE\xBCm", 1e-6},
        {"micron", 1e-6},
        {"microns", 1e-6},
        {"nm", 1e-9},
        {"pm", 1e-12},
        {"A", 1e-10},
        {"angstrom", 1e-10},
        {"Angstrom", 1e-10},
        {"\xC3\x85", 1e-10},
    };
    return factor_of(factors, unit);
}

std::optional<double> electronvolts_per(const std::string& unit) {
    constexpr double electronvolts_per_joule = 1 / 1.602176634e-19;
    static const std::map<std::string, double> factors = {
        {"J", electronvolts_per_joule},
        {"joule", electronvolts_per_joule},
        {"Joule", electronvolts_per_joule},
        {"eV", 1},
        {"ev", 1},
        {"keV", 1e3},
        {"kev", 1e3},
        {"KeV", 1e3},
        {"MeV", 1e6},
        {"GeV", 1e9},
    };
    return factor_of(factors, unit);
}

}  // namespace tessera

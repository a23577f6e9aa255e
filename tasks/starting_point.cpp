#include "tasks/starting_point.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "scan/probe_guess.hpp"
#include "scan/random.hpp"
#include "scan/upsampling.hpp"
#include "tasks/probe_support.hpp"

namespace tessera {
namespace {

std::filesystem::path resolved(const std::filesystem::path& folder, const std::filesystem::path& file) {
    return file.is_absolute() ? file : folder / file;
}

void require_equal_pixels(const char* key, const std::filesystem::path& file, const Result& earlier,
                          const ScanInfo& scan) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (std::abs(earlier.pixel_size_m[axis] / scan.pixel_size_m[axis] - 1) < 1e-4) continue;
        throw data_error("{}: its object pixel is {:.6g} m, this scan's {:.6g} m ({} needs equal pixels)",
                         file.string(), earlier.pixel_size_m[axis], scan.pixel_size_m[axis], key);
    }
}

// Slices are those of the run; of modes an earlier result may have fewer.
void require_possible_planes(const std::filesystem::path& file, const Result& earlier, int num_planes,
                             const ObjectConfig& config) {
    const bool has_modes = earlier.num_object_modes > 1;
    if (!has_modes && num_planes != config.num_slices) {
        throw data_error("{}: its object has {} slices, object.num_slices is {} (object.file needs as many)",
                         file.string(), num_planes, config.num_slices);
    }
    if (has_modes && num_planes > config.num_modes) {
        throw data_error(
            "{}: its object has {} modes, object.num_modes is {} (object.file may have fewer, not more)",
            file.string(), num_planes, config.num_modes);
    }
}

}  // namespace

InitialObjectMaker::InitialObjectMaker(const Problem& problem, const std::filesystem::path& run_folder)
    : problem_(problem) {
    const ObjectConfig& config = problem.config.object;
    if (config.initial != InitialObject::file) return;
    const auto file = resolved(run_folder, config.file.value());
    earlier_ = std::make_unique<ResultReader>(file);
    const Result earlier = earlier_->without_object();
    require_equal_pixels("object.file", file, earlier, problem.scan);
    require_possible_planes(file, earlier, static_cast<int>(earlier_->object_shape()[0]), config);
    // Whole pixels between the two arrays' origins in scan coordinates.
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const double here_m = -problem.placement.shift_px[axis] * problem.scan.pixel_size_m[axis];
        earlier_shift_px_[axis] =
            std::lround((here_m - earlier.origin_m[axis]) / problem.scan.pixel_size_m[axis]);
    }
}

void InitialObjectMaker::fill(const Rect& rect, cfloat* pixels) const {
    std::fill_n(pixels, rect.area() * problem_.num_planes(), cfloat{1, 0});
    for (int plane = 0; plane < problem_.num_planes(); ++plane, pixels += rect.area()) {
        if (plane > 0 && problem_.config.object.num_modes > 1) {
            fill_mode(plane, rect, pixels);
        } else if (problem_.config.object.initial == InitialObject::random) {
            fill_random(plane, rect, pixels);
        }
        if (earlier_ && plane < earlier_->object_shape()[0]) fill_from_earlier(plane, rect, pixels);
    }
}

// Each row has random numbers of its own, so that any rectangle of it can be made.
template <class Pixel>
void InitialObjectMaker::fill_from_random(int plane, const Rect& rect, cfloat* pixels,
                                          const Pixel& pixel) const {
    const int rows = problem_.placement.object_shape[0];
    for (int y = rect.y0; y < rect.y1; ++y) {
        Random random(problem_.config.runtime.random_seed, static_cast<std::uint64_t>(plane * rows + y));
        for (int x = 0; x < rect.x1; ++x) {
            const cfloat value = pixel(random);
            if (x >= rect.x0) *pixels++ = value;
        }
    }
}

void InitialObjectMaker::fill_random(int plane, const Rect& rect, cfloat* pixels) const {
    fill_from_random(plane, rect, pixels, [](Random& random) {
        const double phase = 0.2 * random.normal();
        return cfloat{static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))};
    });
}

// A mode after the first. Modes that are equal would stay so, and one that is zero would stay zero.
void InitialObjectMaker::fill_mode(int plane, const Rect& rect, cfloat* pixels) const {
    const double spread = problem_.config.object.mode_spread;
    fill_from_random(plane, rect, pixels, [spread](Random& random) {
        const double phase = 2 * std::numbers::pi * random.uniform();
        return cfloat{static_cast<float>(spread * std::cos(phase)),
                      static_cast<float>(spread * std::sin(phase))};
    });
}

// Row by row where the two overlap.
void InitialObjectMaker::fill_from_earlier(int plane, const Rect& rect, cfloat* pixels) const {
    const auto& shape = earlier_->object_shape();
    const std::ptrdiff_t first_x = std::max<std::ptrdiff_t>(rect.x0 + earlier_shift_px_[1], 0);
    const std::ptrdiff_t end_x = std::min<std::ptrdiff_t>(rect.x1 + earlier_shift_px_[1], shape[2]);
    if (first_x >= end_x) return;
    for (int y = rect.y0; y < rect.y1; ++y, pixels += rect.width()) {
        const std::ptrdiff_t there = y + earlier_shift_px_[0];
        if (there < 0 || there >= shape[1]) continue;
        cfloat* to = pixels + (first_x - earlier_shift_px_[1] - rect.x0);
        earlier_->read_object(plane, there, first_x, {to, {1, end_x - first_x}});
    }
}

// With upsampling, as if the detector were as fine as the far field.
static Array<cfloat, 3> guessed_probe(const Problem& problem, const ProbeConfig& config,
                                      const FrameStatistics& statistics, const Array<cfloat, 3>* from_file) {
    const int factor = problem.config.detector.upsampling;
    if (factor == 1) return make_probe(config, problem.scan, statistics.mean_pattern, from_file);
    const float share = 1.0F / static_cast<float>(factor * factor);
    return make_probe(config, upsampled(problem.scan, factor),
                      upsampled(statistics.mean_pattern, factor, share), from_file);
}

Array<cfloat, 3> initial_probe(const Problem& problem, const FrameStatistics& statistics,
                               const std::filesystem::path& run_folder) {
    ProbeConfig config = problem.config.probe;
    config.size = problem.probe_shape;
    if (!config.file) return within_support(problem, guessed_probe(problem, config, statistics, nullptr));
    const auto file = resolved(run_folder, *config.file);
    const Result earlier = ResultReader(file).without_object();
    require_equal_pixels("probe.file", file, earlier, problem.scan);
    return within_support(problem, guessed_probe(problem, config, statistics, &earlier.probe));
}

}  // namespace tessera

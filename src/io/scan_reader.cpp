#include "io/scan_reader.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "io/cxi_layout.hpp"
#include "io/frame_reader.hpp"
#include "io/hdf5_layout.hpp"
#include "io/scan_geometry.hpp"
#include "io/scan_mask.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

ScanLayout find_layout(const hdf5::File& file, const ScanConfig& config) {
    switch (config.format) {
        case ScanFormat::cxi:
            return find_cxi_layout(file, config);
        case ScanFormat::hdf5:
            return find_hdf5_layout(file, config);
        case ScanFormat::automatic:
            break;
    }
    if (looks_like_cxi(file)) return find_cxi_layout(file, config);
    if (config.keys.frames) return find_hdf5_layout(file, config);
    std::string candidates;
    for (const auto& candidate : frame_candidates(file)) candidates += "\n  " + candidate;
    throw data_error(
        "{}: not a CXI file (set scan.format: hdf5, scan.keys.frames and scan.keys.positions to read any "
        "HDF5 file){}{}",
        file.name(), candidates.empty() ? "" : "; what could be the frames:", candidates);
}

std::vector<std::ptrdiff_t> select_frames(const FramesConfig& config, const ScanLayout& layout) {
    const std::ptrdiff_t num_frames = layout.num_frames();
    const std::ptrdiff_t stop = std::min(config.stop.value_or(num_frames), num_frames);
    std::vector<std::ptrdiff_t> frames;
    if (config.start < 0 || config.step < 1) {
        throw usage_error("scan.frames: start {} and step {} (start >= 0 and step >= 1 are expected)",
                          config.start, config.step);
    }
    for (std::ptrdiff_t i = config.start; i < stop; i += std::min(config.step, num_frames))
        frames.push_back(i);
    if (frames.size() < 2) {
        throw data_error("scan.frames: selects {} of the {} frames of {} (at least two are needed)",
                         frames.size(), num_frames, layout.frames.where());
    }
    return frames;
}

double metres_per_unit(PositionUnit unit) {
    switch (unit) {
        case PositionUnit::m:
            return 1;
        case PositionUnit::um:
            return 1e-6;
        case PositionUnit::nm:
            return 1e-9;
        case PositionUnit::px:
            break;
    }
    return 0;
}

// Positions of the selected frames in object pixels: columns swapped first, then scaled as (y, x) of the
// result.
Array<double, 2> positions_in_pixels(const ScanLayout& layout, const ScanMotionConfig& motion,
                                     const std::vector<std::ptrdiff_t>& frames,
                                     std::array<double, 2> pixel_size_m) {
    constexpr double max_span_px = 1e6;
    const auto num_frames = static_cast<std::ptrdiff_t>(frames.size());
    Array<double, 2> positions({num_frames, 2});
    for (std::ptrdiff_t axis = 0; axis < 2; ++axis) {
        const auto i_axis = static_cast<std::size_t>(axis);
        const double pixels = layout.position_unit == PositionUnit::px
                                  ? 1
                                  : metres_per_unit(layout.position_unit) / pixel_size_m[i_axis];
        const std::ptrdiff_t column = motion.swap_xy ? 1 - axis : axis;
        double least = INFINITY, most = -INFINITY;
        for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
            const std::ptrdiff_t frame = frames[static_cast<std::size_t>(i)];
            const double position = layout.positions(frame, column) * pixels * motion.scale[i_axis];
            if (!std::isfinite(position)) {
                throw data_error(
                    "{}: the position of frame {} is not finite (leave the frame out with scan.frames, or "
                    "repair the file)",
                    layout.positions_where, frame);
            }
            positions(i, axis) = position;
            least = std::min(least, position);
            most = std::max(most, position);
        }
        if (most - least > max_span_px) {
            throw data_error(
                "{}: the positions span {:.3g} object pixels of {:.3g} m along {} (at most {:g}; are the "
                "unit "
                "of the positions (scan.keys.position_unit, scan.positions.scale) and the geometry right?)",
                layout.positions_where, most - least, pixel_size_m[i_axis], axis == 0 ? "y" : "x",
                max_span_px);
        }
    }
    return positions;
}

void note_doubtful_positions(const Array<double, 2>& positions, std::array<int, 2> frame_shape,
                             std::vector<std::string>& notes) {
    std::vector<std::pair<double, double>> sorted;
    sorted.reserve(static_cast<std::size_t>(positions.extent(0)));
    for (std::ptrdiff_t i = 0; i < positions.extent(0); ++i)
        sorted.emplace_back(positions(i, 0), positions(i, 1));
    std::ranges::sort(sorted);
    const std::size_t num_repeated = std::ranges::unique(sorted).size();
    if (num_repeated > 0) notes.push_back(fmt::format("{} frames repeat an earlier position", num_repeated));
    double span = 0;
    for (std::ptrdiff_t axis = 0; axis < 2; ++axis) {
        double least = positions(0, axis), most = least;
        for (std::ptrdiff_t i = 0; i < positions.extent(0); ++i) {
            least = std::min(least, positions(i, axis));
            most = std::max(most, positions(i, axis));
        }
        span = std::max(span, (most - least) / frame_shape[static_cast<std::size_t>(axis)]);
    }
    if (span < 0.02) {
        notes.push_back(fmt::format("the positions span only {:.2g} of a frame: is their unit right?", span));
    }
    if (span > 100)
        notes.push_back(fmt::format("the positions span {:.0f} frames: is their unit right?", span));
}

// Far-field patterns fall off from the beam; a lit border means an image of the sample.
bool is_lit_to_the_border(const Array<double, 2>& counts) {
    const std::ptrdiff_t height = counts.extent(0), width = counts.extent(1);
    const std::ptrdiff_t border_y = (height + 7) / 8, border_x = (width + 7) / 8;
    double border = 0, num_border = 0, all = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            all += counts(y, x);
            if (y >= border_y && y < height - border_y && x >= border_x && x < width - border_x) continue;
            border += counts(y, x);
            ++num_border;
        }
    }
    return border / num_border > 0.5 * all / static_cast<double>(counts.size());
}

// Where the beam is, for the far field; notes what does not look like a centred beam.
DetectorCentre decide_centre(const MeanFrame& mean, const ScanConfig& config,
                             std::vector<std::string>& notes) {
    if (config.keys.frames_dc_at_corner) {
        notes.emplace_back("frames: centre at the corner (scan.keys.frames_dc_at_corner)");
        return DetectorCentre::corner;
    }
    const auto& counts = mean.counts;
    if (find_centre(counts) == DetectorCentre::corner) {
        notes.emplace_back(
            "frames: brightest at the corner, so they are taken as already shifted for the transform");
        return DetectorCentre::corner;
    }
    notes.emplace_back("frames: centre in the middle");
    if (is_lit_to_the_border(counts)) {
        notes.emplace_back(
            "frames: lit to their borders, as near-field images are; if they are, set "
            "scan.geometry.propagation: near_field (and focus_to_sample_m for a divergent beam)");
    }
    if (config.crop.center) return DetectorCentre::middle;
    double sum = 0, y = 0, x = 0;
    for (std::ptrdiff_t i = 0; i < counts.size(); ++i) {
        sum += counts[i];
        y += counts[i] * static_cast<double>(i / counts.extent(1));
        x += counts[i] * static_cast<double>(i % counts.extent(1));
    }
    if (sum == 0) return DetectorCentre::middle;
    y /= sum;
    x /= sum;
    const auto is_far = [](double found, std::ptrdiff_t extent) {
        return std::abs(found - static_cast<double>(extent / 2)) > static_cast<double>(extent) / 8;
    };
    if (is_far(y, counts.extent(0)) || is_far(x, counts.extent(1))) {
        notes.push_back(fmt::format(
            "frames: the centre of mass is at ({:.1f}, {:.1f}) and the middle is ({}, {}): if the "
            "beam is off centre, set scan.crop.size and scan.crop.center",
            y, x, counts.extent(0) / 2, counts.extent(1) / 2));
    }
    return DetectorCentre::middle;
}

// What the frames hold beside counts.
void note_odd_counts(const MeanFrame& mean, const CountRules& rules, std::vector<std::string>& notes) {
    const auto note = [&](std::ptrdiff_t number, std::string_view what) {
        if (number == 0) return;
        notes.push_back(fmt::format("frames: {} of {} used pixels of {} sampled frames {}", number,
                                    mean.num_used, mean.num_samples, what));
    };
    note(
        mean.num_without_count,
        "hold no count (no number, negative, the largest number of their type, or masked there) and are left "
        "out of their frame");
    note(mean.num_negative,
         rules.negative_is_zero
             ? "are negative and taken as 0 (scan.mask.negative_counts)"
             : "are negative; where a background was subtracted, set scan.mask.negative_counts: zero");
    note(mean.num_saturated, "are saturated (scan.mask.saturated_above): at least so many counts");
    if (mean.never_a_count.empty()) return;
    const auto [y, x] = mean.never_a_count.front();
    notes.push_back(
        fmt::format("frames: {} used pixel(s) hold no count in every sampled frame, first at (y, x) = ({}, "
                    "{}): a mask of all frames (scan.mask) would say so at once",
                    mean.never_a_count.size(), y, x));
}

void note_mask(const ScanMask& mask, std::vector<std::string>& notes) {
    const auto num_masked = std::ranges::count(mask.used(), 0);
    if (num_masked > 0)
        notes.push_back(fmt::format("mask: {} of {} pixels are not used", num_masked, mask.used().size()));
    if (2 * num_masked > mask.used().size()) {
        notes.emplace_back(
            "mask: more than half of the pixels are masked; if non-zero means good there, set "
            "scan.mask.invert: true");
    }
    if (mask.per_frame()) notes.emplace_back("mask: one per frame");
}

// The file's probe for patterns of another extent. Far field: a smaller detector sees the same field of view
// with fewer, larger object pixels, so the probe is cropped in Fourier space. Near field: pixels stay, the
// window is cut out.
Array<cfloat, 3> crop_probe(const Array<cfloat, 3>& probe, const PixelMap& map, Propagation propagation) {
    const Extents<2> window = {map.window_shape()[0], map.window_shape()[1]};
    const Extents<2> shape =
        propagation == Propagation::near_field ? window : Extents<2>{map.shape()[0], map.shape()[1]};
    Array<cfloat, 3> cropped({probe.extent(0), shape[0], shape[1]});
    for (std::ptrdiff_t mode = 0; mode < probe.extent(0); ++mode) {
        auto target = cropped.slice(mode);
        if (propagation == Propagation::near_field) {
            for (std::ptrdiff_t y = 0; y < shape[0]; ++y) {
                for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
                    target(y, x) = probe(mode, map.window_first()[0] + y, map.window_first()[1] + x);
                }
            }
            continue;
        }
        Wave wave = centre_to_origin(convert<double, float>(probe.slice(mode)));
        fft2(wave);
        wave = centre_to_origin(resize_about_centre(origin_to_centre(wave), shape));
        ifft2(wave);
        const auto result = origin_to_centre(wave);
        for (std::ptrdiff_t i = 0; i < target.size(); ++i) {
            target[i] = {static_cast<float>(result[i].re), static_cast<float>(result[i].im)};
        }
    }
    return cropped;
}

std::optional<Array<float, 2>> read_usable_background(const ScanLayout& layout, const ScanMask& mask,
                                                      const PixelMap& map, std::vector<std::string>& notes) {
    if (!layout.background) return std::nullopt;
    auto stored = read_background(*layout.background, layout.frame_shape());
    double sum = 0;
    for (std::ptrdiff_t i = 0; i < stored.size(); ++i) {
        if (mask.used()[i] == 0) stored[i] = 0;
        if (!(stored[i] >= 0) || !std::isfinite(stored[i])) {
            throw data_error(
                "{}: the background at pixel (y, x) = ({}, {}) is {} (counts must be finite and >= 0; mask "
                "the pixel with scan.mask)",
                layout.background->where(), i / stored.extent(1), i % stored.extent(1), stored[i]);
        }
        sum += static_cast<double>(stored[i]);
    }
    if (sum == 0) return std::nullopt;
    notes.push_back(fmt::format("background: {}, {:.4g} counts per frame", layout.background->path(), sum));
    return map.apply<float>(stored);
}

}  // namespace

struct ScanReader::Impl {
    hdf5::File file;
    ScanLayout layout;
    ScanInfo info;
    ScanMask mask;
    Geometry geometry;
    CountRules rules;
    PixelMap map;
    FrameReader reader;

    Impl(const ScanConfig& config, const std::filesystem::path& folder)
        : file(folder / config.file),
          layout(find_layout(file, config)),
          info(start_info(config)),
          mask(layout, config, folder),
          geometry(resolve_geometry(config.geometry, layout, file.name(), info.notes)),
          rules(count_rules(layout.frames.type(), config)),
          map(layout.frame_shape(), config.crop, config.orientation, geometry.propagation,
              look_at_frames(config)),
          reader(layout.frames, mask, map, rules) {
        finish_info(config);
    }

    // Indices of selected frames in the file.
    std::vector<std::ptrdiff_t> in_file(std::span<const std::ptrdiff_t> which) const {
        std::vector<std::ptrdiff_t> frames;
        frames.reserve(which.size());
        for (const auto i_frame : which) {
            TESSERA_EXPECT(0 <= i_frame && i_frame < info.num_frames);
            frames.push_back(info.frames[static_cast<std::size_t>(i_frame)]);
        }
        return frames;
    }

    ScanInfo start_info(const ScanConfig& config) const {
        ScanInfo started;
        started.file = file.name();
        started.format = layout.format;
        started.frames = select_frames(config.frames, layout);
        started.num_frames = static_cast<std::ptrdiff_t>(started.frames.size());
        started.notes = layout.notes;
        return started;
    }

    DetectorCentre look_at_frames(const ScanConfig& config) {
        constexpr std::ptrdiff_t num_samples = 16;
        const MeanFrame mean = mean_frame(layout.frames, mask, rules, info.frames, num_samples);
        note_odd_counts(mean, rules, info.notes);
        note_mask(mask, info.notes);
        if (geometry.propagation == Propagation::near_field) return DetectorCentre::middle;
        return decide_centre(mean, config, info.notes);
    }

    void finish_info(const ScanConfig& config) {
        info.frame_shape = map.shape();
        info.pattern_type = rules.type;
        info.saturated_from = static_cast<float>(rules.saturated_from);
        info.geometry = geometry;
        if (config.orientation.transpose) {
            std::swap(info.geometry.detector_pixel_size_m[0], info.geometry.detector_pixel_size_m[1]);
        }
        info.pixel_size_m = info.geometry.object_pixel_size_m(info.frame_shape);
        info.positions_px = positions_in_pixels(layout, config.positions, info.frames, info.pixel_size_m);
        note_doubtful_positions(info.positions_px, info.frame_shape, info.notes);
        layout.positions = {};  // scans are large
        info.mask = map.apply<float>(mask.used());
        if (std::ranges::find(info.mask, 1.0F) == info.mask.end()) {
            throw data_error("{}: the mask leaves no pixel to use inside scan.crop", file.name());
        }
        info.background = read_usable_background(layout, mask, map, info.notes);
        if (layout.probe) take_probe(config);
    }

    void take_probe(const ScanConfig& config) {
        auto probe = read_probe(*layout.probe);
        const auto [height, width] = layout.frame_shape();
        const bool cropped = config.crop.size && *config.crop.size != layout.frame_shape();
        const bool of_whole_frame = probe.extent(1) == height && probe.extent(2) == width;
        if (cropped && of_whole_frame && !config.orientation.transpose) {
            probe = crop_probe(probe, map, geometry.propagation);
            info.notes.push_back(fmt::format("probe: {}, cropped with the frames", layout.probe->path()));
        } else {
            info.notes.push_back(fmt::format("probe: {}", layout.probe->path()));
        }
        if (geometry.propagation == Propagation::far_field &&
            (probe.extent(1) > info.frame_shape[0] || probe.extent(2) > info.frame_shape[1])) {
            throw data_error(
                "{}: the probe is {} by {} pixels, larger than the frames of {} by {} (it must not be; crop "
                "it, "
                "or remove it and make one with probe.initial)",
                layout.probe->where(), probe.extent(1), probe.extent(2), info.frame_shape[0],
                info.frame_shape[1]);
        }
        info.probe = std::move(probe);
    }
};

ScanReader::ScanReader(const ScanConfig& config, const std::filesystem::path& folder)
    : impl_(hdf5::with_disk_errors(folder / config.file,
                                   [&] { return std::make_unique<Impl>(config, folder); })) {}

ScanReader::~ScanReader() = default;

const ScanInfo& ScanReader::info() const {
    return impl_->info;
}

void ScanReader::read_frames(std::span<const std::ptrdiff_t> which,
                             std::span<void* const> destinations) const {
    TESSERA_EXPECT(which.size() == destinations.size());
    impl_->reader.read(impl_->in_file(which), destinations);
}

std::size_t ScanReader::stored_frame_bytes() const {
    return impl_->reader.stored_frame_bytes();
}

void ScanReader::will_need(std::span<const std::ptrdiff_t> which) const {
    impl_->reader.will_need(impl_->in_file(which));
}

}  // namespace tessera

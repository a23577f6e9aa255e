#include "io/inspect.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_layout.hpp"
#include "io/inspect_checkpoints.hpp"
#include "io/inspection_row.hpp"
#include "io/result_file.hpp"
#include "io/scan_reader.hpp"
#include "io/truth_file.hpp"

namespace tessera {

namespace {

bool is_result(const hdf5::File& file) {
    return file.has_dataset("/entry_1/image_1/data") && file.has_dataset("/entry_1/process_1/positions_px");
}

using inspection::row;

struct Span {
    double least = INFINITY, most = -INFINITY;
    void include(double value) {
        least = std::min(least, value);
        most = std::max(most, value);
    }
};

std::string positions_text(const Array<double, 2>& positions_px, std::array<double, 2> pixel_size_m) {
    std::array<Span, 2> spans;
    for (std::ptrdiff_t i = 0; i < positions_px.extent(0); ++i) {
        spans[0].include(positions_px(i, 0));
        spans[1].include(positions_px(i, 1));
    }
    const double y = spans[0].most - spans[0].least, x = spans[1].most - spans[1].least;
    return fmt::format("span {:.1f} x {:.1f} object pixels ({}), (y, x)", y, x,
                       length_text({y * pixel_size_m[0], x * pixel_size_m[1]}));
}

std::string geometry_text(const Geometry& geometry) {
    const bool near_field = geometry.propagation == Propagation::near_field;
    const std::string beam = geometry.radiation == Radiation::electrons
                                 ? fmt::format("electrons of {:.6g} keV", geometry.energy_eV() * 1e-3)
                                 : fmt::format("{:.6g} eV", geometry.energy_eV());
    std::string text = row("geometry", fmt::format("{}, {} ({:.6g} m), detector at {:.6g} m",
                                                   near_field ? "near field" : "far field", beam,
                                                   geometry.wavelength_m, geometry.distance_m));
    text += row("", fmt::format("detector pixel {}", length_text(geometry.detector_pixel_size_m)));
    if (near_field) {
        text +=
            row("", fmt::format("focus to sample {:.6g} m, magnification {:.6g}, effective distance {:.6g} m",
                                geometry.focus_to_sample_m, geometry.magnification(),
                                geometry.effective_distance_m()));
    }
    return text;
}

// Counts of a sample of frames: enough to see dead scans, hot pixels and the dynamic range.
struct CountSummary {
    std::ptrdiff_t num_sampled = 0, num_empty = 0;
    Span counts, totals;
    double mean_total = 0;
    std::string doubtful;  // why some frame cannot be read
};

// 0 where the frame does not use the pixel.
double count_at(PatternType type, const std::byte* pattern, std::ptrdiff_t pixel) {
    const auto count = [&](auto of_type) -> double {
        using Count = decltype(of_type);
        const Count stored = reinterpret_cast<const Count*>(pattern)[pixel];
        return is_unused(stored) ? 0.0 : static_cast<double>(stored);
    };
    switch (type) {
        case PatternType::u8:
            return count(std::uint8_t{});
        case PatternType::u16:
            return count(std::uint16_t{});
        case PatternType::i32:
            return count(std::int32_t{});
        case PatternType::f32:
            return count(float{});
    }
    return 0;
}

CountSummary sample_counts(ScanReader& reader) {
    constexpr std::ptrdiff_t most_samples = 64;
    const ScanInfo& info = reader.info();
    const std::ptrdiff_t pixels = info.mask.size();
    const std::ptrdiff_t num_samples = std::min(most_samples, info.num_frames);
    Array<std::byte, 1> pattern({pixels * static_cast<std::ptrdiff_t>(bytes_per_count(info.pattern_type))});
    CountSummary summary;
    for (std::ptrdiff_t i = 0; i < num_samples; ++i) {
        const std::ptrdiff_t i_frame = i * info.num_frames / num_samples;
        void* const destination = pattern.data();
        try {
            reader.read_frames({&i_frame, 1}, {&destination, 1});
        } catch (const Error& error) {
            summary.doubtful = error.what();
            return summary;
        }
        double total = 0;
        for (std::ptrdiff_t pixel = 0; pixel < pixels; ++pixel) {
            const double count = count_at(info.pattern_type, pattern.data(), pixel);
            summary.counts.include(count);
            total += count;
        }
        ++summary.num_sampled;
        if (total == 0) ++summary.num_empty;
        summary.totals.include(total);
        summary.mean_total += total / static_cast<double>(num_samples);
    }
    return summary;
}

std::string counts_text(const CountSummary& summary) {
    if (!summary.doubtful.empty()) return row("doubtful", summary.doubtful);
    std::string text = row(
        "counts", fmt::format("0 to {:g} in a pixel; {:.4g} a frame ({:.4g} to {:.4g}), {} frames sampled",
                              summary.counts.most, summary.mean_total, summary.totals.least,
                              summary.totals.most, summary.num_sampled));
    if (summary.num_empty > 0) {
        text += row("doubtful", fmt::format("{} of {} sampled frames have no counts", summary.num_empty,
                                            summary.num_sampled));
    }
    if (summary.num_empty == 0 && summary.totals.most > 10 * summary.totals.least) {
        text += row("doubtful",
                    "some frames have more than ten times the counts of others (was the shutter closed?)");
    }
    return text;
}

std::string object_text(const Extents<3>& extents, int num_modes, std::array<double, 2> pixel_size_m) {
    const auto [num_planes, height, width] = extents;
    return fmt::format("{} {}{} of {} by {} pixels of {}", num_planes, num_modes > 1 ? "mode" : "slice",
                       num_planes == 1 ? "" : "s", height, width, length_text(pixel_size_m));
}

std::string spacings_text(const std::vector<double>& spacings_m) {
    const auto [least, most] = std::ranges::minmax(spacings_m);
    const std::string apart =
        least == most ? length_text(least) : length_text(least) + " to " + length_text(most);
    return fmt::format("slices {} apart, {} from first to last", apart,
                       length_text(std::accumulate(spacings_m.begin(), spacings_m.end(), 0.0)));
}

std::string inspect_scan(const std::filesystem::path& path) {
    ScanConfig config;
    config.file = path;
    ScanReader reader(config, {});
    const ScanInfo& info = reader.info();
    std::string text = row("scan", info.file);
    text += row("format", info.format);
    text += row("frames", fmt::format("{} of {} by {} pixels (y, x), kept as {}", info.num_frames,
                                      info.frame_shape[0], info.frame_shape[1], name(info.pattern_type)));
    text += geometry_text(info.geometry);
    text += row("object", "pixel " + length_text(info.pixel_size_m));
    text += row("positions", positions_text(info.positions_px, info.pixel_size_m));
    if (info.probe) {
        text += row("probe", fmt::format("{} mode(s) of {} by {} pixels", info.probe->extent(0),
                                         info.probe->extent(1), info.probe->extent(2)));
    } else {
        text += row("probe", "none in the file");
    }
    text += counts_text(sample_counts(reader));
    if (has_truth(path)) {
        const Truth truth = read_truth(path);
        text += row("truth", object_text(truth.object.extents(), truth.num_object_modes, info.pixel_size_m));
    }
    for (const auto& note : info.notes) text += row("note", note);
    return text;
}

// Of a probe that varies.
std::string lights_text(const Result& result) {
    if (result.intensity_scale.empty()) return {};
    const auto [least, most] = std::ranges::minmax(result.intensity_scale);
    std::string text = row("varies", fmt::format("intensity_scale {:.4g} to {:.4g}", least, most));
    if (result.opr_modes.empty()) return text;
    return text + row("", fmt::format("{} eigen-probe(s), opr_mode_powers {:.4g} counts a frame",
                                      result.opr_modes.extent(0), fmt::join(result.opr_mode_powers, " ")));
}

std::string background_text(const Result& result) {
    if (result.background.empty()) return {};
    double counts = 0;
    for (const float value : result.background) counts += static_cast<double>(value);
    return row("refined", fmt::format("background {:.4g} counts a frame", counts));
}

std::string inspect_result(const std::filesystem::path& path) {
    const Result result = read_result(path);
    std::string text = row("result", path.string());
    text += row("object", object_text(result.object.extents(), result.num_object_modes, result.pixel_size_m));
    if (!result.object_mode_powers.empty())
        text += row("", fmt::format("object_mode_powers {:.4g} counts a frame",
                                    fmt::join(result.object_mode_powers, " ")));
    if (!result.slice_spacings_m.empty()) text += row("", spacings_text(result.slice_spacings_m));
    double total = 0;
    std::vector<double> powers(static_cast<std::size_t>(result.probe.extent(0)), 0.0);
    for (std::ptrdiff_t i = 0; i < result.probe.size(); ++i) {
        const auto mode = static_cast<std::size_t>(i / (result.probe.extent(1) * result.probe.extent(2)));
        powers[mode] += static_cast<double>(norm(result.probe[i]));
        total += static_cast<double>(norm(result.probe[i]));
    }
    for (auto& power : powers) power /= total;
    text += row("probe", fmt::format("{} mode(s) of {} by {} pixels, {:.4g} counts, shares {:.3f}",
                                     result.probe.extent(0), result.probe.extent(1), result.probe.extent(2),
                                     total, fmt::join(powers, " ")));
    text += lights_text(result);
    text += background_text(result);
    text += row("positions", fmt::format("{} frames, {}", result.positions_px.extent(0),
                                         positions_text(result.positions_px, result.pixel_size_m)));
    text += row("iterations", fmt::format("{}", result.cost.size()));
    text += row("final",
                fmt::format("cost {:.6g}, data error {:.6g}", result.final_cost, result.final_data_error));
    const auto& errors = result.data_error_per_frame;
    if (!errors.empty()) {
        const auto worst = std::ranges::max_element(errors);
        const auto i_worst = static_cast<std::size_t>(worst - errors.begin());
        text +=
            row("worst", fmt::format("frame {} with data error {:.4g}",
                                     i_worst < result.frames.size() ? result.frames[i_worst] : -1, *worst));
    }
    for (const auto& [phase, seconds] : result.timings_s) {
        if (phase.starts_with("nominal_")) continue;  // for forecasts
        text += row("time", fmt::format("{} {:.3f} s", phase, seconds));
    }
    for (const auto& [key, value] : result.about) text += row("about", key + ": " + value);
    return text;
}

// A file that is no complete scan by itself: why, and what could be made of it.
std::string inspect_unknown(const hdf5::File& file, const Error& why) {
    std::string text = row("file", file.name());
    text += row("problem", why.what());
    const auto candidates = frame_candidates(file);
    for (const auto& candidate : candidates) text += row("dataset", candidate);
    if (candidates.empty()) text += row("dataset", "none with three or four axes, as frames have");
    return text;
}

}  // namespace

std::string inspect_file(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path) || path.extension() == ".yaml") return inspect_checkpoints(path);
    const hdf5::File file(path);
    if (is_result(file)) return inspect_result(path);
    try {
        return inspect_scan(path);
    } catch (const Error& error) {
        return inspect_unknown(file, error);
    }
}

}  // namespace tessera

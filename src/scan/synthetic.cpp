#include "scan/synthetic.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <map>
#include <numbers>
#include <thread>
#include <vector>

#include "scan/point_spread.hpp"
#include "scan/positions.hpp"
#include "scan/probe_modes.hpp"
#include "scan/random.hpp"
#include "scan/synthetic_crystal.hpp"
#include "scan/synthetic_object.hpp"
#include "scan/synthetic_positions.hpp"
#include "scan/synthetic_probe.hpp"
#include "scan/synthetic_streams.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

// The default of a reconstruction, so that its object array and the truth lie on each other.
constexpr int margin_px = 8;

Geometry geometry_of(const SimulatedDetectorConfig& detector) {
    if (detector.propagation == Propagation::automatic)
        throw usage_error("detector.propagation: auto (far_field or near_field is needed to simulate)");
    const double energy_eV =
        detector.accelerating_voltage_kV ? 1e3 * *detector.accelerating_voltage_kV : detector.energy_eV;
    for (const double value : {detector.pixel_size_m, detector.distance_m, energy_eV})
        if (!(std::isfinite(value) && value > 0))
            throw usage_error(
                "detector: pixel_size_m {}, distance_m {}, energy {} eV (each must be above zero)",
                detector.pixel_size_m, detector.distance_m, energy_eV);
    if (detector.shape[0] < 1 || detector.shape[1] < 1)
        throw usage_error("detector.shape: {} x {} pixels (at least 1 x 1)", detector.shape[0],
                          detector.shape[1]);
    Geometry geometry;
    geometry.propagation = detector.propagation;
    if (detector.accelerating_voltage_kV) geometry.radiation = Radiation::electrons;
    geometry.wavelength_m = wavelength_of_energy(geometry.radiation, energy_eV);
    geometry.distance_m = detector.distance_m;
    geometry.detector_pixel_size_m = {detector.pixel_size_m, detector.pixel_size_m};
    if (detector.propagation == Propagation::near_field)
        geometry.focus_to_sample_m = detector.focus_to_sample_m.value_or(0);
    return geometry;
}

std::array<int, 2> probe_shape_of(const SimulatedDetectorConfig& detector) {
    const auto shape = detector.probe_shape.value_or(detector.shape);
    for (std::size_t axis = 0; axis < 2; ++axis)
        if (shape[axis] < 1 || shape[axis] > detector.shape[axis])
            throw usage_error(
                "detector.probe_shape: {} x {} pixels (1 x 1 up to the frame's {} x {} are allowed)",
                shape[0], shape[1], detector.shape[0], detector.shape[1]);
    return shape;
}

const std::vector<double>& spacings_of(const SimulatedObjectConfig& object) {
    const auto& spacings_m = object.slice_spacings_m;
    const bool are_lengths = std::ranges::all_of(
        spacings_m, [](double spacing_m) { return std::isfinite(spacing_m) && spacing_m > 0; });
    if (object.num_slices < 1 || std::ssize(spacings_m) != object.num_slices - 1 || !are_lengths)
        throw usage_error(
            "object.slice_spacings_m: {} values for {} slices (one less, each above zero, is needed)",
            spacings_m.size(), object.num_slices);
    return spacings_m;
}

// Dead pixels, and the cross of a gap between four modules beside the centre, where most detectors have it.
Array<float, 2> make_mask(const SimulatedDetectorConfig& detector, std::uint64_t seed) {
    const auto [n_y, n_x] = detector.shape;
    Array<float, 2> mask({n_y, n_x}, 1.0F);
    if (!(detector.masked_fraction >= 0 && detector.masked_fraction < 1))
        throw usage_error("detector.masked_fraction: {} (from 0 to below 1)", detector.masked_fraction);
    if (detector.masked_fraction == 0) return mask;
    Random random(seed, streams::mask);
    const int gap_px = std::max(1, std::min(n_y, n_x) / 64);
    const auto in_gap = [&](int i, int n) { return i >= 2 * n / 3 && i < 2 * n / 3 + gap_px; };
    for (int y = 0; y < n_y; ++y)
        for (int x = 0; x < n_x; ++x) {
            const bool dead = random.uniform() < detector.masked_fraction;
            if (dead || in_gap(y, n_y) || in_gap(x, n_x)) mask(y, x) = 0;
        }
    return mask;
}

// A probe window's corner as the nearest pixel of the object and a rest in [-1/2, 1/2).
struct Corner {
    std::ptrdiff_t y = 0, x = 0;
    std::array<double, 2> frac = {0, 0};
};

Corner corner_of(const Array<double, 2>& positions_px, std::ptrdiff_t frame) {
    const double r_y = positions_px(frame, 0), r_x = positions_px(frame, 1);
    const double base_y = std::floor(r_y + 0.5), base_x = std::floor(r_x + 0.5);
    return {static_cast<std::ptrdiff_t>(base_y),
            static_cast<std::ptrdiff_t>(base_x),
            {r_y - base_y, r_x - base_x}};
}

// The truth as waves in double precision, of what the file will hold, rounding included.
class Forward {
  public:
    Forward(const SyntheticScan& scan, SlicePropagation propagation, double blur_sigma_px)
        : scan_(scan),
          blur_sigma_px_(blur_sigma_px),
          modes_(unstacked(scan.probe)),
          frame_shape_(scan.mask.extents()),
          window_transform_(modes_.front().extents()),
          frame_transform_(frame_shape_) {
        const SlicePropagator propagator = slice_propagator(propagation, scan.geometry);
        for (const double spacing_m : scan.slice_spacings_m)
            if (!ways_.contains(spacing_m))
                ways_.emplace(spacing_m, transfer_function(propagator, modes_.front().extents(),
                                                           scan.pixel_size_m, spacing_m));
    }

    // Expected counts without background, as the detector sees them: |F psi|^2 of all modes of probe and
    // object, centre at floor(n/2).
    Array<double, 2> expected_counts(std::ptrdiff_t frame) const {
        const bool near_field = scan_.geometry.propagation == Propagation::near_field;
        const Corner corner = corner_of(scan_.positions_px, frame);
        Array<double, 2> counts(frame_shape_);
        for (const auto& mode : modes_) {
            const Wave beam = beam_of(mode, frame);
            for (int object_mode = 0; object_mode < scan_.num_object_modes; ++object_mode) {
                Wave wave = exit_wave(beam, corner, object_mode);
                if (near_field) {
                    // The beam stands still on the detector, the sample moves: back by what moved the probe.
                    shift_wave(wave, {-corner.frac[0], -corner.frac[1]});
                    propagate(wave, scan_.pixel_size_m, scan_.geometry.wavelength_m,
                              scan_.geometry.effective_distance_m());
                } else {
                    frame_transform_.forward(wave);
                }
                for (std::ptrdiff_t i = 0; i < wave.size(); ++i) counts[i] = norm_add(wave[i], counts[i]);
            }
        }
        if (!near_field) counts = origin_to_centre(counts);
        return blur_sigma_px_ > 0 ? blurred(counts, blur_sigma_px_) : counts;
    }

  private:
    Wave beam_of(Wave wave, std::ptrdiff_t frame) const {
        if (scan_.beams.empty()) return wave;
        const BeamOfFrame& beam = scan_.beams[static_cast<std::size_t>(frame)];
        if (beam.defocus_m != 0)
            propagate(wave, scan_.pixel_size_m, scan_.geometry.wavelength_m, beam.defocus_m);
        const double amplitude = std::sqrt(beam.intensity);
        const auto turns = [&](std::size_t axis, std::ptrdiff_t i) {
            return beam.pointing_px[axis] * static_cast<double>(i - wave.extent(axis) / 2) /
                   static_cast<double>(frame_shape_[axis]);
        };
        for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y)
            for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x) {
                const double angle = 2 * std::numbers::pi * (turns(0, y) + turns(1, x));
                wave(y, x) = cdouble{amplitude * std::cos(angle), amplitude * std::sin(angle)} * wave(y, x);
            }
        return wave;
    }

    // P(r - frac) through all slices at base + r, on the frame's grid.
    Wave exit_wave(Wave wave, const Corner& corner, std::ptrdiff_t object_mode) const {
        shift_wave(wave, corner.frac);
        const std::ptrdiff_t num_slices = scan_.object.extent(0) / scan_.num_object_modes;
        for (std::ptrdiff_t slice = 0; slice < num_slices; ++slice) {
            if (slice > 0) {
                const Wave& way = ways_.at(scan_.slice_spacings_m[static_cast<std::size_t>(slice - 1)]);
                window_transform_.forward(wave);
                for (std::ptrdiff_t i = 0; i < wave.size(); ++i) wave[i] = way[i] * wave[i];
                window_transform_.inverse(wave);
            }
            const View<const cfloat, 2> object = scan_.object.slice(object_mode * num_slices + slice);
            for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y)
                for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x) {
                    const cfloat o = object(corner.y + y, corner.x + x);
                    wave(y, x) = wave(y, x) * cdouble{static_cast<double>(o.re), static_cast<double>(o.im)};
                }
        }
        return pad_into_frame(wave, frame_shape_);
    }

    const SyntheticScan& scan_;
    double blur_sigma_px_;
    std::vector<Wave> modes_;
    Extents<2> frame_shape_;
    WaveTransform window_transform_, frame_transform_;
    std::map<double, Wave> ways_;  // by the distance: most often all are equal
};

void record_frame(SyntheticScan& scan, const SimulationConfig& config, const Forward& forward,
                  std::ptrdiff_t frame) {
    const Array<double, 2> counts = forward.expected_counts(frame);
    Random random(config.random_seed, streams::first_frame + static_cast<std::uint64_t>(frame));
    const View<float, 2> pattern = scan.patterns.slice(frame);
    for (std::ptrdiff_t i = 0; i < counts.size(); ++i) {
        double value = counts[i] + static_cast<double>(scan.background[i]);
        if (config.detector.photon_noise)
            value = static_cast<double>(random.poisson(value));
        else if (scan.integer_counts)
            value = std::floor(value + 0.5);
        if (config.detector.saturation) value = std::min(value, *config.detector.saturation);
        pattern[i] = scan.mask[i] != 0 ? static_cast<float>(value) : 0.0F;
    }
}

// Frames depend on nothing but their index, so any number of threads makes the same ones.
void record(SyntheticScan& scan, const SimulationConfig& config) {
    const Forward forward(scan, config.object.slice_propagation, config.detector.blur_sigma_px);
    const std::ptrdiff_t num_frames = scan.positions_px.extent(0);
    std::atomic<std::ptrdiff_t> next = 0;
    const auto work = [&] {
        for (std::ptrdiff_t frame = next++; frame < num_frames; frame = next++)
            record_frame(scan, config, forward, frame);
    };
    std::vector<std::future<void>> others;
    const auto num_threads = std::min<std::ptrdiff_t>(std::thread::hardware_concurrency(), num_frames);
    for (std::ptrdiff_t i = 1; i < num_threads; ++i) others.push_back(std::async(std::launch::async, work));
    work();
    for (auto& other : others) other.get();
}

std::vector<BeamOfFrame> make_beams(const FluctuationConfig& config, std::ptrdiff_t num_frames,
                                    std::uint64_t seed) {
    if (config == FluctuationConfig()) return {};
    constexpr double least_intensity = 0.05;
    Random random(seed, streams::fluctuation);
    std::vector<BeamOfFrame> beams(static_cast<std::size_t>(num_frames));
    double sum = 0;
    for (BeamOfFrame& beam : beams) {
        beam.intensity = std::max(1 + config.intensity * random.normal(), least_intensity);
        for (double& pointing_px : beam.pointing_px) pointing_px = config.pointing_px * random.normal();
        beam.defocus_m = config.defocus_m * random.normal();
        sum += beam.intensity;
    }
    for (BeamOfFrame& beam : beams) beam.intensity *= static_cast<double>(num_frames) / sum;
    return beams;
}

}  // namespace

SyntheticScan simulate(const SimulationConfig& config) {
    const auto [n_y, n_x] = config.detector.shape;
    SyntheticScan scan;
    scan.geometry = geometry_of(config.detector);
    scan.pixel_size_m = scan.geometry.object_pixel_size_m(config.detector.shape);
    scan.integer_counts = config.detector.integer_counts;
    scan.slice_spacings_m = spacings_of(config.object);
    scan.num_object_modes = config.object.num_modes;
    const std::array<int, 2> probe_shape = probe_shape_of(config.detector);

    scan.told_positions_px = make_positions(config.scan, config.random_seed);
    scan.positions_px =
        make_position_errors(config.scan.position_error, scan.told_positions_px, config.random_seed);
    for (std::ptrdiff_t i = 0; i < scan.positions_px.size(); ++i)
        scan.positions_px[i] += scan.told_positions_px[i];
    scan.beams = make_beams(config.scan.fluctuation, scan.positions_px.extent(0), config.random_seed);
    const Placement placement =
        place_windows(scan.positions_px, probe_shape, margin_px, Interpolation::fourier);
    for (std::ptrdiff_t frame = 0; frame < scan.positions_px.extent(0); ++frame)
        for (std::size_t axis = 0; axis < 2; ++axis)
            for (auto* positions_px : {&scan.positions_px, &scan.told_positions_px})
                (*positions_px)(frame, axis) += placement.shift_px[axis];

    const BeamGrid grid{{probe_shape[0], probe_shape[1]}, scan.pixel_size_m, scan.geometry.wavelength_m};
    std::array<double, 2> unlit_px{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        unlit_px[axis] = margin_px + 0.5 * std::max(probe_shape[axis] - config.probe.diameter_px, 0.0);
    scan.object =
        config.object.pattern == ObjectPattern::lead_titanate
            ? make_lead_titanate(config.object, placement.object_shape, scan.pixel_size_m, scan.geometry)
            : make_object(config.object, placement.object_shape, unlit_px, config.random_seed);
    scan.probe = stacked(make_simulated_probe(config.probe, grid, scan.geometry, 1));
    scan.probe_guess = stacked(
        make_simulated_probe(config.probe, grid, scan.geometry, 1 + config.probe.guess_defocus_error));

    if (!(config.detector.background_per_pixel >= 0))
        throw usage_error("detector.background_per_pixel: {} (at least 0)",
                          config.detector.background_per_pixel);
    scan.mask = make_mask(config.detector, config.random_seed);
    scan.background = Array<float, 2>({n_y, n_x}, static_cast<float>(config.detector.background_per_pixel));
    scan.patterns = Array<float, 3>({scan.positions_px.extent(0), n_y, n_x});
    record(scan, config);
    return scan;
}

}  // namespace tessera

#include "scan/synthetic_positions.hpp"

#include <cmath>
#include <numbers>

#include "scan/random.hpp"
#include "scan/synthetic_streams.hpp"

namespace tessera {

Array<double, 2> make_positions(const SimulatedScanConfig& config, std::uint64_t seed) {
    const auto [num_rows, num_columns] = config.grid;
    if (num_rows < 1 || num_columns < 1)
        throw usage_error("scan.grid: {} x {} points (at least 1 x 1)", num_rows, num_columns);
    if (!(config.step_px > 0))
        throw usage_error("scan.step_px: {} (a step above zero is needed)", config.step_px);

    Random random(seed, streams::positions);
    Array<double, 2> positions_px({static_cast<std::ptrdiff_t>(num_rows) * num_columns, 2});
    const double reach_px = config.jitter * config.step_px;
    const double spiral_px = config.step_px / std::sqrt(std::numbers::pi);
    const double golden_angle_rad = std::numbers::pi * (3 - std::sqrt(5.0));
    for (std::ptrdiff_t frame = 0; frame < positions_px.extent(0); ++frame) {
        double y = static_cast<double>(frame / num_columns) * config.step_px;
        double x = static_cast<double>(frame % num_columns) * config.step_px;
        if (config.pattern == ScanPattern::jittered) {
            y += random.uniform(-reach_px, reach_px);
            x += random.uniform(-reach_px, reach_px);
        } else if (config.pattern == ScanPattern::spiral) {
            const double radius_px = spiral_px * std::sqrt(static_cast<double>(frame) + 0.5);
            const double angle_rad = golden_angle_rad * static_cast<double>(frame);
            y = radius_px * std::sin(angle_rad);
            x = radius_px * std::cos(angle_rad);
        }
        positions_px(frame, 0) = config.integer_positions ? std::floor(y + 0.5) : y;
        positions_px(frame, 1) = config.integer_positions ? std::floor(x + 0.5) : x;
    }
    return positions_px;
}

Array<double, 2> make_position_errors(const PositionErrorConfig& config, const Array<double, 2>& positions_px,
                                      std::uint64_t seed) {
    const std::ptrdiff_t num_frames = positions_px.extent(0);
    const auto mean = [&](const Array<double, 2>& values, std::ptrdiff_t axis) {
        double sum = 0;
        for (std::ptrdiff_t frame = 0; frame < num_frames; ++frame) sum += values(frame, axis);
        return sum / static_cast<double>(num_frames);
    };
    const double middle_y = mean(positions_px, 0), middle_x = mean(positions_px, 1);
    Random random(seed, streams::position_errors);
    Array<double, 2> errors({num_frames, 2});
    for (std::ptrdiff_t frame = 0; frame < num_frames; ++frame) {
        const double y = positions_px(frame, 0) - middle_y, x = positions_px(frame, 1) - middle_x;
        const double half_shear = config.shear_rad / 2;
        errors(frame, 0) = (config.scale + config.asymmetry / 2) * y + (half_shear + config.rotation_rad) * x;
        errors(frame, 1) = (config.scale - config.asymmetry / 2) * x + (half_shear - config.rotation_rad) * y;
        for (std::ptrdiff_t axis = 0; axis < 2; ++axis)
            errors(frame, axis) += random.uniform(-config.jitter_px, config.jitter_px);
    }
    for (std::ptrdiff_t axis = 0; axis < 2; ++axis) {
        const double drift = mean(errors, axis);
        for (std::ptrdiff_t frame = 0; frame < num_frames; ++frame) errors(frame, axis) -= drift;
    }
    return errors;
}

}  // namespace tessera

#include "support/reference_run.hpp"

#include "codelets/noise.hpp"

namespace tessera::test {
namespace {

reference::NoiseModel reference_model(NoiseModel model) {
    switch (model) {
        case NoiseModel::amplitude:
            return reference::NoiseModel::amplitude;
        case NoiseModel::poisson:
            return reference::NoiseModel::poisson;
        case NoiseModel::gaussian:
            return reference::NoiseModel::gaussian;
    }
    return reference::NoiseModel::amplitude;
}

reference::Interpolation reference_interpolation(Interpolation interpolation) {
    switch (interpolation) {
        case Interpolation::nearest:
            return reference::Interpolation::nearest;
        case Interpolation::bilinear:
            return reference::Interpolation::bilinear;
        case Interpolation::fourier:
            return reference::Interpolation::fourier;
    }
    return reference::Interpolation::fourier;
}

reference::Value value_of(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

}  // namespace

reference::Problem problem_at_the_end(const Outcome& outcome, const SyntheticScan& truth,
                                      NoiseModel noise_model) {
    reference::Problem problem;
    const Placement& placement = outcome.problem.placement;
    for (const WindowPosition& window : placement.windows) {
        problem.windows.push_back(
            {window.y, window.x, static_cast<double>(window.frac_y), static_cast<double>(window.frac_x)});
    }
    problem.object = reference::Stack(outcome.result.object.extents());
    for (std::ptrdiff_t i = 0; i < problem.object.size(); ++i)
        problem.object[i] = value_of(outcome.result.object[i]);
    problem.probe = reference::Stack(outcome.result.probe.extents());
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i)
        problem.probe[i] = value_of(outcome.result.probe[i]);
    problem.interpolation = reference_interpolation(outcome.problem.config.positions.interpolation);
    problem.noise_model = reference_model(noise_model);
    problem.epsilon = static_cast<double>(noise_epsilon(noise_model));
    const auto [num_frames, num_y, num_x] = truth.patterns.extents();
    problem.patterns = Array<double, 3>({num_frames, num_y, num_x});
    problem.mask = reference::RealImage({num_y, num_x});
    problem.background = reference::RealImage({num_y, num_x});
    const bool near_field = truth.geometry.propagation == Propagation::near_field;
    for (std::ptrdiff_t y = 0; y < num_y; ++y) {
        for (std::ptrdiff_t x = 0; x < num_x; ++x) {
            // In transform order: the detector's centre floor(n/2) comes to 0 in the far field.
            const auto to_y = near_field ? y : (y - num_y / 2 + num_y) % num_y;
            const auto to_x = near_field ? x : (x - num_x / 2 + num_x) % num_x;
            problem.mask(to_y, to_x) = static_cast<double>(truth.mask(y, x));
            problem.background(to_y, to_x) = static_cast<double>(truth.background(y, x));
            for (std::ptrdiff_t j = 0; j < num_frames; ++j) {
                problem.patterns(j, to_y, to_x) = static_cast<double>(truth.patterns(j, y, x));
            }
        }
    }
    for (const double spacing_m : truth.slice_spacings_m) {
        problem.slice_transfer_functions.push_back(reference::fresnel_transfer_function(
            problem.probe_shape(), truth.pixel_size_m, truth.geometry.wavelength_m, spacing_m));
    }
    if (near_field) {
        problem.transfer_function = reference::fresnel_transfer_function(
            {num_y, num_x}, truth.pixel_size_m, truth.geometry.wavelength_m,
            truth.geometry.effective_distance_m());
    }
    return problem;
}

}  // namespace tessera::test

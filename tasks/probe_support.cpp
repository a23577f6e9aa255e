#include "tasks/probe_support.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tessera {
namespace {

double power_of(const Array<cfloat, 3>& probe) {
    double power = 0;
    for (std::ptrdiff_t i = 0; i < probe.size(); ++i) power += static_cast<double>(norm(probe[i]));
    return power;
}

}  // namespace

// Circles in the plane of the object and in frequencies, of which a window of n pixels d has n / (n d).
ProbeSupport Problem::probe_support() const {
    const ProbeSupportConfig& support = config.probe.support;
    const auto& pixel_m = scan.pixel_size_m;
    const double sides_m[2] = {probe_shape[0] * pixel_m[0], probe_shape[1] * pixel_m[1]};
    ProbeSupport found;
    if (support.radius) {
        const double radius_m = *support.radius * std::min(sides_m[0], sides_m[1]) / 2;
        found.window = {static_cast<float>(radius_m / pixel_m[0]), static_cast<float>(radius_m / pixel_m[1])};
    }
    if (support.fourier_radius) {
        const double radius = *support.fourier_radius * std::min(1 / pixel_m[0], 1 / pixel_m[1]) / 2;
        found.spectrum = {static_cast<float>(radius * sides_m[0]), static_cast<float>(radius * sides_m[1])};
    }
    return found;
}

std::optional<ProbeSupport> support_of(const Problem& problem, const EngineConfig& engine) {
    ProbeSupport support = problem.probe_support();
    if (projects_waves(engine.name) && engine.projection.probe_support_radius) {
        // Of half the window along either axis.
        const auto half_radius = static_cast<float>(*engine.projection.probe_support_radius / 2);
        const auto [height, width] = problem.probe_shape;
        support.window = {half_radius * static_cast<float>(height), half_radius * static_cast<float>(width)};
    }
    if (!support.window.are_set() && !support.spectrum.are_set()) return {};
    return support;
}

Array<cfloat, 3> within_support(const Problem& problem, Array<cfloat, 3> probe) {
    const ProbeSupportConfig& config = problem.config.probe.support;
    if (!config.radius && !config.fourier_radius) return probe;
    const double before = power_of(probe);
    support_modes(problem.probe_support(), static_cast<int>(probe.extent(0)),
                  {problem.probe_shape[0], problem.probe_shape[1]}, probe.data());
    const double after = power_of(probe);
    if (!(after > 1e-6 * before)) {
        throw usage_error(
            "probe.support: leaves {:.2g} of the starting probe's power (larger radius or fourier_radius, or "
            "another probe.initial)",
            after / before);
    }
    if (after < 0.5 * before)
        log::warning("probe.support: leaves {:.0f} % of the starting probe's power", 100 * after / before);
    if (!problem.config.probe.rescale) return probe;
    const auto factor = static_cast<float>(std::sqrt(before / after));
    for (std::ptrdiff_t i = 0; i < probe.size(); ++i) probe[i] = factor * probe[i];
    return probe;
}

}  // namespace tessera

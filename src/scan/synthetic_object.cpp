#include "scan/synthetic_object.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "scan/random.hpp"
#include "scan/synthetic_streams.hpp"
#include "scan/synthetic_textures.hpp"

namespace tessera {

namespace {

constexpr double edge_sigma_px = 0.6;

// 1 inside (distance < 0), 0 outside, an edge about a pixel wide.
double inside(double distance_px) {
    return 0.5 * std::erfc(distance_px / (std::numbers::sqrt2 * edge_sigma_px));
}

// Distance to the nearest edge of a periodic band that is filled for half of each period; negative inside.
double grating_distance(double position, double period) {
    const double phase = position / period - std::floor(position / period);  // filled for phase < 1/2
    return phase < 0.5 ? -std::min(phase, 0.5 - phase) * period : std::min(phase - 0.5, 1 - phase) * period;
}

// Radii as fractions of the star's: four rings of spokes, each a cut of growing width from the next, and a
// rim.
struct Ring {
    double inner, outer;
};
constexpr std::array<Ring, 4> spoke_rings = {{{0.03, 0.16}, {0.18, 0.37}, {0.40, 0.64}, {0.68, 0.90}}};
constexpr Ring rim = {0.945, 1.0};

// As many as leave the spokes of the innermost ring about two pixels of period, within what a star usually
// has.
int num_spokes_of(double radius_px) {
    return std::clamp(static_cast<int>(0.4 * radius_px), 12, 48);
}

double star_thickness(double y, double x, double radius_px) {
    const double r = std::hypot(y, x);
    const double spoke_angle_rad = 2 * std::numbers::pi / num_spokes_of(radius_px);
    const double spokes = inside(grating_distance(std::atan2(y, x), spoke_angle_rad) * r);
    double thickness = 0;
    for (const auto& ring : spoke_rings)
        thickness += spokes * inside(r - ring.outer * radius_px) * inside(ring.inner * radius_px - r);
    return thickness + inside(r - rim.outer * radius_px) * inside(rim.inner * radius_px - r);
}

// In each corner a stack of bars, ever finer: what a square scan sees outside the star.
double corner_thickness(double y, double x, double half_px) {
    const double corner_y = half_px - std::abs(y),
                 corner_x = half_px - std::abs(x);  // from the corner inwards
    const double size_px = 0.2 * half_px;
    const double gap_px = 0.04 * half_px;
    const double band =
        std::max({gap_px - corner_y, corner_y - size_px, gap_px - corner_x, corner_x - size_px});
    const double period_px = std::max(size_px / (x * y > 0 ? 4 : 6), 2.0);
    return inside(band) * inside(grating_distance(y > 0 ? corner_y : corner_x, period_px));
}

Array<float, 2> siemens_star(std::array<int, 2> shape, std::array<double, 2> unlit_px) {
    std::array<double, 2> lit_px{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        lit_px[axis] = std::max(shape[axis] - 2 * unlit_px[axis], 1.0);
    const std::size_t long_axis = lit_px[0] > lit_px[1] ? 0 : 1;
    const double short_px = lit_px[1 - long_axis];
    const double num_stars = std::max(1.0, std::floor(lit_px[long_axis] / short_px + 0.5));
    const double cell_px = lit_px[long_axis] / num_stars;
    const double half_px = 0.5 * std::min(cell_px, short_px);

    Array<float, 2> thickness({shape[0], shape[1]});
    for (int y = 0; y < shape[0]; ++y)
        for (int x = 0; x < shape[1]; ++x) {
            std::array<double, 2> r = {y - 0.5 * shape[0], x - 0.5 * shape[1]};
            const double along = r[long_axis] / cell_px + 0.5 * num_stars;
            const double star = std::clamp(std::floor(along), 0.0, num_stars - 1);
            r[long_axis] = (along - star - 0.5) * cell_px;
            thickness(y, x) = static_cast<float>(star_thickness(r[0], r[1], 0.92 * half_px) +
                                                 corner_thickness(r[0], r[1], half_px));
        }
    return thickness;
}

// A convex shape: the intersection of half planes normal . r <= offset, or a disc.
struct Feature {
    struct Side {
        double normal_y, normal_x, offset_px;
    };
    double y = 0, x = 0, reach_px = 0, thickness = 0;
    double radius_px = 0;     // discs
    std::vector<Side> sides;  // polygons and rods; empty: a disc

    double distance(double r_y, double r_x) const {
        if (sides.empty()) return std::hypot(r_y, r_x) - radius_px;
        double largest = -reach_px;
        for (const auto& side : sides)
            largest = std::max(largest, side.normal_y * r_y + side.normal_x * r_x - side.offset_px);
        return largest;
    }
};

Feature random_feature(Random& random, std::array<int, 2> shape, double least_px, double largest_px) {
    Feature feature;
    feature.y = random.uniform(0, shape[0]);
    feature.x = random.uniform(0, shape[1]);
    feature.thickness = random.uniform(0.25, 1);
    const double share = random.uniform();  // squared below: small features are the more frequent ones
    const double half_px = 0.5 * least_px * std::pow(largest_px / least_px, share * share);
    const double turn_rad = random.uniform(0, 2 * std::numbers::pi);
    const double kind = random.uniform();
    feature.radius_px = half_px;
    feature.reach_px = half_px;
    if (kind < 0.45) return feature;
    const bool rod = kind < 0.65;
    const int num_sides = rod ? 4 : 3 + static_cast<int>(random.uniform(0, 4));
    const double length = rod ? std::min(random.uniform(2, 8), std::max(largest_px / (2 * half_px), 2.0)) : 1;
    for (int side = 0; side < num_sides; ++side) {
        const double angle_rad = turn_rad + 2 * std::numbers::pi * side / num_sides;
        const double stretch = side % 2 == 0 ? length : 1;
        feature.sides.push_back({std::sin(angle_rad), std::cos(angle_rad), half_px * stretch});
    }
    feature.reach_px = 2 * half_px * length;  // a triangle's corners are twice its sides' distance away
    return feature;
}

// Adds the feature's thickness to the picture and returns its volume (within the picture).
double draw(const Feature& feature, Array<float, 2>& thickness) {
    const double reach_px = feature.reach_px + 3;
    const auto begin = [&](double centre) { return std::max(0, static_cast<int>(centre - reach_px)); };
    const auto end = [&](double centre, std::ptrdiff_t n) {
        return std::min(static_cast<int>(n), static_cast<int>(centre + reach_px) + 1);
    };
    double volume = 0;
    for (int y = begin(feature.y); y < end(feature.y, thickness.extent(0)); ++y)
        for (int x = begin(feature.x); x < end(feature.x, thickness.extent(1)); ++x) {
            const double added = feature.thickness * inside(feature.distance(y - feature.y, x - feature.x));
            thickness(y, x) += static_cast<float>(added);
            volume += added;
        }
    return volume;
}

Array<float, 2> random_features(std::array<int, 2> shape, double feature_size_px, Random& random) {
    constexpr double mean_thickness = 0.55;
    Array<float, 2> thickness({shape[0], shape[1]});
    const double largest_px =
        std::max(feature_size_px, std::min(10 * feature_size_px, 0.5 * std::min(shape[0], shape[1])));
    double missing = mean_thickness * static_cast<double>(thickness.size());
    while (missing > 0)
        missing -= draw(random_feature(random, shape, feature_size_px, largest_px), thickness);
    // Thick stacks saturate smoothly: the ranges are bounds, and one lucky pile must not make all else faint.
    for (auto& value : thickness) value = static_cast<float>(std::tanh(static_cast<double>(value)));
    return thickness;
}

// One material takes from the modulus and retards the phase where it is thick.
struct Fields {
    Array<float, 2> modulus;  // each in [0, 1]: 1 gives the largest modulus, the largest phase
    Array<float, 2> phase;
};

Fields of_material(const Array<float, 2>& thickness) {
    Array<float, 2> clear = thickness;
    for (auto& value : clear) value = 1 - std::clamp(value, 0.0F, 1.0F);
    return {clear, clear};
}

Fields make_fields(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                   std::array<double, 2> unlit_px, Random& random) {
    switch (config.pattern) {
        case ObjectPattern::siemens_star:
            return of_material(siemens_star(shape, unlit_px));
        case ObjectPattern::random_features:
            return of_material(random_features(shape, config.feature_size_px, random));
        case ObjectPattern::textures: {
            Fields fields;
            fields.modulus = cell_texture(shape, config.feature_size_px, random);
            fields.phase = turbulent_texture(shape, config.feature_size_px, random);
            return fields;
        }
        case ObjectPattern::flat:
            return of_material(Array<float, 2>({shape[0], shape[1]}));
        case ObjectPattern::lead_titanate:
            break;  // synthetic_crystal.hpp
    }
    throw usage_error("object.pattern: unknown");
}

void check(const char* key, const std::array<double, 2>& range, double least) {
    if (!(range[0] >= least && range[0] <= range[1] && std::isfinite(range[1])))
        throw usage_error("object.{}: [{}, {}] (the least value, then the largest, are needed)", key,
                          range[0], range[1]);
}

}  // namespace

Array<cfloat, 3> make_object(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                             std::array<double, 2> unlit_px, std::uint64_t seed) {
    TESSERA_EXPECT(shape[0] > 0 && shape[1] > 0 && config.num_slices > 0 && config.num_modes > 0);
    check("amplitude_range", config.amplitude_range, 0);
    check("phase_range_rad", config.phase_range_rad, -std::numeric_limits<double>::max());
    if (!(config.feature_size_px >= 1))
        throw usage_error("object.feature_size_px: {} (at least 1)", config.feature_size_px);

    const double amplitude = std::sqrt(1.0 / config.num_modes);
    Array<cfloat, 3> object({config.num_modes * config.num_slices, shape[0], shape[1]});
    for (std::ptrdiff_t plane = 0; plane < object.extent(0); ++plane) {
        Random random(
            seed, plane == 0 ? streams::object : streams::further_planes + static_cast<std::uint64_t>(plane));
        const Fields fields = make_fields(config, shape, unlit_px, random);
        const View<cfloat, 2> image = object.slice(plane);
        for (std::ptrdiff_t i = 0; i < image.size(); ++i) {
            const double modulus = amplitude * std::lerp(config.amplitude_range[0], config.amplitude_range[1],
                                                         fields.modulus[i]);
            const double phase_rad =
                std::lerp(config.phase_range_rad[0], config.phase_range_rad[1], fields.phase[i]);
            image[i] = {static_cast<float>(modulus * std::cos(phase_rad)),
                        static_cast<float>(modulus * std::sin(phase_rad))};
        }
    }
    return object;
}

}  // namespace tessera

#include "scan/synthetic_crystal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace tessera {

namespace {

constexpr double angstrom_m = 1e-10;
constexpr double a_m = 3.905e-10, c_m = 4.156e-10;
constexpr double reach_in_sigmas = 6;

// f(s) = sum_i a_i exp(-b_i s^2) in A and A^2, s = sin(theta) / lambda: electron scattering factors of
// neutral atoms (International Tables for Crystallography C, table 4.3.2.3).
struct Gaussian {
    double a, b;
};
using Atom = std::array<Gaussian, 5>;
constexpr Atom lead = {
    {{0.3540, 0.0668}, {1.5453, 0.6465}, {3.5975, 3.6968}, {4.3152, 16.2056}, {2.7743, 61.4909}}};
constexpr Atom titanium = {
    {{0.2123, 0.1399}, {0.8960, 1.4568}, {2.1765, 6.7534}, {3.0436, 33.1168}, {2.4439, 101.8238}}};
constexpr Atom oxygen = {
    {{0.0365, 0.0652}, {0.1729, 0.6184}, {0.5805, 2.9449}, {0.8814, 9.6298}, {0.3121, 28.2194}}};
constexpr double potential_V_A2 = 47.87801;  // h^2 / (2 pi m e)

// In fractions of the cell: along the beam (a), along x (a), along y (c, the polar axis).
struct Site {
    const Atom& atom;
    double beam, x, polar;
};
const std::array<Site, 5> sites = {{{lead, 0, 0, 0},
                                    {titanium, 0.5, 0.5, 0.54},
                                    {oxygen, 0.5, 0.5, 0.11},
                                    {oxygen, 0.5, 0, 0.62},
                                    {oxygen, 0, 0.5, 0.62}}};
constexpr double first_layer =
    0.25;  // of a cell: no atom on the film's face, nor on that of a slice of whole cells

// Where the slices begin and end along the beam, 0 at the film's face; the outermost take what atoms reach
// beyond the film.
struct Film {
    std::vector<double> begin_m, end_m;
    double thickness_m = 0;
};

Film film_of(const std::vector<double>& spacings_m) {
    Film film;
    const double first_m = spacings_m.empty() ? a_m : spacings_m.front();
    const double last_m = spacings_m.empty() ? a_m : spacings_m.back();
    double face_m = 0;
    film.begin_m.push_back(-std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < spacings_m.size(); ++i) {
        face_m += i == 0 ? first_m : 0.5 * (spacings_m[i - 1] + spacings_m[i]);
        film.end_m.push_back(face_m);
        film.begin_m.push_back(face_m);
    }
    film.end_m.push_back(std::numeric_limits<double>::infinity());
    film.thickness_m = face_m + last_m;
    return film;
}

// Share of a Gaussian about 0 between two bounds.
double share_between(double begin, double end, double sigma) {
    return 0.5 *
           (std::erf(end / (std::numbers::sqrt2 * sigma)) - std::erf(begin / (std::numbers::sqrt2 * sigma)));
}

// Adds weight * exp(-(r - centre)^2 / (2 sigma^2)) to the samples r = i * pixel.
void add_gaussian(std::vector<double>& profile, double centre_m, double sigma_m, double pixel_m,
                  double weight) {
    const double reach_m = reach_in_sigmas * sigma_m;
    const double last = static_cast<double>(profile.size()) - 1;
    const double from = std::max(std::ceil((centre_m - reach_m) / pixel_m), 0.0);
    const double to = std::min(std::floor((centre_m + reach_m) / pixel_m), last);
    for (double i = from; i <= to; ++i) {
        const double r = (i * pixel_m - centre_m) / sigma_m;
        profile[static_cast<std::size_t>(i)] += weight * std::exp(-0.5 * r * r);
    }
}

// One Gaussian of one site in one domain: its potential in a slice is the product of a profile along y and
// one along x, for all cells at once.
struct Comb {
    const Site& site;
    double sigma_m;
    bool is_left;  // of the wall; right of it the polar axis is turned over
};

class Crystal {
  public:
    Crystal(std::array<int, 2> shape, std::array<double, 2> pixel_size_m, Film film)
        : shape_(shape), pixel_m_(pixel_size_m), film_(std::move(film)) {}

    std::vector<double> profile_y(const Comb& comb) const {
        const double polar = comb.is_left ? comb.site.polar : -comb.site.polar;
        std::vector<double> profile(static_cast<std::size_t>(shape_[0]));
        const double centre_m = shape_[0] / 2 * pixel_m_[0], extent_m = shape_[0] * pixel_m_[0];
        const double reach_m = reach_in_sigmas * comb.sigma_m;
        const double first = std::floor((-reach_m - centre_m) / c_m) - 1;
        for (double cell = first; centre_m + (cell - 1) * c_m < extent_m + reach_m; ++cell)
            add_gaussian(profile, centre_m + (cell + polar) * c_m, comb.sigma_m, pixel_m_[0], 1);
        return profile;
    }

    // Summed over the layers of the film, each with its share in the slice and its own place of the wall.
    std::vector<double> profile_x(const Comb& comb, std::size_t slice) const {
        std::vector<double> profile(static_cast<std::size_t>(shape_[1]));
        const double centre_m = shape_[1] / 2 * pixel_m_[1], extent_m = shape_[1] * pixel_m_[1];
        const double reach_m = reach_in_sigmas * comb.sigma_m;
        const double first = std::floor((-reach_m - centre_m) / a_m) - 1;
        for (double layer = 0;; ++layer) {
            const double depth_m = (layer + comb.site.beam + first_layer) * a_m;
            if (depth_m >= film_.thickness_m) break;
            const double share =
                share_between(film_.begin_m[slice] - depth_m, film_.end_m[slice] - depth_m, comb.sigma_m);
            if (share < 1e-12) continue;
            const double wall_m = layer * a_m - 0.5 * film_.thickness_m;  // from the centre
            for (double cell = first; centre_m + (cell - 1) * a_m < extent_m + reach_m; ++cell) {
                if ((cell * a_m < wall_m) != comb.is_left) continue;
                add_gaussian(profile, centre_m + (cell + comb.site.x) * a_m, comb.sigma_m, pixel_m_[1],
                             share);
            }
        }
        return profile;
    }

  private:
    std::array<int, 2> shape_;
    std::array<double, 2> pixel_m_;
    Film film_;
};

double blur_of(const SimulatedObjectConfig& config, std::array<double, 2> pixel_size_m) {
    const double blur_m = config.atom_blur_m.value_or(std::max(pixel_size_m[0], pixel_size_m[1]));
    if (!(std::isfinite(blur_m) && blur_m > 0))
        throw usage_error("object.atom_blur_m: {} (a length above zero is needed)", blur_m);
    return blur_m;
}

}  // namespace

double interaction_parameter(const Geometry& geometry) {
    constexpr double rest_energy_eV = 510998.95;
    const double energy_eV = geometry.energy_eV();
    return 2 * std::numbers::pi / (geometry.wavelength_m * energy_eV) * (rest_energy_eV + energy_eV) /
           (2 * rest_energy_eV + energy_eV);
}

Array<cfloat, 3> make_lead_titanate(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                                    std::array<double, 2> pixel_size_m, const Geometry& geometry) {
    if (geometry.radiation != Radiation::electrons)
        throw usage_error(
            "object.pattern: lead_titanate is a crystal seen by electrons (detector.accelerating_voltage_kV "
            "is "
            "needed)");
    const double rad_per_Vm = interaction_parameter(geometry);
    const double blur_A = blur_of(config, pixel_size_m) / angstrom_m;
    const double blur_b = 8 * std::numbers::pi * std::numbers::pi * blur_A * blur_A;
    const Crystal crystal(shape, pixel_size_m, film_of(config.slice_spacings_m));

    Array<cfloat, 3> object({config.num_slices, shape[0], shape[1]});
    Array<double, 2> phase_rad({shape[0], shape[1]});
    for (int slice = 0; slice < config.num_slices; ++slice) {
        std::fill(phase_rad.begin(), phase_rad.end(), 0.0);
        for (const Site& site : sites)
            for (const auto& [a, b] : site.atom)
                for (const bool is_left : {true, false}) {
                    const double width = b + blur_b;  // A^2
                    const double sigma_m = std::sqrt(width / 8) / std::numbers::pi * angstrom_m;
                    const double peak_rad =
                        rad_per_Vm * potential_V_A2 * a * 4 * std::numbers::pi / width * angstrom_m;
                    const Comb comb{site, sigma_m, is_left};
                    const auto along_y = crystal.profile_y(comb);
                    const auto along_x = crystal.profile_x(comb, static_cast<std::size_t>(slice));
                    for (int y = 0; y < shape[0]; ++y)
                        for (int x = 0; x < shape[1]; ++x)
                            phase_rad(y, x) += peak_rad * along_y[static_cast<std::size_t>(y)] *
                                               along_x[static_cast<std::size_t>(x)];
                }
        const View<cfloat, 2> image = object.slice(slice);
        for (std::ptrdiff_t i = 0; i < phase_rad.size(); ++i)
            image[i] = {static_cast<float>(std::cos(phase_rad[i])),
                        static_cast<float>(std::sin(phase_rad[i]))};
    }
    return object;
}

}  // namespace tessera

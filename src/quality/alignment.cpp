#include "quality/alignment.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

cdouble phasor(double phase_rad) {
    return {std::cos(phase_rad), std::sin(phase_rad)};
}

double modulus(cdouble value) {
    return std::sqrt(norm(value));
}

double argument(cdouble value) {
    return std::atan2(value.im, value.re);
}

std::ptrdiff_t signed_index(std::ptrdiff_t i, std::ptrdiff_t n) {
    return i < (n + 1) / 2 ? i : i - n;
}

// conj(z(r)) z(r + 1) along `axis`, where both pixels are in the region, 0 elsewhere. A linear phase of z
// becomes one constant factor of it, so that the shift can be found before the ramp.
Wave neighbour_products(const Wave& image, const Array<float, 2>& region, std::size_t axis) {
    const auto [n_y, n_x] = image.extents();
    const std::ptrdiff_t dy = axis == 0 ? 1 : 0, dx = 1 - dy;
    Wave products(image.extents());
    for (std::ptrdiff_t y = 0; y + dy < n_y; ++y)
        for (std::ptrdiff_t x = 0; x + dx < n_x; ++x)
            if (region(y, x) != 0 && region(y + dy, x + dx) != 0)
                products(y, x) = conj_mul(image(y, x), image(y + dy, x + dx));
    return products;
}

// Its non-zero values without their mean: what the window itself looks like must not decide the shift.
Wave without_mean(Wave products) {
    cdouble sum{0, 0};
    double count = 0;
    for (const auto& value : products)
        if (norm(value) > 0) {
            sum = sum + value;
            count += 1;
        }
    if (count == 0) return products;
    const cdouble mean = (1 / count) * sum;
    for (auto& value : products)
        if (norm(value) > 0) value = value - mean;
    return products;
}

// |cross-correlation| at every shift, zero shift at index 0: |F^-1[conj(F a) F b]|.
Array<double, 2> correlation_moduli(Wave a, Wave b) {
    const WaveTransform transform(a.extents());
    transform.forward(a);
    transform.forward(b);
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) b[i] = conj_mul(a[i], b[i]);
    transform.inverse(b);
    Array<double, 2> moduli(a.extents());
    for (std::ptrdiff_t i = 0; i < b.size(); ++i) moduli[i] = modulus(b[i]);
    return moduli;
}

// The phase per pixel of b relative to a(r - shift), from the products along one axis.
double ramp_along(const Wave& a, const Wave& b, std::ptrdiff_t shift_y, std::ptrdiff_t shift_x) {
    const auto [n_y, n_x] = a.extents();
    cdouble sum{0, 0};
    for (std::ptrdiff_t y = std::max<std::ptrdiff_t>(0, shift_y); y < std::min(n_y, n_y + shift_y); ++y)
        for (std::ptrdiff_t x = std::max<std::ptrdiff_t>(0, shift_x); x < std::min(n_x, n_x + shift_x); ++x)
            sum = conj_mul_add(a(y - shift_y, x - shift_x), b(y, x), sum);
    return argument(sum);
}

// What cannot be solved for directly: object(r) = factor exp(i ramp (r - c)) truth(r - shift), c =
// floor(n/2).
struct SearchPoint {
    std::array<double, 2> shift_px = {0, 0};
    std::array<double, 2> ramp_rad_px = {0, 0};
};

// With the shift to a whole pixel. Two of them: no shift, and the peak of the correlation (which is noise
// where the images have no features).
std::vector<SearchPoint> starts(const Wave& object, const Wave& truth, const Array<float, 2>& region) {
    const auto [n_y, n_x] = truth.extents();
    const std::array<Wave, 2> of_truth = {neighbour_products(truth, region, 0),
                                          neighbour_products(truth, region, 1)};
    const std::array<Wave, 2> of_object = {neighbour_products(object, region, 0),
                                           neighbour_products(object, region, 1)};
    Array<double, 2> score(truth.extents());
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto moduli = correlation_moduli(without_mean(of_truth[axis]), without_mean(of_object[axis]));
        for (std::ptrdiff_t i = 0; i < score.size(); ++i) score[i] += moduli[i];
    }
    const std::ptrdiff_t peak = std::max_element(score.begin(), score.end()) - score.begin();
    const std::array<std::ptrdiff_t, 2> at_peak = {signed_index(peak / n_x, n_y),
                                                   signed_index(peak % n_x, n_x)};

    std::vector<SearchPoint> result;
    for (const auto& shift : {std::array<std::ptrdiff_t, 2>{0, 0}, at_peak}) {
        if (!result.empty() && shift == std::array<std::ptrdiff_t, 2>{0, 0}) continue;
        SearchPoint start;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            start.shift_px[axis] = static_cast<double>(shift[axis]);
            start.ramp_rad_px[axis] = ramp_along(of_truth[axis], of_object[axis], shift[0], shift[1]);
        }
        result.push_back(start);
    }
    return result;
}

// Everything that one point of the search needs: object(r) = factor exp(i ramp (r - c)) truth(r - shift),
// undone.
struct Undone {
    Wave value;                 // on the truth
    std::array<Wave, 2> slope;  // its derivatives along y and x
    cdouble factor = {1, 0};
    double error = 0;  // ||value - truth|| / ||truth|| in the region
};

class LeastSquares {
  public:
    LeastSquares(const Wave& object, const Wave& truth, const Array<float, 2>& region, bool free_scale)
        : object_(object),
          truth_(truth),
          region_(region),
          free_scale_(free_scale),
          transform_(truth.extents()) {
        for (std::ptrdiff_t i = 0; i < truth.size(); ++i)
            if (region[i] != 0) truth_power_ = norm_add(truth[i], truth_power_);
        Wave spectrum = truth;
        transform_.forward(spectrum);
        for (std::size_t axis = 0; axis < 2; ++axis)
            truth_slope_[axis] = from_spectrum(spectrum, {0, 0}, {axis == 0, axis == 1});
    }

    Undone undo(const SearchPoint& at) const {
        Undone undone;
        Wave spectrum = without_ramp(at.ramp_rad_px);
        transform_.forward(spectrum);
        undone.value = from_spectrum(spectrum, at.shift_px, {0, 0});
        for (std::size_t axis = 0; axis < 2; ++axis)
            undone.slope[axis] = from_spectrum(spectrum, at.shift_px, {axis == 0, axis == 1});
        apply_factor(undone);
        return undone;
    }

    // Newton-like from `at`, where the object undone is `undone`; each step is shortened until the error
    // falls.
    void refine(SearchPoint& at, Undone& undone) const {
        constexpr int max_steps = 20;
        constexpr double smallest_step_px = 1e-5;
        constexpr int max_halvings = 6;
        for (int i_step = 0; i_step < max_steps; ++i_step) {
            const auto [d_y, d_x, k_y, k_x] = step(undone);
            double length = 1;
            bool better = false;
            for (int halving = 0; halving < max_halvings && !better; ++halving, length /= 2) {
                SearchPoint next = at;
                next.shift_px = {at.shift_px[0] + length * d_y, at.shift_px[1] + length * d_x};
                next.ramp_rad_px = {at.ramp_rad_px[0] + length * k_y, at.ramp_rad_px[1] + length * k_x};
                Undone candidate = undo(next);
                better = candidate.error < undone.error;
                if (!better) continue;
                at = next;
                undone = std::move(candidate);
            }
            // A ramp is small when it changes the phase little across the whole picture.
            const double reach_px = static_cast<double>(std::max(truth_.extent(0), truth_.extent(1)));
            if (!better || std::hypot(d_y, d_x) + reach_px * std::hypot(k_y, k_x) < smallest_step_px) break;
        }
    }

  private:
    static constexpr std::size_t num_unknowns = 6;  // shift, ramp, phase, scale
    using Changes = std::array<cdouble, num_unknowns>;
    using System = std::array<std::array<double, num_unknowns + 1>, num_unknowns>;  // right side last

    double from_centre(std::ptrdiff_t i, std::size_t axis) const {
        return static_cast<double>(i - truth_.extents()[axis] / 2);
    }

    Wave without_ramp(std::array<double, 2> ramp_rad_px) const {
        Wave wave(object_.extents());
        std::vector<cdouble> along_x;
        for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x)
            along_x.push_back(phasor(-ramp_rad_px[1] * from_centre(x, 1)));
        for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y) {
            const cdouble along_y = phasor(-ramp_rad_px[0] * from_centre(y, 0));
            for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x)
                wave(y, x) = (along_y * along_x[static_cast<std::size_t>(x)]) * object_(y, x);
        }
        return wave;
    }

    // exp(2 pi i q shift) (2 pi i q)^order for every index of one axis.
    static std::vector<cdouble> spectral_factors(std::ptrdiff_t n, double shift_px, int order) {
        std::vector<cdouble> factors;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            const double q = 2 * std::numbers::pi * frequency(i, n);
            const cdouble shift = phasor(q * shift_px);
            factors.push_back(order == 0 ? shift : cdouble{0, q} * shift);
        }
        return factors;
    }

    // wave(r + shift), or its derivative along the axis whose `order` is 1.
    Wave from_spectrum(const Wave& spectrum, std::array<double, 2> shift_px, std::array<int, 2> order) const {
        const auto [n_y, n_x] = spectrum.extents();
        const auto factors_y = spectral_factors(n_y, shift_px[0], order[0]);
        const auto factors_x = spectral_factors(n_x, shift_px[1], order[1]);
        Wave wave(spectrum.extents());
        for (std::ptrdiff_t y = 0; y < n_y; ++y)
            for (std::ptrdiff_t x = 0; x < n_x; ++x)
                wave(y, x) =
                    (factors_y[static_cast<std::size_t>(y)] * factors_x[static_cast<std::size_t>(x)]) *
                    spectrum(y, x);
        transform_.inverse(wave);
        return wave;
    }

    // Multiplies by the factor that brings the value closest to the truth in the region.
    void apply_factor(Undone& undone) const {
        cdouble overlap{0, 0};
        double value_power = 0;
        for (std::ptrdiff_t i = 0; i < truth_.size(); ++i)
            if (region_[i] != 0) {
                overlap = conj_mul_add(undone.value[i], truth_[i], overlap);
                value_power = norm_add(undone.value[i], value_power);
            }
        cdouble correction{1, 0};
        const double size = modulus(overlap);
        if (size > 0) correction = (1 / (free_scale_ ? value_power : size)) * overlap;
        undone.factor = (1 / norm(correction)) * conj(correction);
        for (auto& value : undone.value) value = correction * value;
        for (auto& slope : undone.slope)
            for (auto& value : slope) value = correction * value;
        double distance = 0;
        for (std::ptrdiff_t i = 0; i < truth_.size(); ++i)
            if (region_[i] != 0) distance = norm_add(undone.value[i] - truth_[i], distance);
        undone.error = std::sqrt(distance / truth_power_);
    }

    // How an image changes with the unknowns at one pixel.
    Changes changes(cdouble value, cdouble slope_y, cdouble slope_x, std::ptrdiff_t y,
                    std::ptrdiff_t x) const {
        const cdouble turned{value.im, -value.re};  // -i value
        return {slope_y, slope_x, from_centre(y, 0) * turned, from_centre(x, 1) * turned, turned, value};
    }

    // The change of (shift y, x, ramp y, x) that takes the object onto the truth to first order, together
    // with the factor. The products of changes are those of the object with those of the truth: the slopes of
    // noise, which are steep, would add up in squares of either's and make each step too short, but have
    // nothing in common.
    std::array<double, 4> step(const Undone& undone) const {
        System system{};
        for (std::ptrdiff_t y = 0; y < truth_.extent(0); ++y)
            for (std::ptrdiff_t x = 0; x < truth_.extent(1); ++x) {
                if (region_(y, x) == 0) continue;
                const Changes a = changes(truth_(y, x), truth_slope_[0](y, x), truth_slope_[1](y, x), y, x);
                const Changes b =
                    changes(undone.value(y, x), undone.slope[0](y, x), undone.slope[1](y, x), y, x);
                const cdouble missing = truth_(y, x) - undone.value(y, x);
                for (std::size_t i = 0; i < num_unknowns; ++i) {
                    for (std::size_t j = i; j < num_unknowns; ++j)
                        system[i][j] += 0.5 * dot_add(a[i], b[j], dot_add(b[i], a[j], 0.0));
                    system[i][num_unknowns] = dot_add(a[i], missing, system[i][num_unknowns]);
                }
            }
        const auto solution = solved(system, free_scale_ ? num_unknowns : num_unknowns - 1);
        return {solution[0], solution[1], solution[2], solution[3]};
    }

    // The first n unknowns of the symmetric system (upper half given), by Cholesky; a direction that the
    // images say nothing about (a flat one has no shift) stays zero.
    static std::array<double, num_unknowns> solved(System& a, std::size_t n) {
        std::array<bool, num_unknowns> known{};
        for (std::size_t i = 0; i < n; ++i) {
            const double diagonal = a[i][i];
            double pivot = diagonal;
            for (std::size_t k = 0; k < i; ++k)
                if (known[k]) pivot -= a[k][i] * a[k][i];
            known[i] = diagonal > 0 && pivot > 1e-12 * diagonal;
            if (!known[i]) continue;
            a[i][i] = std::sqrt(pivot);
            for (std::size_t j = i + 1; j <= num_unknowns; ++j) {
                for (std::size_t k = 0; k < i; ++k)
                    if (known[k]) a[i][j] -= a[k][i] * a[k][j];
                a[i][j] /= a[i][i];
            }
        }
        std::array<double, num_unknowns> solution{};
        for (std::size_t i = n; i-- > 0;) {
            if (!known[i]) continue;
            double rest = a[i][num_unknowns];
            for (std::size_t j = i + 1; j < n; ++j) rest -= a[i][j] * solution[j];
            solution[i] = rest / a[i][i];
        }
        return solution;
    }

    const Wave& object_;
    const Wave& truth_;
    const Array<float, 2>& region_;
    bool free_scale_;
    WaveTransform transform_;
    std::array<Wave, 2> truth_slope_;
    double truth_power_ = 0;
};

}  // namespace

ObjectComparison compare_objects(const Array<cfloat, 2>& object, const Array<cfloat, 2>& truth,
                                 const Array<float, 2>& region, bool free_scale) {
    TESSERA_EXPECT(object.extents() == truth.extents() && region.extents() == truth.extents());
    const Wave a = convert<double, float>(truth.view());
    const Wave b = convert<double, float>(object.view());
    double truth_power = 0, object_power = 0;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i)
        if (region[i] != 0) {
            truth_power = norm_add(a[i], truth_power);
            object_power = norm_add(b[i], object_power);
        }
    if (!(truth_power > 0) || !std::isfinite(truth_power) || !std::isfinite(object_power))
        throw data_error(
            "comparison: the power in the region is {} and {} (both must be finite, the reference's above "
            "zero)",
            object_power, truth_power);

    const LeastSquares least_squares(b, a, region, free_scale);
    SearchPoint best;
    Undone undone;
    for (const auto& start : starts(b, a, region)) {
        Undone candidate = least_squares.undo(start);
        if (!undone.value.empty() && candidate.error >= undone.error) continue;
        best = start;
        undone = std::move(candidate);
    }
    least_squares.refine(best, undone);
    ObjectComparison comparison;
    comparison.alignment = {best.shift_px, best.ramp_rad_px, undone.factor};
    comparison.error = undone.error;
    comparison.aligned = convert<float, double>(undone.value.view());
    return comparison;
}

}  // namespace tessera

#include "quality/frc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

// Squared distance transform along one line (Felzenszwalb & Huttenlocher 2012): out[i] = min_j (i - j)^2 +
// in[j].
void distance_along(const std::vector<double>& in, std::vector<double>& out) {
    const auto n = static_cast<std::ptrdiff_t>(in.size());
    std::vector<std::ptrdiff_t> apex(in.size());  // of the parabolas of the lower envelope
    std::vector<double> begin(in.size() + 1);     // where each becomes the lowest
    const auto height = [&](std::ptrdiff_t i) {
        return in[static_cast<std::size_t>(i)] + static_cast<double>(i * i);
    };
    std::size_t last = 0;
    begin[0] = -std::numeric_limits<double>::infinity();
    begin[1] = std::numeric_limits<double>::infinity();
    const auto meeting_with_last = [&](std::ptrdiff_t i) {
        return (height(i) - height(apex[last])) / (2.0 * static_cast<double>(i - apex[last]));
    };
    for (std::ptrdiff_t i = 1; i < n; ++i) {
        double meeting = meeting_with_last(i);
        while (meeting <= begin[last]) {
            --last;
            meeting = meeting_with_last(i);
        }
        ++last;
        apex[last] = i;
        begin[last] = meeting;
        begin[last + 1] = std::numeric_limits<double>::infinity();
    }
    std::size_t k = 0;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        while (begin[k + 1] < static_cast<double>(i)) ++k;
        const auto from = static_cast<double>(i - apex[k]);
        out[static_cast<std::size_t>(i)] = from * from + in[static_cast<std::size_t>(apex[k])];
    }
}

// Distance of each pixel of the region to the nearest one outside it; beyond the picture is outside.
Array<double, 2> distance_to_outside(const Array<float, 2>& region) {
    const auto [n_y, n_x] = region.extents();
    const std::ptrdiff_t rows = n_y + 2, columns = n_x + 2;
    // Finite, so that differences of it stay numbers; larger than any squared distance.
    const auto far = static_cast<double>(rows * rows + columns * columns);
    Array<double, 2> squared({rows, columns});
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x) squared(y + 1, x + 1) = region(y, x) != 0 ? far : 0;

    std::vector<double> line(static_cast<std::size_t>(rows)), result(line.size());
    for (std::ptrdiff_t x = 0; x < columns; ++x) {
        for (std::ptrdiff_t y = 0; y < rows; ++y) line[static_cast<std::size_t>(y)] = squared(y, x);
        distance_along(line, result);
        for (std::ptrdiff_t y = 0; y < rows; ++y) squared(y, x) = result[static_cast<std::size_t>(y)];
    }
    line.resize(static_cast<std::size_t>(columns));
    result.resize(line.size());
    for (std::ptrdiff_t y = 0; y < rows; ++y) {
        for (std::ptrdiff_t x = 0; x < columns; ++x) line[static_cast<std::size_t>(x)] = squared(y, x);
        distance_along(line, result);
        for (std::ptrdiff_t x = 0; x < columns; ++x) squared(y, x) = result[static_cast<std::size_t>(x)];
    }
    Array<double, 2> distance(region.extents());
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x) distance(y, x) = std::sqrt(squared(y + 1, x + 1));
    return distance;
}

// A cosine from 0 outside the region to 1 inside, over two fifths of the way to its innermost point: a hard
// edge would correlate with itself at all frequencies.
Array<double, 2> soft_mask(const Array<float, 2>& region) {
    constexpr double edge_share = 0.4;
    Array<double, 2> weight = distance_to_outside(region);
    const double deepest = *std::max_element(weight.begin(), weight.end());
    if (!(deepest > 0)) throw data_error("ring correlation: the region is empty");
    const double edge_px = std::max(edge_share * deepest, 1.0);
    for (auto& value : weight)
        value = 0.5 - 0.5 * std::cos(std::numbers::pi * std::min(value / edge_px, 1.0));
    return weight;
}

// The transform of the masked image, its mean taken out of the masking: through the mask's own transform it
// would be all that the lowest rings see.
Wave masked_spectrum(const Array<cfloat, 2>& image, const Array<double, 2>& weight) {
    Wave wave = convert<double, float>(image.view());
    cdouble sum{0, 0};
    double total = 0;
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) {
        sum = sum + weight[i] * wave[i];
        total += weight[i];
    }
    const cdouble mean = (1 / total) * sum;
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) wave[i] = weight[i] * (wave[i] - mean);
    fft2(wave);
    wave[0] = (1 / std::sqrt(static_cast<double>(wave.size()))) * sum;
    return wave;
}

// The share of a ring's values that are independent: the mask's area, as the noise sees it, in that of the
// picture.
double independent_share(const Array<double, 2>& weight) {
    double second = 0, fourth = 0;
    for (const double value : weight) {
        second += value * value;
        fourth += value * value * value * value;
    }
    return second * second / (fourth * static_cast<double>(weight.size()));
}

// Eq. 17 of Van Heel & Schatz 2005 for half a bit of information per value, n independent values in the ring.
double half_bit_curve(double n) {
    const double noise = 1 / std::sqrt(std::max(n, 1.0));
    return (0.2071 + 1.9102 * noise) / (1.2071 + 0.9102 * noise);
}

// The first frequency from which on the correlation, linear between rings, stays below `threshold` (one per
// ring) for several rings or to the last: a single low ring, as the few values of the innermost ones often
// make, is not the end of the resolution.
double crossing(const RingCorrelation& rings, const std::vector<double>& threshold) {
    // A ring of a few values has a curve near one and says nothing.
    constexpr double largest_threshold = 0.9;
    constexpr std::size_t rings_below = 3;
    std::size_t below = 0;
    for (std::size_t i = 1; i < rings.correlation.size(); ++i) {
        const bool speaks = rings.half_bit[i] <= largest_threshold;
        below = speaks && rings.correlation[i] < threshold[i] ? below + 1 : 0;
        if (below < rings_below && !(below > 0 && i + 1 == rings.correlation.size())) continue;
        const std::size_t first = i + 1 - below;
        const double at = rings.correlation[first] - threshold[first];
        const double before = rings.correlation[first - 1] - threshold[first - 1];
        if (before <= 0) return rings.frequency[first];
        return std::lerp(rings.frequency[first - 1], rings.frequency[first], before / (before - at));
    }
    return 0.5;
}

}  // namespace

RingCorrelation ring_correlation(const Array<cfloat, 2>& a, const Array<cfloat, 2>& b,
                                 const Array<float, 2>& region) {
    TESSERA_EXPECT(a.extents() == b.extents() && region.extents() == a.extents());
    const Array<double, 2> weight = soft_mask(region);
    const Wave spectrum_a = masked_spectrum(a, weight), spectrum_b = masked_spectrum(b, weight);
    const auto [n_y, n_x] = a.extents();
    const auto samples =
        static_cast<double>(std::min(n_y, n_x));  // a ring is one frequency step of the short side
    const auto num_rings = static_cast<std::size_t>(std::min(n_y, n_x) / 2 + 1);

    std::vector<double> cross(num_rings), power_a(num_rings), power_b(num_rings), count(num_rings);
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x) {
            const double q = std::hypot(frequency(y, n_y), frequency(x, n_x));
            const auto ring = static_cast<std::size_t>(q * samples + 0.5);
            if (ring >= num_rings) continue;
            cross[ring] = dot_add(spectrum_a(y, x), spectrum_b(y, x), cross[ring]);
            power_a[ring] = norm_add(spectrum_a(y, x), power_a[ring]);
            power_b[ring] = norm_add(spectrum_b(y, x), power_b[ring]);
            count[ring] += 1;
        }
    RingCorrelation rings;
    const double share = independent_share(weight);
    for (std::size_t ring = 0; ring < num_rings; ++ring) {
        const double product = std::sqrt(power_a[ring] * power_b[ring]);
        rings.frequency.push_back(static_cast<double>(ring) / samples);
        rings.correlation.push_back(product > 0 ? cross[ring] / product : 0);
        rings.half_bit.push_back(half_bit_curve(share * count[ring]));
    }
    rings.crossing_half_bit = crossing(rings, rings.half_bit);
    rings.crossing_one_seventh = crossing(rings, std::vector<double>(num_rings, 1.0 / 7));
    return rings;
}

}  // namespace tessera

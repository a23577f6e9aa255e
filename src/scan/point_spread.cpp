#include "scan/point_spread.hpp"

#include <algorithm>
#include <cmath>

namespace tessera {
namespace {

// Along one axis: 0 is y.
Array<double, 2> blurred_along(int axis, const Array<double, 2>& from, const std::vector<double>& line) {
    Array<double, 2> to(from.extents());
    const auto [height, width] = from.extents();
    const auto at = [&](std::ptrdiff_t y, std::ptrdiff_t x, std::ptrdiff_t by) {
        const std::ptrdiff_t extent = axis == 0 ? height : width;
        const std::ptrdiff_t i = (((axis == 0 ? y : x) + by) % extent + extent) % extent;
        return axis == 0 ? from(i, x) : from(y, i);
    };
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            double sum = line[0] * from(y, x);
            for (std::ptrdiff_t i = 1; i < std::ssize(line); ++i)
                sum += line[static_cast<std::size_t>(i)] * (at(y, x, -i) + at(y, x, i));
            to(y, x) = sum;
        }
    }
    return to;
}

}  // namespace

int point_spread_radius(double sigma_px) {
    constexpr double sigmas = 4;  // beyond: less than 1e-4 of the light
    return std::max(1, static_cast<int>(std::ceil(sigmas * sigma_px)));
}

std::vector<double> point_spread(double sigma_px) {
    std::vector<double> line;
    double sum = 0;
    for (int i = 0; i <= point_spread_radius(sigma_px); ++i) {
        line.push_back(std::exp(-0.5 * std::pow(i / sigma_px, 2)));
        sum += (i == 0 ? 1 : 2) * line.back();
    }
    for (double& value : line) value /= sum;
    return line;
}

Array<double, 2> blurred(const Array<double, 2>& intensity, double sigma_px) {
    const std::vector<double> line = point_spread(sigma_px);
    return blurred_along(0, blurred_along(1, intensity, line), line);
}

}  // namespace tessera

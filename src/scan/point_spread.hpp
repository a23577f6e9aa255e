#pragma once

#include <vector>

#include "base/array.hpp"

// What a detector's pixel sees of its neighbours' light: G = exp(-r^2 / (2 sigma^2)), as far as it is worth
// mentioning, with sum 1. Along both axes one after the other, periodic like the transform that makes the far
// field: G is its own adjoint.
namespace tessera {

int point_spread_radius(double sigma_px);

// A line of G from its middle on: radius + 1 values.
std::vector<double> point_spread(double sigma_px);

// G times the intensity.
Array<double, 2> blurred(const Array<double, 2>& intensity, double sigma_px);

}  // namespace tessera

#pragma once

#include <cstdint>
#include <limits>

#include "oracle.hpp"

namespace tessera::reference {

// What a made-up problem looks like. The defaults have every complication at once on a small scale.
struct ProblemShape {
    Extents<2> frame = {12, 15};
    Extents<2> probe = {9, 10};
    std::ptrdiff_t num_modes = 2;
    std::ptrdiff_t num_slices = 1;
    std::ptrdiff_t num_object_modes = 1;
    std::ptrdiff_t num_frames = 4;
    Interpolation interpolation = Interpolation::fourier;
    NoiseModel noise_model = NoiseModel::amplitude;
    enum class Field { far, near } field = Field::far;
    enum class Detector { plain, masked_with_background } detector = Detector::masked_with_background;
    double mean_counts = 20;  // per pixel
    double blur_sigma = 0;
    std::ptrdiff_t upsampling = 1;  // of the far field; the near field has none
    double saturated_from = std::numeric_limits<double>::infinity();
    std::uint64_t seed = 1;
};

// Random probe, object, sub-pixel windows and whole-numbered counts of a different object: a point far from
// the minimum, where no term of cost or gradient is small. With a masked detector a fifth of the pixels is
// masked, the background is a few counts, and a pixel of every second frame is negative. The same on every
// machine.
Problem random_problem(const ProblemShape& shape);

// A random direction of order one for a problem's unknowns.
Unknowns random_direction(const Problem& problem, std::uint64_t seed);

// Uniform complex numbers in the square [-1, 1)^2.
Image random_image(const Extents<2>& shape, std::uint64_t seed);

}  // namespace tessera::reference

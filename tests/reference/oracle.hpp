#pragma once

#include <array>
#include <complex>
#include <limits>
#include <vector>

#include "base/array.hpp"

// The model of ptychography written a second time, in double precision, as plainly as possible: direct sums
// for the transforms, one frame after another, no shared formula. It is what the program's fast
// single-precision code is tested against, so it must never include anything of the program but the array
// type (see README.md).
//
// Meant for frames up to about 32 x 40 and a handful of frames: a transform of M_y x M_x costs
// M_y M_x (M_y + M_x) products.
namespace tessera::reference {

using Value = std::complex<double>;
using Image = Array<Value, 2>;       // (y, x)
using RealImage = Array<double, 2>;  // (y, x)
using Stack = Array<Value, 3>;       // (mode, y, x) or (slice, y, x)

enum class NoiseModel { amplitude, poisson, gaussian };
enum class Interpolation { nearest, bilinear, fourier };

// Counts; gaussian needs none. Larger for poisson, whose factor 1 - d / (I + e) has no bound as I falls to 0.
constexpr double default_epsilon(NoiseModel noise_model) {
    return noise_model == NoiseModel::poisson ? 1e-2 : 1e-9;
}

// --- Transforms and propagators
// --------------------------------------------------------------------------------

// X[k] = 1/sqrt(M_y M_x) sum_n x[n] exp(-2 pi i (k_y n_y / M_y + k_x n_x / M_x)); idft2 has the opposite sign
// and the same factor, so both are unitary. Zero frequency at index 0. Any size from 1.
Image dft2(const Image& image);
Image idft2(const Image& image);

// Signed frequencies of a transform of n samples, in cycles per sample: 0, 1/n, ..., and for even n -1/2 (not
// +1/2).
double signed_frequency(std::ptrdiff_t k, std::ptrdiff_t n);

// H(q) = exp(-i pi lambda z |q|^2) on the transform's frequencies, q in 1/m. Shape (y, x).
Image fresnel_transfer_function(const Extents<2>& shape, std::array<double, 2> pixel_size_m,
                                double wavelength_m, double distance_m);

// From the sample to the detector and its adjoint, which is its inverse. Far field (an empty
// `transfer_function`): the unitary transform. Near field: F^-1 H F.
Image propagate(const Image& wave, const Image& transfer_function);
Image propagate_back(const Image& wave, const Image& transfer_function);

// --- The problem
// ---------------------------------------------------------------------------------------------

// Top-left corner of a probe window in the object: whole pixels and a fraction, in [0, 1) for bilinear and in
// [-1/2, 1/2) for fourier.
struct Window {
    std::ptrdiff_t y = 0, x = 0;
    double frac_y = 0, frac_x = 0;
};

struct Problem {
    Stack probe;   // (mode, y, x), not larger than the far field; padded with zeros at floor((M - p) / 2)
    Stack object;  // (slice, y, x), or (mode, y, x)
    // Above 1: the planes of the object are modes. What one alone would make of a frame, with every mode of
    // the probe, adds to the intensity; there is one slice.
    std::ptrdiff_t num_object_modes = 1;
    // From each slice to the next, (y, x) of the probe's shape; as many as slices, less one.
    std::vector<Image> slice_transfer_functions;
    std::vector<Window> windows;  // per frame
    // nearest: frac is not looked at; bilinear: the object is read at base + frac; fourier: the probe moves
    // by frac, and in the near field the exit wave moves back by as much: the beam stands still on the
    // detector.
    Interpolation interpolation = Interpolation::fourier;

    // The far field is so many times finer along each side than the detector's pixels, which sum over it.
    std::ptrdiff_t upsampling = 1;
    Array<double, 3>
        patterns;          // (frame, y, x) counts, in transform order; negative: this frame ignores the pixel
    RealImage mask;        // (y, x) weights, 0: ignored; empty: all used
    RealImage background;  // (y, x) counts; empty: none
    // So many counts or more say only that there were at least as many: no cost where the model has as much.
    double saturated_from = std::numeric_limits<double>::infinity();
    double blur_sigma = 0;    // pixels; of the detector's Gaussian point spread, periodic; 0: none
    Image transfer_function;  // (y, x) of the near field; empty: far field
    NoiseModel noise_model = NoiseModel::amplitude;
    // Added to I under a root, in a logarithm and in a denominator.
    double epsilon = default_epsilon(NoiseModel::amplitude);

    std::ptrdiff_t num_frames() const { return patterns.extent(0); }
    std::ptrdiff_t num_modes() const { return probe.extent(0); }
    std::ptrdiff_t num_slices() const { return object.extent(0) / num_object_modes; }
    std::ptrdiff_t num_waves() const { return num_object_modes * num_modes(); }  // of a frame
    Extents<2> frame_shape() const { return {patterns.extent(1), patterns.extent(2)}; }
    Extents<2> far_field_shape() const {
        return {upsampling * frame_shape()[0], upsampling * frame_shape()[1]};
    }
    Extents<2> probe_shape() const { return {probe.extent(1), probe.extent(2)}; }
    // Throws where the shapes do not fit together or a window leaves the object.
    void check() const;
};

// The point spread's part of the model, and its own adjoint: a double sum over a square of 4 sigma around
// each pixel.
RealImage blurred(const RealImage& image, double sigma);

// --- Forward model
// -------------------------------------------------------------------------------------------

// exp(-2 pi i (q_y f_y + q_x f_x)) in the Fourier space of the image's own size: moves it by +frac,
// periodically. The adjoint (and inverse) moves it by -frac.
Image shift(const Image& image, double frac_y, double frac_x);

// Mode k of the probe as frame i sees it: shifted by frac with `fourier`, else as it is. Shape of the probe.
Image probe_of_frame(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_mode);
// A slice of the object under the probe of frame i: O(r) = (1-f_y)(1-f_x) O[0,0] + (1-f_y) f_x O[0,1] + f_y
// (1-f_x) O[1,0]
// + f_y f_x O[1,1] with `bilinear`, else O at the base. Shape of the probe.
Image object_of_frame(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_slice = 0);
// Mode k of the probe of frame i when it has come to a slice, through those before it and the space between
// them: the probe of the frame itself at slice 0.
Image wave_before_slice(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_mode,
                        std::ptrdiff_t i_slice);

// The problem with one mode of the object alone.
Problem of_object_mode(const Problem& problem, std::ptrdiff_t i_object_mode);
// Wave behind the object, (mode, y, x) of the probe's shape; of an object with modes (object mode * number of
// probe modes + probe mode, y, x), as far_fields().
Stack exit_waves(const Problem& problem, std::ptrdiff_t i_frame);
// The adjoint of exit_waves() as a function of one slice alone, in which it is linear (one mode): waves
// behind the object to an image of the object's shape (y, x).
Image slice_adjoint(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_slice,
                    const Stack& waves);
// Wave on the detector, (mode, y, x) of the far field's shape ("far" also when the field is near): the exit
// wave padded, in the near field moved back by what moved the probe (over the frame, periodically), and
// propagated.
Stack far_fields(const Problem& problem, std::ptrdiff_t i_frame);
// A detector's pixel k along an axis sees the upsampling u pixels from u k - floor((u - 1) / 2) on, in
// transform order and periodic: their sum; and the adjoint, for each pixel of the far field what is said of
// the one that sees it.
RealImage summed(const Problem& problem, const RealImage& far_field);
RealImage spread(const Problem& problem, const RealImage& detector);
// sum_k |far field_k|^2, summed and blurred, + background, (y, x) of the frame's shape.
RealImage intensity(const Problem& problem, std::ptrdiff_t i_frame);

// Cost of one pixel of weight 1: what the noise model's sum is made of. d: counts, d >= 0.
double pixel_cost(NoiseModel noise_model, double intensity, double counts, double epsilon);
// Its derivative with respect to the intensity: df/dPsi* = this times Psi.
double pixel_slope(NoiseModel noise_model, double intensity, double counts, double epsilon);

struct Cost {
    double total = 0;
    double data_error = 0;                     // sum m (sqrt(I) - sqrt(d))^2 / sum m d over all frames
    std::vector<double> per_frame;             // they add up to `total`
    std::vector<double> data_error_per_frame;  // each over its own counts
};
Cost cost(const Problem& problem);

// --- Gradient
// ------------------------------------------------------------------------------------------------

// A point, a direction or a gradient of the two unknowns together.
struct Unknowns {
    Stack object;  // (slice, y, x), or (mode, y, x)
    Stack probe;   // (mode, y, x)
};

// The Wirtinger gradient g = df/d(conj x): the cost changes by 2 Re <g, delta>.
Unknowns gradient(const Problem& problem);

// A = sum_jk |P_k|^2 on the object grid, windows at their whole pixels: nothing is shifted or interpolated.
// Behind the first slice P_k as it would be without an object.
RealImage illumination(const Problem& problem, std::ptrdiff_t i_slice = 0);
// C = sum_j |O(r_j)|^2 on the probe grid, of the first slice or of all modes, windows at their whole pixels.
RealImage coverage(const Problem& problem);
// 1 / ((1 - alpha) weight + alpha max weight), the preconditioner made of either.
RealImage preconditioner(const RealImage& weight, double alpha);

// <a, b> = sum conj(a) b.
Value dot(const Image& a, const Image& b);
Value dot(const Stack& a, const Stack& b);
Value dot(const Unknowns& a, const Unknowns& b);

// --- Line search
// ---------------------------------------------------------------------------------------------

// The cost at point + s direction for every s: the full cost each time, so no polynomial in s is assumed.
std::vector<double> costs_along(const Problem& problem, const Unknowns& direction,
                                const std::vector<double>& steps);
// The same problem with its unknowns moved.
Problem moved(const Problem& problem, const Unknowns& direction, double step);

}  // namespace tessera::reference

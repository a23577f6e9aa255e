#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "math/complex.hpp"
#include "scan/geometry.hpp"

// Waves in double precision for what is made once per run: starting probes, synthetic scans, comparisons.
// The engines have their own single-precision transforms.
namespace tessera {

using Wave = Array<cdouble, 2>;  // (y, x)

// Frequency of index i of a transform of length n, in cycles per sample: 0, 1/n, ..., -1/n.
constexpr double frequency(std::ptrdiff_t i, std::ptrdiff_t n) {
    return static_cast<double>(i < (n + 1) / 2 ? i : i - n) / static_cast<double>(n);
}

// Unitary transforms of one shape, 1/sqrt(n_y n_x) both ways, in place; zero frequency and origin at index 0.
// Safe to make in several threads; repeatable: the plan depends on nothing but the shape.
class WaveTransform {
  public:
    explicit WaveTransform(const Extents<2>& shape);
    WaveTransform(const WaveTransform&) = delete;
    WaveTransform& operator=(const WaveTransform&) = delete;
    ~WaveTransform();

    void forward(Wave& wave) const;
    void inverse(Wave& wave) const;

  private:
    struct Plans;
    std::unique_ptr<Plans> plans_;
};

void fft2(Wave& wave);
void ifft2(Wave& wave);

// Moves index floor(n/2) of each axis to 0 and back.
template <class T>
Array<T, 2> centre_to_origin(const Array<T, 2>& image);
template <class T>
Array<T, 2> origin_to_centre(const Array<T, 2>& image);

// Free space over `distance_m` (negative: back) within the Fresnel approximation: F^-1 exp(-i pi lambda z
// |q|^2) F.
void propagate(Wave& wave, std::array<double, 2> pixel_size_m, double wavelength_m, double distance_m);

// What one slice of an object and the free space behind it do to a wave on its way to the next slice.
struct SlicePropagator {
    SlicePropagation propagation = SlicePropagation::angular_spectrum;
    double wavelength_m = 0;
    // Frequencies above this fraction of the lower Nyquist frequency of the two axes are stopped. Empty: all
    // pass. Electrons want 2/3: a strong object would alias the others.
    std::optional<double> band_limit;
};
SlicePropagator slice_propagator(SlicePropagation propagation, const Geometry& geometry);

// H(q) of free space over `distance_m` (negative: back, the conjugate), (y, x) in the transform's own order:
// zero frequency at index 0. |H| = 1 inside the band and 0 outside. The 1/size of a pair of transforms that
// do not scale is NOT included.
//   fresnel:           exp(-i pi lambda z |q|^2)
//   angular_spectrum:  exp(2 pi i z (sqrt(1/lambda^2 - |q|^2) - 1/lambda)): the constant phase is left out;
//                      waves that do not travel, |q| >= 1/lambda, are stopped
Wave transfer_function(const SlicePropagator& propagator, const Extents<2>& shape,
                       std::array<double, 2> pixel_size_m, double distance_m);
// The same for all the ways between slices, for the engines: (num_slices - 1, y, x).
Array<cfloat, 3> slice_transfer_functions(const SlicePropagator& propagator, std::array<int, 2> shape,
                                          std::array<double, 2> pixel_size_m,
                                          std::span<const double> spacings_m);

// b(r) = a(r - shift), periodic, by the phase ramp exp(-2 pi i q shift); whole shifts included.
void shift_wave(Wave& wave, std::array<double, 2> shift_px);

// Zero-padded or cropped so that index floor(n/2) stays index floor(n/2) of the new shape.
Wave resize_about_centre(const Wave& wave, const Extents<2>& shape);

// Zero-padded as the forward model does it: a window of p pixels starts at floor((n - p) / 2) of the frame's
// n.
Wave pad_into_frame(const Wave& wave, const Extents<2>& frame_shape);

double power(const Wave& wave);                       // sum |a|^2
cdouble inner_product(const Wave& a, const Wave& b);  // sum conj(a) b

template <class To, class From>
Array<Complex<To>, 2> convert(View<const Complex<From>, 2> image) {
    Array<Complex<To>, 2> converted(image.extents());
    for (std::ptrdiff_t i = 0; i < image.size(); ++i)
        converted[i] = {static_cast<To>(image[i].re), static_cast<To>(image[i].im)};
    return converted;
}

template <class T>
Array<T, 2> rolled(const Array<T, 2>& image, std::ptrdiff_t by_y, std::ptrdiff_t by_x) {
    const auto [n_y, n_x] = image.extents();
    Array<T, 2> result(image.extents());
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x) result((y + by_y) % n_y, (x + by_x) % n_x) = image(y, x);
    return result;
}

template <class T>
Array<T, 2> centre_to_origin(const Array<T, 2>& image) {
    return rolled(image, (image.extent(0) + 1) / 2, (image.extent(1) + 1) / 2);
}

template <class T>
Array<T, 2> origin_to_centre(const Array<T, 2>& image) {
    return rolled(image, image.extent(0) / 2, image.extent(1) / 2);
}

}  // namespace tessera

#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tessera::reference {
namespace {

constexpr double pi = std::numbers::pi;

// exp(2 pi i t)
Value turn(double t) {
    return std::polar(1.0, 2 * pi * t);
}

// exp(sign 2 pi i j / n) for j < n.
std::vector<Value> roots_of_unity(std::ptrdiff_t n, double sign) {
    std::vector<Value> roots;
    for (std::ptrdiff_t j = 0; j < n; ++j)
        roots.push_back(turn(sign * static_cast<double>(j) / static_cast<double>(n)));
    return roots;
}

// out[k] = 1/sqrt(n) sum_j exp(sign 2 pi i j k / n) in[j] along x, then the same along y.
Image transform(const Image& in, double sign) {
    const auto num_y = in.extent(0), num_x = in.extent(1);
    const auto roots_y = roots_of_unity(num_y, sign), roots_x = roots_of_unity(num_x, sign);
    Image rows(in.extents()), out(in.extents());
    for (std::ptrdiff_t y = 0; y < num_y; ++y) {
        for (std::ptrdiff_t k = 0; k < num_x; ++k) {
            Value sum = 0;
            for (std::ptrdiff_t x = 0; x < num_x; ++x)
                sum += roots_x[static_cast<std::size_t>(k * x % num_x)] * in(y, x);
            rows(y, k) = sum / std::sqrt(static_cast<double>(num_x));
        }
    }
    for (std::ptrdiff_t k = 0; k < num_y; ++k) {
        for (std::ptrdiff_t x = 0; x < num_x; ++x) {
            Value sum = 0;
            for (std::ptrdiff_t y = 0; y < num_y; ++y)
                sum += roots_y[static_cast<std::size_t>(k * y % num_y)] * rows(y, x);
            out(k, x) = sum / std::sqrt(static_cast<double>(num_y));
        }
    }
    return out;
}

Image filtered(const Image& wave, const Image& transfer_function, bool adjoint) {
    TESSERA_EXPECT(wave.extents() == transfer_function.extents());
    Image spectrum = dft2(wave);
    for (std::ptrdiff_t i = 0; i < spectrum.size(); ++i) {
        spectrum[i] *= adjoint ? std::conj(transfer_function[i]) : transfer_function[i];
    }
    return idft2(spectrum);
}

Image mode_of(const Stack& stack, std::ptrdiff_t i_mode) {
    Image image({stack.extent(1), stack.extent(2)});
    for (std::ptrdiff_t i = 0; i < image.size(); ++i) image[i] = stack.slice(i_mode)[i];
    return image;
}

void set_mode(Stack& stack, std::ptrdiff_t i_mode, const Image& image) {
    for (std::ptrdiff_t i = 0; i < image.size(); ++i) stack.slice(i_mode)[i] = image[i];
}

Image product(const Image& a, const Image& b) {
    TESSERA_EXPECT(a.extents() == b.extents());
    Image out(a.extents());
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i];
    return out;
}

Image product_with_conjugate(const Image& conjugated, const Image& b) {
    TESSERA_EXPECT(conjugated.extents() == b.extents());
    Image out(b.extents());
    for (std::ptrdiff_t i = 0; i < b.size(); ++i) out[i] = std::conj(conjugated[i]) * b[i];
    return out;
}

Image padded(const Image& image, const Extents<2>& shape) {
    Image out(shape);
    const auto y0 = (shape[0] - image.extent(0)) / 2, x0 = (shape[1] - image.extent(1)) / 2;
    for (std::ptrdiff_t y = 0; y < image.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < image.extent(1); ++x) out(y0 + y, x0 + x) = image(y, x);
    }
    return out;
}

// The adjoint of padded().
Image cropped(const Image& image, const Extents<2>& shape) {
    Image out(shape);
    const auto y0 = (image.extent(0) - shape[0]) / 2, x0 = (image.extent(1) - shape[1]) / 2;
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y) {
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) out(y, x) = image(y0 + y, x0 + x);
    }
    return out;
}

// Weight with which the object pixel at [dy, dx] (0 or 1) from the window's own enters O(r).
double corner_weight(const Window& window, std::ptrdiff_t dy, std::ptrdiff_t dx) {
    return (dy == 0 ? 1 - window.frac_y : window.frac_y) * (dx == 0 ? 1 - window.frac_x : window.frac_x);
}

// The adjoint of object_of_frame(): adds an image of the probe's shape to one of the object's.
void add_to_object(const Problem& problem, std::ptrdiff_t i_frame, const Image& image, Image& object) {
    const Window& window = problem.windows.at(static_cast<std::size_t>(i_frame));
    for (std::ptrdiff_t y = 0; y < image.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < image.extent(1); ++x) {
            if (problem.interpolation != Interpolation::bilinear) {
                object(window.y + y, window.x + x) += image(y, x);
                continue;
            }
            for (std::ptrdiff_t dy = 0; dy <= 1; ++dy) {
                for (std::ptrdiff_t dx = 0; dx <= 1; ++dx) {
                    object(window.y + y + dy, window.x + x + dx) +=
                        corner_weight(window, dy, dx) * image(y, x);
                }
            }
        }
    }
}

// Weight of a pixel of one frame; 0 where the mask or a negative count says so.
double weight_of(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t y, std::ptrdiff_t x) {
    if (problem.patterns(i_frame, y, x) < 0) return 0;
    return problem.mask.empty() ? 1 : problem.mask(y, x);
}

// The same where the model has this intensity: saturated counts are no measure of a brighter one.
double weight_of(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t y, std::ptrdiff_t x,
                 double model) {
    const double counts = problem.patterns(i_frame, y, x);
    if (counts >= problem.saturated_from && model >= counts) return 0;
    return weight_of(problem, i_frame, y, x);
}

// Calls visit(y, x, far_y, far_x) for every pixel of the far field and that of the detector which sees it.
template <class Visit>
void for_each_seen(const Problem& problem, Visit visit) {
    const std::ptrdiff_t u = problem.upsampling;
    const auto [height, width] = problem.far_field_shape();
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x)
            visit(y / u, x / u, (y - (u - 1) / 2 + height) % height, (x - (u - 1) / 2 + width) % width);
}

// Calls visit(y, x, object_y, object_x) for every probe pixel of every frame, windows at their whole pixels.
template <class Visit>
void for_whole_windows(const Problem& problem, Visit visit) {
    for (const Window& window : problem.windows) {
        for (std::ptrdiff_t y = 0; y < problem.probe_shape()[0]; ++y) {
            for (std::ptrdiff_t x = 0; x < problem.probe_shape()[1]; ++x) {
                visit(y, x, window.y + y, window.x + x);
            }
        }
    }
}

// The gradient's wave behind the object to what it is behind a slice: undoes nothing, it is the adjoint of
// all that lies between.
Image pulled_back_to(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_slice, Image wave) {
    for (std::ptrdiff_t later = problem.num_slices() - 1; later > i_slice; --later) {
        wave = product_with_conjugate(object_of_frame(problem, i_frame, later), wave);
        wave = filtered(wave, problem.slice_transfer_functions.at(static_cast<std::size_t>(later - 1)), true);
    }
    return wave;
}

// Whether `fourier` interpolation makes the exit wave move back before the detector.
bool moves_back(const Problem& problem) {
    return problem.interpolation == Interpolation::fourier && !problem.transfer_function.empty();
}

template <class Container>
Value sum_of_products(const Container& a, const Container& b) {
    TESSERA_EXPECT(a.extents() == b.extents());
    Value sum = 0;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) sum += std::conj(a[i]) * b[i];
    return sum;
}

}  // namespace

Image dft2(const Image& image) {
    return transform(image, -1);
}

Image idft2(const Image& image) {
    return transform(image, +1);
}

double signed_frequency(std::ptrdiff_t k, std::ptrdiff_t n) {
    const bool is_negative = 2 * k >= n;
    return static_cast<double>(is_negative ? k - n : k) / static_cast<double>(n);
}

Image fresnel_transfer_function(const Extents<2>& shape, std::array<double, 2> pixel_size_m,
                                double wavelength_m, double distance_m) {
    Image out(shape);
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y) {
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
            const double qy = signed_frequency(y, shape[0]) / pixel_size_m[0];
            const double qx = signed_frequency(x, shape[1]) / pixel_size_m[1];
            out(y, x) = std::polar(1.0, -pi * wavelength_m * distance_m * (qy * qy + qx * qx));
        }
    }
    return out;
}

Image propagate(const Image& wave, const Image& transfer_function) {
    return transfer_function.empty() ? dft2(wave) : filtered(wave, transfer_function, false);
}

Image propagate_back(const Image& wave, const Image& transfer_function) {
    return transfer_function.empty() ? idft2(wave) : filtered(wave, transfer_function, true);
}

void Problem::check() const {
    TESSERA_EXPECT(static_cast<std::ptrdiff_t>(windows.size()) == num_frames());
    TESSERA_EXPECT(probe_shape()[0] <= far_field_shape()[0] && probe_shape()[1] <= far_field_shape()[1]);
    TESSERA_EXPECT(upsampling == 1 || transfer_function.empty());
    TESSERA_EXPECT(mask.empty() || mask.extents() == frame_shape());
    TESSERA_EXPECT(background.empty() || background.extents() == frame_shape());
    TESSERA_EXPECT(transfer_function.empty() || transfer_function.extents() == frame_shape());
    TESSERA_EXPECT(num_slices() == static_cast<std::ptrdiff_t>(slice_transfer_functions.size()) + 1);
    TESSERA_EXPECT(num_object_modes == 1 || num_slices() == 1);
    for (const Image& transfer : slice_transfer_functions)
        TESSERA_EXPECT(transfer.extents() == probe_shape());
    const std::ptrdiff_t extra = interpolation == Interpolation::bilinear ? 1 : 0;
    for (const Window& window : windows) {
        TESSERA_EXPECT(window.y >= 0 && window.y + probe_shape()[0] + extra <= object.extent(1));
        TESSERA_EXPECT(window.x >= 0 && window.x + probe_shape()[1] + extra <= object.extent(2));
        if (interpolation == Interpolation::nearest) continue;
        const double least = interpolation == Interpolation::fourier ? -0.5 : 0;
        for (const double frac : {window.frac_y, window.frac_x}) {
            TESSERA_EXPECT(frac >= least && frac < least + 1);
        }
    }
}

Image shift(const Image& image, double frac_y, double frac_x) {
    Image spectrum = dft2(image);
    for (std::ptrdiff_t y = 0; y < image.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < image.extent(1); ++x) {
            const double qy = signed_frequency(y, image.extent(0)), qx = signed_frequency(x, image.extent(1));
            spectrum(y, x) *= turn(-(qy * frac_y + qx * frac_x));
        }
    }
    return idft2(spectrum);
}

Image probe_of_frame(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_mode) {
    const Window& window = problem.windows.at(static_cast<std::size_t>(i_frame));
    const Image mode = mode_of(problem.probe, i_mode);
    return problem.interpolation == Interpolation::fourier ? shift(mode, window.frac_y, window.frac_x) : mode;
}

Image object_of_frame(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_slice) {
    const Window& window = problem.windows.at(static_cast<std::size_t>(i_frame));
    Image out(problem.probe_shape());
    for (std::ptrdiff_t y = 0; y < out.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < out.extent(1); ++x) {
            const auto object_y = window.y + y, object_x = window.x + x;
            if (problem.interpolation != Interpolation::bilinear) {
                out(y, x) = problem.object(i_slice, object_y, object_x);
                continue;
            }
            for (std::ptrdiff_t dy = 0; dy <= 1; ++dy) {
                for (std::ptrdiff_t dx = 0; dx <= 1; ++dx) {
                    out(y, x) +=
                        corner_weight(window, dy, dx) * problem.object(i_slice, object_y + dy, object_x + dx);
                }
            }
        }
    }
    return out;
}

Image wave_before_slice(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_mode,
                        std::ptrdiff_t i_slice) {
    if (i_slice == 0) return probe_of_frame(problem, i_frame, i_mode);
    const Image before = wave_before_slice(problem, i_frame, i_mode, i_slice - 1);
    const Image behind = product(before, object_of_frame(problem, i_frame, i_slice - 1));
    return filtered(behind, problem.slice_transfer_functions.at(static_cast<std::size_t>(i_slice - 1)),
                    false);
}

Problem of_object_mode(const Problem& problem, std::ptrdiff_t i_object_mode) {
    if (problem.num_object_modes == 1) return problem;
    Problem alone = problem;
    alone.num_object_modes = 1;
    alone.object = Stack({1, problem.object.extent(1), problem.object.extent(2)});
    set_mode(alone.object, 0, mode_of(problem.object, i_object_mode));
    return alone;
}

Stack exit_waves(const Problem& problem, std::ptrdiff_t i_frame) {
    Stack waves({problem.num_waves(), problem.probe.extent(1), problem.probe.extent(2)});
    if (problem.num_object_modes > 1) {
        for (std::ptrdiff_t m = 0; m < problem.num_object_modes; ++m) {
            const Stack alone = exit_waves(of_object_mode(problem, m), i_frame);
            for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k)
                set_mode(waves, m * problem.num_modes() + k, mode_of(alone, k));
        }
        return waves;
    }
    const std::ptrdiff_t last = problem.num_slices() - 1;
    const Image object = object_of_frame(problem, i_frame, last);
    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
        set_mode(waves, k, product(wave_before_slice(problem, i_frame, k, last), object));
    }
    return waves;
}

Image slice_adjoint(const Problem& problem, std::ptrdiff_t i_frame, std::ptrdiff_t i_slice,
                    const Stack& waves) {
    Image out({problem.object.extent(1), problem.object.extent(2)});
    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
        const Image behind = pulled_back_to(problem, i_frame, i_slice, mode_of(waves, k));
        const Image before = wave_before_slice(problem, i_frame, k, i_slice);
        add_to_object(problem, i_frame, product_with_conjugate(before, behind), out);
    }
    return out;
}

Stack far_fields(const Problem& problem, std::ptrdiff_t i_frame) {
    const auto shape = problem.far_field_shape();
    const Window& window = problem.windows.at(static_cast<std::size_t>(i_frame));
    const Stack waves = exit_waves(problem, i_frame);
    Stack fields({problem.num_waves(), shape[0], shape[1]});
    for (std::ptrdiff_t k = 0; k < problem.num_waves(); ++k) {
        Image wave = padded(mode_of(waves, k), shape);
        if (moves_back(problem)) wave = shift(wave, -window.frac_y, -window.frac_x);
        set_mode(fields, k, propagate(wave, problem.transfer_function));
    }
    return fields;
}

RealImage intensity(const Problem& problem, std::ptrdiff_t i_frame) {
    const Stack fields = far_fields(problem, i_frame);
    RealImage far_field(problem.far_field_shape());
    for (std::ptrdiff_t i = 0; i < far_field.size(); ++i) {
        for (std::ptrdiff_t k = 0; k < problem.num_waves(); ++k)
            far_field[i] += std::norm(fields.slice(k)[i]);
    }
    RealImage out = blurred(summed(problem, far_field), problem.blur_sigma);
    if (problem.background.empty()) return out;
    for (std::ptrdiff_t i = 0; i < out.size(); ++i) out[i] += problem.background[i];
    return out;
}

RealImage summed(const Problem& problem, const RealImage& far_field) {
    RealImage out(problem.frame_shape());
    for_each_seen(problem,
                  [&](auto y, auto x, auto far_y, auto far_x) { out(y, x) += far_field(far_y, far_x); });
    return out;
}

RealImage spread(const Problem& problem, const RealImage& detector) {
    RealImage out(problem.far_field_shape());
    for_each_seen(problem,
                  [&](auto y, auto x, auto far_y, auto far_x) { out(far_y, far_x) += detector(y, x); });
    return out;
}

RealImage blurred(const RealImage& image, double sigma) {
    if (sigma == 0) return image;
    const auto radius = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(std::ceil(4 * sigma)));
    const std::ptrdiff_t height = image.extent(0), width = image.extent(1);
    RealImage out(image.extents());
    double all_weights = 0;
    for (std::ptrdiff_t dy = -radius; dy <= radius; ++dy) {
        for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx) {
            const double weight = std::exp(-static_cast<double>(dy * dy + dx * dx) / (2 * sigma * sigma));
            all_weights += weight;
            for (std::ptrdiff_t y = 0; y < height; ++y) {
                for (std::ptrdiff_t x = 0; x < width; ++x) {
                    const std::ptrdiff_t from_y = ((y + dy) % height + height) % height;
                    out(y, x) += weight * image(from_y, ((x + dx) % width + width) % width);
                }
            }
        }
    }
    for (double& value : out) value /= all_weights;
    return out;
}

double pixel_cost(NoiseModel noise_model, double intensity, double counts, double epsilon) {
    switch (noise_model) {
        case NoiseModel::amplitude: {
            const double difference = std::sqrt(intensity + epsilon) - std::sqrt(counts);
            return difference * difference;
        }
        case NoiseModel::poisson: {
            const double entropy = counts > 0 ? counts * std::log(counts / (intensity + epsilon)) : 0;
            return intensity - counts + entropy;
        }
        case NoiseModel::gaussian: {
            const double difference = intensity - counts;
            return difference * difference / (2 * (counts + 1));
        }
    }
    broken_promise("a known noise model", __FILE__, __LINE__);
}

double pixel_slope(NoiseModel noise_model, double intensity, double counts, double epsilon) {
    switch (noise_model) {
        case NoiseModel::amplitude:
            return 1 - std::sqrt(counts) / std::sqrt(intensity + epsilon);
        case NoiseModel::poisson:
            return 1 - counts / (intensity + epsilon);
        case NoiseModel::gaussian:
            return (intensity - counts) / (counts + 1);
    }
    broken_promise("a known noise model", __FILE__, __LINE__);
}

Cost cost(const Problem& problem) {
    problem.check();
    Cost result;
    double all_differences = 0, all_counts = 0;
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const RealImage model = intensity(problem, j);
        double frame_cost = 0, differences = 0, used_counts = 0;
        for (std::ptrdiff_t y = 0; y < model.extent(0); ++y) {
            for (std::ptrdiff_t x = 0; x < model.extent(1); ++x) {
                const double weight = weight_of(problem, j, y, x, model(y, x));
                const double counts = problem.patterns(j, y, x);
                used_counts += weight_of(problem, j, y, x) * std::max(counts, 0.0);
                if (weight == 0) continue;
                frame_cost += weight * pixel_cost(problem.noise_model, model(y, x), counts, problem.epsilon);
                const double difference = std::sqrt(model(y, x)) - std::sqrt(counts);
                differences += weight * difference * difference;
            }
        }
        result.per_frame.push_back(frame_cost);
        result.data_error_per_frame.push_back(differences / used_counts);
        result.total += frame_cost;
        all_differences += differences;
        all_counts += used_counts;
    }
    result.data_error = all_differences / all_counts;
    return result;
}

Unknowns gradient(const Problem& problem) {
    problem.check();
    Unknowns result{Stack(problem.object.extents()), Stack(problem.probe.extents())};
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const Window& window = problem.windows[static_cast<std::size_t>(j)];
        Stack behind_object(problem.probe.extents());  // chi
        const RealImage model = intensity(problem, j);
        const Stack fields = far_fields(problem, j);
        RealImage slope(model.extents());  // df/dI before the point spread
        for (std::ptrdiff_t y = 0; y < model.extent(0); ++y) {
            for (std::ptrdiff_t x = 0; x < model.extent(1); ++x) {
                const double weight = weight_of(problem, j, y, x, model(y, x));
                if (weight == 0) continue;
                slope(y, x) = weight * pixel_slope(problem.noise_model, model(y, x),
                                                   problem.patterns(j, y, x), problem.epsilon);
            }
        }
        slope = spread(problem, blurred(slope, problem.blur_sigma));
        for (std::ptrdiff_t m = 0; m < problem.num_object_modes; ++m) {
            const Problem alone = of_object_mode(problem, m);
            for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
                Image residual = mode_of(fields, m * problem.num_modes() + k);  // becomes df/dPsi*
                for (std::ptrdiff_t i = 0; i < residual.size(); ++i) residual[i] *= slope[i];
                Image wave = propagate_back(residual, problem.transfer_function);
                if (moves_back(problem)) wave = shift(wave, window.frac_y, window.frac_x);
                const Image chi = cropped(wave, problem.probe_shape());
                set_mode(behind_object, k, chi);
                Image probe_part =
                    product_with_conjugate(object_of_frame(alone, j), pulled_back_to(alone, j, 0, chi));
                if (problem.interpolation == Interpolation::fourier) {
                    probe_part = shift(probe_part, -window.frac_y, -window.frac_x);
                }
                for (std::ptrdiff_t i = 0; i < probe_part.size(); ++i)
                    result.probe.slice(k)[i] += probe_part[i];
            }
            for (std::ptrdiff_t slice = 0; slice < problem.num_slices(); ++slice) {
                const Image object_part = slice_adjoint(alone, j, slice, behind_object);
                for (std::ptrdiff_t i = 0; i < object_part.size(); ++i)
                    result.object.slice(m + slice)[i] += object_part[i];
            }
        }
    }
    return result;
}

RealImage illumination(const Problem& problem, std::ptrdiff_t i_slice) {
    RealImage out({problem.object.extent(1), problem.object.extent(2)});
    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
        Image wave = mode_of(problem.probe, k);
        for (std::ptrdiff_t slice = 0; slice < i_slice; ++slice)
            wave =
                filtered(wave, problem.slice_transfer_functions.at(static_cast<std::size_t>(slice)), false);
        for_whole_windows(problem, [&](auto y, auto x, auto object_y, auto object_x) {
            out(object_y, object_x) += std::norm(wave(y, x));
        });
    }
    return out;
}

RealImage coverage(const Problem& problem) {
    RealImage out(problem.probe_shape());
    for_whole_windows(problem, [&](auto y, auto x, auto object_y, auto object_x) {
        for (std::ptrdiff_t m = 0; m < problem.num_object_modes; ++m)
            out(y, x) += std::norm(problem.object(m, object_y, object_x));
    });
    return out;
}

RealImage preconditioner(const RealImage& weight, double alpha) {
    double largest = 0;
    for (const double value : weight) largest = std::max(largest, value);
    RealImage out(weight.extents());
    for (std::ptrdiff_t i = 0; i < out.size(); ++i) out[i] = 1 / ((1 - alpha) * weight[i] + alpha * largest);
    return out;
}

Value dot(const Image& a, const Image& b) {
    return sum_of_products(a, b);
}

Value dot(const Stack& a, const Stack& b) {
    return sum_of_products(a, b);
}

Value dot(const Unknowns& a, const Unknowns& b) {
    return dot(a.object, b.object) + dot(a.probe, b.probe);
}

Problem moved(const Problem& problem, const Unknowns& direction, double step) {
    TESSERA_EXPECT(direction.object.extents() == problem.object.extents());
    TESSERA_EXPECT(direction.probe.extents() == problem.probe.extents());
    Problem out = problem;
    for (std::ptrdiff_t i = 0; i < out.object.size(); ++i) out.object[i] += step * direction.object[i];
    for (std::ptrdiff_t i = 0; i < out.probe.size(); ++i) out.probe[i] += step * direction.probe[i];
    return out;
}

std::vector<double> costs_along(const Problem& problem, const Unknowns& direction,
                                const std::vector<double>& steps) {
    std::vector<double> costs;
    for (const double step : steps) costs.push_back(cost(moved(problem, direction, step)).total);
    return costs;
}

}  // namespace tessera::reference

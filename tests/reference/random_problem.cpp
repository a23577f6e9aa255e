#include "random_problem.hpp"

#include <cmath>
#include <random>

namespace tessera::reference {
namespace {

// std::uniform_real_distribution may differ between standard libraries; the engine's bits may not.
class Uniform {
  public:
    explicit Uniform(std::uint64_t seed) : engine_(seed) {}
    double operator()(double low, double high) {
        return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
    }
    Value value() {
        const double re = (*this)(-1, 1);
        return {re, (*this)(-1, 1)};
    }

  private:
    std::mt19937_64 engine_;
};

void fill_object(Uniform& uniform, Stack& object) {
    for (Value& value : object) {
        const double modulus = uniform(0.6, 1);
        value = std::polar(modulus, uniform(-1, 1));
    }
}

}  // namespace

Problem random_problem(const ProblemShape& shape) {
    Uniform uniform(shape.seed);
    Problem problem;
    problem.interpolation = shape.interpolation;
    problem.noise_model = shape.noise_model;
    problem.epsilon = default_epsilon(shape.noise_model);
    problem.saturated_from = shape.saturated_from;
    problem.blur_sigma = shape.blur_sigma;
    if (shape.field == ProblemShape::Field::far) problem.upsampling = shape.upsampling;

    const std::ptrdiff_t travel = 5;  // the windows overlap strongly
    for (std::ptrdiff_t j = 0; j < shape.num_frames; ++j) {
        Window window;
        window.y = static_cast<std::ptrdiff_t>(uniform(0, travel));
        window.x = static_cast<std::ptrdiff_t>(uniform(0, travel));
        if (shape.interpolation != Interpolation::nearest) {
            const double least = shape.interpolation == Interpolation::fourier ? -0.5 : 0;
            window.frac_y = uniform(least, least + 1);
            window.frac_x = uniform(least, least + 1);
        }
        problem.windows.push_back(window);
    }
    problem.num_object_modes = shape.num_object_modes;
    problem.object = Stack({shape.num_object_modes * shape.num_slices, shape.probe[0] + travel + 1,
                            shape.probe[1] + travel + 1});
    // Over unequal distances that spread a pixel's light over several.
    for (std::ptrdiff_t slice = 1; slice < shape.num_slices; ++slice) {
        problem.slice_transfer_functions.push_back(fresnel_transfer_function(
            shape.probe, {1e-6, 1.2e-6}, 1e-10, 5e-3 * (1 + 0.4 * static_cast<double>(slice))));
    }
    problem.probe = Stack({shape.num_modes, shape.probe[0], shape.probe[1]});
    const auto frame_pixels = static_cast<double>(num_elements(shape.frame));
    const auto probe_pixels = static_cast<double>(problem.probe.size());
    for (Value& value : problem.probe) {
        value = std::sqrt(2 * shape.mean_counts * frame_pixels / probe_pixels) * uniform.value();
    }
    if (shape.field == ProblemShape::Field::near) {
        problem.transfer_function = fresnel_transfer_function(shape.frame, {1e-6, 1.2e-6}, 1e-10, 7e-3);
    }
    const bool has_detector = shape.detector == ProblemShape::Detector::masked_with_background;
    if (has_detector) {
        problem.mask = RealImage(shape.frame);
        problem.background = RealImage(shape.frame);
        for (double& value : problem.mask) value = uniform(0, 1) < 0.2 ? 0 : 1;
        for (double& value : problem.background) value = uniform(0, 3);
    }
    problem.patterns = Array<double, 3>({shape.num_frames, shape.frame[0], shape.frame[1]});
    fill_object(uniform, problem.object);
    for (std::ptrdiff_t j = 0; j < shape.num_frames; ++j) {
        const RealImage truth = intensity(problem, j);
        for (std::ptrdiff_t i = 0; i < truth.size(); ++i) problem.patterns.slice(j)[i] = std::floor(truth[i]);
        if (has_detector && j % 2 == 0) problem.patterns.slice(j)[truth.size() / 3] = -1;
    }
    fill_object(uniform, problem.object);
    return problem;
}

Unknowns random_direction(const Problem& problem, std::uint64_t seed) {
    Uniform uniform(seed);
    Unknowns direction{Stack(problem.object.extents()), Stack(problem.probe.extents())};
    for (Value& value : direction.object) value = uniform.value();
    for (Value& value : direction.probe) value = uniform.value();
    return direction;
}

Image random_image(const Extents<2>& shape, std::uint64_t seed) {
    Uniform uniform(seed);
    Image image(shape);
    for (Value& value : image) value = uniform.value();
    return image;
}

}  // namespace tessera::reference

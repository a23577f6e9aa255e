#pragma once

#include <optional>
#include <vector>

#include "codelets/gradient.hpp"
#include "codelets/layout.hpp"
#include "codelets/line_search.hpp"
#include "codelets/runtime/data.hpp"
#include "reference/oracle.hpp"
#include "reference/random_problem.hpp"
#include "tiling/tiling.hpp"

namespace tessera::test {

// What the program can hold of a made-up problem, so that a comparison with the oracle shows the program's
// own rounding only: single precision everywhere, counts of `type` (f32: not whole), the program's epsilon.
reference::Problem as_held(reference::Problem problem, PatternType type);
reference::Unknowns as_held(reference::Unknowns unknowns);

// A reference problem as one batch of one tile, in StarPU's hands. Around the object the tile has a border of
// NaN that no task may use, and `out` is full of NaN before every task that has to overwrite it.
class OneBatch {
  public:
    // `problem` must be as_held(). With `kept`, there is room for kept waves. With `part` the tile holds only
    // this part of the object, which must be 1 elsewhere: windows reach out of the tile into vacuum.
    OneBatch(const reference::Problem& problem, PatternType type, KeptWaves kept = KeptWaves::none,
             const std::optional<Rect>& part = std::nullopt);

    // Directions of object (in the tile) and probe; a fixed probe's stays NaN, for nobody may look at it.
    void set_direction(const reference::Unknowns& direction, ProbeMotion motion);
    void set_state(const IterationState& state);
    IterationState get_state() const;
    // The values of object and probe as they are now, in place of the problem's.
    reference::Problem at_present(reference::Problem problem) const;

    // By one task, or by one for each stage.
    Operations operations = Operations::fused;
    void run_gradient(KeptWaves waves, ProbeMotion motion);
    void run_line_search(KeptWaves waves, ProbeMotion motion);
    void run_evaluate();
    void run_illumination();
    // Object and probe move by the state's step along their directions.
    void run_step(ProbeMotion motion);

    // What the last of them left in `out`: all of it; its scalars; its window on the object's grid (0
    // outside) and its probe part.
    std::vector<std::byte> bytes() const;
    BatchSums sums() const;
    reference::Unknowns gradient() const;
    // Of the last evaluation, per frame.
    std::vector<double> frame_errors() const;

    Rect tile;  // in the object
    BatchShape shape;
    Data patterns, frames, detector, probe, object, state, out, waves, errors;

  private:
    void spoil_out();
    void run_gradient_in_stages(const GradientArgs& args);
    void run_line_search_in_stages(const LineSearchArgs& args);
    std::ptrdiff_t in_tile(std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x) const;
    template <class Visit>
    void for_each_pixel(const Visit& visit) const;  // of the object in the tile

    Extents<3> object_shape_;
    Data stage_waves_[3];  // A, B and C between stages, NaN before each operation
};

// ||found - expected|| / ||expected||, sums over all pixels.
double relative_error(const reference::Image& found, const reference::Image& expected);
double relative_error(const reference::Stack& found, const reference::Stack& expected);

// What the tests of codelets go through.
inline constexpr reference::NoiseModel all_noise_models[] = {
    reference::NoiseModel::amplitude, reference::NoiseModel::poisson, reference::NoiseModel::gaussian};
inline constexpr reference::Interpolation all_interpolations[] = {
    reference::Interpolation::nearest, reference::Interpolation::bilinear, reference::Interpolation::fourier};
const char* name(reference::NoiseModel model);
const char* name(reference::Interpolation interpolation);

}  // namespace tessera::test

// The steps of one frame between its exit waves and what it adds to its batch, where more than one operation
// takes them: those that do all of it, and the stages (make_exit_waves.hpp and what follows) that do one
// each. The same calls in the same order for each frame: the same bits. Compiled once per instruction set.
#if defined(TESSERA_CODELETS_FRAME_STAGES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_FRAME_STAGES_INL_HPP
#undef TESSERA_CODELETS_FRAME_STAGES_INL_HPP
#else
#define TESSERA_CODELETS_FRAME_STAGES_INL_HPP
#endif

#include "codelets/fourier_projection.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/gradient.hpp"
#include "codelets/line_search.hpp"
#include "codelets/make_exit_waves.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Wave i of a frame.
template <class Value>
Value* wave_of(Value* waves, int i, const BatchShape& s) {
    return waves + static_cast<std::size_t>(i) * s.frame.area();
}

// What must be prepared for waves of that order.
inline Moving moving_in(WaveOrder order, ProbeMotion probe) {
    if (order == WaveOrder::here) return Moving::nothing;
    return probe == ProbeMotion::moving ? Moving::object_and_probe : Moving::object;
}

// Wave i of the frame that the model was placed for, behind the object, or its derivative along the
// directions. With a fixed probe there is none of second order: the wave stays as it is.
inline void exit_wave_of(WaveOrder order, ProbeMotion probe, FrameModel& model, int i, cfloat* wave,
                         const BatchShape& s) {
    const int k = s.probe_mode_of(i), m = s.object_mode_of(i);
    switch (order) {
        case WaveOrder::here:
            return model.exit_wave(i, wave);
        case WaveOrder::along:
            if (probe == ProbeMotion::fixed)
                return exit_wave(model.probe(k), model.object_direction(m), wave, s);
            return exit_wave_along(model.probe(k), model.probe_direction(k), model.object(m),
                                   model.object_direction(m), wave, s);
        case WaveOrder::along_twice:
            if (probe == ProbeMotion::fixed) return;
            return exit_wave(model.probe_direction(k), model.object_direction(m), wave, s);
    }
}

// ---- Gradients

// The far fields of a frame from those kept before (A, B, C), with the step taken since.
inline void advance_kept(cfloat* kept, float step, cfloat* waves, const BatchShape& s) {
    const std::size_t size = s.waves_size();
    advance_waves(kept, kept + size, kept + 2 * size, step, size);
    std::memcpy(static_cast<void*>(waves), kept, size * sizeof(cfloat));
}
inline void keep_waves(const cfloat* waves, cfloat* kept, const BatchShape& s) {
    std::memcpy(static_cast<void*>(kept), waves, s.waves_size() * sizeof(cfloat));
}

// Far fields of a frame into the derivative of its cost, ready to be propagated back; `scale` is the
// propagator's, at amplitude 1. `far_field_step`: null, or where the step of the far field along chi goes.
template <class Count>
void differentiate(cfloat* waves, const Count* counts, const DetectorView& detector, float scale,
                   float intensity, double* far_field_step, const BatchShape& s, BatchSums& sums) {
    FrameCost cost;
    with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
        if (far_field_step != nullptr) {
            *far_field_step =
                HWY_NAMESPACE::far_field_step<noise()>(waves, counts, detector, scale * intensity, s) /
                intensity;
        }
        cost = compare<Factor::apply, noise()>(waves, counts, detector, scale * intensity, s);
    });
    sums.cost += cost.cost;
    sums.squared_error += cost.squared_error;
    sums.bad_frames += std::isfinite(cost.cost) ? 0 : 1;
}

// ---- Line searches

class TrialSteps {
  public:
    explicit TrialSteps(double centre) {
        for (std::size_t i = 0; i < num_trials; ++i) steps_[i] = static_cast<float>(trial_step(centre, i));
    }
    const float* data() const { return steps_; }

  private:
    float steps_[num_trials] = {};
};

template <class Count>
void compare_frame_along(const FieldsAlong& fields, const Count* counts, const DetectorView& detector,
                         float scale, const TrialSteps& steps, const BatchShape& s, BatchSums& sums) {
    with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
        compare_along<noise()>(fields, counts, detector, scale, steps.data(), s, sums.trial_cost);
    });
}

// ---- Projections of exit waves

// Of P O, whose far fields these are and stay.
template <class Count>
void add_overlap_cost(cfloat* waves, const Count* counts, const DetectorView& detector, float scale,
                      const BatchShape& s, BatchSums& sums) {
    const FrameCost cost = compare<Factor::skip, NoiseModel::amplitude>(waves, counts, detector, scale, s);
    sums.cost += cost.cost;
    sums.squared_error += cost.squared_error;
}

// The mean squared error of the amplitudes of a frame's far fields, and what they are to be multiplied with.
template <class Count>
double amplitude_power(const cfloat* waves, const Count* counts, const DetectorView& detector, float scale,
                       float* quotients, const BatchShape& s, BatchSums& sums) {
    const double power = modulus_quotients(waves, counts, detector, scale, quotients, s);
    sums.bad_frames += std::isfinite(power) ? 0 : 1;
    return power;
}
// The share that stays of such an error.
inline float share_of_error(double power, double power_bound) {
    return power <= power_bound ? 1.0f : static_cast<float>(std::sqrt(power_bound / power));
}
inline void project_frame(const float* quotients, float share, float scale, cfloat* waves,
                          const BatchShape& s) {
    for (int i = 0; i < s.num_waves(); ++i)
        apply_modulus(quotients, share, scale, wave_of(waves, i, s), s.frame.area());
}

inline void reflect_frame(FrameModel& model, const cfloat* psi, float reflect, cfloat* waves,
                          const BatchShape& s) {
    for (int i = 0; i < s.num_waves(); ++i)
        reflected_wave(model.probe(s.probe_mode_of(i)), model.object(s.object_mode_of(i)), wave_of(psi, i, s),
                       reflect, wave_of(waves, i, s), s);
}

// psi one iteration on. `waves`: what the Fourier projection made of the reflected waves; null where it left
// them as they were.
inline void update_exit_waves(FrameModel& model, const ProjectionMap& map, const cfloat* waves, cfloat* psi,
                              const BatchShape& s) {
    const WaveWeights projected = {map.psi, map.overlap, map.fourier};
    const WaveWeights left = {map.psi + map.fourier * (1 - map.reflect),
                              map.overlap + map.fourier * map.reflect, 0};
    for (int i = 0; i < s.num_waves(); ++i) {
        const cfloat* probe = model.probe(s.probe_mode_of(i));
        const Window<const cfloat> object = model.object(s.object_mode_of(i));
        if (waves == nullptr) {
            update_exit_wave<false>(probe, object, nullptr, left, wave_of(psi, i, s), s);
        } else {
            update_exit_wave<true>(probe, object, wave_of(waves, i, s), projected, wave_of(psi, i, s), s);
        }
    }
}

// Numerators and weight of the object into the batch's window.
inline void add_object_sums(FrameModel& model, const cfloat* psi, std::byte* out, const BatchShape& s) {
    cfloat* window = window_part(out, overlap_probe_size(s));
    for (int i = 0; i < s.num_waves(); ++i) model.add_object_residual(i, wave_of(psi, i, s), window);
    model.add_probe_power(window + volume(s.window, s.num_object_modes));
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif

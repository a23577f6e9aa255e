#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// A probe that is another one in each frame (orthogonal probe relaxation: Odstrcil et al., Opt. Express
// 24:8360, 2016). Frame j sees
//   P_j,0 = s_j (P_0 + sum_i w_ji E_i),   P_j,k = s_j P_k of further modes,
// with an amplitude s_j > 0, mean s^2 = 1, and complex weights w_ji of eigen-probes E_i that all frames
// share. The scan's probes are never put together: a round is a fit of every frame's few numbers, sums of the
// eigen-probes' gradients over all frames, and small matrices that bring eigen-probes and weights into the
// form of a truncated singular value decomposition.

inline constexpr std::int32_t max_light_size = 1 + 2 * max_opr_modes;

// What a batch adds to the probe part of the sums: gradients of the eigen-probes (i, y, x), the object's
// power under the probe (y, x) in real parts, sum_j w_ji (i), sum_j conj(w_ji) w_jl (i, l). Nothing without
// eigen-probes.
inline std::size_t opr_sums_size(std::int32_t num_opr_modes, Shape2 probe) {
    const auto n = static_cast<std::size_t>(num_opr_modes);
    return n == 0 ? 0 : (n + 1) * probe.area() + n + n * n;
}

struct FitLightsArgs {
    BatchShape shape;
    std::int32_t has_intensity = 1;  // false: amplitudes stay
    double step_size = 1;
    BufferBytes buffer_bytes() const;
};

// Each frame's light x = (s, Re w_1, Im w_1, ...) moves by one damped Gauss-Newton step of its own cost: with
// Psi_k = F (P_j,k O) at amplitude 1 and Phi_i = F (E_i O),
//   dI/ds = 2 s sum_k |Psi_k|^2,   dI/dRe w_i = 2 s^2 Re conj(Psi_0) Phi_i,   dI/dIm w_i = -2 s^2 Im ...,
//   df/dx_a = sum factor dI_a,   curvature_ab = sum w dI_a dI_b,
// factor and w those of the noise model (pixel/noise_model-inl.hpp), and a line search that needs no further
// transform, as far fields are of second order along the step. Then, at the new lights, the gradients of the
// eigen-probes,
//   g_i = sum_j s_j conj(w_ji) (gradient of the first mode of frame j's probe).
// Buffers: patterns R, frames RW, detector R, probe R, object R, state R, out W (BatchSums: intensity; probe
// part of opr_sums_size()). Nothing once the state says stopped.
// Cost: 2 transforms a mode and eigen-probe, 2 more with any eigen-probes (fourier interpolation; else half).
extern const Codelet<FitLightsArgs> fit_lights;

// What a round does to all lights alike: s' = s / power,  w' = matrix (w - mean).
struct LightTurn {
    double amplitude = 1;  // of the mean frame; the probe takes it
    cdouble mean[max_opr_modes] = {};
    cdouble matrix[max_opr_modes * max_opr_modes] = {};  // (i, l)
};

struct UpdateOprModesArgs {
    std::int32_t num_modes = 1, num_opr_modes = 0;
    Shape2 probe;
    std::int32_t has_intensity = 1;
    double num_frames = 1;
    double step_size = 1;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    BufferBytes buffer_bytes() const;
};

// With W = sum_j conj(w_ji) w_jl and C the object's power: E -= step (W C / num_frames)^-1 g; then the model
// is written anew, and but for the last of these no frame's probe changes:
//   the mean of the weights moves into P_0, that of the squared amplitudes into all modes;
//   eigen-probes become orthonormal, and the weights' second moments diagonal, by falling power.
// Where frames have amplitudes of their own, what of E_i is along P_0 is left out: amplitudes do that.
// Buffers: sums R (total), probe RW, state R, turn W.
extern const Codelet<UpdateOprModesArgs> update_opr_modes;

struct TurnLightsArgs {
    std::int32_t num_frames = 0;
    std::int32_t first = 0;  // frame of the batch among the tile's lights
    std::int32_t num_opr_modes = 0;
    BufferBytes buffer_bytes() const;
};

// The lights of a batch follow, and are noted with those of their tile. Buffers: turn R, state R, frames RW,
// lights RW.
extern const Codelet<TurnLightsArgs> turn_lights;

// On a device: variable_probe.cu.
void fit_lights_device(const FitLightsArgs&, const Buffers&, Device&);
void update_opr_modes_device(const UpdateOprModesArgs&, const Buffers&, Device&);
void turn_lights_device(const TurnLightsArgs&, const Buffers&, Device&);

}  // namespace tessera

#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

// The waves along a step s of object and probe: P O, P dO + dP O and dP dO, the terms of s^0, s^1 and s^2.
enum class WaveOrder : std::int32_t { here, along, along_twice };

struct MakeExitWavesArgs {
    BatchShape shape;
    WaveOrder order = WaveOrder::here;
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// The first stage of a gradient, a line search or a projection: the waves of all frames of a batch behind an
// object of one slice, zero around the probe. With a fixed probe those of first order are P dO, and there are
// none of second order. Buffers: frames R, probe R, object R, state R, waves W (frame, wave, y, x). Once the
// state says stopped CPUs return at once, and what devices still make nobody uses. Cost: no transform;
// fourier interpolation 1 a wave and frame, along a moving probe 2.
extern const Codelet<MakeExitWavesArgs> make_exit_waves;

struct ReflectWavesArgs {
    BatchShape shape;
    float reflect = 2;
    BufferBytes buffer_bytes() const;
};

// reflect P O + (1 - reflect) psi, what a projection of the exit waves psi projects (fourier_projection.hpp).
// Buffers: frames R, probe R, object R, state R, psi R, waves W. Cost: as make_exit_waves.
extern const Codelet<ReflectWavesArgs> reflect_waves;

// On a device: make_exit_waves.cu.
void make_exit_waves_device(const MakeExitWavesArgs&, const Buffers&, Device&);
void reflect_waves_device(const ReflectWavesArgs&, const Buffers&, Device&);

}  // namespace tessera

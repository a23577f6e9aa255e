#pragma once

#include "codelets/device/frames.hpp"

// The steps of the forward model that more than one operation takes on a device: the CPU's FrameModel and
// Propagator (codelets/frame_model-inl.hpp), for several frames at a time. Only device bodies include this.
namespace tessera {

// Between the sample and the detector. Waves are left unscaled: |wave|^2 * scale() is the intensity.
class FramePropagator {
  public:
    FramePropagator(Device& device, const BatchShape& s, const cfloat* transfer, std::int32_t max_frames)
        : device_(device), s_(s), transfer_(transfer) {
        if (transfer == nullptr || s.interpolation != Interpolation::fourier) return;
        ramps_ = device.scratch<cfloat>(
            Scratch::detector_ramps,
            static_cast<std::size_t>(max_frames) * static_cast<std::size_t>(s.frame.y + s.frame.x));
    }

    float scale() const { return transfer_ == nullptr ? 1.0f / static_cast<float>(s_.frame.area()) : 1.0f; }

    // Before the waves of these frames.
    void place(const FramePosition* frames, std::int32_t num_frames) {
        num_frames_ = num_frames;
        if (ramps_ == nullptr) return;
        device_.for_each({s_.frame.y + s_.frame.x, num_frames}, PhaseRamps{frames, s_.frame, 1.0f, ramps_});
    }

    void forward(cfloat* waves) {
        device_.forward(waves, s_.frame, num_waves());
        if (transfer_ == nullptr) return;
        multiply(waves, false);
        device_.backward(waves, s_.frame, num_waves());
    }
    void backward(cfloat* waves) {
        if (transfer_ != nullptr) {
            device_.forward(waves, s_.frame, num_waves());
            multiply(waves, true);
        }
        device_.backward(waves, s_.frame, num_waves());
    }

  private:
    std::int32_t num_waves() const { return num_frames_ * s_.num_modes; }
    void multiply(cfloat* waves, bool conjugate) {
        device_.for_each({s_.frame.x, s_.frame.y, num_waves()},
                         MultiplyTransfer{s_, transfer_, ramps_, conjugate, waves});
    }

    Device& device_;
    const BatchShape& s_;
    const cfloat* transfer_;  // includes the 1/size of its two transforms
    cfloat* ramps_ = nullptr;
    std::int32_t num_frames_ = 0;
};

// The probe's modes (or their direction) at the positions of the frames.
class ShiftedProbe {
  public:
    // `modes` (mode, y, x); `spectrum` and `shifted` are the scratch it may use. Fourier interpolation
    // transforms the modes once a batch, and back for each frame; otherwise nothing is done.
    ShiftedProbe(Device& device, const BatchShape& s, const cfloat* modes, Scratch spectrum, Scratch shifted,
                 std::int32_t max_frames)
        : device_(device), s_(s), modes_(modes) {
        if (s.interpolation != Interpolation::fourier) return;
        spectrum_ = device.scratch<cfloat>(spectrum, s.probe_size());
        shifted_ = device.scratch<cfloat>(shifted, static_cast<std::size_t>(max_frames) * s.probe_size());
        device.copy(spectrum_, modes, s.probe_size() * sizeof(cfloat));
        device.forward(spectrum_, s.probe, s.num_modes);
    }

    // For these frames, whose ramps are given (fourier interpolation; scaled by 1 / size).
    ProbeModes at(const cfloat* ramps, std::int32_t num_frames) {
        if (spectrum_ == nullptr) return {modes_, 0};
        const std::int32_t num_modes = num_frames * s_.num_modes;
        device_.for_each({s_.probe.x, s_.probe.y, num_modes}, ShiftSpectrum{s_, spectrum_, ramps, shifted_});
        device_.backward(shifted_, s_.probe, num_modes);
        return {shifted_, static_cast<std::ptrdiff_t>(s_.probe_size())};
    }

  private:
    Device& device_;
    const BatchShape& s_;
    const cfloat* modes_;
    cfloat* spectrum_ = nullptr;
    cfloat* shifted_ = nullptr;
};

// The probe's ramps for the frames of a turn; null without fourier interpolation.
inline cfloat* probe_ramps(Device& device, const BatchShape& s, std::int32_t max_frames) {
    if (s.interpolation != Interpolation::fourier) return nullptr;
    return device.scratch<cfloat>(Scratch::ramps, static_cast<std::size_t>(max_frames) *
                                                      static_cast<std::size_t>(s.probe.y + s.probe.x));
}
inline void place_ramps(Device& device, const BatchShape& s, const FramePosition* frames,
                        std::int32_t num_frames, cfloat* ramps) {
    if (ramps == nullptr) return;
    const float scale = 1.0f / static_cast<float>(s.probe.area());
    device.for_each({s.probe.y + s.probe.x, num_frames}, PhaseRamps{frames, s.probe, scale, ramps});
}

// The counts of the frames from `first` on.
inline Measurements measurements_from(const Buffers& buffers, const BatchShape& s, std::int32_t first) {
    const std::size_t bytes = s.frame.area() * bytes_per_count(s.pattern_type);
    return {{buffers.get<const std::byte>(0) + static_cast<std::size_t>(first) * bytes, s.pattern_type},
            detector_view(buffers.get<const std::byte>(2), s)};
}

}  // namespace tessera

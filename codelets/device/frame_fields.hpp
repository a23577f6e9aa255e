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

    // At amplitude 1; and as the frames are lit.
    float common_scale() const {
        return transfer_ == nullptr ? 1.0f / static_cast<float>(s_.frame.area()) : 1.0f;
    }
    IntensityScale scale() const { return {common_scale(), lights_}; }

    // Before the waves of these frames.
    void place(const FramePosition* frames, std::int32_t num_frames, const FrameLights& lights = {}) {
        num_frames_ = num_frames;
        lights_ = lights;
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
    std::int32_t num_waves() const { return num_frames_ * s_.num_waves(); }
    void multiply(cfloat* waves, bool conjugate) {
        device_.for_each({s_.frame.x, s_.frame.y, num_waves()},
                         MultiplyTransfer{s_, transfer_, ramps_, conjugate, waves});
    }

    Device& device_;
    const BatchShape& s_;
    const cfloat* transfer_;  // includes the 1/size of its two transforms
    cfloat* ramps_ = nullptr;
    std::int32_t num_frames_ = 0;
    FrameLights lights_;
};

// The probe's modes (or their direction) at the positions of the frames.
class ShiftedProbe {
  public:
    // `modes` (mode, y, x); `spectrum` and `shifted` are the scratch it may use. Fourier interpolation
    // transforms the modes once a batch, and back for each frame; otherwise nothing is done.
    // `opr_modes`: what the first mode may deviate by, if anything.
    ShiftedProbe(Device& device, const BatchShape& s, const cfloat* modes, Scratch spectrum, Scratch shifted,
                 std::int32_t max_frames, const cfloat* opr_modes = nullptr)
        : device_(device), s_(s), modes_(modes), opr_modes_(opr_modes) {
        const bool is_fourier = s.interpolation == Interpolation::fourier;
        if (!is_fourier && opr_modes != nullptr)
            lit_ = device.scratch<cfloat>(shifted, static_cast<std::size_t>(max_frames) * s.probe_size());
        if (!is_fourier) return;
        spectrum_ = device.scratch<cfloat>(spectrum, s.probe_size());
        shifted_ = device.scratch<cfloat>(shifted, static_cast<std::size_t>(max_frames) * s.probe_size());
        device.copy(spectrum_, modes, s.probe_size() * sizeof(cfloat));
        device.forward(spectrum_, s.probe, s.num_modes);
        if (opr_modes == nullptr) return;
        const std::size_t size = static_cast<std::size_t>(s.num_opr_modes) * s.probe.area();
        auto* spectra = device.scratch<cfloat>(Scratch::opr_spectra, size);
        device.copy(spectra, opr_modes, size * sizeof(cfloat));
        device.forward(spectra, s.probe, s.num_opr_modes);
        opr_modes_ = spectra;
    }

    // For these frames, whose ramps are given (fourier interpolation; scaled by 1 / size).
    ProbeModes at(const cfloat* ramps, std::int32_t num_frames, const FrameLights& lights = {}) {
        const std::int32_t num_modes = num_frames * s_.num_modes;
        const Deviations deviations = {opr_modes_, opr_modes_ == nullptr ? FrameLights() : lights};
        const auto stride = static_cast<std::ptrdiff_t>(s_.probe_size());
        if (lit_ != nullptr && lights.data != nullptr) {
            device_.for_each({static_cast<std::int32_t>(s_.probe.area()), num_modes},
                             LightModes{s_, modes_, deviations, lit_});
            return {lit_, stride};
        }
        if (spectrum_ == nullptr) return {modes_, 0};
        device_.for_each({s_.probe.x, s_.probe.y, num_modes},
                         ShiftSpectrum{s_, spectrum_, deviations, ramps, shifted_});
        device_.backward(shifted_, s_.probe, num_modes);
        return {shifted_, stride};
    }

    // The eigen-probes alone, as `shape` has them for modes; `shifted`: where to.
    ProbeModes opr_modes_at(const BatchShape& shape, const cfloat* ramps, std::int32_t num_frames,
                            cfloat* shifted) {
        if (spectrum_ == nullptr) return {opr_modes_, 0};
        const std::int32_t num_modes = num_frames * shape.num_modes;
        device_.for_each({s_.probe.x, s_.probe.y, num_modes},
                         ShiftSpectrum{shape, opr_modes_, {}, ramps, shifted});
        device_.backward(shifted, s_.probe, num_modes);
        return {shifted, static_cast<std::ptrdiff_t>(shape.probe_size())};
    }

  private:
    Device& device_;
    const BatchShape& s_;
    const cfloat* modes_;
    const cfloat* opr_modes_;  // or their spectra
    cfloat* lit_ = nullptr;
    cfloat* spectrum_ = nullptr;
    cfloat* shifted_ = nullptr;
};

// The waves of a turn's frames on their way through the slices of the object, or each through its mode: see
// FrameModel in codelets/frame_model-inl.hpp. Fields between slices are (frame, mode, y, x) of the probe's
// shape.
class SlicedObject {
  public:
    // `object`: (plane, y, x) of s.tile.
    SlicedObject(Device& device, const BatchShape& s, const cfloat* object, const cfloat* transfers,
                 std::int32_t max_frames)
        : device_(device),
          s_(s),
          window_(s),
          object_(object),
          transfers_(transfers),
          max_frames_(max_frames) {
        window_.frame = s.probe;
        if (s.num_slices == 1) return;
        kept_ = device.scratch<cfloat>(Scratch::slice_waves,
                                       static_cast<std::size_t>(s.num_slices - 1) * turn_size());
    }

    ObjectWindow slice(std::int32_t i) const { return {object_ + i * area_of(s_.tile), 1}; }
    // What meets slice i; behind the first, after exit_waves().
    ProbeModes incident(std::int32_t i) const {
        return i == 0 ? probe_ : ProbeModes{kept(i), probe_stride()};
    }

    // Before the waves of these frames, whose probe is given.
    void place(const FramePosition* frames, std::int32_t num_frames, const ProbeModes& probe) {
        frames_ = frames;
        num_waves_ = num_frames * s_.num_waves();
        probe_ = probe;
    }

    // From the probe to the wave behind the object, in the frame's shape.
    void exit_waves(cfloat* waves) {
        for (std::int32_t i = 0; i + 1 < s_.num_slices; ++i) {
            cfloat* next = kept(i + 1);
            device_.for_each({s_.probe.x, s_.probe.y, num_waves_},
                             ExitWave{window_, frames_, incident(i), slice(i), next});
            travel(next, i, false);
        }
        const std::int32_t last = s_.num_slices - 1;
        device_.for_each({s_.frame.x, s_.frame.y, num_waves_},
                         ExitWave{s_, frames_, incident(last), slice(last), waves});
    }

    // Calls visit(slice, shape, wave) from the last slice to the first, with the gradient's wave behind each:
    // (frame, mode, y, x) of shape.frame.
    template <class Visit>
    void walk_back(const cfloat* chi, const Visit& visit) {
        visit(s_.num_slices - 1, s_, chi);
        if (s_.num_slices == 1) return;
        cfloat* before = device_.scratch<cfloat>(Scratch::slice_gradients, turn_size());
        const BatchShape* shape = &s_;
        for (std::int32_t i = s_.num_slices - 1; i > 0; --i) {
            device_.for_each({s_.probe.x, s_.probe.y, num_waves_},
                             ProbeProduct{*shape, frames_, slice(i), chi, before});
            travel(before, i - 1, true);
            chi = before;
            shape = &window_;
            visit(i - 1, window_, chi);
        }
    }

  private:
    std::ptrdiff_t probe_stride() const { return static_cast<std::ptrdiff_t>(s_.probe_size()); }
    std::size_t turn_size() const { return static_cast<std::size_t>(max_frames_) * s_.probe_size(); }
    cfloat* kept(std::int32_t i) const { return kept_ + static_cast<std::size_t>(i - 1) * turn_size(); }

    // Through the free space behind slice i, or back.
    void travel(cfloat* waves, std::int32_t i, bool back) {
        device_.forward(waves, s_.probe, num_waves_);
        device_.for_each({s_.probe.x, s_.probe.y, num_waves_},
                         MultiplyTransfer{window_, slice_transfer(s_, transfers_, i), nullptr, back, waves});
        device_.backward(waves, s_.probe, num_waves_);
    }

    Device& device_;
    const BatchShape& s_;
    BatchShape window_;  // the same, waves without the padding of a frame
    const cfloat* object_;
    const cfloat* transfers_;  // include the 1/size of their two transforms
    std::int32_t max_frames_;
    cfloat* kept_ = nullptr;  // (slice - 1, frame, mode, y, x)
    const FramePosition* frames_ = nullptr;
    std::int32_t num_waves_ = 0;
    ProbeModes probe_{};
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

// How the frames from `first` on are lit.
inline FrameLights lights_from(const std::byte* frames, const BatchShape& s, std::int32_t first) {
    const float* lights = lights_of(frames, s);
    if (lights == nullptr) return {};
    return {lights + static_cast<std::ptrdiff_t>(first) * light_size(s.num_opr_modes), s.num_opr_modes};
}
inline FrameLights lights_from(const Buffers& buffers, const BatchShape& s, std::int32_t first) {
    return lights_from(buffers.get<const std::byte>(1), s, first);
}

// The counts of the frames from `first` on.
inline Measurements measurements_from(const std::byte* patterns, const DetectorView& detector,
                                      const BatchShape& s, std::int32_t first) {
    const std::size_t bytes = detector_shape(s).area() * bytes_per_count(s.pattern_type);
    return {{patterns + static_cast<std::size_t>(first) * bytes, s.pattern_type}, detector};
}
inline Measurements measurements_from(const Buffers& buffers, const BatchShape& s, std::int32_t first) {
    return measurements_from(buffers.get<const std::byte>(0),
                             detector_view(buffers.get<const std::byte>(2), s), s, first);
}

// Calls take(first, number) for the frames of a batch, `turn` at a time.
template <class Take>
void for_each_turn(const BatchShape& s, std::int32_t turn, const Take& take) {
    for (std::int32_t first = 0; first < s.num_frames; first += turn)
        take(first, s.num_frames - first < turn ? s.num_frames - first : turn);
}

}  // namespace tessera

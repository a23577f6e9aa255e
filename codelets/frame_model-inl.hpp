// The forward model of one frame and its adjoint: where the probe falls (to a fraction of a pixel) and how
// the wave travels. Compiled once per instruction set.
#if defined(TESSERA_CODELETS_FRAME_MODEL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#undef TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#else
#define TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#endif

#include "codelets/layout.hpp"
#include "codelets/runtime/workspace.hpp"
#include "codelets/wave_sweeps-inl.hpp"
#include "math/fft.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Between the sample and the detector. Far field: one transform. Near field: F^-1 H F.
// Waves are left unscaled: |wave|^2 * scale() is the intensity, and the adjoint is scale() * backward().
class Propagator {
  public:
    Propagator(const BatchShape& s, const cfloat* transfer, Workspace& workspace)
        : s_(s), plan_(fft_plan({s.frame.y, s.frame.x})), transfer_(transfer) {
        if (transfer == nullptr || s.interpolation != Interpolation::fourier) return;
        ramp_y_ = workspace.get<cfloat>(Workspace::Slot::detector_ramp,
                                        static_cast<std::size_t>(s.frame.y + s.frame.x));
        ramp_x_ = ramp_y_ + s.frame.y;
    }

    float scale() const { return transfer_ == nullptr ? 1.0f / static_cast<float>(plan_.size()) : 1.0f; }

    // Before forward() and backward() of a frame.
    void place(const FramePosition& at) {
        if (ramp_y_ == nullptr) return;
        phase_ramp(at.frac_y, s_.frame.y, 1.0f, ramp_y_);
        phase_ramp(at.frac_x, s_.frame.x, 1.0f, ramp_x_);
    }

    // One mode's wave, in place.
    void forward(cfloat* wave) const {
        plan_.forward(wave);
        if (transfer_ == nullptr) return;
        multiply_transfer<false>(wave, transfer_, ramp_y_, ramp_x_, s_);
        plan_.backward(wave);
    }

    void backward(cfloat* wave) const {
        if (transfer_ != nullptr) {
            plan_.forward(wave);
            multiply_transfer<true>(wave, transfer_, ramp_y_, ramp_x_, s_);
        }
        plan_.backward(wave);
    }

  private:
    const BatchShape& s_;
    const FftPlan& plan_;
    const cfloat* transfer_;  // includes the 1/size of its two transforms
    cfloat* ramp_y_ = nullptr;
    cfloat* ramp_x_ = nullptr;
};

// What moves: whose gradient is wanted, or whose direction takes part.
enum class Moving { nothing, object, object_and_probe };

class FrameModel {
  public:
    using Slot = Workspace::Slot;

    // `probe` and `object` are value and direction as in codelets/layout.hpp.
    FrameModel(const BatchShape& s, const std::byte* probe, const std::byte* object, Workspace& workspace)
        : s_(s),
          fourier_(s.interpolation == Interpolation::fourier),
          bilinear_(s.interpolation == Interpolation::bilinear),
          plan_(fourier_ ? &fft_plan({s.probe.y, s.probe.x}) : nullptr),
          probe_(moving_field(probe, s.probe_size())),
          object_(moving_field(object, s.tile.area())),
          workspace_(workspace) {}

    // Once per batch, before place(): what the frames share.
    void prepare(Moving along) {
        along_ = along;
        if (!fourier_) return;
        spectrum_ = spectrum_of(probe_.value, Slot::spectrum);
        if (along_ == Moving::object_and_probe)
            direction_spectrum_ = spectrum_of(probe_.direction, Slot::direction_spectrum);
        ramp_y_ = workspace_.get<cfloat>(Slot::ramp, static_cast<std::size_t>(s_.probe.y + s_.probe.x));
        ramp_x_ = ramp_y_ + s_.probe.y;
    }

    void place(const FramePosition& at) {
        at_ = at;
        offset_ = static_cast<std::ptrdiff_t>(at.y) * s_.tile.x + at.x;
        if (fourier_) {
            phase_ramp(at.frac_y, s_.probe.y, 1.0f / static_cast<float>(plan_->size()), ramp_y_);
            phase_ramp(at.frac_x, s_.probe.x, 1.0f, ramp_x_);
            shifted_probe_ = shifted(spectrum_, Slot::probe);
            if (along_ == Moving::object_and_probe)
                shifted_direction_ = shifted(direction_spectrum_, Slot::direction);
        }
        if (bilinear_) {
            interpolated_ = interpolated(object_.value, Slot::object);
            if (along_ != Moving::nothing)
                interpolated_direction_ = interpolated(object_.direction, Slot::object_direction);
        }
    }

    // Of the frame that place() was called for: one mode of the probe, the object's window.
    const cfloat* probe(int k) const { return mode(fourier_ ? shifted_probe_ : probe_.value, k); }
    const cfloat* probe_direction(int k) const {
        return mode(fourier_ ? shifted_direction_ : probe_.direction, k);
    }
    Window<const cfloat> object() const { return window(object_.value, interpolated_); }
    Window<const cfloat> object_direction() const {
        return window(object_.direction, interpolated_direction_);
    }

    // Adds the gradients of mode k's back-propagated wave chi to the batch's window (origin at s.window_y,
    // s.window_x of the tile) and to its probe part; finish() must follow the last frame.
    void add_gradients(int k, const cfloat* chi, cfloat* window_part, cfloat* probe_part, Moving moving) {
        const std::ptrdiff_t row = at_.y - s_.window_y, column = at_.x - s_.window_x;
        const Window<cfloat> target = {window_part + row * s_.window.x + column, s_.window.x};
        Window<cfloat> object_target = target;
        if (bilinear_) {
            cfloat* dense = workspace_.get<cfloat>(Slot::product, s_.probe.area());
            std::memset(static_cast<void*>(dense), 0, s_.probe.area() * sizeof(cfloat));
            object_target = {dense, s_.probe.x};
        }
        cfloat* probe_gradient = mode(probe_part, k);
        if (moving == Moving::object) {
            HWY_NAMESPACE::add_gradients<Target::none>(chi, probe(k), object(), object_target, nullptr, s_);
        } else if (fourier_) {
            cfloat* product = workspace_.get<cfloat>(Slot::product, s_.probe.area());
            HWY_NAMESPACE::add_gradients<Target::overwrite>(chi, probe(k), object(), object_target, product,
                                                            s_);
            plan_->forward(product);
            add_conjugate_ramp(product, ramp_y_, ramp_x_, probe_gradient, s_);
        } else {
            HWY_NAMESPACE::add_gradients<Target::add>(chi, probe(k), object(), object_target, probe_gradient,
                                                      s_);
        }
        if (bilinear_) spread(object_target.data, bilinear_weights(at_.frac_y, at_.frac_x), target, s_);
    }

    // Fourier interpolation adds up the probe gradient's spectrum; one transform per batch brings it back.
    void finish(cfloat* probe_gradient, Moving moving) const {
        if (!fourier_ || moving == Moving::object) return;
        for (int k = 0; k < s_.num_modes; ++k) plan_->backward(mode(probe_gradient, k));
    }

  private:
    template <class Value>
    Value* mode(Value* modes, int k) const {
        return modes + static_cast<std::size_t>(k) * s_.probe.area();
    }
    cfloat* spectrum_of(const cfloat* modes, Slot slot) {
        cfloat* spectrum = workspace_.get<cfloat>(slot, s_.probe_size());
        std::memcpy(static_cast<void*>(spectrum), modes, s_.probe_size() * sizeof(cfloat));
        for (int k = 0; k < s_.num_modes; ++k) plan_->forward(mode(spectrum, k));
        return spectrum;
    }
    const cfloat* shifted(const cfloat* spectrum, Slot slot) {
        cfloat* modes = workspace_.get<cfloat>(slot, s_.probe_size());
        for (int k = 0; k < s_.num_modes; ++k) {
            apply_ramp(mode(spectrum, k), ramp_y_, ramp_x_, mode(modes, k), s_);
            plan_->backward(mode(modes, k));
        }
        return modes;
    }
    const cfloat* interpolated(const cfloat* object, Slot slot) {
        cfloat* dense = workspace_.get<cfloat>(slot, s_.probe.area());
        interpolate({object + offset_, s_.tile.x}, bilinear_weights(at_.frac_y, at_.frac_x), dense, s_);
        return dense;
    }
    Window<const cfloat> window(const cfloat* object, const cfloat* dense) const {
        return bilinear_ ? Window<const cfloat>{dense, s_.probe.x}
                         : Window<const cfloat>{object + offset_, s_.tile.x};
    }

    const BatchShape& s_;
    bool fourier_, bilinear_;
    Moving along_ = Moving::nothing;
    const FftPlan* plan_;  // of the probe's shape
    FieldView<const cfloat> probe_, object_;
    Workspace& workspace_;
    FramePosition at_;
    std::ptrdiff_t offset_ = 0;
    cfloat* ramp_y_ = nullptr;
    cfloat* ramp_x_ = nullptr;
    const cfloat* spectrum_ = nullptr;
    const cfloat* direction_spectrum_ = nullptr;
    const cfloat* shifted_probe_ = nullptr;
    const cfloat* shifted_direction_ = nullptr;
    const cfloat* interpolated_ = nullptr;
    const cfloat* interpolated_direction_ = nullptr;
};

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif

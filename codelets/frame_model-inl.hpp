// The forward model of one frame and its adjoint: where the probe falls (to a fraction of a pixel) and how
// the wave travels. Compiled once per instruction set.
#if defined(TESSERA_CODELETS_FRAME_MODEL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#undef TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#else
#define TESSERA_CODELETS_FRAME_MODEL_INL_HPP
#endif

#include "codelets/layout.hpp"
#include "codelets/projection_sweeps-inl.hpp"
#include "codelets/runtime/workspace.hpp"
#include "codelets/wave_sweeps-inl.hpp"
#include "codelets/window_slices-inl.hpp"
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
        workspace_ = &workspace;
        if (transfer == nullptr || s.interpolation != Interpolation::fourier) return;
        ramp_y_ = workspace.get<cfloat>(Workspace::Slot::detector_ramp,
                                        static_cast<std::size_t>(s.frame.y + s.frame.x));
        ramp_x_ = ramp_y_ + s.frame.y;
    }

    // Does the exit wave move back by the fraction that moved the probe?
    bool moves_back() const { return ramp_y_ != nullptr; }

    // along += the derivative of a wave by how far it moves back along an axis.
    void add_slope(int axis, const cfloat* wave, cfloat* along) const {
        cfloat* moved = workspace_->get<cfloat>(Workspace::Slot::moved_wave, s_.frame.area());
        std::memcpy(static_cast<void*>(moved), wave, s_.frame.area() * sizeof(cfloat));
        plan_.forward(moved);
        multiply_slope(axis, -1.0f / static_cast<float>(plan_.size()), {s_.frame.y, s_.frame.x}, moved);
        plan_.backward(moved);
        for (std::size_t i = 0; i < s_.frame.area(); ++i) along[i] = along[i] + moved[i];
    }

    float scale() const { return transfer_ == nullptr ? 1.0f / static_cast<float>(plan_.size()) : 1.0f; }

    // Before forward() and backward() of a frame.
    void place(const FramePosition& at) {
        if (ramp_y_ == nullptr) return;
        phase_ramp(at.frac_y, s_.frame.y, 1.0f, ramp_y_);
        phase_ramp(at.frac_x, s_.frame.x, 1.0f, ramp_x_);
    }

    // One wave, in place.
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
    Workspace* workspace_ = nullptr;
    const FftPlan& plan_;
    const cfloat* transfer_;  // includes the 1/size of its two transforms
    cfloat* ramp_y_ = nullptr;
    cfloat* ramp_x_ = nullptr;
};

// How each frame of a batch is lit: the same for all where the probe does not vary.
class Lights {
  public:
    Lights(const std::byte* frames, const BatchShape& s)
        : values_(lights_of(frames, s)), size_(light_size(s.num_opr_modes)) {}
    // For FrameModel::place().
    const float* of(std::int32_t frame) const {
        return values_ == nullptr ? nullptr : values_ + static_cast<std::ptrdiff_t>(frame) * size_;
    }
    // Times that of the wave, which is of amplitude 1.
    float intensity(std::int32_t frame) const { return values_ == nullptr ? 1.0f : *of(frame) * *of(frame); }

  private:
    const float* values_;
    std::int32_t size_;
};

// What moves: whose gradient is wanted, or whose direction takes part.
enum class Moving { nothing, object, object_and_probe };

// The wave passes the slices of the object one after the other, all modes each on its own, on the probe's
// window and periodic there:
//   u_0 = P_k,  u_l+1 = F^-1 H_l F (u_l O_l(r)),  psi_k = u_L-1 O_L-1(r)
// and its gradient passes them backwards, b_L-1 = chi:
//   g_O,l = conj(u_l) b_l,  c_l = conj(O_l(r)) b_l,  b_l-1 = F^-1 conj(H_l-1) F c_l,  g_P = c_0
// Every slice is read at the frame's position, bilinear between its pixels or at the whole pixel; fourier
// interpolation moves u_0 = P_k by the fraction, as with one slice, and with it all that follows. Where a
// window reaches beyond the tile there is vacuum, O = 1, which never moves: no direction, no gradient.
// Of an object with modes every mode O_m makes waves of its own, psi_mk = P_k O_m(r), and
//   g_O,m = sum_k conj(P_k) chi_mk,  g_P,k = sum_m conj(O_m(r)) chi_mk
// `wave` counts them, `plane` slices or modes.
class FrameModel {
  public:
    using Slot = Workspace::Slot;

    // `probe` and `object` are value and direction as in codelets/layout.hpp.
    FrameModel(const BatchShape& s, const std::byte* probe, const std::byte* object,
               const cfloat* slice_transfers, Workspace& workspace)
        : s_(s),
          window_(s),
          fourier_(s.interpolation == Interpolation::fourier),
          bilinear_(s.interpolation == Interpolation::bilinear),
          plan_(fourier_ || s.num_slices > 1 ? &fft_plan({s.probe.y, s.probe.x}) : nullptr),
          probe_(moving_field(probe, s.probe_size())),
          opr_modes_(opr_modes(probe, s)),
          object_(s, moving_field(object, s.tile_size()).value, {1, 0}, Slot::padded_object, Slot::object,
                  workspace),
          object_direction_(s, moving_field(object, s.tile_size()).direction, {0, 0}, Slot::padded_direction,
                            Slot::object_direction, workspace),
          slice_transfers_(slice_transfers),
          workspace_(workspace) {
        window_.frame = s.probe;
        if (s.num_slices == 1) return;
        slice_waves_ = workspace.get<cfloat>(Slot::slice_waves, further_slices() * s.probe_size());
        slice_gradients_ = workspace.get<cfloat>(Slot::slice_gradients, 2 * s.probe.area());
    }

    // Once per batch, before place(): what the frames share.
    void prepare(Moving along) {
        along_ = along;
        if (!fourier_) return;
        spectrum_ = spectrum_of(probe_.value, Slot::spectrum);
        if (opr_modes_ != nullptr) prepare_opr_modes();
        if (along_ == Moving::object_and_probe)
            direction_spectrum_ = spectrum_of(probe_.direction, Slot::direction_spectrum);
        ramp_y_ = workspace_.get<cfloat>(Slot::ramp, static_cast<std::size_t>(s_.probe.y + s_.probe.x));
        ramp_x_ = ramp_y_ + s_.probe.y;
    }

    // `light`: of a variable probe (codelets/variable_probe.hpp). The first mode then deviates by the
    // eigen-probes with their weights; the amplitude is for who compares intensities.
    void place(const FramePosition& at, const float* light = nullptr) {
        at_ = at;
        first_mode_ = first_mode(fourier_ ? spectrum_ : probe_.value, light);
        probe_here_ = fourier_ ? nullptr : with_first_mode();
        probe_direction_here_ = probe_.direction;
        object_.place(at);
        object_direction_.place(at);
        moved_object_ = {};
        if (fourier_) {
            phase_ramp(at.frac_y, s_.probe.y, 1.0f / static_cast<float>(plan_->size()), ramp_y_);
            phase_ramp(at.frac_x, s_.probe.x, 1.0f, ramp_x_);
            probe_here_ = shifted(first_mode_, spectrum_, Slot::probe, ramp_y_, ramp_x_);
            if (along_ == Moving::object_and_probe)
                probe_direction_here_ =
                    shifted(direction_spectrum_, direction_spectrum_, Slot::direction, ramp_y_, ramp_x_);
        }
        value_of_probe_ = probe_here_;
    }

    // Of the frame that place() was called for: one mode of the probe, the object's window in a plane.
    const cfloat* probe(int k) const { return mode(probe_here_, k); }
    const cfloat* probe_direction(int k) const { return mode(probe_direction_here_, k); }
    Window<const cfloat> object(int plane) {
        if (moved_object_.pixels == nullptr) return object_.plane(plane);
        if (moved_object_.plane != plane) {
            HWY_NAMESPACE::move(object_.plane(plane), object_direction(plane), moved_object_.step,
                                moved_object_.pixels, s_);
            moved_object_.plane = plane;
        }
        return {moved_object_.pixels, s_.probe.x};
    }
    Window<const cfloat> object_direction(int plane) { return object_direction_.plane(plane); }

    // From here to the next place() or move(): probe and object of this frame are where a step along their
    // directions leads to.
    void move(float step) {
        probe_here_ = value_of_probe_;
        if (along_ == Moving::object_and_probe) {
            cfloat* moved = workspace_.get<cfloat>(Slot::moved_probe, s_.probe_size());
            for (int k = 0; k < s_.num_modes; ++k) {
                HWY_NAMESPACE::move({probe(k), s_.probe.x}, {probe_direction(k), s_.probe.x}, step,
                                    mode(moved, k), s_);
            }
            probe_here_ = moved;
        }
        moved_object_ = {workspace_.get<cfloat>(Slot::moved_object, s_.probe.area()), step, -1};
    }

    // From here to the next place(): the probe, or the object with bilinear interpolation (one slice), of
    // this frame is its derivative along an axis of the position, and so are exit waves.
    void turn_to_slope(int axis) {
        probe_here_ = value_of_probe_;
        moved_object_ = {};
        if (bilinear_) return object_.weigh(bilinear_slopes(axis, at_.frac_y, at_.frac_x));
        cfloat* slopes_y =
            workspace_.get<cfloat>(Slot::slope_ramp, static_cast<std::size_t>(s_.probe.y + s_.probe.x));
        std::copy_n(ramp_y_, s_.probe.y + s_.probe.x, slopes_y);
        cfloat* slopes_x = slopes_y + s_.probe.y;
        if (axis == 0) multiply_slope(0, 1, {s_.probe.y, 1}, slopes_y);
        if (axis == 1) multiply_slope(1, 1, {1, s_.probe.x}, slopes_x);
        probe_here_ = shifted(first_mode_, spectrum_, Slot::direction, slopes_y, slopes_x);
    }

    // From here to the next place(): the first mode of this frame is eigen-probe i.
    void turn_to_opr_mode(int i) {
        if (!fourier_) {
            probe_here_ = plane(opr_modes_, i);
            return;
        }
        cfloat* mode_here = workspace_.get<cfloat>(Slot::direction, s_.probe_size());
        apply_ramp(plane(opr_spectra_, i), ramp_y_, ramp_x_, mode_here, s_);
        plan_->backward(mode_here);
        probe_here_ = mode_here;
    }

    // Wave i behind the object, in the frame's shape. What reaches the slices is kept for add_gradients().
    void exit_wave(int i, cfloat* wave) {
        const int k = s_.probe_mode_of(i);
        for (int slice = 0; slice + 1 < s_.num_slices; ++slice) {
            cfloat* next = wave_into(slice + 1, k);
            HWY_NAMESPACE::exit_wave(incident(slice, k), object(slice), next, window_);
            travel<false>(next, slice);
        }
        const int last = s_.num_slices - 1;
        HWY_NAMESPACE::exit_wave(incident(last, k), object(last + s_.object_mode_of(i)), wave, s_);
    }

    // Adds the gradients of wave i, back-propagated to chi, to the batch's window (origin at s.window_y,
    // s.window_x of the tile) and to its probe part; finish() must follow the last frame.
    void add_gradients(int i, const cfloat* chi, cfloat* window_part, cfloat* probe_part, Moving moving) {
        const int k = s_.probe_mode_of(i), first = s_.object_mode_of(i);
        const BatchShape* shape = &s_;
        for (int slice = s_.num_slices - 1; slice > 0; --slice) {
            cfloat* before = plane(slice_gradients_, slice % 2);
            add_gradients<Target::overwrite>(slice, k, chi, *shape, window_part, before);
            travel<true>(before, slice - 1);
            chi = before;
            shape = &window_;
        }
        cfloat* probe_gradient = mode(probe_part, k);
        if (moving == Moving::object) {
            add_gradients<Target::none>(first, k, chi, *shape, window_part, nullptr);
        } else if (fourier_) {
            cfloat* product = workspace_.get<cfloat>(Slot::product, s_.probe.area());
            add_gradients<Target::overwrite>(first, k, chi, *shape, window_part, product);
            plan_->forward(product);
            add_conjugate_ramp(product, ramp_y_, ramp_x_, probe_gradient, s_);
        } else {
            add_gradients<Target::add>(first, k, chi, *shape, window_part, probe_gradient);
        }
    }

    // The gradient of one mode of this frame's probe by its back-propagated wave chi, of an object of one
    // mode: where the probe belongs before it is shifted, with fourier interpolation as a spectrum.
    const cfloat* probe_gradient(const cfloat* chi) {
        cfloat* product = workspace_.get<cfloat>(Slot::quotients, s_.probe.area());
        multiply_conjugate(chi, object(s_.num_slices - 1), product, s_);
        for (int slice = s_.num_slices - 2; slice >= 0; --slice) {
            travel<true>(product, slice);
            multiply_conjugate(product, object(slice), product, window_);
        }
        if (!fourier_) return product;
        plan_->forward(product);
        cfloat* moved_back = workspace_.get<cfloat>(Slot::moved_wave, s_.probe.area());
        std::memset(static_cast<void*>(moved_back), 0, s_.probe.area() * sizeof(cfloat));
        add_conjugate_ramp(product, ramp_y_, ramp_x_, moved_back, s_);
        return moved_back;
    }
    // Sums of such spectra, `count` of them.
    void finish_gradients(cfloat* gradients, int count) const {
        for (int i = 0; fourier_ && i < count; ++i) plan_->backward(plane(gradients, i));
    }

    // What the overlap projection divides, and by what (one slice): wave i's part of
    //   sum_k conj(P_k) (psi_mk - P_k O_m)  on the batch's window, (mode, y, x)
    void add_object_residual(int i, const cfloat* psi, cfloat* window_part) {
        const int k = s_.probe_mode_of(i), m = s_.object_mode_of(i);
        const Window<cfloat> place = in_window(window_part + volume(s_.window, m));
        if (!bilinear_) {
            HWY_NAMESPACE::add_object_residual(psi, probe(k), object(m), place, s_);
            return;
        }
        cfloat* between = workspace_.get<cfloat>(Slot::product, s_.probe.area());
        std::memset(static_cast<void*>(between), 0, s_.probe.area() * sizeof(cfloat));
        HWY_NAMESPACE::add_object_residual(psi, probe(k), object(m), {between, s_.probe.x}, s_);
        spread(between, bilinear_weights(at_.frac_y, at_.frac_x), place, s_);
    }
    //   sum_k |P_k|^2  on the batch's window, in real parts: exactly the numerator's curvature, or with
    //   bilinear interpolation at least that
    void add_probe_power(cfloat* window_plane) {
        if (power_ == nullptr || fourier_) power_ = power_of_probe();
        if (bilinear_) {
            spread(power_, bilinear_weights(at_.frac_y, at_.frac_x), in_window(window_plane), s_);
        } else {
            add_dense(power_, in_window(window_plane), s_);
        }
    }
    //   sum_m conj(O_m) (psi_mk - P_k O_m)  on the probe; finish() must follow the last frame
    void add_probe_residual(int i, const cfloat* psi, cfloat* probe_part) {
        const int k = s_.probe_mode_of(i), m = s_.object_mode_of(i);
        if (!fourier_) {
            probe_residual<Target::add>(psi, probe(k), object(m), mode(probe_part, k), s_);
            return;
        }
        cfloat* product = workspace_.get<cfloat>(Slot::product, s_.probe.area());
        probe_residual<Target::overwrite>(psi, probe(k), object(m), product, s_);
        plan_->forward(product);
        add_conjugate_ramp(product, ramp_y_, ramp_x_, mode(probe_part, k), s_);
    }
    //   sum_m |O_m|^2  on the probe, in real parts: with fourier interpolation at whole pixels
    void add_object_power(cfloat* probe_plane) {
        for (int m = 0; m < s_.num_object_modes; ++m) add_power(object(m), {probe_plane, s_.probe.x}, s_);
    }

    // Fourier interpolation adds up the probe gradient's spectrum; one transform per batch brings it back.
    void finish(cfloat* probe_gradient, Moving moving) const {
        if (!fourier_ || moving == Moving::object) return;
        for (int k = 0; k < s_.num_modes; ++k) plan_->backward(mode(probe_gradient, k));
    }

  private:
    // The object that move() leads to, one plane at a time.
    struct MovedObject {
        cfloat* pixels = nullptr;  // null: not moved
        float step = 0;
        int plane = -1;  // that it holds now
    };

    // This frame's place in the batch's window.
    Window<cfloat> in_window(cfloat* window_part) const {
        const std::ptrdiff_t row = at_.y - s_.window_y, column = at_.x - s_.window_x;
        return {window_part + row * s_.window.x + column, s_.window.x};
    }
    const cfloat* power_of_probe() {
        cfloat* power = workspace_.get<cfloat>(Slot::power, s_.probe.area());
        std::memset(static_cast<void*>(power), 0, s_.probe.area() * sizeof(cfloat));
        for (int k = 0; k < s_.num_modes; ++k) add_power({probe(k), s_.probe.x}, {power, s_.probe.x}, s_);
        return power;
    }

    std::size_t further_slices() const { return static_cast<std::size_t>(s_.num_slices - 1); }
    template <class Value>
    Value* plane(Value* planes, int i) const {
        return planes + static_cast<std::size_t>(i) * s_.probe.area();
    }
    template <class Value>
    Value* mode(Value* modes, int k) const {
        return plane(modes, k);
    }
    // Mode k as it meets a slice.
    cfloat* wave_into(int slice, int k) const {
        return mode(slice_waves_ + static_cast<std::size_t>(slice - 1) * s_.probe_size(), k);
    }
    // As it meets a plane: modes are met by the probe itself.
    const cfloat* incident(int plane, int k) const {
        return plane == 0 || s_.num_slices == 1 ? probe(k) : wave_into(plane, k);
    }

    // Through the free space behind a slice; adjoint: back.
    template <bool adjoint>
    void travel(cfloat* wave, int slice) const {
        plan_->forward(wave);
        multiply_transfer<adjoint>(wave, slice_transfer(s_, slice_transfers_, slice), nullptr, nullptr,
                                   window_);
        plan_->backward(wave);
    }

    // One plane's: `shape` says how chi lies in memory.
    template <Target target>
    void add_gradients(int plane, int k, const cfloat* chi, const BatchShape& shape, cfloat* window_part,
                       cfloat* before) {
        const std::ptrdiff_t row = at_.y - s_.window_y, column = at_.x - s_.window_x;
        cfloat* window = window_part + volume(s_.window, plane);
        if (!object_.reaches_out()) {
            const Window<cfloat> place = {window + row * s_.window.x + column, s_.window.x};
            add_gradients_at<target>(plane, k, chi, shape, place, before);
            return;
        }
        const Shape2 read = WindowPlanes::pixels_read(s_);
        cfloat* padded = workspace_.get<cfloat>(Slot::padded_gradient, read.area());
        std::memset(static_cast<void*>(padded), 0, read.area() * sizeof(cfloat));
        add_gradients_at<target>(plane, k, chi, shape, {padded, read.x}, before);
        const WindowPart part = part_inside(s_.window, at_.y - s_.window_y, at_.x - s_.window_x, read);
        for (int y = part.y0; y < part.y1; ++y) {
            const cfloat* from = padded + static_cast<std::ptrdiff_t>(y) * read.x;
            cfloat* to = window + (row + y) * s_.window.x + column;
            for (int x = part.x0; x < part.x1; ++x) to[x] = to[x] + from[x];
        }
    }

    template <Target target>
    void add_gradients_at(int plane, int k, const cfloat* chi, const BatchShape& shape, Window<cfloat> place,
                          cfloat* before) {
        if (!bilinear_) {
            HWY_NAMESPACE::add_gradients<target>(chi, incident(plane, k), object(plane), place, before,
                                                 shape);
            return;
        }
        cfloat* between = workspace_.get<cfloat>(Slot::product, s_.probe.area());
        std::memset(static_cast<void*>(between), 0, s_.probe.area() * sizeof(cfloat));
        HWY_NAMESPACE::add_gradients<target>(chi, incident(plane, k), object(plane), {between, s_.probe.x},
                                             before, shape);
        spread(between, bilinear_weights(at_.frac_y, at_.frac_x), place, s_);
    }

    cfloat* spectrum_of(const cfloat* modes, Slot slot) {
        cfloat* spectrum = workspace_.get<cfloat>(slot, s_.probe_size());
        std::memcpy(static_cast<void*>(spectrum), modes, s_.probe_size() * sizeof(cfloat));
        for (int k = 0; k < s_.num_modes; ++k) plan_->forward(mode(spectrum, k));
        return spectrum;
    }
    // `first`: the spectrum of the first mode.
    const cfloat* shifted(const cfloat* first, const cfloat* spectrum, Slot slot, const cfloat* ramp_y,
                          const cfloat* ramp_x) {
        cfloat* modes = workspace_.get<cfloat>(slot, s_.probe_size());
        for (int k = 0; k < s_.num_modes; ++k) {
            apply_ramp(k == 0 ? first : mode(spectrum, k), ramp_y, ramp_x, mode(modes, k), s_);
            plan_->backward(mode(modes, k));
        }
        return modes;
    }

    void prepare_opr_modes() {
        const std::size_t size = static_cast<std::size_t>(s_.num_opr_modes) * s_.probe.area();
        cfloat* spectra = workspace_.get<cfloat>(Slot::opr_spectra, size);
        std::memcpy(static_cast<void*>(spectra), opr_modes_, size * sizeof(cfloat));
        for (int i = 0; i < s_.num_opr_modes; ++i) plan_->forward(plane(spectra, i));
        opr_spectra_ = spectra;
    }
    // Of the probe, or with fourier interpolation of its spectrum, as a frame is lit.
    const cfloat* first_mode(const cfloat* modes, const float* light) {
        if (light == nullptr || opr_modes_ == nullptr) return modes;
        const std::size_t area = s_.probe.area();
        cfloat* mixed = workspace_.get<cfloat>(Slot::mixed_mode, area);
        std::memcpy(static_cast<void*>(mixed), modes, area * sizeof(cfloat));
        const cfloat* deviations = fourier_ ? opr_spectra_ : opr_modes_;
        for (int i = 0; i < s_.num_opr_modes; ++i)
            add_multiple({light[1 + 2 * i], light[2 + 2 * i]}, plane(deviations, i), mixed, area);
        return mixed;
    }
    const cfloat* with_first_mode() {
        if (first_mode_ == probe_.value) return probe_.value;
        cfloat* modes = workspace_.get<cfloat>(Slot::probe, s_.probe_size());
        std::memcpy(static_cast<void*>(modes), probe_.value, s_.probe_size() * sizeof(cfloat));
        std::memcpy(static_cast<void*>(modes), first_mode_, s_.probe.area() * sizeof(cfloat));
        return modes;
    }

    const BatchShape& s_;
    BatchShape window_;  // the same, waves without the padding of a frame: between slices
    bool fourier_, bilinear_;
    Moving along_ = Moving::nothing;
    const FftPlan* plan_;  // of the probe's shape
    FieldView<const cfloat> probe_;
    const cfloat* opr_modes_;  // null: the probe does not vary, or by its power alone
    WindowPlanes object_, object_direction_;
    const cfloat* slice_transfers_;  // include the 1/size of their two transforms
    Workspace& workspace_;
    FramePosition at_;
    cfloat* ramp_y_ = nullptr;
    cfloat* ramp_x_ = nullptr;
    const cfloat* spectrum_ = nullptr;
    const cfloat* direction_spectrum_ = nullptr;
    const cfloat* opr_spectra_ = nullptr;
    const cfloat* first_mode_ = nullptr;  // of this frame, or its spectrum
    const cfloat* probe_here_ = nullptr;
    const cfloat* probe_direction_here_ = nullptr;
    const cfloat* value_of_probe_ = nullptr;  // where a move begins
    MovedObject moved_object_;
    const cfloat* power_ = nullptr;      // of the probe, dense, in real parts
    cfloat* slice_waves_ = nullptr;      // (slice - 1, mode, y, x)
    cfloat* slice_gradients_ = nullptr;  // two of them, in turns
};

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif

#include "codelets/variable_probe.hpp"

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/trial_costs.hpp"
#include "codelets/light_rules.hpp"

namespace tessera {
namespace {

// ---- fit_lights

// Row a of a frame's equations: curvatures with all b <= a, and last the gradient. y: frame * size + a.
struct LightEquationRows {
    static constexpr int num_sums = max_light_size + 1;
    BatchShape s;
    Measurements measurements;
    float scale;  // at amplitude 1
    FrameLights lights;
    const cfloat* fields;      // (frame, mode, y, x)
    const cfloat* opr_fields;  // (frame, i, y, x)

    TESSERA_HD float slope(std::int32_t a, std::int32_t frame, std::int32_t pixel, cfloat first,
                           float power) const {
        const float amplitude = *lights.of(frame);
        if (a == 0) return 2 * amplitude * scale * power;
        const std::ptrdiff_t field = static_cast<std::ptrdiff_t>(frame) * s.num_opr_modes + (a - 1) / 2;
        const cfloat product = conj_mul(first, opr_fields[field * area_of(s.frame) + pixel]);
        return 2 * amplitude * amplitude * scale * ((a & 1) == 1 ? product.re : -product.im);
    }
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t row, float (&sums)[num_sums]) const {
        const std::int32_t size = light_size(s.num_opr_modes), frame = row / size, a = row % size;
        const std::ptrdiff_t area = area_of(s.frame);
        const cfloat* wave = fields + static_cast<std::ptrdiff_t>(frame) * s.num_modes * area + pixel;
        float power = 0;
        for (std::int32_t k = 0; k < s.num_modes; ++k) power = norm_add(wave[k * area], power);
        const Measured all = measurements(s, frame, pixel);
        const float intensity = fma(power, scale * lights.intensity(frame), all.background);
        const Measured m = all.compared_with(intensity, s.saturated_from);
        const float mine = slope(a, frame, pixel, wave[0], power);
        const float weighted = mine * curvature_of(s.noise_model, intensity, m);
        for (std::int32_t b = 0; b <= a; ++b)
            sums[b] = fma(weighted, slope(b, frame, pixel, wave[0], power), sums[b]);
        sums[max_light_size] = fma(misfit_of(s.noise_model, intensity, m).factor, mine, sums[max_light_size]);
    }
};

// Of each frame: the step, and half the derivative along it. x: the frame.
inline constexpr int light_step_size = max_light_size + 1;
struct LightStepScalars {
    std::int32_t num_opr_modes, has_intensity;
    const double* equations;  // (frame, a, sum)
    FrameLights lights;
    double* steps;  // (frame, light_step_size)
    TESSERA_HD void operator()(std::int32_t frame, std::int32_t, std::int32_t) const {
        const int n = light_size(num_opr_modes), width = LightEquationRows::num_sums;
        rules::LightEquations e;
        double gradient[max_light_size];
        for (int a = 0; a < n; ++a) {
            const double* row = equations + (static_cast<std::ptrdiff_t>(frame) * n + a) * width;
            for (int b = 0; b <= a; ++b) e.curvature[a][b] = row[b];
            e.gradient[a] = gradient[a] = a == 0 && has_intensity == 0 ? 0.0 : row[max_light_size];
        }
        double* step = steps + static_cast<std::ptrdiff_t>(frame) * light_step_size;
        rules::light_step(e, n, has_intensity != 0, static_cast<double>(*lights.of(frame)), step);
        step[max_light_size] = rules::light_slope(gradient, step, n);
    }
};

// The first mode's dPsi, 0 of others: to be C. x: pixel of the waves, y: frame.
struct FieldsAlongLight {
    BatchShape s;
    FrameLights lights;
    const double* steps;
    const cfloat* opr_fields;
    cfloat *a, *b, *c;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t frame, std::int32_t) const {
        const std::ptrdiff_t area = area_of(s.frame),
                             here = static_cast<std::ptrdiff_t>(frame) * s.num_modes * area + i;
        const double* step = steps + static_cast<std::ptrdiff_t>(frame) * light_step_size;
        cfloat along = {0, 0};
        for (std::int32_t m = 0; m < s.num_opr_modes && i < area; ++m) {
            const cfloat weight = {static_cast<float>(step[1 + 2 * m]), static_cast<float>(step[2 + 2 * m])};
            const std::ptrdiff_t field = static_cast<std::ptrdiff_t>(frame) * s.num_opr_modes + m;
            along = mul_add(weight, opr_fields[field * area + i], along);
        }
        const float amplitude = *lights.of(frame), change = static_cast<float>(step[0]);
        const cfloat psi = a[here];
        a[here] = amplitude * psi;
        b[here] = scale_add(amplitude, along, change * psi);
        c[here] = change * along;
    }
};

// A frame's costs at no step and at each step tried.
struct CompareLights {
    BatchShape s;
    Measurements measurements;
    float scale;
    const cfloat *a, *b, *c;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_costs]) const {
        const Measured m = measurements(s, frame, pixel);
        const std::ptrdiff_t area = area_of(s.frame);
        std::ptrdiff_t here = static_cast<std::ptrdiff_t>(frame) * s.num_modes * area + pixel;
        pixel::IntensityPolynomial<float> p = {0, 0, 0, 0, 0};
        for (std::int32_t k = 0; k < s.num_modes; ++k, here += area)
            p = pixel::add_mode(p, a[here], b[here], c[here]);
        const AddTrialCosts trial = {s.noise_model, s.saturated_from, scale, nullptr};
        trial.add_cost(p.c0, m, sums[0]);
        for (int i = 1; i < num_costs; ++i)
            trial.add_cost(pixel::intensity_at(p, rules::light_trial_step(i - 1)), m, sums[i]);
    }
};

// Lights move; how far is left in the place of the slope. x: the frame.
struct MoveLightScalars {
    FitLightsArgs args;
    const double* costs;  // (frame, num_costs)
    const IterationState* state;
    double* steps;
    float* lights;  // of the turn
    TESSERA_HD void operator()(std::int32_t frame, std::int32_t, std::int32_t) const {
        const std::int32_t n = light_size(args.shape.num_opr_modes);
        double* step = steps + static_cast<std::ptrdiff_t>(frame) * light_step_size;
        const double length =
            args.step_size * rules::accepted_step(costs + static_cast<std::ptrdiff_t>(frame) * num_costs,
                                                  rules::light_ladder_centre, step[max_light_size], true);
        step[max_light_size] = length;
        if (state->stopped != 0) return;
        float* light = lights + static_cast<std::ptrdiff_t>(frame) * n;
        for (std::int32_t i = 0; i < n; ++i)
            light[i] = static_cast<float>(static_cast<double>(light[i]) + length * step[i]);
    }
};

// The derivative by the first mode's far field of amplitude 1 at the new light, but for that amplitude.
struct FirstModeResidual {
    BatchShape s;
    Measurements measurements;
    float scale;
    const double* steps;
    const cfloat *a, *b, *c;
    cfloat* residual;  // (frame, y, x)
    TESSERA_HD cfloat field(std::ptrdiff_t i, float t) const {
        return scale_add(t * t, c[i], scale_add(t, b[i], a[i]));
    }
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        const std::ptrdiff_t area = area_of(s.frame),
                             here = static_cast<std::ptrdiff_t>(frame) * s.num_modes * area + pixel;
        const auto t =
            static_cast<float>(steps[static_cast<std::ptrdiff_t>(frame) * light_step_size + max_light_size]);
        float intensity = 0;
        for (std::int32_t k = 0; k < s.num_modes; ++k)
            intensity = norm_add(field(here + k * area, t), intensity);
        const Measured all = measurements(s, frame, pixel);
        intensity = fma(intensity, scale, all.background);
        const Measured m = all.compared_with(intensity, s.saturated_from);
        const float factor = misfit_of(s.noise_model, intensity, m).factor;
        residual[frame * area + pixel] = factor * scale * field(here, t);
    }
};

// Gradients of the eigen-probes, and in the plane behind them the object's power. x, y: of the probe, z: i.
struct GatherOprGradients {
    BatchShape s;
    const FramePosition* frames;
    std::int32_t num_frames;
    FrameLights lights;
    ObjectWindow object;
    const cfloat* product;  // (frame, y, x): conj(O) chi, with fourier interpolation its spectrum
    const cfloat* ramps;
    cfloat* gradients;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t i) const {
        cfloat sum = gradients[i * area_of(s.probe) + at(s.probe, y, x)];
        for (std::int32_t j = 0; j < num_frames; ++j) {
            if (i == s.num_opr_modes) {
                sum.re = norm_add(object(s, frames[j], y, x), sum.re);
                continue;
            }
            cfloat value = product[j * area_of(s.probe) + at(s.probe, y, x)];
            if (ramps != nullptr) value = conj_mul(ramp_at(ramps, s.probe, j, y, x), value);
            sum = mul_add(*lights.of(j) * conj(lights.weight(j, i)), value, sum);
        }
        gradients[i * area_of(s.probe) + at(s.probe, y, x)] = sum;
    }
};

struct LightsFinishSums {
    FrameLights lights;
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    cfloat* moments;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        rules::LightMoments m = {};
        double intensity = 0;
        for (std::int32_t j = 0; j < num_frames; ++j)
            rules::add_light(lights.of(j), lights.num_opr_modes, intensity, m);
        sums->intensity = intensity;
        if (lights.num_opr_modes > 0) rules::set_moments(m, lights.num_opr_modes, moments);
    }
};

BatchShape with_modes(BatchShape s, std::int32_t num_modes) {
    s.num_modes = num_modes;
    return s;
}

// The frames of a batch, some at a time.
class LightsOfBatch {
  public:
    LightsOfBatch(const FitLightsArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          opr_(with_modes(s_, s_.num_opr_modes)),
          first_mode_(with_modes(s_, 1)),
          buffers_(buffers),
          device_(device),
          turn_(turn_of(device)),
          state_(buffers.get<const IterationState>(5)),
          out_(buffers.get<std::byte>(6)),
          lights_(lights_of(buffers.get<std::byte>(1), s_)),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          probe_(device, s_, moving_field(buffers.get<const std::byte>(3), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s_)),
          ramps_(probe_ramps(device, s_, turn_)),
          a_(waves(Scratch::waves)),
          b_(waves(Scratch::waves_along)),
          c_(waves(Scratch::waves_along_twice)) {
        const auto turn = static_cast<std::size_t>(turn_), n = static_cast<std::size_t>(s_.num_opr_modes);
        steps_ = device.scratch<double>(Scratch::light_steps, turn * light_step_size);
        equations_ = device.scratch<double>(
            Scratch::light_equations,
            turn * static_cast<std::size_t>(light_size(s_.num_opr_modes)) * LightEquationRows::num_sums);
        costs_ = device.scratch<double>(Scratch::row_sums, turn * num_costs);
        if (n == 0) return;
        opr_probe_ = device.scratch<cfloat>(Scratch::opr_probe, turn * n * s_.probe.area());
        opr_fields_ = device.scratch<cfloat>(Scratch::opr_fields, turn * n * s_.frame.area());
    }

    void run() {
        device_.clear(out_, sums_bytes(opr_sums_size(s_.num_opr_modes, s_.probe)));
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            first_ = first;
            num_frames_ = s_.num_frames - first < turn_ ? s_.num_frames - first : turn_;
            frames_ = buffers_.get<const FramePosition>(1) + first;
            here_ = lights_from(buffers_, s_, first);
            take_turn();
        }
        if (ramps_ != nullptr && s_.num_opr_modes > 0)
            device_.backward(probe_part(out_), s_.probe, s_.num_opr_modes);
        cfloat* moments = probe_part(out_) + static_cast<std::size_t>(s_.num_opr_modes + 1) * s_.probe.area();
        device_.once(
            LightsFinishSums{lights_from(buffers_, s_, 0), s_.num_frames, state_, batch_sums(out_), moments});
    }

  private:
    // A row of sums for each number of each frame: a grid's second extent is 16 bit.
    std::int32_t turn_of(Device& device) const {
        const std::int32_t most = 65535 / light_size(s_.num_opr_modes),
                           turn = frames_at_a_time(s_, device.wave_budget_bytes());
        return turn < most ? turn : most;
    }
    cfloat* waves(Scratch slot) {
        return device_.scratch<cfloat>(slot, static_cast<std::size_t>(turn_) * s_.waves_size());
    }
    Measurements measurements() const { return measurements_from(buffers_, s_, first_); }

    void take_turn() {
        place_ramps(device_, s_, frames_, num_frames_, ramps_);
        make_fields(s_, probe_.at(ramps_, num_frames_, here_), a_);
        if (s_.num_opr_modes > 0) {
            make_fields(opr_, probe_.opr_modes_at(opr_, ramps_, num_frames_, opr_probe_), opr_fields_);
        }
        move_lights();
        if (s_.num_opr_modes > 0) add_gradients();
    }

    // `shape`: that of these modes.
    void make_fields(const BatchShape& shape, const ProbeModes& modes, cfloat* fields) {
        SlicedObject object(device_, shape, object_values(), detector_.slice_transfers, turn_);
        FramePropagator propagator(device_, shape, detector_.transfer, turn_);
        scale_ = propagator.common_scale();
        object.place(frames_, num_frames_, modes);
        object.exit_waves(fields);
        propagator.place(frames_, num_frames_);
        propagator.forward(fields);
    }
    const cfloat* object_values() const {
        return moving_field(buffers_.get<const std::byte>(4), s_.tile_size()).value;
    }

    void move_lights() {
        const auto area = static_cast<std::int32_t>(s_.frame.area());
        device_.reduce_rows<LightEquationRows::num_sums, Sum>(
            num_frames_ * light_size(s_.num_opr_modes), area,
            LightEquationRows{s_, measurements(), scale_, here_, a_, opr_fields_}, equations_);
        device_.for_each({num_frames_},
                         LightStepScalars{s_.num_opr_modes, args_.has_intensity, equations_, here_, steps_});
        device_.for_each({static_cast<std::int32_t>(s_.waves_size()), num_frames_},
                         FieldsAlongLight{s_, here_, steps_, opr_fields_, a_, b_, c_});
        device_.reduce_rows<num_costs, Sum>(num_frames_, area,
                                            CompareLights{s_, measurements(), scale_, a_, b_, c_}, costs_);
        float* lights = lights_ + static_cast<std::ptrdiff_t>(first_) * light_size(s_.num_opr_modes);
        device_.for_each({num_frames_}, MoveLightScalars{args_, costs_, state_, steps_, lights});
    }

    void add_gradients() {
        cfloat* residual = opr_fields_;  // which are not needed any more
        device_.for_each({static_cast<std::int32_t>(s_.frame.area()), num_frames_},
                         FirstModeResidual{s_, measurements(), scale_, steps_, a_, b_, c_, residual});
        FramePropagator propagator(device_, first_mode_, detector_.transfer, turn_);
        propagator.place(frames_, num_frames_);
        propagator.backward(residual);
        SlicedObject object(device_, first_mode_, object_values(), detector_.slice_transfers, turn_);
        object.place(frames_, num_frames_, {});
        object.walk_back(residual, [&](std::int32_t slice, const BatchShape& shape, const cfloat* chi) {
            if (slice == 0) gather(shape, object.slice(0), chi);
        });
    }

    // `shape` says how chi lies in memory.
    void gather(const BatchShape& shape, const ObjectWindow& object, const cfloat* chi) {
        auto* product =
            device_.scratch<cfloat>(Scratch::product, static_cast<std::size_t>(turn_) * s_.probe.area());
        device_.for_each({s_.probe.x, s_.probe.y, num_frames_},
                         ProbeProduct{shape, frames_, object, chi, product});
        if (ramps_ != nullptr) device_.forward(product, s_.probe, num_frames_);
        device_.for_each(
            {s_.probe.x, s_.probe.y, s_.num_opr_modes + 1},
            GatherOprGradients{s_, frames_, num_frames_, here_, object, product, ramps_, probe_part(out_)});
    }

    const FitLightsArgs& args_;
    const BatchShape& s_;
    BatchShape opr_, first_mode_;  // the same, with as many modes as there are eigen-probes; with one
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;
    const IterationState* state_;
    std::byte* out_;
    float* lights_;
    DetectorView detector_;
    ShiftedProbe probe_;
    cfloat* ramps_;
    cfloat *a_, *b_, *c_;
    double *steps_ = nullptr, *equations_ = nullptr, *costs_ = nullptr;
    cfloat *opr_probe_ = nullptr, *opr_fields_ = nullptr;
    std::int32_t first_ = 0, num_frames_ = 0;
    const FramePosition* frames_ = nullptr;
    FrameLights here_;
    float scale_ = 1;
};

// ---- update_opr_modes

struct LargestPower {
    const cfloat* power;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, float (&largest)[1]) const {
        Maximum::combine(largest[0], power[pixel].re);
    }
};

// What is decided in double, as pixels use it.
struct OprStep {
    cfloat matrix[max_opr_modes * max_opr_modes];
    float step_size, largest_power;
};
struct OprMixingOfPixels {
    cfloat matrix[rules::max_mixed * rules::max_mixed];
    float amplitude;
};

struct OprStepScalars {
    UpdateOprModesArgs args;
    const cfloat* moments;
    const double* largest_power;
    OprStep* step;
    TESSERA_HD void operator()() const {
        const int n = args.num_opr_modes;
        cdouble matrix[max_opr_modes * max_opr_modes];
        rules::opr_steps(rules::light_moments(moments, n, args.num_frames), n, args.num_frames, matrix);
        for (int i = 0; i < n * n; ++i) step->matrix[i] = rules::in_single(matrix[i]);
        step->step_size = static_cast<float>(args.step_size);
        step->largest_power = static_cast<float>(*largest_power);
    }
};

// x: the pixel.
struct StepOprModes {
    UpdateOprModesArgs args;
    const cfloat* sums;
    const OprStep* step;
    const IterationState* state;
    cfloat* modes;
    TESSERA_HD void operator()(std::int32_t r, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        const int n = args.num_opr_modes;
        const std::ptrdiff_t area = area_of(args.probe);
        const float factor =
            rules::opr_step_factor(step->step_size, sums[n * area + r].re, step->largest_power);
        for (int i = 0; i < n; ++i) {
            cfloat sum = {0, 0};
            for (int l = 0; l < n; ++l) sum = mul_add(step->matrix[i * n + l], sums[l * area + r], sum);
            modes[i * area + r] = scale_add(-factor, sum, modes[i * area + r]);
        }
    }
};

// The probe's first mode and the eigen-probes behind it, as one list.
struct MixedModes {
    cfloat* first;
    cfloat* opr_modes;
    std::ptrdiff_t area;
    TESSERA_HD cfloat& operator()(std::int32_t i, std::int32_t pixel) const {
        return i == 0 ? first[pixel] : opr_modes[(i - 1) * area + pixel];
    }
};

// <mode i, mode j> of one i, a row for each j.
struct MixedProducts {
    static constexpr int num_sums = 2;
    std::int32_t i;
    MixedModes modes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t j, float (&sums)[num_sums]) const {
        const cfloat product = conj_mul(modes(i, pixel), modes(j, pixel));
        sums[0] += product.re;
        sums[1] += product.im;
    }
};

struct TurnModelScalars {
    UpdateOprModesArgs args;
    const BatchSums* sums;
    const cfloat* moments;
    const IterationState* state;
    cdouble* gram;
    OprMixingOfPixels* mixing;
    LightTurn* turn;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        const int n = args.num_opr_modes, size = n + 1;
        rules::LightMoments m = {};
        if (n > 0) m = rules::light_moments(moments, n, args.num_frames);
        for (int i = 0; i < size && n > 0; ++i) {  // Hermitian, whatever the order of the sums
            for (int j = 0; j < i; ++j) gram[i * size + j] = conj(gram[j * size + i]);
            gram[i * size + i].im = 0;
        }
        rules::OprMixing mixed;
        rules::turn_model(args, *sums, m, gram, mixed, *turn);
        for (int i = 0; i < size * size; ++i) mixing->matrix[i] = rules::in_single(mixed.matrix[i]);
        mixing->amplitude = static_cast<float>(mixed.amplitude);
    }
};

// x: the pixel.
struct MixOprModes {
    UpdateOprModesArgs args;
    const OprMixingOfPixels* mixing;
    const IterationState* state;
    MixedModes modes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        const int size = args.num_opr_modes + 1;
        cfloat before[rules::max_mixed];
        for (int i = 0; i < size; ++i) before[i] = modes(i, pixel);
        for (int i = 0; i < size; ++i) {
            cfloat sum = {0, 0};
            for (int l = 0; l < size; ++l) sum = mul_add(mixing->matrix[i * size + l], before[l], sum);
            modes(i, pixel) = sum;
        }
        for (std::int32_t k = 1; k < args.num_modes; ++k) {
            cfloat& value = modes.first[k * modes.area + pixel];
            value = mixing->amplitude * value;
        }
    }
};

// ---- turn_lights

// x: the frame.
struct TurnLightScalars {
    TurnLightsArgs args;
    const LightTurn* turn;
    const IterationState* state;
    float* lights;
    float* noted;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        const std::int32_t size = light_size(args.num_opr_modes);
        float* light = lights + static_cast<std::ptrdiff_t>(j) * size;
        rules::turn_light(*turn, args.num_opr_modes, light);
        for (std::int32_t i = 0; i < size; ++i) noted[static_cast<std::ptrdiff_t>(j) * size + i] = light[i];
    }
};

}  // namespace

void fit_lights_device(const FitLightsArgs& args, const Buffers& buffers, Device& device) {
    LightsOfBatch(args, buffers, device).run();
}

void update_opr_modes_device(const UpdateOprModesArgs& args, const Buffers& buffers, Device& device) {
    const auto* total = buffers.get<const std::byte>(0);
    auto* probe = buffers.get<std::byte>(1);
    const auto* state = buffers.get<const IterationState>(2);
    const std::int32_t n = args.num_opr_modes, size = n + 1;
    const auto area = static_cast<std::int32_t>(args.probe.area());
    const cfloat* sums = probe_part(total);
    const cfloat* moments = sums + static_cast<std::ptrdiff_t>(size) * area;
    const MixedModes modes = {moving_field(probe, args.probe_size()).value,
                              reinterpret_cast<cfloat*>(probe + moving_field_bytes(args.probe_size())), area};
    auto* gram = device.scratch<cdouble>(Scratch::row_sums, static_cast<std::size_t>(size * size));
    auto* mixing = device.scratch<OprMixingOfPixels>(Scratch::light_equations, 1);
    if (n > 0) {
        auto* step = device.scratch<OprStep>(Scratch::light_steps, 1);
        auto* largest = device.scratch<double>(Scratch::groups, 1);
        device.reduce_rows<1, Maximum>(1, area, LargestPower{sums + static_cast<std::ptrdiff_t>(n) * area},
                                       largest);
        device.once(OprStepScalars{args, moments, largest, step});
        device.for_each({area}, StepOprModes{args, sums, step, state, modes.opr_modes});
        for (std::int32_t i = 0; i < size; ++i)
            device.reduce_rows<MixedProducts::num_sums, Sum>(size, area, MixedProducts{i, modes},
                                                             &gram[i * size].re);
    }
    device.once(
        TurnModelScalars{args, batch_sums(total), moments, state, gram, mixing, buffers.get<LightTurn>(3)});
    device.for_each({area}, MixOprModes{args, mixing, state, modes});
}

void turn_lights_device(const TurnLightsArgs& args, const Buffers& buffers, Device& device) {
    auto* lights = reinterpret_cast<float*>(buffers.get<FramePosition>(2) + args.num_frames);
    auto* noted =
        buffers.get<float>(3) + static_cast<std::ptrdiff_t>(args.first) * light_size(args.num_opr_modes);
    device.for_each({args.num_frames}, TurnLightScalars{args, buffers.get<const LightTurn>(0),
                                                        buffers.get<const IterationState>(1), lights, noted});
}

}  // namespace tessera

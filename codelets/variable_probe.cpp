#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/variable_probe.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/light_rules.hpp"
#include "codelets/variable_probe.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// The far fields of a frame at amplitude 1: of its probe (mode, y, x), and of each eigen-probe (i, y, x).
struct FrameFields {
    const cfloat* modes;
    const cfloat* opr_modes;
};

template <NoiseModel noise, class Count>
void add_light_equations(const FrameFields& fields, const Count* HWY_RESTRICT counts,
                         const DetectorView& detector, float scale, float amplitude, const BatchShape& s,
                         rules::LightEquations& total) {
    const std::size_t area = s.frame.area();
    const int n = light_size(s.num_opr_modes);
    const Vec by_amplitude = broadcast(2 * amplitude * scale),
              by_weight = broadcast(2 * amplitude * amplitude * scale),
              scales = broadcast(amplitude * amplitude * scale), epsilons = broadcast(noise_epsilon(noise));
    const Saturation saturation(s);
    for (std::size_t chunk = 0; chunk < area; chunk += chunk_pixels) {
        Vec gradient[max_light_size], curvatures[max_light_size * (max_light_size + 1) / 2];
        for (int a = 0; a < n; ++a) gradient[a] = zero();
        for (int i = 0; i < n * (n + 1) / 2; ++i) curvatures[i] = zero();
        for_each_vector(std::min(chunk_pixels, area - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            const ComplexVec first = load(fields.modes + i, lanes);
            Vec power = norm(first);
            for (int k = 1; k < s.num_modes; ++k)
                power = norm_add(load(fields.modes + static_cast<std::size_t>(k) * area + i, lanes), power);
            Vec slopes[max_light_size];
            slopes[0] = by_amplitude * power;
            for (int m = 0; m < s.num_opr_modes; ++m) {
                const ComplexVec product =
                    conj_mul(first, load(fields.opr_modes + static_cast<std::size_t>(m) * area + i, lanes));
                slopes[1 + 2 * m] = by_weight * product.re;
                slopes[2 + 2 * m] = zero() - by_weight * product.im;
            }
            const Vec offset = detector.background != nullptr ? load(detector.background + i, lanes) : zero();
            const Vec intensity = fma(power, scales, offset);
            const Measured data =
                saturation.compared_with(intensity, measured(counts + i, detector.mask + i, lanes));
            const Vec factor = misfit<noise>(intensity, data.counts, data.mask, epsilons).factor;
            const Vec weight = curvature<noise>(intensity, data, epsilons);
            Vec* sum = curvatures;
            for (int a = 0; a < n; ++a) {
                gradient[a] = fma(factor, slopes[a], gradient[a]);
                const Vec weighted = weight * slopes[a];
                for (int b = 0; b <= a; ++b, ++sum) *sum = fma(weighted, slopes[b], *sum);
            }
        });
        const Vec* sum = curvatures;
        for (int a = 0; a < n; ++a) {
            total.gradient[a] += static_cast<double>(sum_of_lanes(gradient[a]));
            for (int b = 0; b <= a; ++b, ++sum)
                total.curvature[a][b] += static_cast<double>(sum_of_lanes(*sum));
        }
    }
}

// (s + t ds) (Psi_k + t dPsi_k) = A + t B + t^2 C, of the first mode alone with dPsi = sum dw_i Phi_i. A and
// B in place of Psi and what is there.
inline void make_fields_along(const FieldsAlong& fields, const cfloat* opr_fields, float amplitude,
                              const double* step, const BatchShape& s) {
    const std::size_t area = s.frame.area(), size = s.waves_size();
    std::memset(static_cast<void*>(fields.c), 0, size * sizeof(cfloat));
    for (int i = 0; i < s.num_opr_modes; ++i) {
        add_multiple({static_cast<float>(step[1 + 2 * i]), static_cast<float>(step[2 + 2 * i])},
                     opr_fields + static_cast<std::size_t>(i) * area, fields.c, area);
    }
    const Vec s_here = broadcast(amplitude), s_along = broadcast(static_cast<float>(step[0]));
    for_each_vector(size, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec psi = load(static_cast<const cfloat*>(fields.a + i), lanes),
                         along = load(static_cast<const cfloat*>(fields.c + i), lanes);
        store(s_here * psi, fields.a + i, lanes);
        store(scale_add(s_here, along, s_along * psi), fields.b + i, lanes);
        store(s_along * along, fields.c + i, lanes);
    });
}

// The frames of a batch, one after the other.
class LightsOfBatch {
  public:
    LightsOfBatch(const FitLightsArgs& args, const Buffers& buffers, Workspace& workspace)
        : args_(args),
          s_(args.shape),
          area_(s_.frame.area()),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          lights_(lights_of(buffers.get<std::byte>(1), s_)),
          propagator_(s_, detector_.transfer, workspace),
          model_(s_, buffers.get<const std::byte>(3), buffers.get<const std::byte>(4),
                 detector_.slice_transfers, workspace),
          fields_{workspace.get<cfloat>(Workspace::Slot::waves, s_.waves_size()),
                  workspace.get<cfloat>(Workspace::Slot::waves_along, s_.waves_size()),
                  workspace.get<cfloat>(Workspace::Slot::waves_along_twice, s_.waves_size())},
          gradients_(probe_part(buffers.get<std::byte>(6))) {
        model_.prepare(Moving::nothing);
        if (num_opr_modes() > 0)
            opr_fields_ = workspace.get<cfloat>(Workspace::Slot::opr_fields,
                                                static_cast<std::size_t>(num_opr_modes()) * area_);
    }

    template <NoiseModel noise, class Count>
    void fit(std::int32_t frame, const FramePosition& at, const Count* counts) {
        float* light = lights_ + static_cast<std::ptrdiff_t>(frame) * light_size(num_opr_modes());
        make_fields(at, light);
        const int n = light_size(num_opr_modes());
        rules::LightEquations equations;
        add_light_equations<noise>({fields_.a, opr_fields_}, counts, detector_, propagator_.scale(), light[0],
                                   s_, equations);
        double gradient[max_light_size] = {}, step[max_light_size] = {};
        std::copy_n(equations.gradient, n, gradient);
        if (args_.has_intensity == 0) gradient[0] = 0;
        rules::light_step(equations, n, args_.has_intensity != 0, static_cast<double>(light[0]), step);
        make_fields_along(fields_, opr_fields_, light[0], step, s_);
        const double length =
            args_.step_size * length_along<noise>(counts, rules::light_slope(gradient, step, n));
        for (int i = 0; i < n; ++i)
            light[i] = static_cast<float>(static_cast<double>(light[i]) + length * step[i]);
        rules::add_light(light, num_opr_modes(), intensity_, moments_);
        if (num_opr_modes() == 0) return;
        advance_waves(fields_.a, fields_.b, fields_.c, static_cast<float>(length), s_.waves_size());
        compare<Factor::apply, noise>(fields_.a, counts, detector_, propagator_.scale(), s_);
        add_gradients(light);
    }

    void finish(BatchSums& sums) {
        sums.intensity = intensity_;
        if (num_opr_modes() == 0) return;
        model_.finish_gradients(gradients_, num_opr_modes());
        rules::set_moments(moments_, num_opr_modes(), object_power() + s_.probe.area());
    }

  private:
    int num_opr_modes() const { return s_.num_opr_modes; }
    cfloat* object_power() const {
        return gradients_ + static_cast<std::size_t>(num_opr_modes()) * s_.probe.area();
    }

    void make_fields(const FramePosition& at, const float* light) {
        model_.place(at, light);
        propagator_.place(at);
        for (int k = 0; k < s_.num_modes; ++k) {
            cfloat* wave = fields_.a + static_cast<std::size_t>(k) * area_;
            model_.exit_wave(k, wave);
            propagator_.forward(wave);
        }
        for (int i = 0; i < num_opr_modes(); ++i) {
            cfloat* wave = opr_fields_ + static_cast<std::size_t>(i) * area_;
            model_.turn_to_opr_mode(i);
            model_.exit_wave(0, wave);
            propagator_.forward(wave);
        }
    }

    template <NoiseModel noise, class Count>
    double length_along(const Count* counts, double slope) const {
        float steps[num_trials];
        for (int i = 0; i < static_cast<int>(num_trials); ++i) steps[i] = rules::light_trial_step(i);
        double cost[num_trials + 1] = {};
        compare_along<noise>(fields_, counts, detector_, propagator_.scale(), steps, s_, cost);
        return rules::accepted_step(cost, rules::light_ladder_centre, slope, true);
    }

    // Of the derivative by the first mode's far field, which is in `fields_`.
    void add_gradients(const float* light) {
        propagator_.backward(fields_.a);
        const cfloat* gradient = model_.probe_gradient(fields_.a);
        for (int i = 0; i < num_opr_modes(); ++i) {
            const cfloat weight = rules::weight_of(light, i);
            add_multiple(light[0] * conj(weight), gradient,
                         gradients_ + static_cast<std::size_t>(i) * s_.probe.area(), s_.probe.area());
        }
        model_.add_object_power(object_power());
    }

    const FitLightsArgs& args_;
    const BatchShape& s_;
    std::size_t area_;
    DetectorView detector_;
    float* lights_;
    Propagator propagator_;
    FrameModel model_;
    FieldsAlong fields_;
    cfloat* opr_fields_ = nullptr;
    cfloat* gradients_;
    double intensity_ = 0;
    rules::LightMoments moments_ = {};
};

void fit_lights_of_batch(const FitLightsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    std::byte* out = buffers.get<std::byte>(6);
    std::memset(out, 0, sums_bytes(opr_sums_size(s.num_opr_modes, s.probe)));
    if (buffers.get<const IterationState>(5)->stopped != 0) return;
    LightsOfBatch lights(args, buffers, Workspace::of_this_worker());
    const auto* frames = buffers.get<const FramePosition>(1);
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
            for (std::int32_t j = 0; j < s.num_frames; ++j) {
                const auto frame = static_cast<std::size_t>(j);
                lights.template fit<noise()>(j, frames[frame], patterns + frame * s.frame.area());
            }
        });
    });
    lights.finish(*batch_sums(out));
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(fit_lights_of_batch);

void fit_lights_cpu(const FitLightsArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(fit_lights_of_batch)(args, buffers);
}

Cost fit_lights_cost(const FitLightsArgs& args) {
    const double opr = args.shape.num_opr_modes, modes = args.shape.num_modes;
    const double transforms = 1 + (opr > 0 ? (opr + 1) / modes : 0.0);
    return frames_cost(args.shape, transforms, transforms, 150 + 10 * opr * opr);
}

// ---- update_opr_modes

// E -= step (W C / N)^-1 g, with C as much above 0 as preconditioners are.
void step_opr_modes(const UpdateOprModesArgs& args, const cfloat* sums, const rules::LightMoments& moments,
                    cfloat* modes) {
    const int n = args.num_opr_modes;
    const std::size_t area = args.probe.area();
    cdouble steps[max_opr_modes * max_opr_modes];
    rules::opr_steps(moments, n, args.num_frames, steps);
    const cfloat* power = sums + static_cast<std::size_t>(n) * area;
    double largest = 0;
    for (std::size_t r = 0; r < area; ++r) largest = std::max(largest, static_cast<double>(power[r].re));
    for (std::size_t r = 0; r < area; ++r) {
        const double factor =
            rules::opr_step_factor(args.step_size, static_cast<double>(power[r].re), largest);
        for (int i = 0; i < n; ++i) {
            cdouble step = {0, 0};
            for (int l = 0; l < n; ++l)
                step =
                    step + steps[i * n + l] * rules::in_double(sums[static_cast<std::size_t>(l) * area + r]);
            cfloat& mode = modes[static_cast<std::size_t>(i) * area + r];
            mode = rules::in_single(rules::in_double(mode) - factor * step);
        }
    }
}

// (n + 1, n + 1) of P_0 and the eigen-probes.
void set_gram(const cfloat* const* modes, int n, std::size_t area, cdouble* gram) {
    for (int i = 0; i <= n; ++i) {
        for (int l = i; l <= n; ++l) {
            cdouble sum = {0, 0};
            for (std::size_t r = 0; r < area; ++r)
                sum = sum + conj(rules::in_double(modes[i][r])) * rules::in_double(modes[l][r]);
            gram[i * (n + 1) + l] = sum;
            gram[l * (n + 1) + i] = conj(sum);
        }
        gram[i * (n + 2)].im = 0;
    }
}

void mix_modes(const rules::OprMixing& mixing, cfloat* const* modes, int n, std::size_t area) {
    for (std::size_t r = 0; r < area; ++r) {
        cdouble before[rules::max_mixed];
        for (int i = 0; i <= n; ++i) before[i] = rules::in_double(modes[i][r]);
        for (int i = 0; i <= n; ++i) {
            cdouble sum = {0, 0};
            for (int l = 0; l <= n; ++l) sum = sum + mixing.matrix[i * (n + 1) + l] * before[l];
            modes[i][r] = rules::in_single(sum);
        }
    }
}

void update_opr_modes_cpu(const UpdateOprModesArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    const int n = args.num_opr_modes;
    const std::size_t area = args.probe.area();
    const auto* total = buffers.get<const std::byte>(0);
    const cfloat* sums = probe_part(total);
    auto* probe = buffers.get<std::byte>(1);
    cfloat* value = moving_field(probe, args.probe_size()).value;
    cfloat* modes[rules::max_mixed] = {value};
    for (int i = 0; i < n; ++i)
        modes[1 + i] = reinterpret_cast<cfloat*>(probe + moving_field_bytes(args.probe_size())) +
                       static_cast<std::size_t>(i) * area;
    rules::LightMoments moments = {};
    cdouble gram[rules::max_mixed * rules::max_mixed] = {};
    if (n > 0) {
        moments = rules::light_moments(sums + static_cast<std::size_t>(n + 1) * area, n, args.num_frames);
        step_opr_modes(args, sums, moments, modes[1]);
        set_gram(modes, n, area, gram);
    }
    rules::OprMixing mixing;
    rules::turn_model(args, *batch_sums(total), moments, gram, mixing, *buffers.get<LightTurn>(3));
    mix_modes(mixing, modes, n, area);
    for (std::size_t i = area; i < args.probe_size(); ++i)
        value[i] = static_cast<float>(mixing.amplitude) * value[i];
}

Cost update_opr_modes_cost(const UpdateOprModesArgs& args) {
    const double n = args.num_opr_modes + args.num_modes;
    return pixels_cost(static_cast<double>(args.probe.area()), 24 * n * n, 4 * n * sizeof(cfloat));
}

// ---- turn_lights

void turn_lights_cpu(const TurnLightsArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    const std::int32_t size = light_size(args.num_opr_modes);
    auto* light = reinterpret_cast<float*>(buffers.get<FramePosition>(2) + args.num_frames);
    auto* noted = buffers.get<float>(3) + static_cast<std::ptrdiff_t>(args.first) * size;
    for (std::int32_t j = 0; j < args.num_frames; ++j, light += size, noted += size) {
        rules::turn_light(*buffers.get<const LightTurn>(0), args.num_opr_modes, light);
        std::copy_n(light, size, noted);
    }
}

Cost turn_lights_cost(const TurnLightsArgs& args) {
    const double n = args.num_opr_modes;
    return pixels_cost(args.num_frames, 2 + 8 * n * n, 12 * (1 + 2 * n));
}

}  // namespace

BufferBytes FitLightsArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            sums_bytes(opr_sums_size(shape.num_opr_modes, shape.probe))};
}

BufferBytes UpdateOprModesArgs::buffer_bytes() const {
    return {sums_bytes(opr_sums_size(num_opr_modes, probe)),
            moving_field_bytes(probe_size()) +
                static_cast<std::size_t>(num_opr_modes) * probe.area() * sizeof(cfloat),
            sizeof(IterationState), sizeof(LightTurn)};
}

BufferBytes TurnLightsArgs::buffer_bytes() const {
    return {sizeof(LightTurn), sizeof(IterationState),
            static_cast<std::size_t>(num_frames) * sizeof(FramePosition) +
                lights_bytes(num_frames, num_opr_modes),
            lights_bytes(first + num_frames, num_opr_modes)};
}

const Codelet<FitLightsArgs> fit_lights =
    Codelet<FitLightsArgs>::make<fit_lights_cpu, TESSERA_ON_DEVICE(fit_lights_device), fit_lights_cost>(
        "fit_lights", {Access::read, Access::read_write, Access::read, Access::read, Access::read,
                       Access::read, Access::write});

const Codelet<UpdateOprModesArgs> update_opr_modes =
    Codelet<UpdateOprModesArgs>::make<update_opr_modes_cpu, TESSERA_ON_DEVICE(update_opr_modes_device),
                                      update_opr_modes_cost>(
        "update_opr_modes", {Access::read, Access::read_write, Access::read, Access::write});

const Codelet<TurnLightsArgs> turn_lights =
    Codelet<TurnLightsArgs>::make<turn_lights_cpu, TESSERA_ON_DEVICE(turn_lights_device), turn_lights_cost>(
        "turn_lights", {Access::read, Access::read, Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE

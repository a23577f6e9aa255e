// Vectorised sweeps over the kept exit waves psi of one frame, for the engines that project them: what
// codelets/wave_sweeps-inl.hpp says of waves, probes and windows holds here.
#if defined(TESSERA_CODELETS_PROJECTION_SWEEPS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_PROJECTION_SWEEPS_INL_HPP
#undef TESSERA_CODELETS_PROJECTION_SWEEPS_INL_HPP
#else
#define TESSERA_CODELETS_PROJECTION_SWEEPS_INL_HPP
#endif

#include "codelets/comparison_sweeps-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Parts of a wave around the probe, where P O is zero: visit(first pixel, number).
template <class Visit>
void for_each_padding(const BatchShape& s, const Visit& visit) {
    if (s.probe.y == s.frame.y && s.probe.x == s.frame.x) return;
    const auto width = static_cast<std::size_t>(s.probe.x);
    std::size_t begin = 0;
    for (int y = 0; y < s.probe.y; ++y) {
        visit(begin, wave_row(s, y) - begin);
        begin = wave_row(s, y) + width;
    }
    visit(begin, s.frame.area() - begin);
}

// wave = reflect P O + (1 - reflect) psi
inline void reflected_wave(const cfloat* HWY_RESTRICT probe, Window<const cfloat> object,
                           const cfloat* HWY_RESTRICT psi, float reflect, cfloat* HWY_RESTRICT wave,
                           const BatchShape& s) {
    const Vec of_overlap = broadcast(reflect), of_psi = broadcast(1 - reflect);
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* p = probe + probe_row(s, y);
        const cfloat* o = object.row(y);
        const std::size_t row = wave_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec overlap = load(p + i, lanes) * load(o + i, lanes);
            store(scale_add(of_overlap, overlap, of_psi * load(psi + row + i, lanes)), wave + row + i, lanes);
        });
    }
    for_each_padding(s, [&](std::size_t begin, std::size_t count) HWY_ATTR {
        for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
            store(of_psi * load(psi + begin + i, lanes), wave + begin + i, lanes);
        });
    });
}

// psi <- by_psi psi + by_overlap P O + by_wave wave; without a wave: by_wave = 0.
struct WaveWeights {
    float psi, overlap, wave;
};
template <bool has_wave>
void update_exit_wave(const cfloat* HWY_RESTRICT probe, Window<const cfloat> object,
                      const cfloat* HWY_RESTRICT wave, const WaveWeights& by, cfloat* HWY_RESTRICT psi,
                      const BatchShape& s) {
    const Vec by_psi = broadcast(by.psi), by_overlap = broadcast(by.overlap), by_wave = broadcast(by.wave);
    const auto rest = [&](std::size_t at, auto lanes) HWY_ATTR {
        const ComplexVec before = by_psi * load(static_cast<const cfloat*>(psi + at), lanes);
        if constexpr (!has_wave) return before;
        return scale_add(by_wave, load(wave + at, lanes), before);
    };
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* p = probe + probe_row(s, y);
        const cfloat* o = object.row(y);
        const std::size_t row = wave_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec overlap = load(p + i, lanes) * load(o + i, lanes);
            store(scale_add(by_overlap, overlap, rest(row + i, lanes)), psi + row + i, lanes);
        });
    }
    for_each_padding(s, [&](std::size_t begin, std::size_t count) HWY_ATTR {
        for_each_vector(count, [&](std::size_t i, auto lanes)
                                   HWY_ATTR { store(rest(begin + i, lanes), psi + begin + i, lanes); });
    });
}

// target += conj(P) (psi - P O), the overlap projection's numerator for the object.
inline void add_object_residual(const cfloat* HWY_RESTRICT psi, const cfloat* HWY_RESTRICT probe,
                                Window<const cfloat> object, Window<cfloat> target, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* HWY_RESTRICT o = object.row(y);
        const cfloat* HWY_RESTRICT w = psi + wave_row(s, y);
        const cfloat* HWY_RESTRICT p = probe + probe_row(s, y);
        cfloat* HWY_RESTRICT t = target.row(y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec by = load(p + i, lanes);
            const ComplexVec residual = load(w + i, lanes) - by * load(o + i, lanes);
            const ComplexVec before = load(static_cast<const cfloat*>(t + i), lanes);
            store(conj_mul_add(by, residual, before), t + i, lanes);
        });
    }
}

// The same for a mode of the probe, dense: target = conj(O) (psi - P O), or += that.
template <Target target>
void probe_residual(const cfloat* HWY_RESTRICT psi, const cfloat* HWY_RESTRICT probe,
                    Window<const cfloat> object, cfloat* HWY_RESTRICT to, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* HWY_RESTRICT o = object.row(y);
        const cfloat* HWY_RESTRICT w = psi + wave_row(s, y);
        const cfloat* HWY_RESTRICT p = probe + probe_row(s, y);
        cfloat* HWY_RESTRICT t = to + probe_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec by = load(o + i, lanes);
            const ComplexVec residual = load(w + i, lanes) - load(p + i, lanes) * by;
            if constexpr (target == Target::add) {
                const ComplexVec before = load(static_cast<const cfloat*>(t + i), lanes);
                store(conj_mul_add(by, residual, before), t + i, lanes);
            } else {
                store(conj_mul(by, residual), t + i, lanes);
            }
        });
    }
}

// Real parts of `to` += |from|^2, a window of the probe's shape into another.
inline void add_power(Window<const cfloat> from, Window<cfloat> to, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* HWY_RESTRICT f = from.row(y);
        cfloat* HWY_RESTRICT t = to.row(y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            ComplexVec sum = load(static_cast<const cfloat*>(t + i), lanes);
            sum.re = norm_add(load(f + i, lanes), sum.re);
            store(sum, t + i, lanes);
        });
    }
}

// to += from, dense in the probe's shape.
inline void add_dense(const cfloat* HWY_RESTRICT from, Window<cfloat> to, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* HWY_RESTRICT f = from + probe_row(s, y);
        cfloat* HWY_RESTRICT t = to.row(y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            store(load(f + i, lanes) + load(static_cast<const cfloat*>(t + i), lanes), t + i, lanes);
        });
    }
}

// What a frame's far fields are multiplied with to have the measured amplitudes (pixel/projection-inl.hpp),
// and the mean of the squared errors of its amplitudes over the pixels in use.
template <class Count>
double modulus_quotients(const cfloat* HWY_RESTRICT waves, const Count* HWY_RESTRICT counts,
                         const DetectorView& detector, float scale, float* HWY_RESTRICT quotients,
                         const BatchShape& s) {
    const std::size_t n = s.frame.area();
    const float* HWY_RESTRICT mask = detector.mask;
    const float* HWY_RESTRICT background = detector.background;
    const Vec scales = broadcast(scale), epsilon = broadcast(noise_epsilon(NoiseModel::amplitude)),
              one = broadcast(1.0f);
    const Saturation saturation(s);
    double sum = 0, pixels = 0;
    for (std::size_t chunk = 0; chunk < n; chunk += chunk_pixels) {
        Vec squared = zero(), used = zero();
        for_each_vector(std::min(chunk_pixels, n - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            Vec intensity = norm(load(waves + i, lanes));
            for (int k = 1; k < s.num_waves(); ++k)
                intensity = norm_add(load(waves + static_cast<std::size_t>(k) * n + i, lanes), intensity);
            intensity = intensity * scales;
            const Vec under = background != nullptr ? load(background + i, lanes) : zero();
            const Measured data =
                saturation.compared_with(intensity + under, measured(counts + i, mask + i, lanes));
            const ModulusError<Vec> error =
                modulus_error(intensity, data.counts, under, data.mask, epsilon, zero(), one);
            store(error.quotient, quotients + i, lanes);
            squared = squared + error.squared;
            used = used + data.mask;
        });
        sum += static_cast<double>(sum_of_lanes(squared));
        pixels += static_cast<double>(sum_of_lanes(used));
    }
    return pixels > 0 ? sum / pixels : 0;
}

// One mode's far field *= factor * scale; `share` of the error stays.
inline void apply_modulus(const float* HWY_RESTRICT quotients, float share, float scale,
                          cfloat* HWY_RESTRICT wave, std::size_t size) {
    const Vec scales = broadcast(scale), shares = broadcast(share), one = broadcast(1.0f);
    for_each_vector(size, [&](std::size_t i, auto lanes) HWY_ATTR {
        const Vec factor = scales * relaxed_modulus_factor(load(quotients + i, lanes), shares, one);
        store(factor * load(static_cast<const cfloat*>(wave + i), lanes), wave + i, lanes);
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif

#include "codelets/minibatch.hpp"

#include "codelets/device/frames.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

struct MinibatchPower {
    MinibatchWeightsArgs args;
    const cfloat* probe;
    float* power;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        float sum = 0;
        for (std::int32_t k = 0; k < args.num_modes; ++k)
            sum = norm_add(probe[k * area_of(args.probe) + i], sum);
        power[i] = sum;
    }
};

// x, y: of the extended tile.
struct GatherLight {
    MinibatchWeightsArgs args;
    const MinibatchFrame* frames;
    const float* power;
    const IterationState* state;
    float* illumination;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        float sum = 0;
        for (std::int32_t j = 0; j < args.num_frames; ++j) {
            const std::int32_t py = y - frames[j].y, px = x - frames[j].x;
            if (py >= 0 && px >= 0 && py < args.probe.y && px < args.probe.x)
                sum += power[at(args.probe, py, px)];
        }
        illumination[at(args.tile, y, x)] = sum;
    }
};

// x, y: of the probe.
struct GatherMinibatchCoverage {
    MinibatchWeightsArgs args;
    const MinibatchFrame* frames;
    const cfloat* object;
    const IterationState* state;
    cfloat* coverage;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        cfloat& to = coverage[at(args.probe, y, x)];
        for (std::int32_t j = 0; j < args.num_frames; ++j) {
            if (frames[j].is_own == 0) continue;
            to.re = norm_add(object[at(args.tile, frames[j].y + y, frames[j].x + x)], to.re);
        }
    }
};

// The largest illumination and |O|^2 of the interior, in rows of pixels_per_row.
constexpr std::int32_t pixels_per_row = 65536;
struct LargestInside {
    MinibatchWeightsArgs args;
    const float* illumination;
    const cfloat* object;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t row, float (&largest)[2]) const {
        const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(row) * pixels_per_row + pixel;
        if (i >= area_of(args.interior)) return;
        const std::ptrdiff_t y = args.interior_y + i / args.interior.x,
                             x = args.interior_x + i % args.interior.x;
        const std::ptrdiff_t here = y * args.tile.x + x;
        Maximum::combine(largest[0], illumination[here]);
        if (args.norm == ObjectNorm::of_object) Maximum::combine(largest[1], norm(object[here]));
    }
};

struct LargestFinishSums {
    const double* rows;  // (row, 2)
    std::int32_t num_rows;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        for (std::int32_t row = 0; row < num_rows; ++row) {
            Maximum::combine(sums->weight_max, rows[2 * row]);
            Maximum::combine(sums->object_max, rows[2 * row + 1]);
        }
    }
};

struct BeginMinibatchScalars {
    BeginMinibatchArgs args;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::begin_minibatch(args, *sums, *state); }
};

// x: pixel of the probe, y: mode, then the coverage where it is the mini-batch's.
struct TakeProbeParts {
    BeginMinibatchArgs args;
    const cfloat* part;
    const IterationState* state;
    cfloat* gradient;
    float* coverage;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t k, std::int32_t) const {
        if (state->stopped != 0) return;
        const std::ptrdiff_t plane = area_of(args.probe_shape);
        const cfloat value = part[k * plane + i];
        if (k < args.num_modes) {
            gradient[k * plane + i] = value;
        } else {
            coverage[i] = value.re;
        }
    }
};

struct LargestCoverage {
    const cfloat* coverage;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, float (&largest)[1]) const {
        Maximum::combine(largest[0], coverage[pixel].re);
    }
};

struct CoverageFinishSums {
    BeginMinibatchArgs args;
    const double* largest;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const {
        if (state->stopped == 0) rules::set_largest_weights(args, *sums, *largest, *state);
    }
};

}  // namespace

void minibatch_weights_device(const MinibatchWeightsArgs& args, const Buffers& buffers, Device& device) {
    const auto* frames = buffers.get<const MinibatchFrame>(0);
    const auto probe = moving_field(buffers.get<const std::byte>(1), args.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(2), args.tile.area());
    const auto* state = buffers.get<const IterationState>(3);
    auto* illumination = buffers.get<float>(4);
    auto* sums = buffers.get<std::byte>(5);
    auto* power = device.scratch<float>(Scratch::product, args.probe.area());
    device.for_each({static_cast<std::int32_t>(args.probe.area())}, MinibatchPower{args, probe.value, power});
    device.for_each({args.tile.x, args.tile.y}, GatherLight{args, frames, power, state, illumination});
    device.for_each(
        {args.probe.x, args.probe.y},
        GatherMinibatchCoverage{args, frames, object.value, state, probe_part(sums) + args.probe_size()});
    const std::size_t size = args.interior.area();
    const auto num_rows = static_cast<std::int32_t>((size + pixels_per_row - 1) / pixels_per_row);
    const std::int32_t width = size < pixels_per_row ? static_cast<std::int32_t>(size) : pixels_per_row;
    auto* rows = device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(num_rows));
    device.reduce_rows<2, Maximum>(num_rows, width, LargestInside{args, illumination, object.value}, rows);
    device.once(LargestFinishSums{rows, num_rows, state, batch_sums(sums)});
}

void begin_minibatch_device(const BeginMinibatchArgs& args, const Buffers& buffers, Device& device) {
    const auto* total = buffers.get<const std::byte>(0);
    auto* state = buffers.get<IterationState>(3);
    const auto plane = static_cast<std::int32_t>(args.probe_shape.area());
    device.once(BeginMinibatchScalars{args, batch_sums(total), state});
    const bool has_weights = args.weights == Weights::of_minibatch;
    device.for_each(
        {plane, args.num_modes + (has_weights ? 1 : 0)},
        TakeProbeParts{args, probe_part(total), state, buffers.get<cfloat>(1), buffers.get<float>(2)});
    if (!has_weights) return;
    auto* largest = device.scratch<double>(Scratch::row_sums, 1);
    device.reduce_rows<1, Maximum>(1, plane, LargestCoverage{probe_part(total) + args.probe_size()}, largest);
    device.once(CoverageFinishSums{args, largest, batch_sums(total), state});
}

}  // namespace tessera

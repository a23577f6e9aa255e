#include "codelets/ramp.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "codelets/batch_light.hpp"
#include "codelets/cost_model.hpp"

namespace tessera {
namespace {

cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

cdouble phase_factor(double phase) {
    return {std::cos(phase), std::sin(phase)};
}

// e^{i k (first + i)} of pixels in a row or column: the same for a pixel wherever its field begins.
std::vector<cdouble> phase_factors(double k, double first, std::int32_t count) {
    std::vector<cdouble> factors(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < factors.size(); ++i)
        factors[i] = phase_factor(k * (first + static_cast<double>(i)));
    return factors;
}

// Pixels of the tile, half open.
struct Pixels {
    std::int32_t y0, x0, y1, x1;
};
Pixels lit_region(const FindRampArgs& args) {
    const BatchShape& s = args.shape;
    const Strip& r = args.region;
    return {std::max(r.y, s.window_y), std::max(r.x, s.window_x),
            std::min(r.y + r.shape.y, s.window_y + s.window.y),
            std::min(r.x + r.shape.x, s.window_x + s.window.x)};
}

// A row of the product of all slices.
void multiply_slices(const BatchShape& s, const cfloat* object, std::int32_t y, const Pixels& pixels,
                     std::vector<cdouble>& row) {
    row.assign(static_cast<std::size_t>(std::max(pixels.x1 - pixels.x0, 0)), {1, 0});
    for (std::int32_t slice = 0; slice < s.num_slices; ++slice) {
        const cfloat* from =
            object + volume(s.tile, slice) + static_cast<std::ptrdiff_t>(y) * s.tile.x + pixels.x0;
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = row[i] * in_double(from[i]);
    }
}

void add_slopes(const FindRampArgs& args, const BatchLight& light, const cfloat* object, double* sums) {
    const Pixels pixels = lit_region(args);
    std::vector<cdouble> row, next;
    multiply_slices(args.shape, object, std::min(pixels.y0, args.shape.tile.y - 1), pixels, row);
    cdouble along_y = {0, 0}, along_x = {0, 0};
    for (std::int32_t y = pixels.y0; y < pixels.y1; ++y) {
        const bool has_next = y + 1 < pixels.y1;
        if (has_next) multiply_slices(args.shape, object, y + 1, pixels, next);
        for (std::size_t i = 0; i < row.size(); ++i) {
            const double w = light.at(y, pixels.x0 + static_cast<std::int32_t>(i));
            if (has_next) along_y = scale_add(w, conj_mul(row[i], next[i]), along_y);
            if (i + 1 < row.size()) along_x = scale_add(w, conj_mul(row[i], row[i + 1]), along_x);
        }
        row.swap(next);
    }
    const double found[] = {along_y.re, along_y.im, along_x.re, along_x.im};
    for (std::size_t i = 0; i < std::size(found); ++i) sums[i] += found[i];
}

void add_means(const FindRampArgs& args, const BatchLight& light, const cfloat* object, const PhaseRamp& ramp,
               double* sums) {
    const Pixels pixels = lit_region(args);
    const std::vector<cdouble> along_x =
        phase_factors(-ramp.x, args.tile_x + pixels.x0 - ramp.middle_of_object[1], pixels.x1 - pixels.x0);
    std::vector<cdouble> row;
    cdouble mean = {0, 0};
    double lit = 0;
    for (std::int32_t y = pixels.y0; y < pixels.y1; ++y) {
        multiply_slices(args.shape, object, y, pixels, row);
        const cdouble along_y = phase_factor(-ramp.y * (args.tile_y + y - ramp.middle_of_object[0]));
        cdouble sum = {0, 0};
        for (std::size_t i = 0; i < row.size(); ++i) {
            const double w = light.at(y, pixels.x0 + static_cast<std::int32_t>(i));
            sum = scale_add(w, row[i] * along_x[i], sum);
            lit += w;
        }
        mean = mul_add(along_y, sum, mean);
    }
    sums[4] += mean.re;
    sums[5] += mean.im;
    sums[6] += lit;
}

void find_ramp_cpu(const FindRampArgs& args, const Buffers& buffers) {
    const Pixels pixels = lit_region(args);
    if (pixels.y0 >= pixels.y1 || pixels.x0 >= pixels.x1) return;
    const BatchShape& s = args.shape;
    const BatchLight light(s, buffers.get<const FramePosition>(0),
                           moving_field(buffers.get<const std::byte>(1), s.probe_size()).value,
                           FrameEdges::dark);
    const cfloat* object = moving_field(buffers.get<const std::byte>(2), s.tile_size()).value;
    double* sums = buffers.get<BatchSums>(4)->ramp_sums;
    if (args.part == RampPart::slope) {
        for (std::int32_t mode = 0; mode < s.num_object_modes; ++mode)
            add_slopes(args, light, object + volume(s.tile, mode), sums);
    } else {
        add_means(args, light, object, *buffers.get<const PhaseRamp>(3), sums);
    }
}

Cost find_ramp_cost(const FindRampArgs& args) {
    const double pixels =
        static_cast<double>(args.shape.num_frames) * static_cast<double>(args.shape.probe.area()) +
        8 * static_cast<double>(volume(args.shape.window, args.shape.num_planes()));
    return pixels_cost(pixels, 3, sizeof(cfloat));
}

void note_ramp_cpu(const NoteRampArgs& args, const Buffers& buffers) {
    const double* sums = buffers.get<const BatchSums>(0)->ramp_sums;
    PhaseRamp& ramp = *buffers.get<PhaseRamp>(1);
    if (args.part == RampPart::slope) {
        ramp.y = std::atan2(sums[1], sums[0]);
        ramp.x = std::atan2(sums[3], sums[2]);
        return;
    }
    const bool is_lit = sums[6] > 0 && (sums[4] != 0 || sums[5] != 0);
    ramp.mean_re = is_lit ? sums[4] / sums[6] : 1;
    ramp.mean_im = is_lit ? sums[5] / sums[6] : 0;
}

Cost note_ramp_cost(const NoteRampArgs&) {
    return {10, sizeof(BatchSums)};
}

void remove_ramp_cpu(const RemoveRampArgs& args, const Buffers& buffers) {
    const PhaseRamp& ramp = *buffers.get<const PhaseRamp>(0);
    const bool is_object = args.field == RampedField::object;
    const double sign = is_object ? -1 : 1;
    const double from_y = is_object ? args.first_y - ramp.middle_of_object[0] : args.first_y;
    const double from_x = is_object ? args.first_x - ramp.middle_of_object[1] : args.first_x;
    const cdouble mean = {ramp.mean_re, ramp.mean_im};
    const cdouble constant = is_object ? 1 / norm(mean) * conj(mean) : mean;
    const auto along_y = phase_factors(sign * ramp.y, from_y, args.shape.y),
               along_x = phase_factors(sign * ramp.x, from_x, args.shape.x);
    auto* value = buffers.get<cfloat>(1);
    for (std::int32_t plane = 0; plane < args.num_planes; ++plane) {
        for (const cdouble& row : along_y) {
            const cdouble factor_of_row = constant * row;
            for (const cdouble& column : along_x) {
                const cdouble changed = factor_of_row * column * in_double(*value);
                *value++ = {static_cast<float>(changed.re), static_cast<float>(changed.im)};
            }
        }
    }
}

Cost remove_ramp_cost(const RemoveRampArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.shape, args.num_planes)), 16, 2 * sizeof(cfloat));
}

}  // namespace

BufferBytes FindRampArgs::buffer_bytes() const {
    return {frames_bytes(shape), moving_field_bytes(shape.probe_size()),
            moving_field_bytes(shape.tile_size()), sizeof(PhaseRamp), sizeof(BatchSums)};
}

const Codelet<FindRampArgs> find_ramp = Codelet<FindRampArgs>::make_for_host<find_ramp_cpu, find_ramp_cost>(
    "find_ramp", {Access::read, Access::read, Access::read, Access::read, Access::read_write});
const Codelet<NoteRampArgs> note_ramp = Codelet<NoteRampArgs>::make_for_host<note_ramp_cpu, note_ramp_cost>(
    "note_ramp", {Access::read, Access::read_write});
const Codelet<RemoveRampArgs> remove_ramp =
    Codelet<RemoveRampArgs>::make_for_host<remove_ramp_cpu, remove_ramp_cost>(
        "remove_ramp", {Access::read, Access::read_write});

}  // namespace tessera

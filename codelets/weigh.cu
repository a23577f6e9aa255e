#include "codelets/weigh.hpp"

#include "codelets/device/device.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

// The real parts, and their maximum over rows of pixels_per_row.
constexpr std::int32_t pixels_per_row = 65536;
struct RealParts {
    const cfloat* from;
    std::ptrdiff_t size;
    float* to;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t row, float (&largest)[1]) const {
        const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(row) * pixels_per_row + pixel;
        if (i >= size) return;
        to[i] = from[i].re;
        Maximum::combine(largest[0], from[i].re);
    }
};

TESSERA_HD double largest_of(const double* rows, std::int32_t num_rows) {
    double largest = 0;
    for (std::int32_t row = 0; row < num_rows; ++row) Maximum::combine(largest, rows[row]);
    return largest;
}

struct ObjectWeightFinishSums {
    const double* rows;
    std::int32_t num_rows;
    BatchSums* sums;
    TESSERA_HD void operator()() const { Maximum::combine(sums->weight_max, largest_of(rows, num_rows)); }
};

struct ProbeWeightFinishSums {
    const double* rows;
    std::int32_t num_rows;
    const BatchSums* total;
    IterationState* state;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        state->coverage_max = rules::positive_weight(largest_of(rows, num_rows));
        state->illumination_max = rules::positive_weight(total->weight_max);
    }
};

struct Rows {
    std::int32_t count;
    double* largest;
};
Rows real_parts(const cfloat* from, std::size_t size, float* to, Device& device) {
    const auto count = static_cast<std::int32_t>((size + pixels_per_row - 1) / pixels_per_row);
    auto* largest = device.scratch<double>(Scratch::row_sums, static_cast<std::size_t>(count));
    const std::int32_t width = size < pixels_per_row ? static_cast<std::int32_t>(size) : pixels_per_row;
    device.reduce_rows<1, Maximum>(count, width, RealParts{from, static_cast<std::ptrdiff_t>(size), to},
                                   largest);
    return {count, largest};
}

}  // namespace

void weigh_object_device(const WeighObjectArgs& args, const Buffers& buffers, Device& device) {
    const Rows rows = real_parts(buffers.get<const cfloat>(0), volume(args.tile, args.num_planes),
                                 buffers.get<float>(1), device);
    device.once(ObjectWeightFinishSums{rows.largest, rows.count, batch_sums(buffers.get<std::byte>(2))});
}

void weigh_probe_device(const WeighProbeArgs& args, const Buffers& buffers, Device& device) {
    const auto* total = buffers.get<const std::byte>(0);
    const Rows rows = real_parts(probe_part(total), args.probe.area(), buffers.get<float>(1), device);
    device.once(
        ProbeWeightFinishSums{rows.largest, rows.count, batch_sums(total), buffers.get<IterationState>(2)});
}

}  // namespace tessera

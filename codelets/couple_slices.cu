#include "codelets/couple_slices.hpp"

#include "codelets/device/device.hpp"
#include "codelets/slice_coupling.hpp"

namespace tessera {
namespace {

TESSERA_HD std::ptrdiff_t pixel_of(Shape2 shape, std::int32_t slice, std::int32_t y, std::int32_t x) {
    return (static_cast<std::ptrdiff_t>(slice) * shape.y + y) * shape.x + x;
}

// What all steps know.
struct SlicesOfTile {
    Shape2 tile, padded;
    std::int32_t num_slices;
    const IterationState* state;
    TESSERA_HD bool is_stopped() const { return state->stopped != 0; }
};

// log O, (slice, y, x). x, y: of the tile.
struct LogarithmsOfSlices {
    SlicesOfTile s;
    const cfloat* object;
    cfloat* logarithms;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (s.is_stopped()) return;
        cfloat sum = {0, 0};
        for (std::int32_t slice = 0; slice < s.num_slices; ++slice)
            sum = sum + object[pixel_of(s.tile, slice, y, x)];
        for (std::int32_t slice = 0; slice < s.num_slices; ++slice) {
            const std::ptrdiff_t pixel = pixel_of(s.tile, slice, y, x);
            logarithms[pixel] = coupling::logarithm(object[pixel], sum);
        }
    }
};

// Along the slices. x, y: of a padded plane, z: k - 1.
struct ProjectSlices {
    SlicesOfTile s;
    const cfloat* logarithms;
    cfloat* planes;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        if (s.is_stopped()) return;
        const std::int32_t from_y = coupling::source_of(y, s.tile.y, s.padded.y),
                           from_x = coupling::source_of(x, s.tile.x, s.padded.x);
        cfloat sum = {0, 0};
        for (std::int32_t slice = 0; slice < s.num_slices; ++slice)
            sum = scale_add(coupling::cosine(z + 1, slice, s.num_slices),
                            logarithms[pixel_of(s.tile, slice, from_y, from_x)], sum);
        planes[pixel_of(s.padded, z, y, x)] = sum;
    }
};

// The change of the planes' spectra, with the 1 / size of two transforms. z: k - 1.
struct DampPlanes {
    SlicesOfTile s;
    float strength;
    cfloat* planes;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        if (s.is_stopped()) return;
        const float factor =
            coupling::damping(strength, z + 1, s.num_slices, coupling::frequency_of(y, s.padded.y),
                              coupling::frequency_of(x, s.padded.x));
        cfloat& value = planes[pixel_of(s.padded, z, y, x)];
        value = -factor / static_cast<float>(pixel_of(s.padded, 1, 0, 0)) * value;
    }
};

// x, y: of the interior, z: slice.
struct MoveSlices {
    SlicesOfTile s;
    Strip interior;
    const cfloat* planes;
    cfloat* object;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t slice) const {
        if (s.is_stopped()) return;
        cfloat change = {0, 0};
        for (std::int32_t k = 1; k < s.num_slices; ++k)
            change = scale_add(coupling::cosine(k, slice, s.num_slices),
                               planes[pixel_of(s.padded, k - 1, interior.y + y, interior.x + x)], change);
        cfloat& value = object[pixel_of(s.tile, slice, interior.y + y, interior.x + x)];
        value = coupling::moved(value, change);
    }
};

}  // namespace

void couple_slices_device(const CoupleSlicesArgs& args, const Buffers& buffers, Device& device) {
    const SlicesOfTile s = {args.tile, coupling::padded_shape(args.tile), args.num_slices,
                            buffers.get<const IterationState>(1)};
    const std::size_t size = volume(args.tile, args.num_slices);
    auto* object = moving_field(buffers.get<std::byte>(0), size).value;
    auto* logarithms = device.scratch<cfloat>(Scratch::moved_object, size);
    auto* planes = device.scratch<cfloat>(Scratch::slice_waves, volume(s.padded, args.num_slices - 1));
    device.for_each({s.tile.x, s.tile.y}, LogarithmsOfSlices{s, object, logarithms});
    device.for_each({s.padded.x, s.padded.y, args.num_slices - 1}, ProjectSlices{s, logarithms, planes});
    device.forward(planes, s.padded, args.num_slices - 1);
    device.for_each({s.padded.x, s.padded.y, args.num_slices - 1}, DampPlanes{s, args.strength, planes});
    device.backward(planes, s.padded, args.num_slices - 1);
    device.for_each({args.interior.shape.x, args.interior.shape.y, args.num_slices},
                    MoveSlices{s, args.interior, planes, object});
}

}  // namespace tessera

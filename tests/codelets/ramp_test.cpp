// What object and probe can trade: found in sums, and taken off both.
#include "codelets/ramp.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

using Value = std::complex<double>;

// Three frames on a tile of 23 x 29 pixels that begins at (40, 70) of the object, two modes and slices.
struct Scene {
    BatchShape shape;
    std::vector<FramePosition> frames = {{2, 3, 0, 0}, {6, 8, 0.25f, -0.5f}, {4, 12, 0, 0}};
    std::vector<cfloat> probe, object;
    static constexpr std::int32_t tile_y = 40, tile_x = 70;

    explicit Scene(std::int32_t num_slices = 2) {
        shape.num_frames = 3;
        shape.num_modes = 2;
        shape.num_slices = num_slices;
        shape.probe = shape.frame = {9, 10};
        shape.tile = {23, 29};
        shape.window_y = 2;
        shape.window_x = 3;
        shape.window = {13, 19};
        probe = random_pixels(shape.probe_size(), 1);
        object = random_pixels(shape.tile_size(), 2);
    }
    Value product(std::int32_t y, std::int32_t x) const {
        Value value = 1;
        for (std::int32_t slice = 0; slice < shape.num_slices; ++slice)
            value *=
                value_of(object[volume(shape.tile, slice) + static_cast<std::size_t>(y * shape.tile.x + x)]);
        return value;
    }
    // sum(y, x, light) over all pixels that a frame lights, but for its window's last row and column.
    template <class Sum>
    void for_each_lit(const Strip& region, const Sum& sum) const {
        for (const FramePosition& at : frames) {
            for (std::int32_t y = 0; y + 1 < shape.probe.y; ++y) {
                for (std::int32_t x = 0; x + 1 < shape.probe.x; ++x) {
                    const std::int32_t v = at.y + y, u = at.x + x;
                    if (v < region.y || v >= region.y + region.shape.y || u < region.x ||
                        u >= region.x + region.shape.x)
                        continue;
                    double light = 0;
                    for (std::size_t k = 0; k < 2; ++k)
                        light += std::norm(value_of(
                            probe[k * shape.probe.area() + static_cast<std::size_t>(y * shape.probe.x + x)]));
                    sum(v, u, light);
                }
            }
        }
    }
    BatchSums sums(RampPart part, const Strip& region, const PhaseRamp& ramp = {}) const {
        const Data positions = data_of(frames), probes = moving_field_of(probe, probe),
                   objects = moving_field_of(object, object), ramps = data_of_one(ramp);
        BatchSums before;
        before.ramp_sums[0] = before.ramp_sums[6] = 1000;  // of batches before
        const Data sums = data_of_one(before);
        find_ramp.submit({shape, part, region, tile_y, tile_x},
                         {&positions, &probes, &objects, &ramps, &sums});
        return content_of_one<BatchSums>(sums);
    }
};

const Strip regions[] = {{0, 0, {23, 29}}, {5, 7, {6, 4}}, {0, 10, {9, 19}}, {20, 25, {3, 4}}};

TEST(Ramp, IsTheArgumentOfNeighbours) {
    const Scene scene;
    for (const Strip& region : regions) {
        Value along_y = 1000, along_x = 0;
        scene.for_each_lit(region, [&](std::int32_t y, std::int32_t x, double light) {
            const Value here = std::conj(scene.product(y, x));
            if (y + 1 < region.y + region.shape.y) along_y += light * here * scene.product(y + 1, x);
            if (x + 1 < region.x + region.shape.x) along_x += light * here * scene.product(y, x + 1);
        });
        const BatchSums found = scene.sums(RampPart::slope, region);
        const double size = 1e-5 * (std::abs(along_y) + std::abs(along_x));
        EXPECT_NEAR(found.ramp_sums[0], along_y.real(), size);
        EXPECT_NEAR(found.ramp_sums[1], along_y.imag(), size);
        EXPECT_NEAR(found.ramp_sums[2], along_x.real(), size);
        EXPECT_NEAR(found.ramp_sums[3], along_x.imag(), size);
        EXPECT_EQ(found.ramp_sums[4], 0);
        const Data sums = data_of_one(found), ramps = data_of_one(PhaseRamp());
        note_ramp.submit({RampPart::slope}, {&sums, &ramps});
        const auto ramp = content_of_one<PhaseRamp>(ramps);
        EXPECT_NEAR(ramp.y, std::arg(along_y), 1e-3);
        EXPECT_EQ(ramp.mean_re, 1);
    }
}

TEST(Ramp, LeavesAMean) {
    const Scene scene;
    PhaseRamp ramp;
    ramp.y = 0.3;
    ramp.x = -0.7;
    ramp.middle_of_object[0] = 51;
    ramp.middle_of_object[1] = 80;
    for (const Strip& region : regions) {
        Value mean = 0;
        double lit = 1000;
        scene.for_each_lit(region, [&](std::int32_t y, std::int32_t x, double light) {
            const double phase = ramp.y * (Scene::tile_y + y - 51) + ramp.x * (Scene::tile_x + x - 80);
            mean += light * scene.product(y, x) * std::polar(1.0, -phase);
            lit += light;
        });
        const BatchSums found = scene.sums(RampPart::mean, region, ramp);
        EXPECT_NEAR(found.ramp_sums[4], mean.real(), 1e-5 * (1 + std::abs(mean)));
        EXPECT_NEAR(found.ramp_sums[5], mean.imag(), 1e-5 * (1 + std::abs(mean)));
        EXPECT_NEAR(found.ramp_sums[6], lit, 1e-5 * lit);
        const Data sums = data_of_one(found), ramps = data_of_one(ramp);
        note_ramp.submit({RampPart::mean}, {&sums, &ramps});
        const auto noted = content_of_one<PhaseRamp>(ramps);
        if (mean == 0.0) mean = lit;  // no light: nothing is known
        EXPECT_NEAR(noted.mean_re, mean.real() / lit, 1e-5);
        EXPECT_NEAR(noted.mean_im, mean.imag() / lit, 1e-5);
        EXPECT_EQ(noted.y, ramp.y);
    }
    const Data nothing = data_of_one(BatchSums()), ramps = data_of_one(PhaseRamp());
    note_ramp.submit({RampPart::mean}, {&nothing, &ramps});
    EXPECT_EQ(content_of_one<PhaseRamp>(ramps).mean_re, 1);
}

// The product of probe and object is what it was, but for one phase a frame.
TEST(Ramp, IsTraded) {
    const Scene scene(1);
    PhaseRamp ramp;
    ramp.y = 0.31;
    ramp.x = -1.2;
    ramp.mean_re = 0.6;
    ramp.mean_im = 1.1;
    ramp.middle_of_object[0] = 50;
    ramp.middle_of_object[1] = 81;
    const Data ramps = data_of_one(ramp), object = data_of(scene.object, field_bytes(scene.shape.tile)),
               probe = data_of(scene.probe, field_bytes(scene.shape.probe, 2));
    remove_ramp.submit({RampedField::object, scene.shape.tile, 1, Scene::tile_y, Scene::tile_x},
                       {&ramps, &object});
    remove_ramp.submit({RampedField::probe, scene.shape.probe, 2, -4, -5}, {&ramps, &probe});
    const auto new_object = content<cfloat>(object, scene.object.size()),
               new_probe = content<cfloat>(probe, scene.probe.size());
    for (const FramePosition& at : scene.frames) {
        const double phase =
            ramp.y * (Scene::tile_y + at.y + 4 - 50) + ramp.x * (Scene::tile_x + at.x + 5 - 81);
        for (std::size_t k = 0; k < 2; ++k) {
            for (std::int32_t y = 0; y < 9; ++y) {
                for (std::int32_t x = 0; x < 10; ++x) {
                    const auto p = k * 90 + static_cast<std::size_t>(y * 10 + x),
                               o = static_cast<std::size_t>((at.y + y) * 29 + at.x + x);
                    const Value before = value_of(scene.probe[p]) * value_of(scene.object[o]),
                                after = value_of(new_probe[p]) * value_of(new_object[o]);
                    EXPECT_LT(std::abs(after - before * std::polar(1.0, -phase)),
                              2e-6 * (1 + std::abs(before)));
                }
            }
        }
    }
}

}  // namespace
}  // namespace tessera::test

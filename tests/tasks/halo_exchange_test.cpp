// Sums over overlapping tiles: both exchanges against the sum over the whole object in double precision.
#include "tasks/halo_exchange.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>

#include "codelets/runtime/runtime.hpp"
#include "scan/random.hpp"
#include "support/small_run.hpp"
#include "support/test_device.hpp"

namespace tessera::test {
namespace {

struct ExchangeCase {
    const char* name;
    std::array<int, 2> grid;
    int window;  // pixels: the halo
};

// Halos of a fraction of a tile up to several tiles, and grids of one row or column.
const ExchangeCase exchange_cases[] = {
    {"one_tile", {1, 1}, 9},   {"row", {1, 5}, 9},         {"column", {4, 1}, 9},
    {"small_halo", {3, 2}, 5}, {"large_halo", {3, 4}, 21}, {"larger_than_tiles", {6, 5}, 27},
};

Placement random_placement(int window) {
    Random random(11, 0);
    Array<double, 2> positions({80, 2});
    for (double& value : positions) value = random.uniform(0, 60);
    return place_windows(positions, {window, window}, 3, Interpolation::nearest);
}

// A field for each extended tile, with what the tile's own frames may have added to it: anything inside
// their windows, nothing outside.
std::vector<Array<cfloat, 2>> random_fields(const Tiling& tiling) {
    Random random(12, 0);
    std::vector<Array<cfloat, 2>> fields;
    for (const Tile& tile : tiling.tiles) {
        Array<cfloat, 2> field({tile.extended.height(), tile.extended.width()});
        for (const Batch& batch : tile.batches) {
            for (int y = batch.window.y0; y < batch.window.y1; ++y) {
                for (int x = batch.window.x0; x < batch.window.x1; ++x) {
                    field(y - tile.extended.y0, x - tile.extended.x0) = {static_cast<float>(random.normal()),
                                                                         static_cast<float>(random.normal())};
                }
            }
        }
        fields.push_back(std::move(field));
    }
    return fields;
}

class HaloExchangeTest : public testing::TestWithParam<std::tuple<ExchangeCase, Exchange>> {
  protected:
    HaloExchangeTest() : runtime_(on_test_device(), ranks_) {}

    static RuntimeConfig on_test_device() {
        RuntimeConfig config;
        run_on_test_device(config);
        config.scheduler = "eager";
        return config;
    }

    // What every tile holds after an exchange. What lies in no other tile is added after its beginning, as
    // the interior batches are.
    std::vector<Array<cfloat, 2>> exchanged(const Tiling& tiling,
                                            const std::vector<Array<cfloat, 2>>& fields) {
        const Owners owners = {&ranks_, std::vector<int>(tiling.tiles.size(), 0)};
        const HaloExchange exchange(tiling, owners, std::get<Exchange>(GetParam()));
        std::vector<Data> own, total;
        HaloExchange::Fields own_fields, total_fields;
        for (const auto& field : fields) {
            own.emplace_back(field.bytes());
            total.emplace_back(field.bytes());
            std::memcpy(own.back().before_tasks<void>(), field.data(), field.bytes());
        }
        for (std::size_t t = 0; t < fields.size(); ++t) {
            own_fields.push_back(&own[t]);
            total_fields.push_back(&total[t]);
        }
        exchange.begin(owners, own_fields, total_fields, 0);
        exchange.finish(owners, own_fields, total_fields, 0);
        std::vector<Array<cfloat, 2>> sums;
        for (std::size_t t = 0; t < fields.size(); ++t) {
            const HostAccess access(total[t], Access::read);
            Array<cfloat, 2> sum(fields[t].extents());
            std::memcpy(static_cast<void*>(sum.data()), access.as<const cfloat>(), sum.bytes());
            sums.push_back(std::move(sum));
        }
        return sums;
    }

    Ranks ranks_;
    Runtime runtime_;
};

TEST_P(HaloExchangeTest, IsTheSumOverTheWholeObject) {
    const ExchangeCase& chosen = std::get<ExchangeCase>(GetParam());
    const Tiling tiling = make_tiling(random_placement(chosen.window), chosen.grid, 4);
    const auto fields = random_fields(tiling);
    Array<std::complex<double>, 2> whole({tiling.object_shape[0], tiling.object_shape[1]});
    Array<double, 2> size({tiling.object_shape[0], tiling.object_shape[1]});
    const auto for_each_pixel = [&](std::size_t t, const auto& visit) {
        const Rect& tile = tiling.tiles[t].extended;
        for (int y = tile.y0; y < tile.y1; ++y) {
            for (int x = tile.x0; x < tile.x1; ++x) visit(y, x, y - tile.y0, x - tile.x0);
        }
    };
    for (std::size_t t = 0; t < fields.size(); ++t) {
        for_each_pixel(t, [&](int y, int x, int row, int column) {
            const cfloat value = fields[t](row, column);
            whole(y, x) += std::complex<double>(value.re, value.im);
            size(y, x) += std::hypot(value.re, value.im);
        });
    }
    Array<cfloat, 2> seen({tiling.object_shape[0], tiling.object_shape[1]});
    Array<int, 2> times({tiling.object_shape[0], tiling.object_shape[1]});
    const auto sums = exchanged(tiling, fields);
    for (std::size_t t = 0; t < sums.size(); ++t) {
        for_each_pixel(t, [&](int y, int x, int row, int column) {
            const cfloat sum = sums[t](row, column);
            // Each of at most 30 additions rounds once.
            const double bound = 30 * 6e-8 * size(y, x);
            ASSERT_NEAR(sum.re, whole(y, x).real(), bound) << "tile " << t << ", pixel " << y << ", " << x;
            ASSERT_NEAR(sum.im, whole(y, x).imag(), bound) << "tile " << t << ", pixel " << y << ", " << x;
            if (times(y, x)++ == 0) {
                seen(y, x) = sum;
            } else {
                ASSERT_EQ(std::memcmp(&sum, &seen(y, x), sizeof sum), 0)
                    << "tiles differ at " << y << ", " << x;
            }
        });
    }
}

INSTANTIATE_TEST_SUITE_P(All, HaloExchangeTest,
                         testing::Combine(testing::ValuesIn(exchange_cases),
                                          testing::Values(Exchange::neighbours, Exchange::passes)),
                         [](const auto& chosen) {
                             return std::string(std::get<0>(chosen.param).name) +
                                    (std::get<1>(chosen.param) == Exchange::passes ? "_passes"
                                                                                   : "_neighbours");
                         });

// What four messages a tile buy: their number does not grow with the halo, that of the pairs does.
TEST(HaloMoves, OfPassesAreFourATileWhateverTheHalo) {
    for (const int window : {5, 13, 27}) {
        const Tiling tiling = make_tiling(random_placement(window), {5, 6}, 4);
        EXPECT_EQ(halo_moves(tiling, Exchange::passes).size(), 2U * (4 * 6 + 5 * 5)) << window;
    }
    const auto pairs = [](int window) {
        return halo_moves(make_tiling(random_placement(window), {5, 6}, 4), Exchange::neighbours).size();
    };
    EXPECT_LT(pairs(5), pairs(13));
    EXPECT_LT(pairs(13), pairs(27));
}

}  // namespace
}  // namespace tessera::test

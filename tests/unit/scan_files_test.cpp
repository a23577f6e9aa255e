// Measured scans and published examples, where they are at hand: TESSERA_TEST_DATA names their folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "io/inspect.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

std::filesystem::path data_folder() {
    const char* folder = std::getenv("TESSERA_TEST_DATA");
    return folder == nullptr ? "" : folder;
}

#define TESSERA_REQUIRE_FILE(path)                                                                \
    if (!std::filesystem::exists(path)) {                                                         \
        GTEST_SKIP() << (path) << " is not there (set TESSERA_TEST_DATA to the folder of scans)"; \
    }

double sum_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum;
}

TEST(ScanFiles, FarFieldSiemensStar) {
    const auto path = data_folder() / "aps_siemens_star.cxi";
    TESSERA_REQUIRE_FILE(path);
    ScanReader reader(config_for(path), {});
    const ScanInfo& info = reader.info();
    EXPECT_EQ(info.num_frames, 516);
    EXPECT_EQ(info.frame_shape, (std::array<int, 2>{128, 128}));
    EXPECT_EQ(info.pattern_type, PatternType::u16);
    EXPECT_EQ(info.geometry.propagation, Propagation::far_field);
    EXPECT_NEAR(info.geometry.energy_eV(), 8800, 0.01);
    EXPECT_NEAR(info.pixel_size_m[0], 1.40891e-10 * 1.92 / (128 * 75e-6), 1e-13);
    ASSERT_TRUE(info.probe.has_value());
    EXPECT_EQ(info.probe->extents(), (Extents<3>{1, 128, 128}));
    // T of frame 1 minus T of frame 0 is (1.258904e-06, -9.99803e-08) m in (x, y): row = +T_y, column = +T_x.
    EXPECT_NEAR(info.positions_px(1, 0) - info.positions_px(0, 0), -9.99803e-08 / info.pixel_size_m[0], 1e-3);
    EXPECT_NEAR(info.positions_px(1, 1) - info.positions_px(0, 1), 1.258904e-06 / info.pixel_size_m[1], 1e-3);
    const auto counts = read_all(reader);
    EXPECT_NEAR(sum_of(counts) / 516, 4.6e5, 0.1e5);
    EXPECT_EQ(*std::max_element(counts.begin(), counts.end()), 963);
    // The beam is at index 0 of the pattern: most counts are in the quarter of the frame around it.
    double near_beam = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::size_t y = i / 128 % 128, x = i % 128;
        if ((y < 32 || y >= 96) && (x < 32 || x >= 96)) near_beam += counts[i];
    }
    EXPECT_GT(near_beam, 0.8 * sum_of(counts));
}

TEST(ScanFiles, NearFieldWithADivergentBeam) {
    const auto path = data_folder() / "petra_p25_nearfield.cxi";
    TESSERA_REQUIRE_FILE(path);
    auto config = config_for(path);
    config.geometry.focus_to_sample_m = 3.65e-3;
    ScanReader reader(config, {});
    const ScanInfo& info = reader.info();
    EXPECT_EQ(info.num_frames, 200);
    EXPECT_EQ(info.pattern_type, PatternType::i32);
    EXPECT_EQ(info.geometry.propagation, Propagation::near_field);
    EXPECT_NEAR(info.geometry.magnification(), 307.85, 0.01);
    EXPECT_NEAR(info.pixel_size_m[0], 178.66e-9, 0.01e-9);
    EXPECT_NEAR(info.geometry.effective_distance_m(), 3.638e-3, 1e-6);
    EXPECT_EQ(std::count(info.mask.begin(), info.mask.end(), 0.0F), 5);
    EXPECT_NEAR(info.positions_px(1, 1) - info.positions_px(0, 1), 1.392426e-06 / info.pixel_size_m[1], 1e-2);
    const auto counts = read_all(reader);
    EXPECT_LE(*std::max_element(counts.begin(), counts.end()), 29176);
    EXPECT_GE(*std::min_element(counts.begin(), counts.end()), 0);
}

TEST(ScanFiles, NxptychoExampleWithJoules) {
    const auto path = data_folder() / "example_nxptycho_cxi_compatible.nxs";
    TESSERA_REQUIRE_FILE(path);
    auto config = config_for(path);
    config.positions.scale = {1e-9, 1e-9};  // its positions are random numbers up to 100 m
    expect_refused(config, {"photon energy", "scan.geometry.energy_eV"});  // its joules are none: 0.009 eV
    config.geometry.energy_eV = 9380;
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().format, "CXI (NXptycho)");
    EXPECT_EQ(reader.info().num_frames, 100);
    EXPECT_EQ(reader.info().pattern_type, PatternType::f32);
    EXPECT_TRUE(has_note(reader.info(), "300 GeV is no usable beam energy"));
    EXPECT_FALSE(reader.info().probe.has_value());
}

TEST(ScanFiles, NxptychoRasterBesideAFlatCopyWithKeV) {
    const auto path = data_folder() / "example_nxptycho_cxi_compatible_raster.nxs";
    TESSERA_REQUIRE_FILE(path);
    auto config = config_for(path);
    expect_refused(config, {"object pixels"});  // a step of a metre
    config.positions.scale = {1e-9, 1e-9};
    ScanReader flat(config, {});
    EXPECT_EQ(flat.info().num_frames, 100);
    EXPECT_NEAR(flat.info().geometry.energy_eV(), 9000, 1e-6);
    // T_y runs fast in this file.
    EXPECT_NEAR(flat.info().positions_px(1, 0) - flat.info().positions_px(0, 0),
                1e-9 / flat.info().pixel_size_m[0], 1e-9);
    EXPECT_NEAR(flat.info().positions_px(10, 1) - flat.info().positions_px(0, 1),
                1e-9 / flat.info().pixel_size_m[1], 1e-9);
    config.keys.frames = "/entry_1/data/data";  // (10, 10, 32, 32)
    ScanReader raster(config, {});
    EXPECT_EQ(raster.info().num_frames, 100);
    EXPECT_EQ(read_all(raster), read_all(flat));
}

TEST(ScanFiles, InspectSaysWhatIsInside) {
    const auto path = data_folder() / "aps_siemens_star.cxi";
    TESSERA_REQUIRE_FILE(path);
    const std::string text = inspect_file(path);
    for (const char* part :
         {"CXI 1.6", "516 of 128 by 128", "8800", "uint16", "far field", "centre in the middle"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
    }
}

}  // namespace
}  // namespace tessera::test

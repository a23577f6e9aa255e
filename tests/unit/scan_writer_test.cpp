// What is written as a simulated scan is what the reader gives back.
#include "io/scan_writer.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

constexpr int num_frames = 5, height = 6, width = 9;

SyntheticScan small_scan(Propagation propagation) {
    SyntheticScan scan;
    scan.geometry.propagation = propagation;
    scan.geometry.wavelength_m = wavelength_of_energy(9000);
    scan.geometry.distance_m = 1.5;
    scan.geometry.detector_pixel_size_m = {55e-6, 75e-6};
    if (propagation == Propagation::near_field) scan.geometry.focus_to_sample_m = 0.02;
    scan.pixel_size_m = scan.geometry.object_pixel_size_m({height, width});
    scan.object = Array<cfloat, 3>({1, 20, 21}, cfloat{0.5F, -0.25F});
    scan.probe = Array<cfloat, 3>({2, height, width}, cfloat{3, 1});
    scan.probe_guess = Array<cfloat, 3>({1, height, width}, cfloat{2, -1});
    scan.probe_guess(0, 1, 2) = {7, 8};
    scan.positions_px = Array<double, 2>({num_frames, 2});
    for (int i = 0; i < num_frames; ++i) {
        scan.positions_px(i, 0) = 1.25 * i;
        scan.positions_px(i, 1) = 10 - 0.5 * i * i;
    }
    scan.patterns = Array<float, 3>({num_frames, height, width});
    for (std::ptrdiff_t i = 0; i < scan.patterns.size(); ++i) scan.patterns[i] = static_cast<float>(i);
    for (int i = 0; i < num_frames; ++i) scan.patterns(i, height / 2, width / 2) = 60000;
    scan.mask = Array<float, 2>({height, width}, 1.0F);
    scan.mask(0, 3) = 0;
    scan.background = Array<float, 2>({height, width});
    return scan;
}

class ScanWriterTest : public testing::Test {
  protected:
    TemporaryFolder folder_;
};

TEST_F(ScanWriterTest, FarFieldScanComesBack) {
    const auto scan = small_scan(Propagation::far_field);
    write_scan(folder_ / "simulated.cxi", scan, "random_seed: 1\n");
    ScanReader reader(config_for(folder_ / "simulated.cxi"), {});
    const ScanInfo& info = reader.info();
    EXPECT_EQ(info.geometry.propagation, Propagation::far_field);
    EXPECT_EQ(info.pattern_type, PatternType::u16);
    for (std::size_t axis = 0; axis < 2; ++axis) {
        EXPECT_NEAR(info.pixel_size_m[axis] / scan.pixel_size_m[axis], 1, 1e-12);
        EXPECT_DOUBLE_EQ(info.geometry.detector_pixel_size_m[axis],
                         scan.geometry.detector_pixel_size_m[axis]);
        for (int i = 0; i < num_frames; ++i) {
            EXPECT_NEAR(info.positions_px(i, axis), scan.positions_px(i, axis), 1e-9);
        }
    }
    const auto counts = read_all(reader);
    for (int i = 0; i < num_frames; ++i) {
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                const int from_y = (y + height / 2) % height, from_x = (x + width / 2) % width;
                EXPECT_EQ(counts[static_cast<std::size_t>((i * height + y) * width + x)],
                          static_cast<double>(scan.patterns(i, from_y, from_x) * scan.mask(from_y, from_x)));
                EXPECT_EQ(info.mask(y, x), scan.mask(from_y, from_x));
            }
        }
    }
    ASSERT_TRUE(info.probe.has_value());
    EXPECT_EQ((*info.probe)(0, 1, 2).im, 8);
    EXPECT_FALSE(info.background.has_value());
}

TEST_F(ScanWriterTest, ElectronsComeBackAsSuch) {
    auto scan = small_scan(Propagation::far_field);
    scan.geometry.radiation = Radiation::electrons;
    scan.geometry.wavelength_m = electron_wavelength_of_energy(200e3);
    scan.geometry.distance_m = 0.1;
    scan.pixel_size_m = scan.geometry.object_pixel_size_m({height, width});
    write_scan(folder_ / "electrons.cxi", scan, "");
    auto config = config_for(folder_ / "electrons.cxi");
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().geometry.radiation, Radiation::electrons);
    EXPECT_NEAR(reader.info().geometry.wavelength_m / scan.geometry.wavelength_m, 1, 1e-9);
    EXPECT_NEAR(reader.info().geometry.energy_eV(), 200e3, 1e-3);
    config.geometry.accelerating_voltage_kV = 200;
    EXPECT_NO_THROW(ScanReader(config, {}));
}

TEST_F(ScanWriterTest, NearFieldScanComesBack) {
    const auto scan = small_scan(Propagation::near_field);
    write_scan(folder_ / "simulated.cxi", scan, "");
    ScanReader reader(config_for(folder_ / "simulated.cxi"), {});
    EXPECT_EQ(reader.info().geometry.propagation, Propagation::near_field);
    EXPECT_DOUBLE_EQ(reader.info().geometry.focus_to_sample_m, 0.02);
    EXPECT_NEAR(reader.info().pixel_size_m[1] / scan.pixel_size_m[1], 1, 1e-12);
    EXPECT_EQ(read_all(reader)[1], 1) << "nothing is shifted";

    auto config = config_for(folder_ / "simulated.cxi");
    config.geometry.propagation = Propagation::far_field;
    expect_refused(config, {"near_field", "far_field"});
}

TEST_F(ScanWriterTest, AParallelBeamStaysOne) {
    auto scan = small_scan(Propagation::near_field);
    scan.geometry.focus_to_sample_m = 0;
    scan.pixel_size_m = scan.geometry.object_pixel_size_m({height, width});
    write_scan(folder_ / "simulated.cxi", scan, "");
    ScanReader reader(config_for(folder_ / "simulated.cxi"), {});
    EXPECT_EQ(reader.info().geometry.propagation, Propagation::near_field);
    EXPECT_EQ(reader.info().geometry.focus_to_sample_m, 0);
}

TEST_F(ScanWriterTest, CountsChooseTheirType) {
    const auto type_with = [&](float brightest, bool integers) {
        auto scan = small_scan(Propagation::far_field);
        scan.patterns(2, height / 2, width / 2) = brightest;
        scan.integer_counts = integers;
        write_scan(folder_ / "simulated.cxi", scan, "");
        ScanReader reader(config_for(folder_ / "simulated.cxi"), {});
        std::vector<double> counts = read_all(reader);
        EXPECT_EQ(counts[2 * height * width], static_cast<double>(brightest));
        return reader.info().pattern_type;
    };
    EXPECT_EQ(type_with(65534, true), PatternType::u16);
    EXPECT_EQ(type_with(65535, true), PatternType::i32) << "which as uint16 is the mark of no count";
    EXPECT_EQ(type_with(60000.5F, false), PatternType::f32);
    auto scan = small_scan(Propagation::far_field);
    scan.patterns(0, 0, 0) = 3e9F;
    EXPECT_THROW(write_scan(folder_ / "simulated.cxi", scan, ""), Error);
}

TEST_F(ScanWriterTest, BackgroundAndTruthAreThere) {
    auto scan = small_scan(Propagation::far_field);
    scan.background(height / 2, width / 2) = 3;
    write_scan(folder_ / "simulated.cxi", scan, "random_seed: 1\n");
    ScanReader reader(config_for(folder_ / "simulated.cxi"), {});
    ASSERT_TRUE(reader.info().background.has_value());
    EXPECT_EQ((*reader.info().background)(0, 0), 3);

    const hdf5::File file(folder_ / "simulated.cxi");
    EXPECT_EQ(file.dataset("/entry_1/truth_1/object").shape(), (hdf5::Shape{1, 20, 21}));
    EXPECT_EQ(file.dataset("/entry_1/truth_1/probe").shape(), (hdf5::Shape{2, height, width}));
    const auto positions = file.dataset("/entry_1/truth_1/positions_px").read_vector<double>();
    EXPECT_EQ(positions[3], 9.5);
    EXPECT_EQ(file.text("/entry_1/process_1/simulation"), "random_seed: 1\n");
    // CXI's other places.
    EXPECT_EQ(file.dataset("/entry_1/data_1/data").shape(), (hdf5::Shape{num_frames, height, width}));
    EXPECT_EQ(file.dataset("/entry_1/data_1/translation").shape(), (hdf5::Shape{num_frames, 3}));
    EXPECT_EQ(file.dataset("/entry_1/instrument_1/detector_1/translation").shape(),
              (hdf5::Shape{num_frames, 3}));
    EXPECT_EQ(file.number("/cxi_version"), 160);
}

}  // namespace
}  // namespace tessera::test

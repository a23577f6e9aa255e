// What cannot be reconstructed is refused with one message that names file, dataset and remedy.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

const std::string instrument = "/entry_1/instrument_1";
const std::string detector = instrument + "/detector_1";
const std::string translation = "/entry_1/sample_1/geometry_1/translation";

class ScanErrorsTest : public testing::Test {
  protected:
    ScanConfig changed(const std::function<void(FileBuilder&)>& change) {
        return config_for(write_mini_cxi(folder_, change));
    }
    ScanConfig without(const std::string& path) {
        return changed([&](FileBuilder& file) { file.remove(path); });
    }
    TemporaryFolder folder_;
};

TEST_F(ScanErrorsTest, FilesThatAreNone) {
    expect_refused(config_for(folder_ / "absent.cxi"), {"absent.cxi", "no such file"});
    expect_refused(config_for(folder_.path()), {"is a folder"});
    std::ofstream(folder_ / "text.cxi") << "counts\n1 2 3\n";
    expect_refused(config_for(folder_ / "text.cxi"), {"text.cxi", "not an HDF5 file"});
    std::ofstream(folder_ / "empty.cxi").close();
    expect_refused(config_for(folder_ / "empty.cxi"), {"empty.cxi", "not an HDF5 file"});
}

TEST_F(ScanErrorsTest, TruncatedFile) {
    const auto path = write_mini_cxi(folder_);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    expect_refused(config_for(path), {"scan.cxi", "truncated"});
}

TEST_F(ScanErrorsTest, NothingIsPrintedByHdf5) {
    testing::internal::CaptureStderr();
    expect_refused(config_for(folder_ / "absent.cxi"), {});
    std::ofstream(folder_ / "text.cxi") << "x";
    expect_refused(config_for(folder_ / "text.cxi"), {});
    expect_refused(changed([](FileBuilder& file) { file.link(detector + "/data", "/nowhere"); }), {});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(ScanErrorsTest, NeitherCxiNorKeys) {
    {
        FileBuilder file(folder_ / "other.h5");
        file.put("/measurement/eiger", {mini_frames, mini_height, mini_width}, mini_counts<std::uint16_t>());
    }
    expect_refused(config_for(folder_ / "other.h5"),
                   {"not a CXI file", "scan.keys.frames", "/measurement/eiger (4, 6, 8) uint16"});
}

TEST_F(ScanErrorsTest, Frames) {
    expect_refused(without(detector + "/data"), {"holds no frames", "scan.keys.frames"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put<std::uint16_t>(detector + "/data", {6, 8}, std::vector<std::uint16_t>(48, 1));
                   }),
                   {detector + "/data", "(6, 8)", "single frame"});
    expect_refused(
        changed([](FileBuilder& file) {
            file.put<std::uint16_t>(detector + "/data", {1, 6, 8}, std::vector<std::uint16_t>(48, 1));
            file.put<double>(translation, {1, 3}, {0, 0, 0});
        }),
        {"(1, 6, 8)", "at least two"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put<std::uint16_t>(detector + "/data", {0, 6, 8}, {});
                       file.put<double>(translation, {0, 3}, {});
                   }),
                   {"(0, 6, 8)", "no frames"});
    expect_refused(changed([](FileBuilder& file) { file.put_text(detector + "/data", "frames"); }),
                   {"hold text"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put_unwritten(detector + "/data", {4, 6, 8});
                   }),
                   {"never written"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put<float>(detector + "/data", {2, 1, 1, 1, 2}, std::vector<float>(4, 1));
                   }),
                   {"(2, 1, 1, 1, 2)"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put_complex(detector + "/data", {2, 1, 2}, std::vector<float>(8, 1), {});
                   }),
                   {"complex64"});
}

TEST_F(ScanErrorsTest, DanglingLinks) {
    expect_refused(changed([](FileBuilder& file) { file.link_outside(detector + "/data", "raw.h5", "/x"); }),
                   {detector + "/data", "raw.h5:/x", "does not exist"});
    expect_refused(changed([](FileBuilder& file) { file.link(translation, "/nowhere"); }),
                   {translation, "/nowhere", "does not exist"});
}

TEST_F(ScanErrorsTest, Positions) {
    expect_refused(without(translation), {"no positions", "scan.keys.positions"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put<double>(translation, {5, 3}, std::vector<double>(15, 0.0));
                   }),
                   {"4 frames", "(5, 3)"});
    expect_refused(changed([](FileBuilder& file) {
                       auto table = mini_translations();
                       table[4] = std::nan("");
                       file.put(translation, {mini_frames, 3}, table);
                   }),
                   {"position of frame 1", "not finite"});
    expect_refused(changed([](FileBuilder& file) {
                       auto table = mini_translations();
                       for (auto& value : table) value *= 1e9;  // nanometres taken as metres
                       file.put(translation, {mini_frames, 3}, table);
                   }),
                   {"object pixels", "scan.positions.scale"});
}

TEST_F(ScanErrorsTest, MissingGeometryNamesTheKey) {
    expect_refused(without(instrument + "/source_1/energy"), {"photon energy", "scan.geometry.energy_eV"});
    expect_refused(without(detector + "/distance"), {"distance", "scan.geometry.detector_distance_m"});
    expect_refused(without(detector + "/x_pixel_size"),
                   {"pixel size", "scan.geometry.detector_pixel_size_m"});
}

TEST_F(ScanErrorsTest, TheRunFileFillsWhatIsMissingOrUnusable) {
    auto config = changed([](FileBuilder& file) {
        file.put(instrument + "/source_1/energy", 0.0);
        file.remove(detector + "/distance");
        file.put(detector + "/x_pixel_size", std::nan(""));
        file.put(detector + "/y_pixel_size", -1.0);
    });
    config.geometry.energy_eV = 9000;
    config.geometry.detector_distance_m = 3;
    config.geometry.detector_pixel_size_m = 55e-6;
    ScanReader reader(config, {});
    EXPECT_NEAR(reader.info().geometry.energy_eV(), 9000, 1e-6);
    EXPECT_EQ(reader.info().geometry.distance_m, 3);
    EXPECT_EQ(reader.info().geometry.detector_pixel_size_m, (std::array<double, 2>{55e-6, 55e-6}));
    EXPECT_TRUE(has_note(reader.info(), "no usable"));
}

TEST_F(ScanErrorsTest, RunFileAndScanMustAgree) {
    const auto config = changed([](FileBuilder&) {});
    auto same = config;
    same.geometry.energy_eV = mini_energy_eV * (1 + 1e-7);
    same.geometry.detector_distance_m = mini_distance_m;
    same.geometry.detector_pixel_size_m = mini_pixel_m;
    EXPECT_NO_THROW(ScanReader(same, {}));

    auto other = config;
    other.geometry.energy_eV = 8001;
    expect_refused(other, {"source_1/energy", "8000", "8001", "scan.geometry.energy_eV"});
    other = config;
    other.geometry.wavelength_m = 1e-10;
    expect_refused(other, {"source_1/energy", "8000"});
    other = config;
    other.geometry.detector_distance_m = 2.1;
    expect_refused(other, {"detector_1/distance", "2.1"});
    other = config;
    other.geometry.detector_pixel_size_m = 172e-6;
    expect_refused(other, {"y_pixel_size", "0.000172"});
    other = config;
    other.geometry.energy_eV = 8000;
    other.geometry.wavelength_m = 1e-10;
    expect_refused(other, {"contradict"});
    other = config;
    other.geometry.propagation = Propagation::far_field;
    other.geometry.focus_to_sample_m = 0.01;
    expect_refused(other, {"focus_to_sample_m", "near-field"});
}

TEST_F(ScanErrorsTest, AContradictoryFileIsSettledByTheRunFile) {
    auto config = changed([](FileBuilder& file) { file.put(instrument + "/source_1/wavelength", 1e-10); });
    expect_refused(config, {"source_1/energy", "source_1/wavelength", "scan.geometry.energy_eV"});
    config.geometry.wavelength_m = 1e-10;
    ScanReader reader(config, {});
    EXPECT_NEAR(reader.info().geometry.wavelength_m, 1e-10, 1e-20);
    EXPECT_TRUE(has_note(reader.info(), "contradicts itself"));
}

TEST_F(ScanErrorsTest, PhotonsAndElectronsAreNotMixed) {
    auto silent =
        changed([](FileBuilder& file) { file.put(instrument + "/source_1/energy", 3.2043533e-14); });
    silent.geometry.accelerating_voltage_kV = 200;
    const Geometry geometry = ScanReader(silent, {}).info().geometry;
    EXPECT_EQ(geometry.radiation, Radiation::electrons);
    EXPECT_NEAR(geometry.wavelength_m, 2.5079e-12, 1e-16);
    silent.geometry.accelerating_voltage_kV = 300;
    expect_refused(silent, {"source_1/energy", "200", "kV", "scan.geometry.accelerating_voltage_kV", "300"});

    auto electrons =
        changed([](FileBuilder& file) { file.put_text(instrument + "/source_1/probe", "electron"); });
    electrons.geometry.energy_eV = mini_energy_eV;
    expect_refused(electrons, {"electrons", "scan.geometry.energy_eV", "accelerating_voltage_kV"});
    auto photons = changed([](FileBuilder& file) { file.put_text(instrument + "/source_1/probe", "x-ray"); });
    photons.geometry.accelerating_voltage_kV = 200;
    expect_refused(photons, {"photons", "scan.geometry.accelerating_voltage_kV"});
}

TEST_F(ScanErrorsTest, Masks) {
    const auto masked = [&](const Dims& dims, std::uint8_t value) {
        std::size_t size = 1;
        for (const auto extent : dims) size *= extent;
        return changed([&](FileBuilder& file) {
            file.put(detector + "/mask", dims, std::vector<std::uint8_t>(size, value));
        });
    };
    expect_refused(masked({mini_height, mini_width}, 1), {"no pixel", "scan.mask.invert"});
    expect_refused(masked({mini_width, mini_height}, 0), {"(8, 6)", "(6, 8)"});
    expect_refused(masked({3, mini_height, mini_width}, 0), {"(3, 6, 8)", "(4, 6, 8)"});
    auto config = masked({mini_height, mini_width}, 1);
    config.mask.invert = true;
    EXPECT_NO_THROW(ScanReader(config, {}));
    config.mask.key = "/absent";
    expect_refused(config, {"/absent"});
}

TEST_F(ScanErrorsTest, ProbesAndBackgrounds) {
    const std::string probe = instrument + "/source_1/illumination";
    const auto probed = [&](const Dims& dims, float value) {
        std::size_t size = 1;
        for (const auto extent : dims) size *= extent;
        return changed([&](FileBuilder& file) { file.put(probe, dims, std::vector<float>(size, value)); });
    };
    expect_refused(probed({12, 12}, 1), {probe, "12 by 12", "6 by 8"});
    expect_refused(probed({mini_height, mini_width}, 0), {probe, "zero"});
    expect_refused(probed({mini_height, mini_width}, std::nanf("")), {probe, "not finite"});
    expect_refused(probed({2, 2, mini_height, mini_width}, 1), {probe, "(2, 2, 6, 8)"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put(detector + "/data_dark", {3, 3}, std::vector<float>(9, 1));
                   }),
                   {"data_dark", "(3, 3)"});
    expect_refused(
        changed([](FileBuilder& file) {
            file.put(detector + "/data_dark", {mini_height, mini_width}, std::vector<float>(48, -1));
        }),
        {"data_dark", "-1"});
}

TEST_F(ScanErrorsTest, Selections) {
    auto config = changed([](FileBuilder&) {});
    config.frames = {3, std::nullopt, 1};
    expect_refused(config, {"scan.frames", "1 of the 4"});
    config.frames = {0, 4, 0};
    expect_refused(config, {"scan.frames"});
    config.frames = {0, 100, 1};
    EXPECT_NO_THROW(ScanReader(config, {}));
}

TEST_F(ScanErrorsTest, GenericKeys) {
    const auto path = folder_ / "any.h5";
    {
        FileBuilder file(path);
        file.put("/frames", {mini_frames, mini_height, mini_width}, mini_counts<std::uint16_t>());
        file.put<double>("/y", {2}, {0, 5});
        file.put<double>("/x", {2}, {0, 7});
        file.put<double>("/short", {3}, {0, 1, 2});
        file.put<double>("/nm", {mini_frames, 2}, {0, 0, 0, 100, 50, 0, 50, 100});
        file.put<double>("/grid", {2, 2}, {0, 1, 2, 3});
    }
    ScanConfig config = config_for(path);
    config.format = ScanFormat::hdf5;
    expect_refused(config, {"scan.keys.frames"});
    config.keys.frames = "/frames";
    expect_refused(config, {"scan.keys.positions"});
    config.keys.positions_y = "/y";
    expect_refused(config, {"positions_x"});
    config.keys.positions_x = "/short";
    expect_refused(config, {"/y", "/short", "4 frames"});
    config.keys.positions_x = "/x";
    config.keys.position_unit = PositionUnit::px;
    expect_refused(config, {"scan.geometry.energy_eV"});
    config.geometry = {Propagation::automatic, mini_distance_m, mini_pixel_m, std::nullopt,
                       mini_energy_eV,         std::nullopt,    std::nullopt};
    {
        ScanReader reader(config, {});  // two axes of a raster, multiplied out: x runs fastest
        expect_positions(reader.info(), {{0, 0}, {0, 7}, {5, 0}, {5, 7}});
        EXPECT_EQ(reader.info().format, "HDF5 by keys");
    }
    config.keys.positions_y = "/grid";
    config.keys.positions_x = "/grid";
    {
        ScanReader reader(config, {});
        expect_positions(reader.info(), {{0, 0}, {1, 1}, {2, 2}, {3, 3}});
    }
    config.keys.positions = "/nm";
    expect_refused(config, {"scan.keys", "one or the other"});
    config.keys.positions_y.reset();
    config.keys.positions_x.reset();
    config.keys.position_unit = PositionUnit::nm;
    config.format = ScanFormat::automatic;
    {
        ScanReader reader(config, {});
        const double y = 50e-9 / mini_object_pixel_y_m(), x = 100e-9 / mini_object_pixel_x_m();
        expect_positions(reader.info(), {{0, 0}, {0, x}, {y, 0}, {y, x}});
    }
    config.keys.frames = "/nm";
    expect_refused(config, {"/nm"});
    config.keys.frames = "/absent";
    expect_refused(config, {"/absent"});
}

TEST_F(ScanErrorsTest, AMissingFilterPluginIsNamed) {
    // Filter 32008 is stood in for while the file is written, then taken away.
    const H5Z_class2_t stand_in = {H5Z_CLASS_T_VERS,
                                   32008,
                                   1,
                                   1,
                                   "stand-in",
                                   nullptr,
                                   nullptr,
                                   [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                                      void**) { return bytes; }};
    ASSERT_GE(H5Zregister(&stand_in), 0);
    const auto path = write_mini_cxi(folder_, [](FileBuilder& file) { file.remove(detector + "/data"); });
    {
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        const Dims dims = {mini_frames, mini_height, mini_width};
        const hid_t space = H5Screate_simple(3, dims.data(), nullptr);
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 3, dims.data());
        H5Pset_filter(creation, 32008, H5Z_FLAG_MANDATORY, 0, nullptr);
        const hid_t dataset = H5Dcreate2(file, (detector + "/data").c_str(), H5T_NATIVE_UINT16, space,
                                         H5P_DEFAULT, creation, H5P_DEFAULT);
        const auto counts = mini_counts<std::uint16_t>();
        EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, counts.data()), 0);
        H5Dclose(dataset);
        H5Pclose(creation);
        H5Sclose(space);
        H5Fclose(file);
    }
    EXPECT_NO_THROW(ScanReader(config_for(path), {}));
    ASSERT_GE(H5Zunregister(32008), 0);
    expect_refused(config_for(path), {detector + "/data", "32008", "bitshuffle", "HDF5_PLUGIN_PATH"});
}

TEST_F(ScanErrorsTest, AbsurdShapesAreRefusedBeforeAllocating) {
    expect_refused(changed([](FileBuilder& file) {
                       file.put_huge(detector + "/data", {4, 70000, 8});
                   }),
                   {detector + "/data", "70000"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put_huge(detector + "/data", {hsize_t{1} << 62, 1 << 16, 1 << 16});
                   }),
                   {detector + "/data", "absurd"});
    expect_refused(changed([](FileBuilder& file) {
                       file.put_huge(detector + "/data", {hsize_t{1} << 40, 6, 8});
                       file.put_huge(translation, {hsize_t{1} << 40, 3});
                   }),
                   {"never written"});
}

}  // namespace
}  // namespace tessera::test

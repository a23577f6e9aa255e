// What the field's programs do differently in .cxi files: each trap is one test.
#include "io/cxi_layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

const std::string instrument = "/entry_1/instrument_1";
const std::string detector = instrument + "/detector_1";
const std::string geometry_translation = "/entry_1/sample_1/geometry_1/translation";

class CxiLayoutTest : public testing::Test {
  protected:
    ScanInfo read(const std::function<void(FileBuilder&)>& change) {
        ScanReader reader(config_for(write_mini_cxi(folder_, change)), {});
        first_count_ = read_all(reader)[0];
        return reader.info();
    }
    TemporaryFolder folder_;
    double first_count_ = 0;  // 9035 for the mini scan: frame 0 at the detector's centre
};

std::vector<double> transposed(const std::vector<double>& table, std::size_t rows, std::size_t columns) {
    std::vector<double> result(table.size());
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t k = 0; k < columns; ++k) result[k * rows + i] = table[i * columns + k];
    }
    return result;
}

std::vector<double> without_z(const std::vector<double>& table) {
    std::vector<double> result;
    for (std::size_t i = 0; i < table.size(); i += 3) result.insert(result.end(), {table[i], table[i + 1]});
    return result;
}

// ---- positions

TEST_F(CxiLayoutTest, TranslationsOnEachOfTheThreePaths) {
    for (const std::string& path :
         {std::string("/entry_1/data_1/translation"), geometry_translation, detector + "/translation"}) {
        expect_positions(read([&](FileBuilder& file) {
                             file.remove(geometry_translation);
                             file.put(path, {mini_frames, 3}, mini_translations());
                         }),
                         mini_positions_px());
    }
}

TEST_F(CxiLayoutTest, TranslationsByComponent) {
    const auto info = read([](FileBuilder& file) {  // PyNX: (3, N)
        file.put(geometry_translation, {3, mini_frames}, transposed(mini_translations(), mini_frames, 3));
    });
    expect_positions(info, mini_positions_px());
    EXPECT_TRUE(has_note(info, "(component, frame)"));
}

TEST_F(CxiLayoutTest, TranslationsWithoutZ) {
    const auto flat = without_z(mini_translations());
    expect_positions(read([&](FileBuilder& file) {
                         file.put(geometry_translation, {mini_frames, 2}, flat);
                     }),
                     mini_positions_px());
    expect_positions(read([&](FileBuilder& file) {
                         file.put(geometry_translation, {2, mini_frames}, transposed(flat, mini_frames, 2));
                     }),
                     mini_positions_px());
}

TEST_F(CxiLayoutTest, AnUnknownZDoesNotMatter) {
    auto translations = mini_translations();
    for (std::size_t i = 2; i < translations.size(); i += 3) translations[i] = std::nan("");
    expect_positions(read([&](FileBuilder& file) {
                         file.put(geometry_translation, {mini_frames, 3}, translations);
                     }),
                     mini_positions_px());
}

TEST_F(CxiLayoutTest, SinglePrecisionTranslationsInMicrometres) {
    std::vector<double> micrometres = mini_translations();
    for (auto& value : micrometres) value *= 1e6;
    expect_positions(read([&](FileBuilder& file) {
                         file.put(geometry_translation, {mini_frames, 3}, micrometres);
                         file.attribute(geometry_translation, "units", "um");
                     }),
                     mini_positions_px());
}

TEST_F(CxiLayoutTest, ContradictingTranslationsAreNoted) {
    const auto info = read([](FileBuilder& file) {
        auto other = mini_translations();
        other[0] += 1e-6;
        file.put(detector + "/translation", {mini_frames, 3}, other);
    });
    expect_positions(info, mini_positions_px());
    EXPECT_TRUE(has_note(info, "differs from"));
}

TEST_F(CxiLayoutTest, ATranslationOfAnotherLengthIsPassedOver) {
    const auto info = read([](FileBuilder& file) {
        file.put<double>("/entry_1/data_1/translation", {7, 3}, std::vector<double>(21, 0.0));
    });
    expect_positions(info, mini_positions_px());
}

TEST_F(CxiLayoutTest, BasisVectorsInBothShapes) {
    const std::vector<double> by_vector = {0, -mini_pixel_m, 0, -mini_pixel_m, 0, 0};
    for (const bool cdtools : {false, true}) {
        const auto info = read([&](FileBuilder& file) {
            if (cdtools) file.put(detector + "/basis_vectors", {3, 2}, transposed(by_vector, 2, 3));
            if (!cdtools) file.put(detector + "/basis_vectors", {2, 3}, by_vector);
        });
        expect_positions(info, mini_positions_px());
    }
}

// row = -T.e_r / px, column = -T.e_c / px: a detector mounted upside down, turned, or mirrored.
TEST_F(CxiLayoutTest, OtherBasisVectorsTurnThePositions) {
    const double p = mini_pixel_m;
    const double ratio = mini_object_pixel_y_m() / mini_object_pixel_x_m();
    struct Mounting {
        std::vector<double> basis;
        std::function<std::array<double, 2>(double, double)> expected;  // from the default's (row, column)
    };
    const std::vector<Mounting> mountings = {
        {{0, p, 0, -p, 0, 0},
         [](double y, double x) {
             return std::array{-y, x};
         }},
        {{0, -p, 0, p, 0, 0},
         [](double y, double x) {
             return std::array{y, -x};
         }},
        {{-p, 0, 0, 0, -p, 0},
         [&](double y, double x) {
             return std::array{x / ratio, y * ratio};
         }},
    };
    for (const auto& mounting : mountings) {
        std::vector<std::array<double, 2>> expected;
        for (const auto& [y, x] : mini_positions_px()) expected.push_back(mounting.expected(y, x));
        expect_positions(read([&](FileBuilder& file) {
                             file.put(detector + "/basis_vectors", {2, 3}, mounting.basis);
                         }),
                         expected);
    }
}

TEST_F(CxiLayoutTest, ATiltedDetectorSeesTheProjection) {
    const double angle = 0.5;
    const auto info = read([&](FileBuilder& file) {
        file.put<double>(
            detector + "/basis_vectors", {2, 3},
            {0, -mini_pixel_m, 0, -mini_pixel_m * std::cos(angle), 0, mini_pixel_m * std::sin(angle)});
    });
    std::vector<std::array<double, 2>> expected;
    for (const auto& [y, x] : mini_positions_px()) expected.push_back({y, x * std::cos(angle)});
    expect_positions(info, expected);
}

TEST_F(CxiLayoutTest, UselessBasisVectorsAreIgnoredWithANote) {
    for (const auto& basis : {std::vector<double>(6, 0.0), std::vector<double>(6, std::nan("")),
                              std::vector<double>{0, 1, 0, 0, 1, 0}}) {
        const auto info = read([&](FileBuilder& file) {
            file.put(detector + "/basis_vectors", {2, 3}, basis);
        });
        expect_positions(info, mini_positions_px());
        EXPECT_TRUE(has_note(info, "are ignored"));
    }
    EXPECT_TRUE(
        has_note(read([](FileBuilder& file) {
                     file.put<double>(detector + "/basis_vectors", {3, 3}, std::vector<double>(9, 1.0));
                 }),
                 "neither (2, 3) nor (3, 2)"));
}

TEST_F(CxiLayoutTest, PixelSizesFromBasisVectors) {
    const auto info = read([](FileBuilder& file) {
        file.remove(detector + "/x_pixel_size");
        file.remove(detector + "/y_pixel_size");
        file.put<double>(detector + "/basis_vectors", {2, 3}, {0, -50e-6, 0, -mini_pixel_m, 0, 0});
    });
    EXPECT_DOUBLE_EQ(info.geometry.detector_pixel_size_m[0], 50e-6);
    EXPECT_DOUBLE_EQ(info.geometry.detector_pixel_size_m[1], mini_pixel_m);
}

// ---- energy

TEST_F(CxiLayoutTest, EnergyByMagnitude) {
    const std::string path = instrument + "/source_1/energy";
    struct Spelling {
        double value;
        const char* note;
    };
    for (const auto& [value, note] :
         {Spelling{8.0, "keV by its magnitude"}, Spelling{8000.0, "eV by its magnitude"}}) {
        const auto info = read([&](FileBuilder& file) { file.put(path, value); });
        EXPECT_NEAR(info.geometry.energy_eV(), 8000, 1e-3);
        EXPECT_TRUE(has_note(info, note));
    }
    const auto joules = read([](FileBuilder&) {});
    EXPECT_FALSE(has_note(joules, "magnitude"));
}

TEST_F(CxiLayoutTest, EnergyByItsUnit) {
    const std::string path = instrument + "/source_1/energy";
    const auto info = read([&](FileBuilder& file) {
        file.put(path, 150.0);  // by its magnitude this would be keV
        file.attribute(path, "units", "eV");
    });
    EXPECT_NEAR(info.geometry.energy_eV(), 150, 1e-6);
}

TEST_F(CxiLayoutTest, TheMachinesEnergyIsNotThePhotons) {
    const auto info = read([](FileBuilder& file) {  // NeXus: source_1/energy is the storage ring's
        file.put(instrument + "/source_1/energy", 6);
        file.attribute(instrument + "/source_1/energy", "units", "GeV");
        file.put(instrument + "/beam_1/incident_energy", 8.0);
        file.attribute(instrument + "/beam_1/incident_energy", "units", "keV");
    });
    EXPECT_NEAR(info.geometry.energy_eV(), 8000, 1e-6);
    EXPECT_TRUE(has_note(info, "no usable beam energy"));
}

TEST_F(CxiLayoutTest, WavelengthInsteadOfEnergy) {
    const std::string path = instrument + "/source_1/wavelength";
    const auto info = read([&](FileBuilder& file) {
        file.remove(instrument + "/source_1/energy");
        file.put(path, 1.5e-10);
    });
    EXPECT_NEAR(info.geometry.wavelength_m, 1.5e-10, 1e-18);
    const auto angstrom = read([&](FileBuilder& file) {
        file.remove(instrument + "/source_1/energy");
        file.put(path, 1.5);
        file.attribute(path, "units", "angstrom");
    });
    EXPECT_NEAR(angstrom.geometry.wavelength_m, 1.5e-10, 1e-18);
}

TEST_F(CxiLayoutTest, ElectronsWhereTheSourceSaysSo) {
    const auto info = read([](FileBuilder& file) {
        file.put_text(instrument + "/source_1/probe", "electron");
        file.put(instrument + "/source_1/energy", 300);  // keV by its magnitude: of photons it would be eV
        file.put(instrument + "/source_1/wavelength", 1.9687e-12);
    });
    EXPECT_EQ(info.geometry.radiation, Radiation::electrons);
    EXPECT_NEAR(info.geometry.wavelength_m, 1.96875e-12, 1e-17);
    EXPECT_EQ(read([](FileBuilder&) {}).geometry.radiation, Radiation::photons);
}

TEST_F(CxiLayoutTest, LengthsInOtherUnits) {
    const auto info = read([](FileBuilder& file) {
        file.put(detector + "/distance", 2000.0);
        file.attribute(detector + "/distance", "units", "mm");
        file.put(detector + "/x_pixel_size", 75.0);
        file.attribute(detector + "/x_pixel_size", "units", "\xC2\xB5m");
    });
    EXPECT_NEAR(info.geometry.distance_m, 2, 1e-12);
    EXPECT_NEAR(info.geometry.detector_pixel_size_m[1], 75e-6, 1e-16);
}

// ---- masks

TEST_F(CxiLayoutTest, MaskBits) {
    const std::vector<std::uint32_t> bits = {0,    0x1,   0x2,   0x4,    0x8,    0x10,
                                             0x80, 0x200, 0x400, 0x1000, 0x1001, 0x10000};
    const std::vector<float> expected = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
    const auto stored = [&](const ScanInfo& info, std::size_t i) {  // the mask is in transform order
        const auto y = static_cast<std::ptrdiff_t>(i) / mini_width,
                   x = static_cast<std::ptrdiff_t>(i) % mini_width;
        return info.mask((y + (mini_height + 1) / 2) % mini_height, (x + (mini_width + 1) / 2) % mini_width);
    };
    const auto check = [&](const auto& value_of) {
        using Value = decltype(value_of(0U));
        std::vector<Value> mask(mini_height * mini_width, Value{0});
        for (std::size_t i = 0; i < bits.size(); ++i) mask[i] = value_of(bits[i]);
        const auto info = read([&](FileBuilder& file) {
            file.put(detector + "/mask", {mini_height, mini_width}, mask);
        });
        for (std::size_t i = 0; i < bits.size(); ++i)
            EXPECT_EQ(stored(info, i), expected[i]) << "bits " << bits[i];
    };
    check([](std::uint32_t value) { return value; });
    check([](std::uint32_t value) { return static_cast<std::int32_t>(value); });
    check([](std::uint32_t value) { return static_cast<std::uint64_t>(value); });
    check([](std::uint32_t value) { return static_cast<std::int64_t>(value); });
}

TEST_F(CxiLayoutTest, HighAndNegativeMaskBitsAreBad) {
    std::vector<std::uint64_t> wide(mini_height * mini_width, 0);
    wide[3 * mini_width + 4] = std::uint64_t{1} << 63;
    EXPECT_EQ(read([&](FileBuilder& file) {
                  file.put(detector + "/mask", {mini_height, mini_width}, wide);
              }).mask(0, 0),
              0);
    std::vector<std::int16_t> negative(mini_height * mini_width, 0);
    negative[3 * mini_width + 4] = -1;
    EXPECT_EQ(read([&](FileBuilder& file) {
                  file.put(detector + "/mask", {mini_height, mini_width}, negative);
              }).mask(0, 0),
              0);
}

TEST_F(CxiLayoutTest, BooleanMask) {
    std::vector<std::int8_t> bad(mini_height * mini_width, 0);
    bad[3 * mini_width + 4] = 1;
    const auto info = read([&](FileBuilder& file) {
        file.put_bools(detector + "/mask", {mini_height, mini_width}, bad);
    });
    EXPECT_EQ(info.mask(0, 0), 0);
    EXPECT_EQ(std::ranges::count(info.mask, 0.0F), 1);
}

TEST_F(CxiLayoutTest, MaskOfOneFrameWithALeadingAxis) {
    std::vector<std::uint8_t> bad(mini_height * mini_width, 0);
    bad[3 * mini_width + 4] = 1;
    EXPECT_EQ(read([&](FileBuilder& file) {
                  file.put(detector + "/mask", {1, mini_height, mini_width}, bad);
              }).mask(0, 0),
              0);
}

TEST_F(CxiLayoutTest, MaskOfTheRunFile) {
    {
        FileBuilder other(folder_ / "mask.h5");
        std::vector<std::uint8_t> good(mini_height * mini_width, 1);
        good[3 * mini_width + 4] = 0;
        other.put("/good", {mini_height, mini_width}, good);
    }
    auto config = config_for("scan.cxi");  // relative to the run file's folder
    write_mini_cxi(folder_);
    config.mask.file = "mask.h5";
    config.mask.key = "/good";
    config.mask.invert = true;
    ScanReader reader(config, folder_.path());
    EXPECT_EQ(reader.info().mask(0, 0), 0);
    EXPECT_EQ(std::ranges::count(reader.info().mask, 0.0F), 1);
    config.mask.key.reset();
    EXPECT_THROW(ScanReader(config, folder_.path()), Error);
}

// ---- where things are

TEST_F(CxiLayoutTest, FramesOnlyInData1) {
    read([](FileBuilder& file) {
        file.remove(detector + "/data");
        file.put("/entry_1/data_1/data", {mini_frames, mini_height, mini_width},
                 mini_counts<std::uint16_t>());
    });
    EXPECT_EQ(first_count_, count_at(0, 3, 4));
}

TEST_F(CxiLayoutTest, FramesBehindLinks) {
    {
        FileBuilder raw(folder_ / "raw.h5");
        raw.put("/frames", {mini_frames, mini_height, mini_width}, mini_counts<std::int32_t>());
    }
    const auto info = read([](FileBuilder& file) {
        file.link_outside(detector + "/data", "raw.h5", "/frames");
        file.link("/entry_1/data_1/data", detector + "/data");
        file.link("/entry_1/data_1/translation", geometry_translation);
    });
    EXPECT_EQ(info.pattern_type, PatternType::i32);
    EXPECT_EQ(first_count_, count_at(0, 3, 4));
}

TEST_F(CxiLayoutTest, ARasterOfFrames) {
    const auto info = read([](FileBuilder& file) {
        file.put(detector + "/data", {2, 2, mini_height, mini_width}, mini_counts<std::uint16_t>());
    });
    EXPECT_EQ(info.num_frames, 4);
    EXPECT_EQ(first_count_, count_at(0, 3, 4));
    expect_positions(info, mini_positions_px());
}

TEST_F(CxiLayoutTest, ARasterOfTranslations) {
    expect_positions(
        read([](FileBuilder& file) {
            file.put(detector + "/data", {2, 2, mini_height, mini_width}, mini_counts<std::uint16_t>());
            file.put(geometry_translation, {2, 2, 3}, mini_translations());
        }),
        mini_positions_px());
}

TEST_F(CxiLayoutTest, TheFlatCopyIsReadWhereARasterStandsBeside) {
    const auto info = read([](FileBuilder& file) {
        std::vector<std::uint16_t> raster(mini_frames * mini_height * mini_width, 1);
        file.put(instrument + "/detector/data", {2, 2, mini_height, mini_width}, raster);
        file.put("/entry_1/data/data", {2, 2, mini_height, mini_width}, raster);
    });
    EXPECT_EQ(first_count_, count_at(0, 3, 4));
    expect_positions(info, mini_positions_px());
}

TEST_F(CxiLayoutTest, NxptychoNamesAndSampleAxes) {
    const auto info = read([](FileBuilder& file) {
        const auto translations = mini_translations();
        std::vector<double> x, y;
        for (std::size_t i = 0; i < translations.size(); i += 3) {
            x.push_back(translations[i]);
            y.push_back(translations[i + 1]);
        }
        file.remove(geometry_translation);
        for (const char* name : {"/data", "/distance", "/x_pixel_size", "/y_pixel_size"})
            file.remove(detector + name);
        const std::string nexus = instrument + "/detector";
        file.put_text("/entry_1/definition", "NXptycho");
        file.put(nexus + "/data", {2, 2, mini_height, mini_width}, mini_counts<std::uint16_t>());
        file.put(nexus + "/distance", mini_distance_m);
        file.put(nexus + "/x_pixel_size", mini_pixel_m);
        file.put(nexus + "/y_pixel_size", mini_pixel_m);
        file.put("/entry_1/sample_1/transformations/x", {2, 2}, x);
        file.put("/entry_1/sample_1/transformations/y", {2, 2}, y);
        file.put_text(instrument + "/source_1/probe", "x-ray");  // NeXus' word, no illumination
    });
    EXPECT_EQ(info.format, "CXI 1.6 (NXptycho)");
    EXPECT_FALSE(info.probe.has_value());
    expect_positions(info, mini_positions_px());
    EXPECT_EQ(first_count_, count_at(0, 3, 4));
}

TEST_F(CxiLayoutTest, AnEmptyOrMissingVersion) {
    EXPECT_EQ(read([](FileBuilder& file) { file.put_text("/cxi_version", ""); }).format, "CXI");
    EXPECT_EQ(read([](FileBuilder& file) { file.put_fixed_text("/cxi_version", ""); }).format, "CXI");
    EXPECT_EQ(read([](FileBuilder& file) { file.remove("/cxi_version"); }).format, "CXI");
    EXPECT_EQ(read([](FileBuilder& file) { file.put("/cxi_version", 150.0); }).format, "CXI 1.5");
}

TEST_F(CxiLayoutTest, AnotherEntryHoldsTheFrames) {
    const auto info = read([](FileBuilder& file) {
        file.put("/entry_0/note", 1);
        file.link("/entry_last", "/entry_1");
    });
    expect_positions(info, mini_positions_px());
}

// ---- probe

TEST_F(CxiLayoutTest, ProbesOfEveryKind) {
    constexpr std::size_t pixels = mini_height * mini_width;
    std::vector<double> doubles(2 * pixels, 0.5);
    std::vector<float> floats(4 * pixels, 0.25F);
    doubles[1] = -3;
    floats[2 * pixels] = 8;
    const std::string path = instrument + "/source_1/illumination";
    const auto flat = read([&](FileBuilder& file) {
        file.put_complex(path, {mini_height, mini_width}, doubles, {"real", "imag"});
    });
    ASSERT_TRUE(flat.probe.has_value());
    EXPECT_EQ(flat.probe->extents(), (Extents<3>{1, mini_height, mini_width}));
    EXPECT_EQ((*flat.probe)(0, 0, 0).im, -3);
    EXPECT_EQ((*flat.probe)(0, 0, 1).re, 0.5F);

    const auto modes = read([&](FileBuilder& file) {
        file.put_complex(path, {2, mini_height, mini_width}, floats, {"r", "i"});
    });
    ASSERT_TRUE(modes.probe.has_value());
    EXPECT_EQ(modes.probe->extents(), (Extents<3>{2, mini_height, mini_width}));
    EXPECT_EQ((*modes.probe)(1, 0, 0).re, 8);

    const auto real = read([&](FileBuilder& file) {
        file.put(path, {mini_height, mini_width}, std::vector<double>(pixels, 2.0));
    });
    ASSERT_TRUE(real.probe.has_value());
    EXPECT_EQ((*real.probe)(0, 1, 1).re, 2);
    EXPECT_EQ((*real.probe)(0, 1, 1).im, 0);

    const auto linked = read([&](FileBuilder& file) {  // SHARP's name
        file.put_complex("/elsewhere", {mini_height, mini_width}, doubles, {});
        file.link(instrument + "/source_1/probe", "/elsewhere");
    });
    EXPECT_TRUE(linked.probe.has_value());
}

TEST_F(CxiLayoutTest, ASmallerProbeIsWelcome) {
    const auto info = read([](FileBuilder& file) {
        file.put(instrument + "/source_1/illumination", {3, 4}, std::vector<float>(12, 1.0F));
    });
    ASSERT_TRUE(info.probe.has_value());
    EXPECT_EQ(info.probe->extents(), (Extents<3>{1, 3, 4}));
}

// ---- doubts

TEST_F(CxiLayoutTest, DoubtfulValuesAreNoted) {
    const auto info = read([](FileBuilder& file) {
        auto counts = mini_counts<std::uint16_t>();
        for (std::size_t i = 0; i < mini_frames; ++i) counts[i * mini_height * mini_width + 2] = 65535;
        file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
        auto translations = mini_translations();
        std::copy_n(translations.begin(), 3, translations.begin() + 3);
        file.put(geometry_translation, {mini_frames, 3}, translations);
    });
    EXPECT_TRUE(has_note(info, "(y, x) = (0, 2)"));
    EXPECT_TRUE(has_note(info, "1 frames repeat an earlier position"));
}

TEST_F(CxiLayoutTest, ABeamOffCentreIsNoted) {
    std::vector<std::uint16_t> counts(mini_frames * mini_height * mini_width, 1);
    for (std::size_t i = 0; i < mini_frames; ++i) counts[(i * mini_height + 1) * mini_width + 2] = 5000;
    EXPECT_TRUE(has_note(read([&](FileBuilder& file) {
                             file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
                         }),
                         "scan.crop.center"));
}

// ---- the run file's keys win

TEST_F(CxiLayoutTest, KeysReplaceWhatWasFound) {
    auto config = config_for(write_mini_cxi(folder_, [](FileBuilder& file) {
        file.put<double>("/corrected", {2, mini_frames}, {0, 1, 2, 3, 0, 10, 20, 30});
    }));
    config.keys.positions = "/corrected";
    config.keys.position_unit = PositionUnit::px;
    config.keys.positions_order = {"x", "y"};
    ScanReader reader(config, {});
    expect_positions(reader.info(), {{0, 0}, {10, 1}, {20, 2}, {30, 3}});
}

}  // namespace
}  // namespace tessera::test

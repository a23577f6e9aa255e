#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/run_config.hpp"
#include "io/scan_reader.hpp"

// Small HDF5 files for the tests of src/io, written with HDF5's own calls and nothing of Tessera.
namespace tessera::test {

// A folder of its own per test, removed at the end.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

using Dims = std::vector<hsize_t>;

struct ComplexNames {
    std::string real = "r", imaginary = "i";
};

// An HDF5 file being written; each put() makes the groups above it and replaces what is there.
class FileBuilder {
  public:
    explicit FileBuilder(const std::filesystem::path& path);
    ~FileBuilder();
    FileBuilder(const FileBuilder&) = delete;
    FileBuilder& operator=(const FileBuilder&) = delete;

    template <class T>
    void put(const std::string& path, const Dims& dims, const std::vector<T>& values) {
        put_typed(path, dims, native<T>(), values.data(), {});
    }
    template <class T>
    void put_chunked(const std::string& path, const Dims& dims, const std::vector<T>& values,
                     const Dims& chunk) {
        put_typed(path, dims, native<T>(), values.data(), chunk);
    }
    template <class T>
    void put(const std::string& path, T value) {
        put(path, {}, std::vector<T>{value});
    }
    void put_text(const std::string& path, const std::string& text);
    void put_fixed_text(const std::string& path, const std::string& text);
    void put_bools(const std::string& path, const Dims& dims,
                   const std::vector<std::int8_t>& values);  // as h5py does
    // Pairs (real, imaginary) one after the other.
    template <class T>
    void put_complex(const std::string& path, const Dims& dims, const std::vector<T>& pairs,
                     const ComplexNames& names) {
        put_complex_typed(path, dims, native<T>(), sizeof(T), pairs.data(), names);
    }
    void put_unwritten(const std::string& path, const Dims& dims);  // float32, chunked, never filled
    void put_huge(const std::string& path, const Dims& dims);  // as above, small chunks whatever the shape
    void link(const std::string& path, const std::string& target);
    void link_outside(const std::string& path, const std::string& file, const std::string& target);
    void attribute(const std::string& path, const std::string& name, const std::string& text);
    void remove(const std::string& path);

    template <class T>
    static hid_t native() {
        if constexpr (std::is_same_v<T, std::int8_t>) return H5T_NATIVE_INT8;
        if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
        if constexpr (std::is_same_v<T, std::int16_t>) return H5T_NATIVE_INT16;
        if constexpr (std::is_same_v<T, std::uint16_t>) return H5T_NATIVE_UINT16;
        if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
        if constexpr (std::is_same_v<T, std::uint32_t>) return H5T_NATIVE_UINT32;
        if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
        if constexpr (std::is_same_v<T, std::uint64_t>) return H5T_NATIVE_UINT64;
        if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
        if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
        return -1;
    }

  private:
    void put_typed(const std::string& path, const Dims& dims, hid_t type, const void* values,
                   const Dims& chunk);
    void put_complex_typed(const std::string& path, const Dims& dims, hid_t real_type, std::size_t real_bytes,
                           const void* values, const ComplexNames& names);
    hid_t file_;
};

// The scan most tests start from: strict CXI 1.6, 4 frames of 6 by 8 uint16 counts, 8 keV, z = 2 m, 75 um
// pixels. Frame i holds count_at(i, y, x): all different, brightest in the middle.
constexpr int mini_frames = 4, mini_height = 6, mini_width = 8;
constexpr double mini_energy_eV = 8000, mini_distance_m = 2, mini_pixel_m = 75e-6;
constexpr double joules_per_electronvolt = 1.602176634e-19;

constexpr int count_at(int i, int y, int x) {
    return 1 + 100 * i + 10 * y + x + (y == mini_height / 2 && x == mini_width / 2 ? 9000 : 0);
}
double mini_object_pixel_y_m();
double mini_object_pixel_x_m();

template <class T>
std::vector<T> mini_counts() {
    std::vector<T> counts;
    for (int i = 0; i < mini_frames; ++i) {
        for (int y = 0; y < mini_height; ++y) {
            for (int x = 0; x < mini_width; ++x) counts.push_back(static_cast<T>(count_at(i, y, x)));
        }
    }
    return counts;
}

// Sample translations (x, y, z) whose strict CXI positions are, in pixels (y, x): (0, 0), (0, 3), (2.5, 1),
// (4, -2).
std::vector<double> mini_translations();
const std::vector<std::array<double, 2>>& mini_positions_px();

// Writes the mini scan, then lets `change` alter it.
std::filesystem::path write_mini_cxi(
    const TemporaryFolder& folder, const std::function<void(FileBuilder&)>& change = [](FileBuilder&) {});

ScanConfig config_for(const std::filesystem::path& file);

// All frames of a reader as doubles, (frame, y, x) one after the other.
std::vector<double> read_all(ScanReader& reader);

// Opens the scan (and reads its frames); expects an Error whose message has every one of `parts`.
void expect_refused(const ScanConfig& config, const std::vector<std::string>& parts);

bool has_note(const ScanInfo& info, const std::string& part);

// Positions equal up to one common shift.
void expect_positions(const ScanInfo& info, const std::vector<std::array<double, 2>>& expected_px);

// Detector index that lands at pattern index i: the centre floor(n/2) goes to 0.
inline int unshifted(int i, int n) {
    return (i + n / 2) % n;
}

}  // namespace tessera::test

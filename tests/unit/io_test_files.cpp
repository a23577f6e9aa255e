#include "unit/io_test_files.hpp"

#include <unistd.h>

#include <array>
#include <cmath>

#include "base/error.hpp"

namespace tessera::test {

namespace {

hid_t with_parents() {
    const hid_t list = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(list, 1);
    return list;
}

constexpr const char* detector = "/entry_1/instrument_1/detector_1";

}  // namespace

TemporaryFolder::TemporaryFolder() {
    auto name = (std::filesystem::temp_directory_path() / "tessera-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

FileBuilder::FileBuilder(const std::filesystem::path& path)
    : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    if (file_ < 0) throw std::runtime_error("cannot make " + path.string());
}

FileBuilder::~FileBuilder() {
    H5Fclose(file_);
}

void FileBuilder::put_typed(const std::string& path, const Dims& dims, hid_t type, const void* values,
                            const Dims& chunk) {
    remove(path);
    const hid_t parents = with_parents();
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    if (!chunk.empty()) H5Pset_deflate(creation, 1);
    const hid_t space = dims.empty() ? H5Screate(H5S_SCALAR)
                                     : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file_, path.c_str(), type, space, parents, creation, H5P_DEFAULT);
    if (dataset < 0) throw std::runtime_error("cannot make " + path);
    if (values != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
    H5Pclose(parents);
}

void FileBuilder::put_complex_typed(const std::string& path, const Dims& dims, hid_t real_type,
                                    std::size_t real_bytes, const void* values, const ComplexNames& names) {
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * real_bytes);
    H5Tinsert(type, names.real.c_str(), 0, real_type);
    H5Tinsert(type, names.imaginary.c_str(), real_bytes, real_type);
    put_typed(path, dims, type, values, {});
    H5Tclose(type);
}

void FileBuilder::put_text(const std::string& path, const std::string& text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const char* const value = text.c_str();
    put_typed(path, {}, type, &value, {});
    H5Tclose(type);
}

void FileBuilder::put_fixed_text(const std::string& path, const std::string& text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, text.size() + 1);
    put_typed(path, {}, type, text.c_str(), {});
    H5Tclose(type);
}

void FileBuilder::put_bools(const std::string& path, const Dims& dims,
                            const std::vector<std::int8_t>& values) {
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    std::int8_t value = 0;
    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    put_typed(path, dims, type, values.data(), {});
    H5Tclose(type);
}

void FileBuilder::put_unwritten(const std::string& path, const Dims& dims) {
    put_typed(path, dims, H5T_NATIVE_FLOAT, nullptr, dims);
}

void FileBuilder::put_huge(const std::string& path, const Dims& dims) {
    put_typed(path, dims, H5T_NATIVE_FLOAT, nullptr, Dims(dims.size(), 1));
}

void FileBuilder::link(const std::string& path, const std::string& target) {
    remove(path);
    const hid_t parents = with_parents();
    H5Lcreate_soft(target.c_str(), file_, path.c_str(), parents, H5P_DEFAULT);
    H5Pclose(parents);
}

void FileBuilder::link_outside(const std::string& path, const std::string& file, const std::string& target) {
    remove(path);
    const hid_t parents = with_parents();
    H5Lcreate_external(file.c_str(), target.c_str(), file_, path.c_str(), parents, H5P_DEFAULT);
    H5Pclose(parents);
}

void FileBuilder::attribute(const std::string& path, const std::string& name, const std::string& text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t made = H5Acreate_by_name(file_, path.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                                         H5P_DEFAULT, H5P_DEFAULT);
    const char* const value = text.c_str();
    H5Awrite(made, type, &value);
    H5Aclose(made);
    H5Sclose(space);
    H5Tclose(type);
}

void FileBuilder::remove(const std::string& path) {
    for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
        if (H5Lexists(file_, path.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return;
    }
    if (H5Lexists(file_, path.c_str(), H5P_DEFAULT) > 0) H5Ldelete(file_, path.c_str(), H5P_DEFAULT);
}

double mini_object_pixel_y_m() {
    return 1.23984198e-6 / mini_energy_eV * mini_distance_m / (mini_height * mini_pixel_m);
}

double mini_object_pixel_x_m() {
    return 1.23984198e-6 / mini_energy_eV * mini_distance_m / (mini_width * mini_pixel_m);
}

const std::vector<std::array<double, 2>>& mini_positions_px() {
    static const std::vector<std::array<double, 2>> positions = {{0, 0}, {0, 3}, {2.5, 1}, {4, -2}};
    return positions;
}

std::vector<double> mini_translations() {
    std::vector<double> translations;
    for (const auto& [y, x] : mini_positions_px()) {
        translations.insert(translations.end(),
                            {x * mini_object_pixel_x_m(), y * mini_object_pixel_y_m(), 0.0});
    }
    return translations;
}

std::filesystem::path write_mini_cxi(const TemporaryFolder& folder,
                                     const std::function<void(FileBuilder&)>& change) {
    const auto path = folder / "scan.cxi";
    FileBuilder file(path);
    const std::string prefix = detector;
    file.put("/cxi_version", 160);
    file.put("/number_of_entries", 1);
    file.put(prefix + "/data", {mini_frames, mini_height, mini_width}, mini_counts<std::uint16_t>());
    file.put(prefix + "/distance", mini_distance_m);
    file.put(prefix + "/x_pixel_size", mini_pixel_m);
    file.put(prefix + "/y_pixel_size", mini_pixel_m);
    file.put("/entry_1/instrument_1/source_1/energy", mini_energy_eV * joules_per_electronvolt);
    file.put("/entry_1/sample_1/geometry_1/translation", {mini_frames, 3}, mini_translations());
    change(file);
    return path;
}

ScanConfig config_for(const std::filesystem::path& file) {
    ScanConfig config;
    config.file = file;
    return config;
}

std::vector<double> read_all(ScanReader& reader) {
    const ScanInfo& info = reader.info();
    const std::size_t pixels = static_cast<std::size_t>(info.mask.size());
    const std::size_t frame_bytes = pixels * bytes_per_count(info.pattern_type);
    std::vector<std::byte> memory(frame_bytes * static_cast<std::size_t>(info.num_frames));
    std::vector<std::ptrdiff_t> which;
    std::vector<void*> destinations;
    for (std::ptrdiff_t i = 0; i < info.num_frames; ++i) {
        which.push_back(i);
        destinations.push_back(memory.data() + static_cast<std::size_t>(i) * frame_bytes);
    }
    reader.read_frames(which, destinations);
    std::vector<double> counts;
    for (std::size_t i = 0; i < pixels * static_cast<std::size_t>(info.num_frames); ++i) {
        switch (info.pattern_type) {
            case PatternType::u8:
                counts.push_back(reinterpret_cast<const std::uint8_t*>(memory.data())[i]);
                break;
            case PatternType::u16:
                counts.push_back(reinterpret_cast<const std::uint16_t*>(memory.data())[i]);
                break;
            case PatternType::i32:
                counts.push_back(reinterpret_cast<const std::int32_t*>(memory.data())[i]);
                break;
            case PatternType::f32:
                counts.push_back(static_cast<double>(reinterpret_cast<const float*>(memory.data())[i]));
                break;
        }
    }
    return counts;
}

void expect_refused(const ScanConfig& config, const std::vector<std::string>& parts) {
    try {
        ScanReader reader(config, {});
        read_all(reader);
        ADD_FAILURE() << "was not refused";
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.find("internal error"), std::string::npos) << message;
        for (const auto& part : parts) {
            EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
        }
    }
}

bool has_note(const ScanInfo& info, const std::string& part) {
    for (const auto& note : info.notes) {
        if (note.find(part) != std::string::npos) return true;
    }
    return false;
}

void expect_positions(const ScanInfo& info, const std::vector<std::array<double, 2>>& expected_px) {
    ASSERT_EQ(info.positions_px.extent(0), static_cast<std::ptrdiff_t>(expected_px.size()));
    for (std::size_t i = 0; i < expected_px.size(); ++i) {
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const double found = info.positions_px(i, axis) - info.positions_px(0, axis);
            EXPECT_NEAR(found, expected_px[i][axis] - expected_px[0][axis], 1e-6)
                << "frame " << i << " axis " << axis;
        }
    }
}

}  // namespace tessera::test

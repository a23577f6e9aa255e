#include "io/hdf5.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <limits>

#include "io/hdf5_types.hpp"

namespace tessera::hdf5 {

static_assert(std::same_as<hid_t, Id>);

namespace {

// Of calls that failed: the most specific complaint about the last one, and the system's word on the first
// read that failed.
struct Failures {
    std::string complaint, read;
};
Failures& failures() {
    static Failures kept;
    return kept;
}

// "Input/output error" of "file read failed: time = ..., errno = 5, error message = 'Input/output error',
// ..."
std::string system_error_in(std::string_view complaint) {
    constexpr std::string_view before = "error message = '";
    const std::size_t begin = complaint.find(before);
    if (begin == complaint.npos) return {};
    complaint.remove_prefix(begin + before.size());
    return std::string(complaint.substr(0, complaint.find('\'')));
}

// HDF5 calls it in every call that fails; the next call forgets why.
herr_t keep_failure(hid_t stack, void*) {
    failures().complaint.clear();
    H5Ewalk2(
        stack, H5E_WALK_UPWARD,
        [](unsigned, const H5E_error2_t* entry, void*) -> herr_t {
            auto& [complaint, read] = failures();
            if (entry->desc == nullptr || !complaint.empty()) return 0;
            const std::string error = system_error_in(entry->desc);
            if (entry->min_num == H5E_READERROR && read.empty()) read = error;
            complaint = error.empty() ? entry->desc : error;
            return 0;
        },
        nullptr);
    return 0;
}

}  // namespace

void silence() {
    H5Eset_auto2(H5E_DEFAULT, keep_failure, nullptr);
}

void forget_failed_read() {
    const std::lock_guard turn(library_lock());
    failures() = {};
}

void throw_failed_read(const std::filesystem::path& file) {
    const std::lock_guard turn(library_lock());
    if (!failures().read.empty()) throw data_error("{}: cannot be read ({})", file.string(), failures().read);
}

Handle::Handle(const Handle& other) : id_(other.id_) {
    if (id_ >= 0) H5Iinc_ref(id_);
}

Handle::~Handle() {
    if (id_ >= 0 && H5Iis_valid(id_) > 0) H5Idec_ref(id_);
}

std::string text(const Shape& shape) {
    std::string list;
    for (const auto extent : shape) list += fmt::format("{}{}", list.empty() ? "" : ", ", extent);
    return "(" + list + (shape.size() == 1 ? ",)" : ")");
}

std::string last_complaint() {
    return failures().complaint;
}

namespace {

std::string because_of_hdf5() {
    const std::string complaint = last_complaint();
    return complaint.empty() ? "" : " (HDF5: " + complaint + ")";
}

std::string until_null(std::string padded) {
    padded.resize(std::min(padded.find('\0'), padded.size()));
    while (!padded.empty() && padded.back() == ' ') padded.pop_back();
    return padded;
}

std::string read_text_value(hid_t type, const auto& read) {
    if (H5Tis_variable_str(type) > 0) {
        const Handle memory(H5Tcopy(H5T_C_S1));
        H5Tset_size(memory.get(), H5T_VARIABLE);
        H5Tset_cset(memory.get(), H5Tget_cset(type));
        char* value = nullptr;
        if (read(memory.get(), &value) < 0) return {};
        return take(value);
    }
    const std::size_t bytes = H5Tget_size(type);
    if (bytes == 0 || bytes > (std::size_t{1} << 24)) return {};
    std::string value(bytes, '\0');
    if (read(type, value.data()) < 0) return {};
    return until_null(value);
}

Handle open_attribute(hid_t object, const std::string& attribute) {
    if (H5Aexists(object, attribute.c_str()) <= 0) return {};
    Handle id(H5Aopen(object, attribute.c_str(), H5P_DEFAULT));
    const Handle space(id.valid() ? H5Aget_space(id.get()) : -1);
    if (!space.valid() || H5Sget_simple_extent_npoints(space.get()) != 1) return {};
    return id;
}

std::optional<std::string> text_attribute_of(hid_t object, const std::string& attribute) {
    const Handle id = open_attribute(object, attribute);
    const Handle type(id.valid() ? H5Aget_type(id.get()) : -1);
    if (!type.valid() || H5Tget_class(type.get()) != H5T_STRING) return std::nullopt;
    return read_text_value(type.get(),
                           [&](hid_t memory, void* out) { return H5Aread(id.get(), memory, out); });
}

Handle open_file(const std::filesystem::path& path) {
    silence();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw data_error("{}: no such file", path.string());
    if (std::filesystem::is_directory(status)) {
        throw data_error("{}: is a folder (an HDF5 file is expected)", path.string());
    }
    Handle id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
    if (id.valid()) return id;

    const std::string complaint = last_complaint();
    if (complaint.find("truncated file") != std::string::npos) {
        throw data_error("{}: truncated HDF5 file, it is {} bytes long (was it copied completely?; HDF5: {})",
                         path.string(), std::filesystem::file_size(path, error), complaint);
    }
    if (complaint.find("lock") != std::string::npos) {
        throw data_error(
            "{}: cannot lock the file (HDF5: {}; is it being written? On file systems without locks "
            "set HDF5_USE_FILE_LOCKING=FALSE)",
            path.string(), complaint);
    }
    if (H5Fis_hdf5(path.c_str()) == 0) throw data_error("{}: not an HDF5 file", path.string());
    throw data_error("{}: cannot open the file (HDF5: {})", path.string(), complaint);
}

}  // namespace

// ---- dataset

Dataset::Dataset(const Handle& file, const std::string& file_name, const std::string& path,
                 std::size_t cache_bytes)
    : path_(path), where_(file_name + ":" + path) {
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS));
    if (cache_bytes > 0) {
        H5Pset_chunk_cache(access.get(), 12289, cache_bytes, H5D_CHUNK_CACHE_W0_DEFAULT);
    }
    id_ = Handle(H5Dopen2(file.get(), path.c_str(), access.get()));
    if (!id_.valid()) throw data_error("{}: cannot open the dataset{}", where_, because_of_hdf5());

    const Handle type(H5Dget_type(id_.get()));
    const Handle space(H5Dget_space(id_.get()));
    if (!type.valid() || !space.valid()) {
        throw data_error("{}: the dataset is damaged{}", where_, because_of_hdf5());
    }
    type_ = type_of(type.get());
    if (type_.kind == Kind::complex) {
        std::tie(real_name_, imaginary_name_) = *complex_members(type.get());
    }
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    if (rank < 0 || H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr) != rank) {
        throw data_error("{}: the dataset's shape cannot be read{}", where_, because_of_hdf5());
    }
    size_ = H5Sget_simple_extent_type(space.get()) == H5S_NULL ? 0 : 1;
    for (int axis = 0; axis < rank; ++axis) {
        const hsize_t extent = extents[static_cast<std::size_t>(axis)];
        const auto limit = static_cast<hsize_t>(std::numeric_limits<std::ptrdiff_t>::max() / 64);
        if (extent > limit ||
            (extent > 0 && static_cast<hsize_t>(size_) > limit / extent)) {  // sizes in bytes must fit too
            throw data_error("{}: absurd shape, axis {} has {} elements (is the file damaged?)", where_, axis,
                             extent);
        }
        shape_.push_back(static_cast<std::ptrdiff_t>(extent));
        size_ *= shape_.back();
    }

    const Handle creation(H5Dget_create_plist(id_.get()));
    if (creation.valid() && rank > 0 && H5Pget_layout(creation.get()) == H5D_CHUNKED &&
        H5Pget_chunk(creation.get(), rank, extents.data()) == rank) {
        for (int axis = 0; axis < rank; ++axis) {
            chunk_.push_back(static_cast<std::ptrdiff_t>(extents[static_cast<std::size_t>(axis)]));
        }
    }
    require_filters();
}

void Dataset::require_filters() const {
    const Handle creation(H5Dget_create_plist(id_.get()));
    const int num_filters = creation.valid() ? H5Pget_nfilters(creation.get()) : 0;
    for (int i = 0; i < num_filters; ++i) {
        unsigned flags = 0;
        std::size_t num_values = 0;
        const H5Z_filter_t filter = H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags,
                                                   &num_values, nullptr, 0, nullptr, nullptr);
        if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
        throw data_error(
            "{}: compressed with HDF5 filter {} ({}), whose plugin is not found (set the environment "
            "variable HDF5_PLUGIN_PATH to the folder that has it)",
            where_, filter, name_of_filter(filter));
    }
}

bool Dataset::written() const {
    if (size_ == 0) return false;
    const Handle creation(H5Dget_create_plist(id_.get()));
    const H5D_layout_t layout = creation.valid() ? H5Pget_layout(creation.get()) : H5D_LAYOUT_ERROR;
    if (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS) return true;
    return H5Dget_storage_size(id_.get()) > 0;
}

template <Element T>
void Dataset::read(T* out) const {
    Block everything;
    everything.start.assign(shape_.size(), 0);
    everything.step.assign(shape_.size(), 1);
    everything.count = shape_;
    read(everything, out);
}

template <Element T>
void Dataset::read(const Block& block, T* out) const {
    constexpr bool want_complex = std::same_as<T, cfloat>;
    if (!type_.is_real() && !(want_complex && type_.kind == Kind::complex)) {
        throw data_error("{}: holds {} (expected {} numbers)", where_, tessera::hdf5::name(type_),
                         want_complex ? "complex or real" : "real");
    }
    TESSERA_EXPECT(block.start.size() == shape_.size() && block.step.size() == shape_.size() &&
                   block.count.size() == shape_.size());
    if (size_ == 0) return;
    silence();  // any thread comes here
    std::vector<hsize_t> start, step, count;
    std::ptrdiff_t num_elements = 1;
    for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
        if (block.count[axis] == 0) return;
        TESSERA_EXPECT(block.start[axis] >= 0 && block.step[axis] >= 1 && block.count[axis] > 0 &&
                       block.start[axis] + block.step[axis] * (block.count[axis] - 1) < shape_[axis]);
        start.push_back(static_cast<hsize_t>(block.start[axis]));
        step.push_back(static_cast<hsize_t>(block.step[axis]));
        count.push_back(static_cast<hsize_t>(block.count[axis]));
        num_elements *= block.count[axis];
    }

    Handle memory_space, file_space;
    if (!shape_.empty()) {
        file_space = Handle(H5Dget_space(id_.get()));
        H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), step.data(), count.data(),
                            nullptr);
        memory_space = Handle(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    }
    const Id memory = memory_space.valid() ? memory_space.get() : Id{H5S_ALL};
    const Id stored = file_space.valid() ? file_space.get() : Id{H5S_ALL};
    herr_t status = -1;
    if constexpr (want_complex) {
        if (type_.kind == Kind::complex) {
            const Handle type = complex_type(real_name_, imaginary_name_);
            status = H5Dread(id_.get(), type.get(), memory, stored, H5P_DEFAULT, out);
        } else {
            std::vector<float> real(static_cast<std::size_t>(num_elements));
            status = H5Dread(id_.get(), H5T_NATIVE_FLOAT, memory, stored, H5P_DEFAULT, real.data());
            for (std::size_t i = 0; i < real.size(); ++i) out[i] = {real[i], 0.0F};
        }
    } else {
        const Handle type = memory_type<T>();
        status = H5Dread(id_.get(), type.get(), memory, stored, H5P_DEFAULT, out);
    }
    if (status < 0) throw data_error("{}: cannot be read{}", where_, because_of_hdf5());
}

template <Element T>
std::vector<T> Dataset::read_vector(std::ptrdiff_t max_elements) const {
    if (size_ > max_elements) {
        throw data_error("{}: shape {} is too large for what it should be (at most {} elements are expected)",
                         where_, tessera::hdf5::text(shape_), max_elements);
    }
    std::vector<T> values(static_cast<std::size_t>(size_));
    read(values.data());
    return values;
}

std::string Dataset::read_text() const {
    if (type_.kind != Kind::text || size_ != 1) {
        throw data_error("{}: holds {} of shape {} (one text is expected)", where_,
                         tessera::hdf5::name(type_), tessera::hdf5::text(shape_));
    }
    const Handle type(H5Dget_type(id_.get()));
    return read_text_value(type.get(), [&](hid_t memory, void* out) {
        return H5Dread(id_.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    });
}

std::optional<std::string> Dataset::text_attribute(const std::string& attribute) const {
    return text_attribute_of(id_.get(), attribute);
}

std::vector<double> Dataset::numbers_attribute(const std::string& attribute) const {
    constexpr hssize_t most = 1024;
    if (H5Aexists(id_.get(), attribute.c_str()) <= 0) return {};
    const Handle id(H5Aopen(id_.get(), attribute.c_str(), H5P_DEFAULT));
    const Handle type(id.valid() ? H5Aget_type(id.get()) : -1);
    const Handle space(id.valid() ? H5Aget_space(id.get()) : -1);
    if (!type.valid() || !space.valid() || !type_of(type.get()).is_real()) return {};
    const hssize_t size = H5Sget_simple_extent_npoints(space.get());
    if (size < 1 || size > most) return {};
    std::vector<double> values(static_cast<std::size_t>(size));
    if (H5Aread(id.get(), H5T_NATIVE_DOUBLE, values.data()) < 0) return {};
    return values;
}

// ---- file

File::File(const std::filesystem::path& path) : id_(open_file(path)), name_(path.string()) {}

File::Entry File::what_is(const std::string& path) const {
    if (path.empty() || path == "/") return Entry::group;
    // HDF5 answers for a link only if every group before it exists.
    for (std::size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
        const std::string prefix = path.substr(0, end);
        if (H5Lexists(id_.get(), prefix.c_str(), H5P_DEFAULT) <= 0) return Entry::missing;
        if (H5Oexists_by_name(id_.get(), prefix.c_str(), H5P_DEFAULT) <= 0) return Entry::dangling;
        const Handle object(H5Oopen(id_.get(), prefix.c_str(), H5P_DEFAULT));
        const H5I_type_t type = object.valid() ? H5Iget_type(object.get()) : H5I_BADID;
        if (end == std::string::npos) {
            return type == H5I_GROUP ? Entry::group : type == H5I_DATASET ? Entry::dataset : Entry::other;
        }
        if (type != H5I_GROUP) return Entry::missing;
    }
}

std::string File::link_target(const std::string& path) const {
    H5L_info_t info{};
    if (H5Lget_info(id_.get(), path.c_str(), &info, H5P_DEFAULT) < 0) return "?";
    if (info.type != H5L_TYPE_SOFT && info.type != H5L_TYPE_EXTERNAL) return "?";
    std::vector<char> value(info.u.val_size + 1, '\0');
    if (H5Lget_val(id_.get(), path.c_str(), value.data(), value.size(), H5P_DEFAULT) < 0) return "?";
    if (info.type == H5L_TYPE_SOFT) return value.data();
    const char* file = nullptr;
    const char* object = nullptr;
    if (H5Lunpack_elink_val(value.data(), info.u.val_size, nullptr, &file, &object) < 0) return "?";
    return std::string(file) + ":" + object;
}

std::vector<std::string> File::children(const std::string& group) const {
    if (!has_group(group)) return {};
    const Handle id(H5Gopen2(id_.get(), group.empty() ? "/" : group.c_str(), H5P_DEFAULT));
    std::vector<std::string> names;
    hsize_t next = 0;
    H5Literate(
        id.get(), H5_INDEX_NAME, H5_ITER_INC, &next,
        [](hid_t, const char* child, const H5L_info_t*, void* out) -> herr_t {
            static_cast<std::vector<std::string>*>(out)->emplace_back(child);
            return 0;
        },
        &names);
    return names;
}

Dataset File::dataset(const std::string& path, std::size_t cache_bytes) const {
    switch (what_is(path)) {
        case Entry::dataset:
            return {id_, name_, path, cache_bytes};
        case Entry::missing:
            throw data_error("{}: has no dataset {}", name_, path);
        case Entry::dangling:
            throw data_error("{}: {} is a link to {}, which does not exist", name_, path, link_target(path));
        default:
            throw data_error("{}: {} is not a dataset", name_, path);
    }
}

std::optional<double> File::number(const std::string& path) const {
    if (!has_dataset(path)) return std::nullopt;
    const Dataset found = dataset(path);
    if (found.size() != 1 || !found.type().is_real()) return std::nullopt;
    double value = 0;
    found.read(&value);
    return value;
}

std::optional<std::string> File::text(const std::string& path) const {
    if (!has_dataset(path)) return std::nullopt;
    const Dataset found = dataset(path);
    if (found.size() != 1 || found.type().kind != Kind::text) return std::nullopt;
    return found.read_text();
}

#define TESSERA_INSTANTIATE(T)                              \
    template void Dataset::read<T>(T*) const;               \
    template void Dataset::read<T>(const Block&, T*) const; \
    template std::vector<T> Dataset::read_vector<T>(std::ptrdiff_t) const;
TESSERA_INSTANTIATE(std::int8_t)
TESSERA_INSTANTIATE(std::uint8_t)
TESSERA_INSTANTIATE(std::int16_t)
TESSERA_INSTANTIATE(std::uint16_t)
TESSERA_INSTANTIATE(std::int32_t)
TESSERA_INSTANTIATE(std::uint32_t)
TESSERA_INSTANTIATE(std::int64_t)
TESSERA_INSTANTIATE(std::uint64_t)
TESSERA_INSTANTIATE(float)
TESSERA_INSTANTIATE(double)
TESSERA_INSTANTIATE(cfloat)
#undef TESSERA_INSTANTIATE

}  // namespace tessera::hdf5

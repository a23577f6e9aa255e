#include "io/hdf5_writer.hpp"

#include <hdf5.h>

#include <vector>

namespace tessera::hdf5 {

namespace {

std::vector<hsize_t> extents(const Shape& shape) {
    return {shape.begin(), shape.end()};
}

Handle dataspace(const Shape& shape) {
    if (shape.empty()) return Handle(H5Screate(H5S_SCALAR));
    return Handle(H5Screate_simple(static_cast<int>(shape.size()), extents(shape).data(), nullptr));
}

Handle text_type() {
    Handle type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
}

constexpr std::size_t memory_step = std::size_t{4} << 20;  // by which the file in memory grows

}  // namespace

Writer::Writer(const std::filesystem::path& target) : on_disk_(target) {
    silence();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fapl_core(access.get(), memory_step, /*backing_store=*/0);
    file_ = Handle(H5Fcreate(on_disk_.beside().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    make_parents_ = Handle(H5Pcreate(H5P_LINK_CREATE));
    H5Pset_create_intermediate_group(make_parents_.get(), 1);
}

void Writer::check(bool good) const {
    if (!good) on_disk_.fail("HDF5: " + last_complaint());
}

void Writer::group(const std::string& path, const std::string& nx_class) {
    {
        const Handle made(
            H5Gcreate2(file_.get(), path.c_str(), make_parents_.get(), H5P_DEFAULT, H5P_DEFAULT));
        check(made.valid());
    }
    if (!nx_class.empty()) attribute(path, "NX_class", nx_class);
}

template <Element T>
void Writer::create(const std::string& path, const Shape& shape, const Shape& chunk) {
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.get(), false);  // the same contents give the same bytes
    if (!chunk.empty()) {
        check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), extents(chunk).data()) >= 0);
    }
    const Handle type = memory_type<T>();
    const Handle space = dataspace(shape);
    const Handle made(H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(), make_parents_.get(),
                                 creation.get(), H5P_DEFAULT));
    check(made.valid());
}

template <Element T>
void Writer::write_block(const std::string& path, const Shape& start, const Shape& count, const T* values) {
    const Handle dataset(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT));
    check(dataset.valid());
    const Handle stored(H5Dget_space(dataset.get()));
    const Handle memory = dataspace(count);
    const Handle type = memory_type<T>();
    check(H5Sselect_hyperslab(stored.get(), H5S_SELECT_SET, extents(start).data(), nullptr,
                              extents(count).data(), nullptr) >= 0);
    check(H5Dwrite(dataset.get(), type.get(), memory.get(), stored.get(), H5P_DEFAULT, values) >= 0);
}

template <Element T>
void Writer::write(const std::string& path, const Shape& shape, const T* values) {
    create<T>(path, shape, {});
    for (const auto extent : shape) {
        if (extent == 0) return;
    }
    const Handle dataset(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT));
    const Handle type = memory_type<T>();
    check(dataset.valid() && H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
}

void Writer::write_text(const std::string& path, const std::string& text) {
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.get(), false);
    const Handle type = text_type();
    const Handle space(H5Screate(H5S_SCALAR));
    const Handle dataset(H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(), make_parents_.get(),
                                    creation.get(), H5P_DEFAULT));
    const char* const value = text.c_str();
    check(dataset.valid() && H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) >= 0);
}

void Writer::write_attribute(const std::string& path, const std::string& name, Id type, Id space,
                             const void* value) {
    const Handle made(H5Acreate_by_name(file_.get(), path.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                                        H5P_DEFAULT, H5P_DEFAULT));
    check(made.valid() && H5Awrite(made.get(), type, value) >= 0);
}

void Writer::attribute(const std::string& path, const std::string& name, const std::string& text) {
    const Handle space(H5Screate(H5S_SCALAR));
    const char* const value = text.c_str();
    write_attribute(path, name, text_type().get(), space.get(), &value);
}

void Writer::attribute(const std::string& path, const std::string& name,
                       const std::vector<std::string>& texts) {
    std::vector<const char*> values;
    for (const auto& text : texts) values.push_back(text.c_str());
    const Handle space = dataspace({static_cast<std::ptrdiff_t>(texts.size())});
    write_attribute(path, name, text_type().get(), space.get(), values.data());
}

void Writer::attribute(const std::string& path, const std::string& name, const std::vector<double>& numbers) {
    const Handle space = dataspace({static_cast<std::ptrdiff_t>(numbers.size())});
    write_attribute(path, name, H5T_NATIVE_DOUBLE, space.get(), numbers.data());
}

void Writer::link(const std::string& path, const std::string& target) {
    check(H5Lcreate_soft(target.c_str(), file_.get(), path.c_str(), make_parents_.get(), H5P_DEFAULT) >= 0);
}

std::span<const std::byte> Writer::image() const {
    check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) >= 0);
    void* memory = nullptr;  // the core driver hands out the address of its pointer
    check(H5Fget_vfd_handle(file_.get(), H5P_DEFAULT, &memory) >= 0 && memory != nullptr);
    const ssize_t size = H5Fget_file_image(file_.get(), nullptr, 0);
    check(size > 0);
    return {*static_cast<const std::byte* const*>(memory), static_cast<std::size_t>(size)};
}

// Others may use the library while this lives.
class Writer::Pause {
  public:
    explicit Pause(std::unique_lock<std::recursive_mutex>& turn) : turn_(turn) { turn_.unlock(); }
    ~Pause() { turn_.lock(); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

  private:
    std::unique_lock<std::recursive_mutex>& turn_;
};

void Writer::finish() {
    const auto bytes = image();
    {
        const Pause pause(turn_);
        on_disk_.write(bytes);
    }
    file_ = Handle();
    on_disk_.finish();
}

#define TESSERA_INSTANTIATE(T)                                                                      \
    template void Writer::create<T>(const std::string&, const Shape&, const Shape&);                \
    template void Writer::write_block<T>(const std::string&, const Shape&, const Shape&, const T*); \
    template void Writer::write<T>(const std::string&, const Shape&, const T*);
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

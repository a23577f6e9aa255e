#include "io/hdf5_writer.hpp"

#include <hdf5.h>

#include <algorithm>
#include <mutex>
#include <span>
#include <vector>

#include "base/checksum.hpp"

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

// HDF5 is not thread-safe.
class Turn {
  private:
    std::lock_guard<std::recursive_mutex> turn_{library_lock()};
};

std::size_t volume(const Shape& shape) {
    std::size_t product = 1;
    for (const auto extent : shape) product *= static_cast<std::size_t>(extent);
    return product;
}

// visit(first element in the whole, first in the block, how many) of the runs of a block of a dense array.
template <class Visit>
void for_each_run(const Shape& shape, const Shape& start, const Shape& count, const Visit& visit) {
    // Axes from `inner` on are one run.
    std::size_t inner = shape.size() - 1;
    while (inner > 0 && count[inner] == shape[inner]) --inner;
    std::size_t length = 1, num_runs = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        (axis < inner ? num_runs : length) *= static_cast<std::size_t>(count[axis]);
    for (std::size_t run = 0; run < num_runs; ++run) {
        std::size_t rest = run, stride = 1, first = 0;
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            std::size_t index = static_cast<std::size_t>(start[axis]);
            if (axis < inner) {
                index += rest % static_cast<std::size_t>(count[axis]);
                rest /= static_cast<std::size_t>(count[axis]);
            }
            first += index * stride;
            stride *= static_cast<std::size_t>(shape[axis]);
        }
        visit(first, run * length, length);
    }
}

}  // namespace

Writer::Writer(const std::filesystem::path& target) : on_disk_(target) {
    const Turn turn;
    silence();
    const Handle access = in_memory_.access();
    file_ = Handle(H5Fcreate(on_disk_.beside().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    check(file_.valid());
    make_parents_ = Handle(H5Pcreate(H5P_LINK_CREATE));
    H5Pset_create_intermediate_group(make_parents_.get(), 1);
}

Writer::~Writer() {
    const Turn turn;
    file_ = Handle();
    make_parents_ = Handle();
}

void Writer::check(bool good) const {
    if (!good) on_disk_.fail("HDF5: " + last_complaint());
}

void Writer::group(const std::string& path, const std::string& nx_class) {
    const Turn turn;
    {
        const Handle made(
            H5Gcreate2(file_.get(), path.c_str(), make_parents_.get(), H5P_DEFAULT, H5P_DEFAULT));
        check(made.valid());
    }
    if (!nx_class.empty()) attribute(path, "NX_class", nx_class);
}

template <Element T>
void Writer::create(const std::string& path, const Shape& shape) {
    const Turn turn;
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.get(), false);  // the same contents give the same bytes
    const Handle type = memory_type<T>();
    const Handle space = dataspace(shape);
    const Handle made(H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(), make_parents_.get(),
                                 creation.get(), H5P_DEFAULT));
    check(made.valid());
}

template <Element T>
void Writer::write_block(const std::string& path, const Shape& start, const Shape& count, const T* values) {
    const Turn turn;
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
    const Turn turn;
    create<T>(path, shape);
    for (const auto extent : shape) {
        if (extent == 0) return;
    }
    const Handle dataset(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT));
    const Handle type = memory_type<T>();
    check(dataset.valid() && H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
}

void Writer::write_text(const std::string& path, const std::string& text) {
    const Turn turn;
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
    const Turn turn;
    const Handle space(H5Screate(H5S_SCALAR));
    const char* const value = text.c_str();
    write_attribute(path, name, text_type().get(), space.get(), &value);
}

void Writer::attribute(const std::string& path, const std::string& name,
                       const std::vector<std::string>& texts) {
    const Turn turn;
    std::vector<const char*> values;
    for (const auto& text : texts) values.push_back(text.c_str());
    const Handle space = dataspace({static_cast<std::ptrdiff_t>(texts.size())});
    write_attribute(path, name, text_type().get(), space.get(), values.data());
}

void Writer::attribute(const std::string& path, const std::string& name, const std::vector<double>& numbers) {
    const Turn turn;
    const Handle space = dataspace({static_cast<std::ptrdiff_t>(numbers.size())});
    write_attribute(path, name, H5T_NATIVE_DOUBLE, space.get(), numbers.data());
}

void Writer::link(const std::string& path, const std::string& target) {
    const Turn turn;
    check(H5Lcreate_soft(target.c_str(), file_.get(), path.c_str(), make_parents_.get(), H5P_DEFAULT) >= 0);
}

template <Element T>
void Writer::create_on_disk(const std::string& path, const Shape& shape) {
    const Turn turn;
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.get(), false);
    H5Pset_layout(creation.get(), H5D_CONTIGUOUS);
    H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
    const Handle type = memory_type<T>();
    const Handle space = dataspace(shape);
    const Handle made(H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(), make_parents_.get(),
                                 creation.get(), H5P_DEFAULT));
    check(made.valid());
    Reserved reserved;
    reserved.shape = shape;
    if (volume(shape) > 0) {
        reserved.begin = H5Dget_offset(made.get());
        check(reserved.begin != HADDR_UNDEF);
    }
    reserved.end = reserved.begin + volume(shape) * sizeof(T);
    reserved_[path] = reserved;
}

template <Element T>
void Writer::write_on_disk(const std::string& path, const Shape& start, const Shape& count, const T* values) {
    const Reserved& reserved = reserved_.at(path);
    if (volume(count) == 0) return;
    for_each_run(reserved.shape, start, count, [&](std::size_t to, std::size_t from, std::size_t length) {
        on_disk_.write_at(reserved.begin + to * sizeof(T), std::as_bytes(std::span(values + from, length)));
    });
}

// But for what write_on_disk() has written between them.
void Writer::write_pages() {
    std::map<std::uint64_t, std::uint64_t> elsewhere;  // begin, end
    for (const auto& [path, reserved] : reserved_) elsewhere[reserved.begin] = reserved.end;
    in_memory_.for_each([&](std::uint64_t at, std::span<const std::byte> bytes) {
        const std::uint64_t end = at + bytes.size();
        auto next = elsewhere.upper_bound(at);
        if (next != elsewhere.begin()) --next;
        for (std::uint64_t begin = at; begin < end;) {
            while (next != elsewhere.end() && next->second <= begin) ++next;
            const bool none = next == elsewhere.end() || next->first >= end;
            const std::uint64_t until = none ? end : std::max(next->first, begin);
            on_disk_.write_at(begin, bytes.subspan(begin - at, until - begin));
            begin = none ? end : next->second;
        }
    });
    on_disk_.resize(in_memory_.size());
}

void Writer::put_on_disk() {
    {
        const Turn turn;
        file_ = Handle();  // HDF5 writes the rest into memory
    }
    write_pages();
}

void Writer::finish() {
    put_on_disk();
    on_disk_.finish();
}

Writer::Contents Writer::finish_and_sum() {
    put_on_disk();
    Contents contents;
    contents.bytes = in_memory_.size();
    std::vector<std::byte> piece(std::size_t{1} << 20);  // a multiple of eight, as the sum wants
    Checksum checksum;
    for (std::uint64_t at = 0; at < contents.bytes; at += piece.size()) {
        piece.resize(std::min<std::uint64_t>(piece.size(), contents.bytes - at));
        on_disk_.read_at(at, piece);
        checksum.add(piece.data(), piece.size());
    }
    contents.checksum = checksum.value();
    on_disk_.finish();
    return contents;
}

#define TESSERA_INSTANTIATE(T)                                                                      \
    template void Writer::create<T>(const std::string&, const Shape&);                              \
    template void Writer::write_block<T>(const std::string&, const Shape&, const Shape&, const T*); \
    template void Writer::write<T>(const std::string&, const Shape&, const T*);                     \
    template void Writer::create_on_disk<T>(const std::string&, const Shape&);                      \
    template void Writer::write_on_disk<T>(const std::string&, const Shape&, const Shape&, const T*);
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

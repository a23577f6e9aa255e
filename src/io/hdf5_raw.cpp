#include <hdf5.h>
#include <sys/stat.h>

#include <mutex>

#include "io/hdf5.hpp"

namespace tessera::hdf5 {
namespace {

// The descriptor of a file that HDF5 reads with plain system calls; -1: another way.
int descriptor_of(hid_t object) {
    const Handle file(H5Iget_file_id(object));
    const Handle access(file.valid() ? H5Fget_access_plist(file.get()) : -1);
    if (!access.valid() || H5Pget_driver(access.get()) != H5FD_SEC2) return -1;
    void* descriptor = nullptr;
    if (H5Fget_vfd_handle(file.get(), access.get(), &descriptor) < 0 || descriptor == nullptr) return -1;
    return *static_cast<int*>(descriptor);
}

bool has_user_block(hid_t object) {
    const Handle file(H5Iget_file_id(object));
    const Handle creation(file.valid() ? H5Fget_create_plist(file.get()) : -1);
    hsize_t bytes = 0;
    return !creation.valid() || H5Pget_userblock(creation.get(), &bytes) < 0 || bytes != 0;
}

// The elements in the file are those of this machine, bit by bit.
bool is_native(hid_t dataset) {
    const Handle stored(H5Dget_type(dataset));
    const H5T_class_t kind = stored.valid() ? H5Tget_class(stored.get()) : H5T_NO_CLASS;
    if (kind != H5T_INTEGER && kind != H5T_FLOAT) return false;
    const Handle native(H5Tget_native_type(stored.get(), H5T_DIR_ASCEND));
    return native.valid() && H5Tequal(stored.get(), native.get()) > 0;
}

void add_chunks(hid_t creation, RawStorage& storage) {
    unsigned options = 0;
    if (H5Pget_chunk_opts(creation, &options) < 0 || options != 0) return;
    const int num_filters = H5Pget_nfilters(creation);
    for (int i = 0; i < num_filters; ++i) {
        unsigned flags = 0;
        std::size_t num_values = 0;
        const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &num_values,
                                                   nullptr, 0, nullptr, nullptr);
        if (filter == H5Z_FILTER_SHUFFLE && i == 0) {
            storage.is_shuffled = true;
        } else if (filter == H5Z_FILTER_DEFLATE && i == num_filters - 1) {
            storage.is_deflated = true;
        } else {
            return;
        }
    }
    storage.kind = RawStorage::Kind::chunks;
}

}  // namespace

std::int64_t file_bytes(int descriptor) {
    struct stat status {};
    return descriptor >= 0 && fstat(descriptor, &status) == 0 ? static_cast<std::int64_t>(status.st_size) : 0;
}

std::recursive_mutex& library_lock() {
    static std::recursive_mutex lock;
    return lock;
}

RawStorage Dataset::raw_storage() const {
    RawStorage storage;
    storage.descriptor = descriptor_of(id_.get());
    storage.file_bytes = file_bytes(storage.descriptor);
    const Handle creation(H5Dget_create_plist(id_.get()));
    if (!creation.valid() || size_ == 0 || !is_native(id_.get())) return storage;
    if (H5Pget_layout(creation.get()) == H5D_CHUNKED) add_chunks(creation.get(), storage);
    if (H5Pget_layout(creation.get()) != H5D_CONTIGUOUS || H5Pget_external_count(creation.get()) != 0)
        return storage;
    const haddr_t offset = H5Dget_offset(id_.get());
    if (offset == HADDR_UNDEF || storage.descriptor < 0) return storage;
    storage.offset = static_cast<std::int64_t>(offset);
    storage.kind = RawStorage::Kind::contiguous;
    return storage;
}

StoredRange Dataset::stored_range() const {
    StoredRange range;
    range.descriptor = descriptor_of(id_.get());
    const Handle creation(H5Dget_create_plist(id_.get()));
    if (range.descriptor < 0 || !creation.valid()) return {};
    const H5D_layout_t layout = H5Pget_layout(creation.get());
    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) return {};
    const auto bytes = static_cast<std::int64_t>(H5Dget_storage_size(id_.get()));
    if (bytes == 0) return {};
    if (layout == H5D_CONTIGUOUS) {
        if (H5Pget_external_count(creation.get()) != 0) return {};
        const haddr_t offset = H5Dget_offset(id_.get());
        if (offset == HADDR_UNDEF) return {};
        range.begin = static_cast<std::int64_t>(offset);
        range.end = range.begin + bytes;
        return range;
    }
    // Versions of HDF5 differ in whether a user block counts in the addresses of chunks.
    if (has_user_block(id_.get())) return {};
    std::vector<hsize_t> first(shape_.size(), 0), last;
    for (std::size_t axis = 0; axis < shape_.size(); ++axis)
        last.push_back(static_cast<hsize_t>((shape_[axis] - 1) / chunk_[axis] * chunk_[axis]));
    unsigned filters = 0;
    haddr_t begin = HADDR_UNDEF, end = HADDR_UNDEF;
    hsize_t first_bytes = 0, last_bytes = 0;
    if (H5Dget_chunk_info_by_coord(id_.get(), first.data(), &filters, &begin, &first_bytes) < 0 ||
        H5Dget_chunk_info_by_coord(id_.get(), last.data(), &filters, &end, &last_bytes) < 0 ||
        begin == HADDR_UNDEF || end == HADDR_UNDEF)
        return {};
    range.begin = static_cast<std::int64_t>(begin);
    range.end = static_cast<std::int64_t>(end + last_bytes);
    const bool is_dense = range.end - range.begin <= 2 * bytes;
    return is_dense ? range : StoredRange{};
}

bool Dataset::read_raw_chunk(const Shape& first, std::vector<std::byte>& raw) const {
    silence();  // any thread comes here
    const std::vector<hsize_t> start(first.begin(), first.end());
    hsize_t bytes = 0;
    if (H5Dget_chunk_storage_size(id_.get(), start.data(), &bytes) < 0 || bytes == 0) return false;
    raw.resize(static_cast<std::size_t>(bytes));
    std::uint32_t skipped_filters = 0;
    return H5Dread_chunk(id_.get(), H5P_DEFAULT, start.data(), &skipped_filters, raw.data()) >= 0 &&
           skipped_filters == 0;
}

}  // namespace tessera::hdf5

#include "io/hdf5_pages.hpp"

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <cstring>
#include <new>

namespace tessera::hdf5 {
namespace {

// What the access list carries to open().
struct DriverInfo {
    FilePages* pages;
};

struct OpenFile {
    H5FD_t common;  // HDF5's part comes first
    FilePages* pages;
    haddr_t end_of_allocation;
};

OpenFile* opened(H5FD_t* file) {
    return reinterpret_cast<OpenFile*>(file);
}
const OpenFile* opened(const H5FD_t* file) {
    return reinterpret_cast<const OpenFile*>(file);
}

H5FD_t* open_file(const char*, unsigned, hid_t access, haddr_t) {
    const auto* info = static_cast<const DriverInfo*>(H5Pget_driver_info(access));
    if (info == nullptr) return nullptr;
    auto* file = new (std::nothrow) OpenFile{};
    if (file == nullptr) return nullptr;
    file->pages = info->pages;
    return &file->common;
}

herr_t close_file(H5FD_t* file) {
    delete opened(file);
    return 0;
}

// As HDF5's own driver for memory: metadata and small data sit together.
herr_t query(const H5FD_t*, unsigned long* flags) {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

haddr_t end_of_allocation(const H5FD_t* file, H5FD_mem_t) {
    return opened(file)->end_of_allocation;
}

herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t, haddr_t end) {
    opened(file)->end_of_allocation = end;
    return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
    return opened(file)->pages->size();
}

herr_t read_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, std::size_t size, void* bytes) {
    opened(file)->pages->read(at, {static_cast<std::byte*>(bytes), size});
    return 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, std::size_t size, const void* bytes) {
    try {
        opened(file)->pages->write(at, {static_cast<const std::byte*>(bytes), size});
    } catch (const std::bad_alloc&) {
        return -1;  // HDF5 is C
    }
    return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
    opened(file)->pages->set_size(opened(file)->end_of_allocation);
    return 0;
}

H5FD_class_t make_driver() {
    H5FD_class_t driver{};
#if H5_VERSION_GE(1, 13, 0)
    driver.version = H5FD_CLASS_VERSION;
    driver.value = static_cast<H5FD_class_value_t>(513);  // outside those that HDF5 keeps for itself
#endif
    driver.name = "tessera_pages";
    driver.maxaddr = (haddr_t{1} << 63) - 1;
    driver.fc_degree = H5F_CLOSE_WEAK;
    driver.fapl_size = sizeof(DriverInfo);
    driver.open = open_file;
    driver.close = close_file;
    driver.query = query;
    driver.get_eoa = end_of_allocation;
    driver.set_eoa = set_end_of_allocation;
    driver.get_eof = end_of_file;
    driver.read = read_bytes;
    driver.write = write_bytes;
    driver.truncate = truncate;
    constexpr H5FD_mem_t kinds[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kinds), std::end(kinds), std::begin(driver.fl_map));
    return driver;
}

hid_t driver_id() {
    static const H5FD_class_t driver = make_driver();
    static const hid_t id = H5FDregister(&driver);
    return id;
}

}  // namespace

Handle FilePages::access() {
    Handle list(H5Pcreate(H5P_FILE_ACCESS));
    const DriverInfo info = {this};
    H5Pset_driver(list.get(), driver_id(), &info);
    return list;
}

void FilePages::write(std::uint64_t at, std::span<const std::byte> bytes) {
    size_ = std::max<std::uint64_t>(size_, at + bytes.size());
    while (!bytes.empty()) {
        auto& page = pages_[at / page_bytes];
        if (!page) page = std::make_unique<Page>();
        const std::size_t begin = at % page_bytes, count = std::min(bytes.size(), page_bytes - begin);
        std::memcpy(page->data() + begin, bytes.data(), count);
        bytes = bytes.subspan(count);
        at += count;
    }
}

void FilePages::read(std::uint64_t at, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
        const auto found = pages_.find(at / page_bytes);
        const std::size_t begin = at % page_bytes, count = std::min(bytes.size(), page_bytes - begin);
        if (found == pages_.end()) {
            std::memset(bytes.data(), 0, count);
        } else {
            std::memcpy(bytes.data(), found->second->data() + begin, count);
        }
        bytes = bytes.subspan(count);
        at += count;
    }
}

}  // namespace tessera::hdf5

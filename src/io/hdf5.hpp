#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "math/complex.hpp"

// A small owning layer over HDF5's C interface, for reading. Every failure is a data error that names the
// file and the object; the library's own printing is silenced. Not thread-safe, as HDF5 is not: while several
// threads work, each call needs library_lock().
namespace tessera::hdf5 {

std::recursive_mutex& library_lock();

using Id = std::int64_t;  // hid_t, without <hdf5.h> in headers
using Shape = std::vector<std::ptrdiff_t>;

std::string text(const Shape& shape);  // "(516, 128, 128)"

// Owns one identifier of any kind; copies share it by HDF5's own reference count.
class Handle {
  public:
    Handle() = default;
    explicit Handle(Id id) : id_(id) {}
    Handle(const Handle& other);
    Handle& operator=(const Handle& other) {
        Handle copy(other);
        std::swap(id_, copy.id_);
        return *this;
    }
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        return *this;
    }
    ~Handle();

    Id get() const { return id_; }
    bool valid() const { return id_ >= 0; }
    Id release() { return std::exchange(id_, -1); }

  private:
    Id id_ = -1;
};

enum class Kind { unsigned_integer, signed_integer, real, complex, text, other };

// What a dataset stores. Enumerations (h5py's booleans) count as their integers.
struct Type {
    Kind kind = Kind::other;
    std::size_t bytes = 0;
    bool is_integer() const { return kind == Kind::unsigned_integer || kind == Kind::signed_integer; }
    bool is_real() const { return is_integer() || kind == Kind::real; }
};
std::string name(const Type& type);  // "uint16", "complex64"

template <class T>
concept Element = std::same_as<T, std::int8_t> || std::same_as<T, std::uint8_t> ||
    std::same_as<T, std::int16_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::int32_t> ||
    std::same_as<T, std::uint32_t> || std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, cfloat>;

// A regular selection: start, step and number of elements on each axis.
struct Block {
    Shape start, step, count;
};

// How values can be had from the file without HDF5's own reading, which only one thread may do at a time.
struct RawStorage {
    enum class Kind { none, contiguous, chunks };  // none: only HDF5 can read them
    Kind kind = Kind::none;
    int descriptor = -1;          // HDF5's own, valid as long as the dataset; -1: it has none
    std::int64_t file_bytes = 0;  // when asked
    std::int64_t offset = 0;      // contiguous: of the first element in the file
    bool is_shuffled = false, is_deflated = false;  // chunks: first shuffled, then deflated
};

std::int64_t file_bytes(int descriptor);  // 0: not known

// Where in a file the stored bytes of a dataset are; empty where that is not known.
struct StoredRange {
    int descriptor = -1;  // HDF5's own, valid as long as the dataset
    std::int64_t begin = 0, end = 0;
};

class Dataset {
  public:
    Dataset() = default;

    const std::string& path() const { return path_; }
    const std::string& where() const { return where_; }  // "scan.cxi:/entry_1/data_1/data", for messages
    const Shape& shape() const { return shape_; }
    const Type& type() const { return type_; }
    std::ptrdiff_t size() const { return size_; }
    const Shape& chunk() const { return chunk_; }  // empty if not chunked
    // False for a dataset that was made but never filled: its values are HDF5's fill value.
    bool written() const;
    // Elements are this machine's own, and filters, if any, those that RawStorage knows.
    RawStorage raw_storage() const;
    // Of chunks: from the first by index to the last, where these bound the others (about) without much else
    // between.
    StoredRange stored_range() const;
    // The stored bytes of the chunk that begins at `first`. False if there is none, or one that skipped its
    // filters.
    bool read_raw_chunk(const Shape& first, std::vector<std::byte>& raw) const;

    // Reads everything, or a block, converted to T by HDF5 (integers are clipped to T's range: ask type()
    // first). Complex is read from a compound of two reals, or from reals with a zero imaginary part.
    template <Element T>
    void read(T* out) const;
    template <Element T>
    void read(const Block& block, T* out) const;
    // Refuses datasets of more than `max_elements` before allocating.
    template <Element T>
    std::vector<T> read_vector(std::ptrdiff_t max_elements = std::ptrdiff_t{1} << 28) const;

    std::string read_text() const;
    std::optional<std::string> text_attribute(const std::string& attribute) const;
    std::vector<double> numbers_attribute(const std::string& attribute) const;  // empty if missing

  private:
    friend class File;
    Dataset(const Handle& file, const std::string& file_name, const std::string& path,
            std::size_t cache_bytes);
    void require_filters() const;

    Handle id_;
    std::string path_, where_;
    Shape shape_, chunk_;
    Type type_;
    std::ptrdiff_t size_ = 0;
    std::string real_name_, imaginary_name_;  // members of a complex compound
};

class File {
  public:
    // Opens for reading; messages call the file by its path.
    explicit File(const std::filesystem::path& path);

    const std::string& name() const { return name_; }

    enum class Entry { missing, dangling, group, dataset, other };
    Entry what_is(const std::string& path) const;
    bool has_dataset(const std::string& path) const { return what_is(path) == Entry::dataset; }
    bool has_group(const std::string& path) const { return what_is(path) == Entry::group; }
    // Where a link that leads nowhere points to: "raw.h5:/entry/data".
    std::string link_target(const std::string& path) const;
    std::vector<std::string> children(const std::string& group) const;  // names, sorted; empty if not a group

    // `cache_bytes`: memory for decompressed chunks, 0 for HDF5's default of 1 MiB.
    Dataset dataset(const std::string& path, std::size_t cache_bytes = 0) const;

    // Of a dataset with one element; none if it is missing or of another kind.
    std::optional<double> number(const std::string& path) const;
    std::optional<std::string> text(const std::string& path) const;

  private:
    Handle id_;
    std::string name_;
};

// The library's most specific complaint about the last failed call; empty if there is none.
std::string last_complaint();
// Stops HDF5 from printing to stderr, in this thread (builds that are thread-safe have an error stack for
// each). From then on it is kept what the system says of a read that fails.
void silence();

void forget_failed_read();
// Nothing where no read has failed since.
void throw_failed_read(const std::filesystem::path& file);
// Runs `read`. Where the disk fails a dataset looks missing to HDF5, an attribute absent and a file foreign:
// a data Error says what the system said of it, in place of what `read` makes of that.
template <class Read>
auto with_disk_errors(const std::filesystem::path& file, const Read& read) {
    forget_failed_read();
    try {
        auto result = read();
        throw_failed_read(file);
        return result;
    } catch (const Error&) {
        throw_failed_read(file);
        throw;
    }
}
// The in-memory type of T; complex is a compound {r, i} as h5py writes it.
template <Element T>
Handle memory_type();

}  // namespace tessera::hdf5

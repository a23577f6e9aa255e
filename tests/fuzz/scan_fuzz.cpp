#include <hdf5.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/inspect.hpp"
#include "io/result_file.hpp"
#include "io/scan_reader.hpp"

// Any bytes are a scan, a result, or one clear data error: no other exception, no crash, no absurd
// allocation, nothing left open.
//
// With Clang, from the repository root (HDF5 itself is not instrumented; what it does with damaged files is
// not ours, so a crash whose stack ends inside it is to be judged by who called it with what):
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -Isrc $(pkg-config --cflags hdf5) \
//       tests/fuzz/scan_fuzz.cpp src/io/*.cpp src/scan/{geometry,scan,wave_optics}.cpp src/base/error.cpp \
//       $(pkg-config --libs hdf5) -lpng -lfftw3 -lfmt -o scan_fuzz
//   mkdir -p corpus && ASAN_OPTIONS=detect_leaks=0 ./scan_fuzz -max_total_time=180 -max_len=16384 \
//       corpus tests/fuzz/corpus/scan
namespace {

using namespace tessera;

// HDF5 wants a real file; /dev/shm is memory.
class ScratchFile {
  public:
    ScratchFile() : path_("/dev/shm/tessera-fuzz-" + std::to_string(::getpid())) {}
    ~ScratchFile() { std::remove(path_.c_str()); }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    const std::string& path() const { return path_; }
    void fill(const std::uint8_t* data, std::size_t size) const {
        std::ofstream file(path_, std::ios::binary);
        file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
        if (!file) std::abort();
    }

  private:
    std::string path_;
};

template <class Action>
void only_data_errors(const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        const bool for_people = error.code() == ExitCode::data || error.code() == ExitCode::usage;
        if (for_people && *error.what() != '\0') return;
        std::fprintf(stderr, "not a data error: %s\n", error.what());
        std::abort();
    }
}

void read_scan(const ScanConfig& config) {
    constexpr std::size_t most_bytes = std::size_t{1} << 24;
    ScanReader reader(config, {});
    const ScanInfo& info = reader.info();
    const std::size_t bytes = static_cast<std::size_t>(info.mask.size()) * bytes_per_count(info.pattern_type);
    if (bytes > most_bytes) return;
    std::vector<std::byte> frame(bytes);
    for (const std::ptrdiff_t i_frame : {std::ptrdiff_t{0}, info.num_frames - 1}) {
        void* const destination = frame.data();
        reader.read_frames({&i_frame, 1}, {&destination, 1});
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const ScratchFile file;
    file.fill(data, size);
    ScanConfig config;
    config.file = file.path();
    only_data_errors([&] { read_scan(config); });
    only_data_errors([&] { inspect_file(file.path()); });
    only_data_errors([&] { read_result(file.path()); });
    config.format = ScanFormat::hdf5;
    config.keys.frames = "/entry_1/data_1/data";
    config.keys.positions = "/entry_1/data_1/translation";
    config.geometry = {Propagation::near_field, 1.0, 1e-4, std::nullopt, 8000.0, std::nullopt};
    only_data_errors([&] { read_scan(config); });
    if (H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) != 0) {
        std::fprintf(stderr, "something of the file was left open\n");
        std::abort();
    }
    return 0;
}

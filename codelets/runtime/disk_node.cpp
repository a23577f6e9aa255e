#include "codelets/runtime/disk_node.hpp"

#include <malloc.h>
#include <starpu_config.h>
#include <stdlib.h>
#include <sys/types.h>

#include <algorithm>

#include "base/error.hpp"

// StarPU 1.3's header does not say that its functions are C's.
extern "C" {
#include <starpu_disk.h>
}

namespace tessera {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t least_bytes = 64 * mebibyte;  // StarPU wants 16 MiB

// StarPU counts what it allocates, not what it holds while data is on its way to the disk and back.
std::size_t limit_for_starpu(std::size_t memory_bytes) {
    return std::max(memory_bytes / 10 * 9 / mebibyte, std::size_t{1});
}

}  // namespace

DiskNode::DiskNode(const DiskNodeConfig& config) : config_(config) {
    config_.bytes = std::max(config_.bytes + config_.bytes / 8, least_bytes);
    std::error_code failed;
    std::filesystem::create_directories(config_.folder, failed);
    std::string name = (config_.folder / "tessera-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw runtime_failure("runtime.disk: {} cannot be written ({})", config_.folder.string(),
                              std::generic_category().message(errno));
    }
    own_folder_ = name;
    const auto space = std::filesystem::space(own_folder_, failed);
    if (!failed && space.available < config_.bytes) {
        std::filesystem::remove_all(own_folder_, failed);
        throw runtime_failure("runtime.disk: {} has {:.2f} GiB free and kept waves need {:.2f} GiB",
                              config_.folder.string(), static_cast<double>(space.available) / (1u << 30),
                              static_cast<double>(config_.bytes) / (1u << 30));
    }
    // What StarPU frees has to leave the process: the C library would keep it in heaps of each thread, which
    // grew to several times the limit.
    mallopt(M_MMAP_THRESHOLD, static_cast<int>(mebibyte / 4));
    setenv("STARPU_LIMIT_CPU_MEM", std::to_string(limit_for_starpu(config_.memory_bytes)).c_str(), 1);
}

DiskNode::~DiskNode() {
    unsetenv("STARPU_LIMIT_CPU_MEM");
    std::error_code ignored;
    std::filesystem::remove_all(own_folder_, ignored);
}

void DiskNode::register_with_starpu() const {
    std::string folder = own_folder_.string();
    if (starpu_disk_register(&starpu_disk_unistd_ops, folder.data(),
                             static_cast<starpu_ssize_t>(config_.bytes)) < 0) {
        throw runtime_failure("runtime.disk: StarPU cannot use {}", config_.folder.string());
    }
}

}  // namespace tessera

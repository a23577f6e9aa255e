#pragma once

#include <cstddef>
#include <filesystem>

namespace tessera {

// A folder as a memory node of StarPU's, for data without a home (codelets/runtime/data.hpp) that does not
// fit into the memory meant for it: StarPU writes there what was used longest ago, and fetches it for the
// next task that needs it. Files live as long as StarPU runs.
struct DiskNodeConfig {
    std::filesystem::path folder;  // made when missing
    std::size_t bytes = 0;         // that all such data has
    std::size_t memory_bytes = 0;  // that it may have in memory
};

class DiskNode {
  public:
    // Before StarPU starts: runtime Error when the folder cannot be written or has too little space.
    explicit DiskNode(const DiskNodeConfig& config);
    ~DiskNode();  // after StarPU has ended: takes the files away
    DiskNode(const DiskNode&) = delete;
    DiskNode& operator=(const DiskNode&) = delete;

    void register_with_starpu() const;  // once StarPU has started

  private:
    DiskNodeConfig config_;
    std::filesystem::path own_folder_;  // inside the user's
};

}  // namespace tessera

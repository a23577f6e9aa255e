#include "app/memory.hpp"

#include <sys/resource.h>

namespace tessera::app {

std::size_t peak_resident_bytes() {
    rusage usage{};
    constexpr std::size_t kibibyte = 1024;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<std::size_t>(usage.ru_maxrss) * kibibyte : 0;
}

}  // namespace tessera::app

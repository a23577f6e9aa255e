#pragma once

#include <cstddef>

namespace tessera::app {

// The most memory that this process has had at a time; 0 where the system does not say.
std::size_t peak_resident_bytes();

}  // namespace tessera::app

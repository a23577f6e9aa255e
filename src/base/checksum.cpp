#include "base/checksum.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.hpp"

namespace tessera {

void Checksum::add(const void* data, std::size_t bytes) {
    constexpr std::size_t word_bytes = sizeof(std::uint64_t);
    TESSERA_EXPECT(bytes_ % word_bytes == 0);
    const auto* from = static_cast<const std::byte*>(data);
    for (std::size_t at = 0; at < bytes; at += word_bytes) {
        std::uint64_t word = 0;
        std::memcpy(&word, from + at, std::min(word_bytes, bytes - at));
        hash_ = std::rotl(hash_ ^ word, 29) * 0x100000001b3U;
    }
    bytes_ += bytes;
}

}  // namespace tessera

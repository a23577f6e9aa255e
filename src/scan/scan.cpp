#include "scan/scan.hpp"

namespace tessera {

std::size_t bytes_per_count(PatternType type) {
    switch (type) {
        case PatternType::u8:
            return 1;
        case PatternType::u16:
            return 2;
        case PatternType::i32:
            return 4;
        case PatternType::f32:
            return 4;
    }
    throw runtime_failure("pattern type {}: unknown", static_cast<int>(type));
}

const char* name(PatternType type) {
    switch (type) {
        case PatternType::u8:
            return "uint8";
        case PatternType::u16:
            return "uint16";
        case PatternType::i32:
            return "int32";
        case PatternType::f32:
            return "float32";
    }
    throw runtime_failure("pattern type {}: unknown", static_cast<int>(type));
}

}  // namespace tessera

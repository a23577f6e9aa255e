#include "base/version.hpp"

namespace tessera {

std::string version() {
    return TESSERA_VERSION;
}

std::string commit() {
    return TESSERA_COMMIT;
}

}  // namespace tessera

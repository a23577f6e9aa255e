#include "codelets/device/device.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

#if defined(TESSERA_WALKED)
Device& device_of_this_worker() {
    thread_local Device device;
    return device;
}
#else
Device& device_of_this_worker() {
    thread_local Device device(CudaResources::of_this_worker());
    return device;
}
#endif

}  // namespace tessera

#include "codelets/runtime/workspace.hpp"

namespace tessera {

Workspace& Workspace::of_this_worker() {
    thread_local Workspace workspace;
    return workspace;
}

}  // namespace tessera

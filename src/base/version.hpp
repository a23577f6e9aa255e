#pragma once

#include <string>

namespace tessera {

std::string version();  // "0.1.0"
std::string commit();   // what git describes the sources as; empty outside a checkout

}  // namespace tessera

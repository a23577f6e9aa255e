#pragma once

#include "codelets/line_search.hpp"

namespace tessera {

// As gradient_on_chip().
bool line_search_on_chip(const LineSearchArgs& args, const Buffers& buffers, Device& device);

}  // namespace tessera

#pragma once

#include <vector>

#include "io/png_image.hpp"

namespace tessera {

// Data error against iteration on a logarithmic axis, with ticks and labels. Values that are not positive are
// left out.
Picture plot_data_error(const std::vector<double>& data_error);

}  // namespace tessera

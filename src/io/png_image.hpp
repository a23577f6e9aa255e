#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "base/array.hpp"

namespace tessera {

using Colour = std::array<std::uint8_t, 3>;  // sRGB
using Picture = Array<Colour, 2>;            // (y, x), first row on top

// Written beside `file` and renamed. Throws a runtime Error.
void write_png(const std::filesystem::path& file, const Picture& picture);

// A map for ordered values, fraction in [0, 1] (clamped): dark blue over green to yellow, lightness and hue
// change evenly (a straight line in lightness, an arc in hue of the OKLab space), so equal steps look equal.
Colour ordered_colour(double fraction);
Colour grey(double fraction);
// Phase as hue, brightness in [0, 1].
Colour phase_colour(double phase_rad, double brightness);

}  // namespace tessera

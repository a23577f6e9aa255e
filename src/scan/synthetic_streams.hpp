#pragma once

#include <cstdint>

// Which stream of the simulation's seed each part draws from, so that changing one part leaves the others as
// they are.
namespace tessera::streams {

inline constexpr std::uint64_t positions = 1;
inline constexpr std::uint64_t object = 2;
inline constexpr std::uint64_t mask = 3;
inline constexpr std::uint64_t position_errors = 4;
inline constexpr std::uint64_t fluctuation = 5;
inline constexpr std::uint64_t first_frame = 1000;  // + index of the frame
inline constexpr std::uint64_t further_planes = std::uint64_t{1}
                                                << 40;  // + index of the slice or mode, from 1

}  // namespace tessera::streams

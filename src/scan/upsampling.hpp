#pragma once

#include <cstdint>

#include "base/array.hpp"
#include "math/host_device.hpp"
#include "scan/scan.hpp"

// A far field that is so many times finer along each side than the detector's pixels, each of which sums over
// a square of it. Both in transform order: the direct beam at pixel (0, 0).
namespace tessera {

// Where a pixel of the detector begins among the `extent` ones of the far field along an axis: its middle, or
// for even `upsampling` half a pixel of the far field beside it, is where it would be without upsampling.
TESSERA_HD std::int32_t first_seen(std::int32_t pixel, std::int32_t upsampling, std::int32_t extent) {
    const std::int32_t first = pixel * upsampling - (upsampling - 1) / 2;
    return first < 0 ? first + extent : first;
}
// The pixel of the detector that sees pixel i of the far field.
TESSERA_HD std::int32_t seeing_pixel(std::int32_t i, std::int32_t upsampling, std::int32_t extent) {
    return (i + (upsampling - 1) / 2) % extent / upsampling;
}

// Each pixel of a detector's image as the far field's pixels that it sees, all with `share` of it.
Array<float, 2> upsampled(const Array<float, 2>& image, int upsampling, float share);

// What guesses of the probe look at of a scan, as if its detector were as fine as the far field.
ScanInfo upsampled(const ScanInfo& scan, int upsampling);

}  // namespace tessera

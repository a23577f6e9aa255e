#include "scan/upsampling.hpp"

namespace tessera {

Array<float, 2> upsampled(const Array<float, 2>& image, int upsampling, float share) {
    const auto height = static_cast<std::int32_t>(upsampling * image.extent(0)),
               width = static_cast<std::int32_t>(upsampling * image.extent(1));
    Array<float, 2> fine({height, width});
    for (std::int32_t y = 0; y < height; ++y)
        for (std::int32_t x = 0; x < width; ++x)
            fine(y, x) =
                share * image(seeing_pixel(y, upsampling, height), seeing_pixel(x, upsampling, width));
    return fine;
}

ScanInfo upsampled(const ScanInfo& scan, int upsampling) {
    ScanInfo fine = scan;
    fine.frame_shape = {upsampling * scan.frame_shape[0], upsampling * scan.frame_shape[1]};
    fine.mask = upsampled(scan.mask, upsampling, 1);
    if (scan.background)
        fine.background =
            upsampled(*scan.background, upsampling, 1.0F / static_cast<float>(upsampling * upsampling));
    return fine;
}

}  // namespace tessera

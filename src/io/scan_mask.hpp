#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "io/scan_layout.hpp"

namespace tessera {

enum class PixelUse : std::uint8_t { unused, used, saturated };

// Which detector pixels to use, as stored. Values are CXI's bits: 0 is good and so is 0x1000 (the pixel has
// signal), every other value is bad; inverted: any non-zero value is good. In a mask per frame 0x2 alone says
// that the pixel was saturated there.
class ScanMask {
  public:
    // The scan's own mask, or the one config.mask names in another file. Data error if its shape fits neither
    // a frame nor all frames, or if no pixel is left.
    ScanMask(const ScanLayout& layout, const ScanConfig& config, const std::filesystem::path& folder);

    const Array<std::uint8_t, 2>& used() const {
        return used_;
    }  // (y, x), 1: use; all 1 for a mask per frame
    bool per_frame() const { return per_frame_.has_value(); }
    // (count, y, x) of frames first, first + step, ... of a mask per frame, inside the given window.
    void read_use(const hdf5::Block& block, PixelUse* out) const;

  private:
    bool nonzero_is_good_ = false;
    Array<std::uint8_t, 2> used_;
    std::optional<hdf5::Dataset> per_frame_;
};

}  // namespace tessera

#include "io/scan_mask.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "io/cxi_layout.hpp"

namespace tessera {

namespace {

constexpr std::uint64_t saturated_bit = 0x2, has_signal_bit = 0x1000;

// The dataset that config.mask or the scan names; none: every pixel is used.
std::optional<hdf5::Dataset> find_mask(const ScanLayout& layout, const ScanConfig& config,
                                       const std::filesystem::path& folder) {
    if (!config.mask.file && !config.mask.key) return layout.mask;
    const hdf5::File file(folder / config.mask.file.value_or(config.file));
    if (config.mask.key) return file.dataset(*config.mask.key);
    for (const char* path : {"/entry_1/instrument_1/detector_1/mask", "/entry_1/mask", "/mask"}) {
        if (file.has_dataset(path)) return file.dataset(path);
    }
    throw data_error("{}: no mask found (set scan.mask.key to its dataset)", file.name());
}

std::size_t size_of(const hdf5::Block& block) {
    std::ptrdiff_t size = 1;
    for (const auto count : block.count) size *= count;
    return static_cast<std::size_t>(size);
}

hdf5::Block everything(const hdf5::Dataset& dataset) {
    return {hdf5::Shape(dataset.shape().size(), 0), hdf5::Shape(dataset.shape().size(), 1), dataset.shape()};
}

void read_flags(const hdf5::Dataset& mask, const hdf5::Block& block, bool nonzero_is_good, PixelUse* use) {
    const std::size_t size = size_of(block);
    if (mask.type().kind == hdf5::Kind::real) {
        std::vector<double> values(size);
        mask.read(block, values.data());
        std::ranges::transform(values, use, [&](double value) {
            return !std::isnan(value) && (value != 0) == nonzero_is_good ? PixelUse::used : PixelUse::unused;
        });
        return;
    }
    // Signed masks go through int64, so that a negative one keeps its sign bit instead of being clipped to 0.
    std::vector<std::uint64_t> values(size);
    if (mask.type().kind == hdf5::Kind::signed_integer) {
        std::vector<std::int64_t> with_sign(size);
        mask.read(block, with_sign.data());
        std::ranges::transform(with_sign, values.begin(),
                               [](auto value) { return static_cast<std::uint64_t>(value); });
    } else {
        mask.read(block, values.data());
    }
    std::ranges::transform(values, use, [&](std::uint64_t value) {
        const std::uint64_t flags = value & ~has_signal_bit;
        const bool is_good = nonzero_is_good ? value != 0 : flags == 0;
        const bool is_saturated = !nonzero_is_good && flags == saturated_bit;
        return is_good ? PixelUse::used : is_saturated ? PixelUse::saturated : PixelUse::unused;
    });
}

}  // namespace

ScanMask::ScanMask(const ScanLayout& layout, const ScanConfig& config, const std::filesystem::path& folder)
    : nonzero_is_good_(config.mask.invert) {
    const auto [height, width] = layout.frame_shape();
    used_ = Array<std::uint8_t, 2>({height, width}, 1);
    const auto mask = find_mask(layout, config, folder);
    if (!mask) return;
    if (!mask->type().is_real()) {
        throw data_error("{}: the mask holds {} (integers, booleans or reals are expected)", mask->where(),
                         hdf5::name(mask->type()));
    }
    const auto& shape = mask->shape();
    if (shape == layout.frames.shape()) {
        per_frame_ = *mask;
        return;
    }
    const bool fits = mask->size() == used_.size() && shape.size() >= 2 &&
                      shape[shape.size() - 2] == height && shape[shape.size() - 1] == width;
    if (!fits) {
        throw data_error("{}: the mask has shape {}, but frames are ({}, {}) and all of them {}",
                         mask->where(), hdf5::text(shape), height, width, hdf5::text(layout.frames.shape()));
    }
    std::vector<PixelUse> use(static_cast<std::size_t>(used_.size()));
    read_flags(*mask, everything(*mask), nonzero_is_good_, use.data());
    std::ranges::transform(use, used_.data(),
                           [](PixelUse of) -> std::uint8_t { return of == PixelUse::used ? 1 : 0; });
    if (std::ranges::find(used_, 1) == used_.end()) {
        throw data_error(
            "{}: the mask leaves no pixel to use (0 means good there; if not, set scan.mask.invert: true)",
            mask->where());
    }
}

void ScanMask::read_use(const hdf5::Block& block, PixelUse* out) const {
    TESSERA_EXPECT(per_frame());
    read_flags(*per_frame_, block, nonzero_is_good_, out);
}

}  // namespace tessera

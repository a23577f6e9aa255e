#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "math/fft_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "math/fft_rows-inl.hpp"
#include "math/fft_simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

// Columns from x on, as many as a vector has lanes at a time, the rest by narrower vectors.
template <int max_lanes, Direction direction>
void transform_columns(const FftLine& line, cfloat* wave, std::ptrdiff_t x, std::ptrdiff_t width,
                       float* memory) {
    using D = hn::CappedTag<float, max_lanes>;
    constexpr std::ptrdiff_t lanes = hn::MaxLanes(D());
    for (; x + lanes <= width; x += lanes) {
        const Pairs<D, direction> columns{wave + x, wave + x + lanes / 2, width};
        transform_lines(line, Scratch<D>{memory}, columns, columns);
    }
    if constexpr (lanes > 4) {
        if (x < width) transform_columns<lanes / 2, direction>(line, wave, x, width, memory);
    }
}

float* scratch_of_thread(std::ptrdiff_t num_floats) {
    thread_local Array<float, 1> memory;
    if (memory.size() < num_floats) memory = Array<float, 1>({num_floats});
    return memory.data();
}

template <int row_lanes>
class RowColumnFft final : public SimdFft {
  public:
    explicit RowColumnFft(std::array<int, 2> shape)
        : shape_(shape), rows_(shape[1]), columns_(*make_fft_line(shape[0])) {}

    void forward(cfloat* wave) const override { transform<Direction::forward>(wave); }
    void backward(cfloat* wave) const override { transform<Direction::backward>(wave); }

  private:
    template <Direction direction>
    void transform(cfloat* wave) const {
        const std::ptrdiff_t height = shape_[0], width = shape_[1];
        float* scratch = scratch_of_thread(
            std::max(rows_.scratch_floats(), height * Scratch<hn::ScalableTag<float>>::step));
        for (std::ptrdiff_t y = 0; y < height; y += 2) {
            cfloat* row = wave + y * width;
            cfloat* partner = y + 1 < height ? row + width : row;
            rows_.template run<direction>(row, partner, scratch);
        }
        transform_columns<16, direction>(columns_, wave, 0, width, scratch);
    }

    std::array<int, 2> shape_;
    RowTransform<hn::CappedTag<float, row_lanes>> rows_;
    FftLine columns_;
};

// Vectors of 16 lanes only where no block of a row is a part of a vector; else vectors of 8 are faster.
std::unique_ptr<SimdFft> make_row_column_fft(std::array<int, 2> shape) {
    if (HWY_TARGET == HWY_AVX3 && shape[1] % 64 == 0) return std::make_unique<RowColumnFft<16>>(shape);
    return std::make_unique<RowColumnFft<8>>(shape);
}

#else

std::unique_ptr<SimdFft> make_row_column_fft(std::array<int, 2>) {
    return nullptr;
}

#endif

std::string target_name() {
    return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {

HWY_EXPORT(make_row_column_fft);
HWY_EXPORT(target_name);

std::unique_ptr<SimdFft> make_simd_fft(std::array<int, 2> shape) {
    if (shape[1] % 4 != 0 || !make_fft_line(shape[0]) || !make_fft_line(shape[1])) return nullptr;
    return HWY_DYNAMIC_DISPATCH(make_row_column_fft)(shape);
}

std::string simd_fft_target() {
    return HWY_DYNAMIC_DISPATCH(target_name)();
}

}  // namespace tessera
#endif  // HWY_ONCE

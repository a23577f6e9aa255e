#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "base/array.hpp"
#include "codelets/device/device.hpp"
#include "codelets/device/walked_team.hpp"
#include "math/fft.hpp"

namespace tessera {

// Device bodies as loops on the host (see device.hpp): for tests, which compile the bodies as C++. One per
// worker.
class Device {
  public:
    template <class Body>
    void for_each(Extent extent, const Body& body) {
        for (std::int32_t z = 0; z < extent.z; ++z) {
            for (std::int32_t y = 0; y < extent.y; ++y) {
                for (std::int32_t x = 0; x < extent.x; ++x) body(x, y, z);
            }
        }
    }

    template <class Body>
    void once(const Body& body) {
        body();
    }

    template <int N, class Combine, class Body>
    void reduce_rows(std::int32_t num_rows, std::int32_t num_pixels, const Body& body, double* totals) {
        for (std::int32_t row = 0; row < num_rows; ++row) {
            double* total = totals + static_cast<std::ptrdiff_t>(row) * N;
            for (int n = 0; n < N; ++n) total[n] = 0;
            for (std::int32_t begin = 0; begin < num_pixels; begin += pixels_per_sum) {
                const std::int32_t end =
                    begin + pixels_per_sum < num_pixels ? begin + pixels_per_sum : num_pixels;
                const auto sums = reduce_chunk<N, Combine>(begin, end, row, body);
                for (int n = 0; n < N; ++n) {
                    Combine::combine(total[n], static_cast<double>(sums[static_cast<std::size_t>(n)]));
                }
            }
        }
    }

    template <class Program>
    bool can_run_teams(const Program&) const {
        return true;
    }
    template <class Program>
    void run_teams(std::int32_t num_teams, const Program& program) {
        for (std::int32_t i = 0; i < num_teams; ++i) {
            WalkedTeam<typename Program::Layout> team(i);
            program(team);
        }
    }

    void forward(cfloat* fields, Shape2 shape, std::int32_t count) {
        const FftPlan& plan = fft_plan({shape.y, shape.x});
        for (std::int32_t i = 0; i < count; ++i)
            plan.forward(fields + static_cast<std::size_t>(i) * shape.area());
    }
    void backward(cfloat* fields, Shape2 shape, std::int32_t count) {
        const FftPlan& plan = fft_plan({shape.y, shape.x});
        for (std::int32_t i = 0; i < count; ++i)
            plan.backward(fields + static_cast<std::size_t>(i) * shape.area());
    }

    void clear(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }
    void copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

    // Full of ones, which is NaN as floats: nobody may rely on what was there.
    template <class T>
    T* scratch(Scratch slot, std::size_t count) {
        Array<std::byte, 1>& memory = scratch_[static_cast<std::size_t>(slot)];
        memory = Array<std::byte, 1>({static_cast<std::ptrdiff_t>(count * sizeof(T) + 1)});
        std::memset(memory.data(), 0xff, memory.bytes());
        return reinterpret_cast<T*>(memory.data());
    }

    // So small that a batch of a few frames takes several turns.
    std::size_t wave_budget_bytes() const { return 8192; }

  private:
    template <int N, class Combine, class Body>
    static std::array<float, N> reduce_chunk(std::int32_t begin, std::int32_t end, std::int32_t row,
                                             const Body& body) {
        std::array<std::array<float, N>, threads_per_sum> of_thread{};
        for (std::int32_t t = 0; t < threads_per_sum; ++t) {
            float sums[N] = {};
            for (std::int32_t i = begin + t; i < end; i += threads_per_sum) body(i, row, sums);
            std::copy(sums, sums + N, of_thread[static_cast<std::size_t>(t)].begin());
        }
        for (std::size_t half = threads_per_sum / 2; half > 0; half /= 2) {
            for (std::size_t t = 0; t < half; ++t) {
                for (std::size_t n = 0; n < N; ++n) Combine::combine(of_thread[t][n], of_thread[t + half][n]);
            }
        }
        return of_thread[0];
    }

    std::array<Array<std::byte, 1>, static_cast<std::size_t>(Scratch::count)> scratch_;
};

}  // namespace tessera

#pragma once

#include <limits>
#include <vector>

#include "codelets/device/on_chip_layout.hpp"

namespace tessera {

// One thread's place in its team (see on_chip_transform.hpp), on the host.
template <class Layout>
class WalkedPlace {
  public:
    WalkedPlace(std::int32_t thread, std::int32_t block, cfloat* field, cfloat* roots, float* plane)
        : thread_(thread), block_(block), field_(field), roots_(roots), plane_(plane) {}

    std::int32_t thread() const { return thread_; }
    std::int32_t block() const { return block_; }
    cfloat& own(std::int32_t y, std::int32_t x) const { return field_[y * Layout::pitch + x]; }
    cfloat& any(std::int32_t y, std::int32_t k, std::int32_t x) const {
        return own(y + k * Layout::inner, x);
    }
    cfloat& root(std::int32_t i) const { return roots_[i]; }
    float& plane(std::int32_t y, std::int32_t x) const { return plane_[y * Layout::size + x]; }

  private:
    std::int32_t thread_, block_;
    cfloat* field_;
    cfloat* roots_;
    float* plane_;
};

// A team as loops: thread after thread takes a pass before the first takes the next one.
template <class Layout>
class WalkedTeam {
  public:
    explicit WalkedTeam(std::int32_t index)
        : index_(index),
          field_(Layout::size * Layout::pitch, {nan, nan}),
          roots_(Layout::num_roots, {nan, nan}),
          plane_(Layout::size * Layout::size, nan) {}

    std::int32_t index() const { return index_; }
    template <class Pass>
    void each(const Pass& pass) {
        for (std::int32_t i = 0; i < Layout::team_threads; ++i) {
            pass(WalkedPlace<Layout>(i % Layout::threads, i / Layout::threads, field_.data(), roots_.data(),
                                     plane_.data()));
        }
    }
    template <class Pass>
    void each_in_block(const Pass& pass) {
        each(pass);
    }

  private:
    static constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    std::int32_t index_;
    std::vector<cfloat> field_, roots_;
    std::vector<float> plane_;
};

}  // namespace tessera

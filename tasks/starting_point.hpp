#pragma once

#include <array>
#include <filesystem>
#include <memory>

#include "base/array.hpp"
#include "io/result_file.hpp"
#include "math/complex.hpp"
#include "tasks/frame_statistics.hpp"
#include "tasks/problem.hpp"

namespace tessera {

// The starting point. `run_folder`: where the run file is, for files named in it.
class InitialObjectMaker {
  public:
    InitialObjectMaker(const Problem& problem, const std::filesystem::path& run_folder);
    // A rectangle of the object in all planes, dense (plane, y, x); the same pixels whatever the rectangle.
    void fill(const Rect& rect, cfloat* pixels) const;

  private:
    void fill_random(int plane, const Rect& rect, cfloat* pixels) const;
    void fill_mode(int plane, const Rect& rect, cfloat* pixels) const;
    void fill_from_earlier(int plane, const Rect& rect, cfloat* pixels) const;
    template <class Pixel>
    void fill_from_random(int plane, const Rect& rect, cfloat* pixels, const Pixel& pixel) const;

    const Problem& problem_;
    std::unique_ptr<ResultReader> earlier_;  // of a file
    std::array<std::ptrdiff_t, 2> earlier_shift_px_ = {0, 0};
};
Array<cfloat, 3> initial_probe(const Problem& problem, const FrameStatistics& statistics,
                               const std::filesystem::path& run_folder);

}  // namespace tessera

#pragma once

#include <cstdint>
#include <random>

namespace tessera {

// Random numbers whose values are ours to define: the standard leaves its distributions to each library, and
// the same seed would give another scan with another one.
class Random {
  public:
    // Streams of one seed are independent of each other: frame i draws the same numbers whoever comes first.
    Random(std::uint64_t seed, std::uint64_t stream);

    double uniform();                              // [0, 1), 53 bits
    double uniform(double least, double largest);  // [least, largest)
    double normal();                               // mean 0, variance 1
    std::int64_t poisson(double mean);             // mean >= 0

  private:
    std::int64_t poisson_by_inversion(double mean);
    std::int64_t poisson_by_rejection(double mean);

    std::mt19937_64 engine_;
};

}  // namespace tessera

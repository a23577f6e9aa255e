#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"
#include "codelets/runtime/data.hpp"
#include "scan/random.hpp"

// Data with random content and plain copies of it, for the tests of small codelets.
namespace tessera::test {

inline std::complex<double> value_of(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

inline std::vector<cfloat> random_pixels(std::size_t count, std::uint64_t seed) {
    Random random(seed, 0);
    std::vector<cfloat> pixels(count);
    for (cfloat& pixel : pixels) {
        pixel.re = static_cast<float>(random.normal());
        pixel.im = static_cast<float>(random.normal());
    }
    return pixels;
}

// `bytes` of data that begin with `values`; the rest is 0.
template <class T>
Data data_of(const std::vector<T>& values, std::size_t bytes = 0) {
    Data data(std::max(bytes, values.size() * sizeof(T)));
    std::copy(values.begin(), values.end(), data.template before_tasks<T>());
    return data;
}

template <class T>
Data data_of_one(const T& value) {
    return data_of(std::vector<T>{value});
}

// Waits for the tasks that write it.
template <class T>
std::vector<T> content(const Data& data, std::size_t count) {
    const HostAccess access(data, Access::read);
    throw_task_failure();
    const auto* values = access.as<const T>();
    return {values, values + count};
}

template <class T>
T content_of_one(const Data& data) {
    return content<T>(data, 1).front();
}

// Value and direction in one, as objects and probes are.
inline Data moving_field_of(const std::vector<cfloat>& value, const std::vector<cfloat>& direction) {
    Data data(moving_field_bytes(value.size()));
    const auto field = moving_field(data.before_tasks<std::byte>(), value.size());
    std::copy(value.begin(), value.end(), field.value);
    std::copy(direction.begin(), direction.end(), field.direction);
    return data;
}

}  // namespace tessera::test

#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace tessera {

// All arrays are dense, C order, slowest axis first. Extents are std::ptrdiff_t so that index arithmetic is
// signed.
template <std::size_t N>
using Extents = std::array<std::ptrdiff_t, N>;

template <std::size_t N>
constexpr std::ptrdiff_t num_elements(const Extents<N>& extents) {
    std::ptrdiff_t product = 1;
    for (const auto extent : extents) product *= extent;
    return product;
}

// A view does not own; it is a pointer and its extents.
template <class T, std::size_t N>
class View {
  public:
    View() = default;
    View(T* data, const Extents<N>& extents) : data_(data), extents_(extents) {}

    operator View<const T, N>() const requires(!std::is_const_v<T>) { return {data_, extents_}; }

    T* data() const { return data_; }
    const Extents<N>& extents() const { return extents_; }
    std::ptrdiff_t extent(std::size_t axis) const { return extents_[axis]; }
    std::ptrdiff_t size() const { return num_elements(extents_); }
    T* begin() const { return data_; }
    T* end() const { return data_ + size(); }
    T& operator[](std::ptrdiff_t i) const { return data_[i]; }  // flat

    template <class... Index>
    T& operator()(Index... index) const {
        static_assert(sizeof...(Index) == N);
        const std::ptrdiff_t indices[] = {static_cast<std::ptrdiff_t>(index)...};
        std::ptrdiff_t flat = 0;
        for (std::size_t axis = 0; axis < N; ++axis) flat = flat * extents_[axis] + indices[axis];
        return data_[flat];
    }

    // The i-th element along the slowest axis.
    View<T, N - 1> slice(std::ptrdiff_t i) const requires(N > 1) {
        Extents<N - 1> rest;
        for (std::size_t axis = 1; axis < N; ++axis) rest[axis - 1] = extents_[axis];
        return {data_ + i * num_elements(rest), rest};
    }

  private:
    T* data_ = nullptr;
    Extents<N> extents_{};
};

// Owning, 64-byte aligned (a cache line, an AVX-512 vector), movable, value-initialised.
template <class T, std::size_t N>
class Array {
  public:
    static_assert(std::is_trivially_copyable_v<T>);
    static constexpr std::size_t alignment = 64;

    Array() = default;
    explicit Array(const Extents<N>& extents, const T& value = T{}) : extents_(extents) {
        for (const auto extent : extents) TESSERA_EXPECT(extent >= 0);
        const std::size_t bytes = static_cast<std::size_t>(size()) * sizeof(T);
        if (bytes == 0) return;
        void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        if (memory == nullptr) throw std::bad_alloc();
        data_.reset(static_cast<T*>(memory));
        for (std::ptrdiff_t i = 0; i < size(); ++i) data_[static_cast<std::size_t>(i)] = value;
    }
    Array(const Array& other) : Array(other.extents_) {
        for (std::ptrdiff_t i = 0; i < size(); ++i) data()[i] = other.data()[i];
    }
    Array& operator=(const Array& other) {
        Array copy(other);
        *this = std::move(copy);
        return *this;
    }
    Array(Array&& other) noexcept
        : data_(std::move(other.data_)), extents_(std::exchange(other.extents_, {})) {}
    Array& operator=(Array&& other) noexcept {
        data_ = std::move(other.data_);
        extents_ = std::exchange(other.extents_, {});
        return *this;
    }
    ~Array() = default;

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    const Extents<N>& extents() const { return extents_; }
    std::ptrdiff_t extent(std::size_t axis) const { return extents_[axis]; }
    std::ptrdiff_t size() const { return num_elements(extents_); }
    bool empty() const { return size() == 0; }
    std::size_t bytes() const { return static_cast<std::size_t>(size()) * sizeof(T); }

    View<T, N> view() { return {data(), extents_}; }
    View<const T, N> view() const { return {data(), extents_}; }
    operator View<T, N>() { return view(); }
    operator View<const T, N>() const { return view(); }

    T* begin() { return data(); }
    T* end() { return data() + size(); }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size(); }
    T& operator[](std::ptrdiff_t i) { return data()[i]; }
    const T& operator[](std::ptrdiff_t i) const { return data()[i]; }
    template <class... Index>
    T& operator()(Index... index) {
        return view()(index...);
    }
    template <class... Index>
    const T& operator()(Index... index) const {
        return view()(index...);
    }
    View<T, N - 1> slice(std::ptrdiff_t i) requires(N > 1) { return view().slice(i); }
    View<const T, N - 1> slice(std::ptrdiff_t i) const requires(N > 1) { return view().slice(i); }

  private:
    struct Free {
        void operator()(T* memory) const { std::free(memory); }
    };
    std::unique_ptr<T[], Free> data_;
    Extents<N> extents_{};
};

}  // namespace tessera

#include "io/hdf5_types.hpp"

#include <hdf5.h>

#include <array>
#include <cctype>

#include "base/error.hpp"

namespace tessera::hdf5 {

namespace {

template <class T>
hid_t native_type() {
    if constexpr (std::same_as<T, std::int8_t>) return H5T_NATIVE_INT8;
    if constexpr (std::same_as<T, std::uint8_t>) return H5T_NATIVE_UINT8;
    if constexpr (std::same_as<T, std::int16_t>) return H5T_NATIVE_INT16;
    if constexpr (std::same_as<T, std::uint16_t>) return H5T_NATIVE_UINT16;
    if constexpr (std::same_as<T, std::int32_t>) return H5T_NATIVE_INT32;
    if constexpr (std::same_as<T, std::uint32_t>) return H5T_NATIVE_UINT32;
    if constexpr (std::same_as<T, std::int64_t>) return H5T_NATIVE_INT64;
    if constexpr (std::same_as<T, std::uint64_t>) return H5T_NATIVE_UINT64;
    if constexpr (std::same_as<T, float>) return H5T_NATIVE_FLOAT;
    if constexpr (std::same_as<T, double>) return H5T_NATIVE_DOUBLE;
    return -1;
}

Type integer_type(hid_t id) {
    const bool has_sign = H5Tget_sign(id) == H5T_SGN_2;
    return {has_sign ? Kind::signed_integer : Kind::unsigned_integer, H5Tget_size(id)};
}

}  // namespace

std::string name(const Type& type) {
    switch (type.kind) {
        case Kind::unsigned_integer:
            return fmt::format("uint{}", 8 * type.bytes);
        case Kind::signed_integer:
            return fmt::format("int{}", 8 * type.bytes);
        case Kind::real:
            return fmt::format("float{}", 8 * type.bytes);
        case Kind::complex:
            return fmt::format("complex{}", 8 * type.bytes);
        case Kind::text:
            return "text";
        case Kind::other:
            break;
    }
    return "an unknown type";
}

std::optional<std::pair<std::string, std::string>> complex_members(Id id) {
    if (H5Tget_nmembers(id) != 2) return std::nullopt;
    std::array<std::string, 2> names;
    for (unsigned i = 0; i < 2; ++i) {
        if (H5Tget_member_class(id, i) != H5T_FLOAT) return std::nullopt;
        names[i] = take(H5Tget_member_name(id, i));
    }
    const auto starts_with = [](const std::string& member, char letter) {
        return !member.empty() && std::tolower(static_cast<unsigned char>(member[0])) == letter;
    };
    if (starts_with(names[0], 'i') && starts_with(names[1], 'r')) std::swap(names[0], names[1]);
    if (!starts_with(names[0], 'r') || !starts_with(names[1], 'i')) return std::nullopt;
    return std::pair(names[0], names[1]);
}

Type type_of(Id id) {
    switch (H5Tget_class(id)) {
        case H5T_INTEGER:
            return integer_type(id);
        case H5T_ENUM: {
            const Handle base(H5Tget_super(id));
            return base.valid() ? integer_type(base.get()) : Type{};
        }
        case H5T_FLOAT:
            return {Kind::real, H5Tget_size(id)};
        case H5T_STRING:
            return {Kind::text, H5Tget_size(id)};
        case H5T_COMPOUND:
            return {complex_members(id) ? Kind::complex : Kind::other, H5Tget_size(id)};
        default:
            return {};
    }
}

Handle complex_type(const std::string& real_name, const std::string& imaginary_name) {
    Handle type(H5Tcreate(H5T_COMPOUND, sizeof(cfloat)));
    H5Tinsert(type.get(), real_name.c_str(), offsetof(cfloat, re), H5T_NATIVE_FLOAT);
    H5Tinsert(type.get(), imaginary_name.c_str(), offsetof(cfloat, im), H5T_NATIVE_FLOAT);
    return type;
}

std::string name_of_filter(int filter) {
    switch (filter) {
        case H5Z_FILTER_DEFLATE:
            return "gzip";
        case H5Z_FILTER_SZIP:
            return "szip";
        case 32000:
            return "lzf";
        case 32001:
            return "blosc";
        case 32004:
            return "lz4";
        case 32008:
            return "bitshuffle";
        case 32013:
            return "zfp";
        case 32015:
            return "zstd";
        case 32017:
            return "sz";
        case 32026:
            return "blosc2";
        default:
            return "unknown";
    }
}

std::string take(char* hdf5_text) {
    std::string copy = hdf5_text == nullptr ? "" : hdf5_text;
    H5free_memory(hdf5_text);
    return copy;
}

template <Element T>
Handle memory_type() {
    if constexpr (std::same_as<T, cfloat>) return complex_type("r", "i");
    return Handle(H5Tcopy(native_type<T>()));
}

#define TESSERA_INSTANTIATE(T) template Handle memory_type<T>();
TESSERA_INSTANTIATE(std::int8_t)
TESSERA_INSTANTIATE(std::uint8_t)
TESSERA_INSTANTIATE(std::int16_t)
TESSERA_INSTANTIATE(std::uint16_t)
TESSERA_INSTANTIATE(std::int32_t)
TESSERA_INSTANTIATE(std::uint32_t)
TESSERA_INSTANTIATE(std::int64_t)
TESSERA_INSTANTIATE(std::uint64_t)
TESSERA_INSTANTIATE(float)
TESSERA_INSTANTIATE(double)
TESSERA_INSTANTIATE(cfloat)
#undef TESSERA_INSTANTIATE

}  // namespace tessera::hdf5

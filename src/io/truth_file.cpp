#include "io/truth_file.hpp"

#include "base/error.hpp"
#include "io/hdf5.hpp"

namespace tessera {
namespace {

constexpr const char* group = "/entry_1/truth_1";

template <class T, std::size_t N>
Array<T, N> read_array(const hdf5::File& file, const std::string& name) {
    const hdf5::Dataset dataset = file.dataset(std::string(group) + "/" + name);
    if (dataset.shape().size() != N) {
        throw data_error("{}: shape {}, {} axes expected", dataset.where(), hdf5::text(dataset.shape()), N);
    }
    Extents<N> extents;
    for (std::size_t axis = 0; axis < N; ++axis) extents[axis] = dataset.shape()[axis];
    Array<T, N> array(extents);
    dataset.read(array.data());
    return array;
}

// One slice may be stored without its axis, as earlier versions did.
Array<cfloat, 3> read_object(const hdf5::File& file) {
    const hdf5::Dataset dataset = file.dataset(std::string(group) + "/object");
    if (dataset.shape().size() != 2) return read_array<cfloat, 3>(file, "object");
    Array<cfloat, 3> object({1, dataset.shape()[0], dataset.shape()[1]});
    dataset.read(object.data());
    return object;
}

}  // namespace

bool has_truth(const std::filesystem::path& file) {
    return hdf5::File(file).has_group(group);
}

Truth read_truth(const std::filesystem::path& path) {
    const hdf5::File file(path);
    const auto modes = file.dataset(std::string(group) + "/object").numbers_attribute("num_modes");
    return {read_object(file), read_array<cfloat, 3>(file, "probe"),
            read_array<double, 2>(file, "positions_px"), modes.empty() ? 1 : static_cast<int>(modes.front())};
}

}  // namespace tessera

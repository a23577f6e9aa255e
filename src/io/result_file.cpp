#include "io/result_file.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"

namespace tessera {

namespace {

const std::string entry = "/entry_1";
const std::string object_image = entry + "/image_1";
const std::string probe_image = entry + "/image_2";
const std::string opr_image = entry + "/image_3";
const std::string process = entry + "/process_1";
const std::string removed_ramp = process + "/removed_ramp";

// Per-iteration curves: name in the file and member.
struct Curve {
    const char* name;
    std::vector<double> Result::*values;
    const char* units;
};
constexpr Curve curves[] = {{"cost", &Result::cost, ""},
                            {"data_error", &Result::data_error, ""},
                            {"step", &Result::step, ""},
                            {"time_s", &Result::time_s, "s"}};

// What the shifts of all frames have in common.
constexpr std::array<const char*, 4> position_parameters = {"scale", "asymmetry", "rotation_rad",
                                                            "shear_rad"};

template <std::size_t N>
hdf5::Shape shape_of(const Extents<N>& extents) {
    return {extents.begin(), extents.end()};
}

// Coordinates of the pixels' centres along one axis.
void write_axis(hdf5::Writer& file, const std::string& path, std::ptrdiff_t extent, double origin_m,
                double pixel_size_m) {
    std::vector<double> centres_m(static_cast<std::size_t>(extent));
    for (std::size_t i = 0; i < centres_m.size(); ++i) {
        centres_m[i] = origin_m + static_cast<double>(i) * pixel_size_m;
    }
    file.write(path, centres_m);
    file.attribute(path, "units", "m");
}

struct ImageText {
    std::string title, first_axis;
};

// Slices have places along the beam; modes are only counted.
void write_slice_axis(hdf5::Writer& file, const std::string& group, const std::vector<double>& spacings_m) {
    std::vector<double> z_m = {0};
    for (const double spacing_m : spacings_m) z_m.push_back(z_m.back() + spacing_m);
    file.write(group + "/z", z_m);
    file.attribute(group + "/z", "units", "m");
    file.attribute(group + "/data", "slice_spacings_m", spacings_m);
}

// All about an image but its pixels: `group`/data is there already.
void describe_image(hdf5::Writer& file, const std::string& group, const Extents<3>& shape,
                    const ImageText& text, std::array<double, 2> pixel_size_m, std::array<double, 2> origin_m,
                    const std::vector<double>& spacings_m) {
    const bool has_places = std::ssize(spacings_m) == shape[0] - 1 && shape[0] > 1;
    file.attribute(group, "NX_class", "NXdata");
    file.attribute(group, "signal", "data");
    file.attribute(group, "axes", std::vector<std::string>{has_places ? "z" : ".", "y", "x"});
    file.write_text(group + "/title", text.title);
    file.attribute(group + "/data", "interpretation", "image");
    file.attribute(group + "/data", "long_name", text.title + " (" + text.first_axis + ", y, x)");
    file.attribute(group + "/data", "pixel_size_m", std::vector<double>{pixel_size_m[0], pixel_size_m[1]});
    file.attribute(group + "/data", "origin_m", std::vector<double>{origin_m[0], origin_m[1]});
    if (has_places) write_slice_axis(file, group, spacings_m);
    write_axis(file, group + "/y", shape[1], origin_m[0], pixel_size_m[0]);
    write_axis(file, group + "/x", shape[2], origin_m[1], pixel_size_m[1]);
    // CXI's own words about an image.
    file.write_text(group + "/data_space", "real");
    file.write_text(group + "/data_type", text.title);
    file.write_scalar<std::int32_t>(group + "/is_fft_shifted", 0);
}

void write_convergence(hdf5::Writer& file, const Result& result) {
    for (const auto& curve : curves) {
        const std::string path = process + "/" + curve.name;
        file.write(path, result.*curve.values);
        if (*curve.units != '\0') file.attribute(path, "units", curve.units);
    }
    file.write_scalar(process + "/final_cost", result.final_cost);
    file.write_scalar(process + "/final_data_error", result.final_data_error);

    const std::string plot = process + "/convergence";
    file.group(plot, "NXdata");
    file.attribute(plot, "signal", "data_error");
    file.attribute(plot, "axes", std::vector<std::string>{"iteration"});
    std::vector<std::int64_t> iterations(result.data_error.size());
    for (std::size_t i = 0; i < iterations.size(); ++i) iterations[i] = static_cast<std::int64_t>(i);
    file.write(plot + "/iteration", iterations);
    file.link(plot + "/data_error", process + "/data_error");
}

void write_shifts(hdf5::Writer& file, const Result& result) {
    if (result.position_shifts_px.empty()) return;
    const std::string path = process + "/position_shifts_px";
    file.write(path, shape_of(result.position_shifts_px.extents()), result.position_shifts_px.data());
    file.attribute(path, "units", "px");
    file.attribute(path, "long_name", "how far (y, x) each frame was moved from where the scan says");
    const std::string model = process + "/position_model";
    file.group(model, "NXcollection");
    for (std::size_t i = 0; i < result.position_model.size(); ++i)
        file.write_scalar(model + "/" + position_parameters[i], result.position_model[i]);
}

void write_positions(hdf5::Writer& file, const Result& result) {
    const std::string path = process + "/positions_px";
    file.write(path, shape_of(result.positions_px.extents()), result.positions_px.data());
    file.attribute(path, "units", "px");
    file.attribute(path, "long_name", "top-left corner (y, x) of each probe window in image_1");
    write_shifts(file, result);
    file.write(process + "/frames", result.frames);
    file.attribute(process + "/frames", "long_name", "index of each frame in the scan file");
    file.write(process + "/data_error_per_frame", result.data_error_per_frame);

    // The same as a picture: where in the scan the data are badly explained.
    const auto num_frames = static_cast<std::size_t>(result.positions_px.extent(0));
    if (num_frames == 0 || result.data_error_per_frame.size() != num_frames) return;
    const std::string plot = process + "/data_error_map";
    file.group(plot, "NXdata");
    file.attribute(plot, "signal", "data_error_per_frame");
    file.attribute(plot, "axes", std::vector<std::string>{"x_px", "y_px"});
    for (std::ptrdiff_t axis = 0; axis < 2; ++axis) {
        std::vector<double> column;
        for (std::ptrdiff_t i = 0; i < result.positions_px.extent(0); ++i) {
            column.push_back(result.positions_px(i, axis));
        }
        const std::string name = plot + (axis == 0 ? "/y_px" : "/x_px");
        file.write(name, column);
        file.attribute(name, "units", "px");
    }
    file.link(plot + "/data_error_per_frame", process + "/data_error_per_frame");
}

void write_removed_ramp(hdf5::Writer& file, const Result& result) {
    if (!result.removed_ramp) return;
    const auto& [k, mean] = *result.removed_ramp;
    file.group(removed_ramp, "NXcollection");
    file.write(removed_ramp + "/rad_per_px", std::vector<double>{k[0], k[1]});
    file.attribute(removed_ramp + "/rad_per_px", "units", "rad");
    file.attribute(removed_ramp + "/rad_per_px", "long_name",
                   "ramp of phase (y, x) that was taken off the object and given to the probe");
    file.write(removed_ramp + "/mean", std::vector<double>{mean[0], mean[1]});
    file.attribute(removed_ramp + "/mean", "long_name",
                   "(re, im) that the object was divided by and the probe multiplied with");
}

void write_lights(hdf5::Writer& file, const Result& result) {
    if (result.intensity_scale.empty()) return;
    const std::string scale = process + "/intensity_scale";
    file.write(scale, result.intensity_scale);
    file.attribute(scale, "long_name", "power of the probe in each frame, 1 on average");
    const std::string amplitude = process + "/probe_amplitude";
    file.write(amplitude, result.probe_amplitude);
    file.attribute(amplitude, "long_name", "of the modes, eigen-probes among them, in each frame");
    if (result.opr_modes.empty()) return;
    const std::string weights = process + "/opr_weights";
    file.write(weights, shape_of(result.opr_weights.extents()), result.opr_weights.data());
    file.attribute(weights, "units", "sqrt(counts)");
    file.attribute(weights, "long_name", "of each eigen-probe of image_3 in each frame (frame, i)");
    file.write(process + "/opr_mode_powers", result.opr_mode_powers);
    file.attribute(process + "/opr_mode_powers", "units", "counts");
}

void write_background(hdf5::Writer& file, const Result& result) {
    if (result.background.empty()) return;
    const std::string path = process + "/background";
    file.write(path, shape_of(result.background.extents()), result.background.data());
    file.attribute(path, "units", "counts");
    file.attribute(path, "long_name", "found in every frame beside the light of the probe (y, x)");
}

void write_process(hdf5::Writer& file, const Result& result) {
    file.group(process, "NXprocess");
    file.write_text(process + "/program", "tessera");
    const auto version = result.about.find("version");
    if (version != result.about.end()) file.write_text(process + "/version", version->second);
    file.write(process + "/mode_powers", result.mode_powers);
    file.attribute(process + "/mode_powers", "units", "counts");
    if (!result.object_mode_powers.empty()) {
        const std::string path = process + "/object_mode_powers";
        file.write(path, result.object_mode_powers);
        file.attribute(path, "units", "counts");
        file.attribute(path, "long_name", "mean counts of a frame that each mode of the object makes");
    }
    write_convergence(file, result);
    write_positions(file, result);
    write_removed_ramp(file, result);
    write_lights(file, result);
    write_background(file, result);
    file.write_text(process + "/run", result.run);
    file.group(process + "/timings_s", "NXcollection");
    for (const auto& [phase, seconds] : result.timings_s) {
        file.write_scalar(process + "/timings_s/" + phase, seconds);
        file.attribute(process + "/timings_s/" + phase, "units", "s");
    }
    file.group(process + "/about", "NXcollection");
    for (const auto& [key, value] : result.about) file.write_text(process + "/about/" + key, value);
}

// ---- reading

void require_result(const hdf5::File& file) {
    if (file.has_dataset(object_image + "/data") && file.has_dataset(process + "/positions_px")) return;
    throw data_error("{}: not a result of tessera ({}/data or {}/positions_px is missing)", file.name(),
                     object_image, process);
}

Extents<3> image_shape(const hdf5::Dataset& dataset) {
    const hdf5::Shape& shape = dataset.shape();
    if (shape.size() != 3) {
        throw data_error("{}: shape {} (three axes are expected)", dataset.where(), hdf5::text(shape));
    }
    return {shape[0], shape[1], shape[2]};
}

Array<cfloat, 3> read_image(const hdf5::Dataset& dataset) {
    Array<cfloat, 3> image(image_shape(dataset));
    dataset.read(image.data());
    return image;
}

template <hdf5::Element T>
std::vector<T> read_list(const hdf5::File& file, const std::string& path) {
    return file.has_dataset(path) ? file.dataset(path).read_vector<T>() : std::vector<T>{};
}

std::array<double, 2> read_pair_attribute(const hdf5::Dataset& dataset, const std::string& attribute) {
    const auto numbers = dataset.numbers_attribute(attribute);
    if (numbers.size() != 2) {
        throw data_error("{}: attribute {} has {} values (two are expected)", dataset.where(), attribute,
                         numbers.size());
    }
    return {numbers[0], numbers[1]};
}

Array<double, 2> read_positions(const hdf5::File& file, const char* name) {
    const hdf5::Dataset dataset = file.dataset(process + "/" + name);
    const auto& shape = dataset.shape();
    if (shape.size() != 2 || shape[1] != 2) {
        throw data_error("{}: shape {} ((frame, 2) is expected)", dataset.where(), hdf5::text(shape));
    }
    const auto values = dataset.read_vector<double>();
    Array<double, 2> positions({shape[0], 2});
    std::ranges::copy(values, positions.begin());
    return positions;
}

}  // namespace

ResultWriter::ResultWriter(const std::filesystem::path& path, const Result& result,
                           const Extents<3>& object_shape)
    : file_(path) {
    file_.attribute("/", "default", "entry_1");
    file_.attribute("/", "creator", "tessera");
    file_.write_scalar<std::int32_t>("/cxi_version", 160);
    file_.write_scalar<std::int32_t>("/number_of_entries", 1);
    file_.group(entry, "NXentry");
    file_.attribute(entry, "default", "image_1");
    file_.create_on_disk<cfloat>(object_image + "/data", shape_of(object_shape));
    const bool has_modes = result.num_object_modes > 1;
    describe_image(file_, object_image, object_shape, {"object", has_modes ? "mode" : "slice"},
                   result.pixel_size_m, result.origin_m, result.slice_spacings_m);
    if (has_modes)
        file_.attribute(object_image + "/data", "num_modes",
                        std::vector<double>{static_cast<double>(result.num_object_modes)});
    // The probe's own coordinates: its centre is the origin.
    std::array<double, 2> corner_m{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto extent = result.probe.extent(axis + 1);
        corner_m[axis] = -static_cast<double>(extent / 2) * result.pixel_size_m[axis];
    }
    file_.write(probe_image + "/data", shape_of(result.probe.extents()), result.probe.data());
    describe_image(file_, probe_image, result.probe.extents(), {"probe", "mode"}, result.pixel_size_m,
                   corner_m, {});
    if (!result.opr_modes.empty()) {
        file_.write(opr_image + "/data", shape_of(result.opr_modes.extents()), result.opr_modes.data());
        describe_image(file_, opr_image, result.opr_modes.extents(), {"eigen-probes", "mode"},
                       result.pixel_size_m, corner_m, {});
    }
    write_process(file_, result);
}

void ResultWriter::write_object(std::ptrdiff_t y, std::ptrdiff_t x, const View<const cfloat, 3>& pixels) {
    file_.write_on_disk(object_image + "/data", {0, y, x}, shape_of(pixels.extents()), pixels.data());
}

void ResultWriter::finish() {
    file_.finish();
}

void write_result(const std::filesystem::path& path, const Result& result) {
    ResultWriter writer(path, result, result.object.extents());
    writer.write_object(0, 0, result.object);
    writer.finish();
}

static Result read_all_but(const hdf5::Dataset& object, const hdf5::File& file) {
    Result result;
    result.probe = read_image(file.dataset(probe_image + "/data"));
    result.mode_powers = read_list<double>(file, process + "/mode_powers");
    result.object_mode_powers = read_list<double>(file, process + "/object_mode_powers");
    result.pixel_size_m = read_pair_attribute(object, "pixel_size_m");
    result.origin_m = read_pair_attribute(object, "origin_m");
    result.slice_spacings_m = object.numbers_attribute("slice_spacings_m");
    const auto modes = object.numbers_attribute("num_modes");
    if (!modes.empty()) result.num_object_modes = static_cast<int>(modes.front());
    result.positions_px = read_positions(file, "positions_px");
    if (file.has_dataset(process + "/position_shifts_px")) {
        result.position_shifts_px = read_positions(file, "position_shifts_px");
        for (std::size_t i = 0; i < result.position_model.size(); ++i)
            result.position_model[i] =
                file.number(process + "/position_model/" + position_parameters[i]).value_or(0);
    }
    if (file.has_dataset(removed_ramp + "/rad_per_px")) {
        const auto k = read_list<double>(file, removed_ramp + "/rad_per_px"),
                   mean = read_list<double>(file, removed_ramp + "/mean");
        if (k.size() != 2 || mean.size() != 2)
            throw data_error("{}: {} has no two values each of rad_per_px and mean", file.name(),
                             removed_ramp);
        result.removed_ramp = {{k[0], k[1]}, {mean[0], mean[1]}};
    }
    result.intensity_scale = read_list<double>(file, process + "/intensity_scale");
    result.probe_amplitude = read_list<double>(file, process + "/probe_amplitude");
    if (file.has_dataset(opr_image + "/data")) {
        result.opr_modes = read_image(file.dataset(opr_image + "/data"));
        const hdf5::Dataset weights = file.dataset(process + "/opr_weights");
        if (weights.shape().size() != 2)
            throw data_error("{}: shape {} ((frame, mode) is expected)", weights.where(),
                             hdf5::text(weights.shape()));
        result.opr_weights = Array<cfloat, 2>({weights.shape()[0], weights.shape()[1]});
        weights.read(result.opr_weights.data());
        result.opr_mode_powers = read_list<double>(file, process + "/opr_mode_powers");
    }
    if (file.has_dataset(process + "/background")) {
        const hdf5::Dataset background = file.dataset(process + "/background");
        if (background.shape().size() != 2)
            throw data_error("{}: shape {} ((y, x) is expected)", background.where(),
                             hdf5::text(background.shape()));
        result.background = Array<float, 2>({background.shape()[0], background.shape()[1]});
        background.read(result.background.data());
    }
    result.frames = read_list<std::int64_t>(file, process + "/frames");
    for (const auto& curve : curves)
        result.*curve.values = read_list<double>(file, process + "/" + curve.name);
    result.final_cost = file.number(process + "/final_cost").value_or(0);
    result.final_data_error = file.number(process + "/final_data_error").value_or(0);
    result.data_error_per_frame = read_list<double>(file, process + "/data_error_per_frame");
    for (const auto& phase : file.children(process + "/timings_s")) {
        result.timings_s[phase] = file.number(process + "/timings_s/" + phase).value_or(0);
    }
    result.run = file.text(process + "/run").value_or("");
    for (const auto& key : file.children(process + "/about")) {
        result.about[key] = file.text(process + "/about/" + key).value_or("");
    }
    return result;
}

ResultReader::ResultReader(const std::filesystem::path& path) {
    const std::lock_guard turn(hdf5::library_lock());
    file_.emplace(path);
    require_result(*file_);
    object_ = file_->dataset(object_image + "/data");
    object_shape_ = image_shape(object_);
}

ResultReader::~ResultReader() {
    const std::lock_guard turn(hdf5::library_lock());
    object_ = {};
    file_.reset();
}

Result ResultReader::without_object() const {
    const std::lock_guard turn(hdf5::library_lock());
    return hdf5::with_disk_errors(file_->name(), [&] { return read_all_but(object_, *file_); });
}

void ResultReader::read_object(std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x,
                               const View<cfloat, 2>& pixels) const {
    const std::lock_guard turn(hdf5::library_lock());
    object_.read({{slice, y, x}, {1, 1, 1}, {1, pixels.extent(0), pixels.extent(1)}}, pixels.data());
}

Result read_result(const std::filesystem::path& path) {
    const ResultReader reader(path);
    Result result = reader.without_object();
    result.object = Array<cfloat, 3>(reader.object_shape());
    for (std::ptrdiff_t slice = 0; slice < result.object.extent(0); ++slice)
        reader.read_object(slice, 0, 0, result.object.slice(slice));
    return result;
}

}  // namespace tessera

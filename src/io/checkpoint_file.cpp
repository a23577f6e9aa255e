#include "io/checkpoint_file.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <utility>

#include "base/checksum.hpp"
#include "base/error.hpp"
#include "config/quantities.hpp"
#include "config/yaml_document.hpp"
#include "io/hdf5_writer.hpp"

namespace tessera {
namespace {

std::string checksum_of(const std::string& text) {
    Checksum checksum;
    checksum.add(text.data(), text.size());
    return fmt::format("{:016x}", checksum.value());
}

// 0-11, 14
std::string ranges_text(const std::vector<std::size_t>& ascending) {
    std::string text;
    for (std::size_t i = 0; i < ascending.size();) {
        std::size_t last = i;
        while (last + 1 < ascending.size() && ascending[last + 1] == ascending[last] + 1) ++last;
        text += fmt::format("{}{}", text.empty() ? "" : ", ", ascending[i]);
        if (last > i) text += fmt::format("-{}", ascending[last]);
        i = last + 1;
    }
    return text;
}

std::string indented(const std::string& text) {
    std::istringstream lines(text);
    std::string result, line;
    while (std::getline(lines, line)) result += "  " + line + "\n";
    return result;
}

// The values of a manifest by their keys; what is missing or no such value is a data Error.
class ManifestReader {
  public:
    ManifestReader(const YamlNode& map, const std::string& name) : map_(map), name_(name) {}

    const YamlNode& node(std::string_view key) const {
        const YamlNode* found = find_key(map_, key);
        if (found == nullptr) refuse(key);
        return *found;
    }
    const std::string& text(std::string_view key) const { return node(key).text; }
    template <class Integer>
    Integer number(std::string_view key) const {
        const auto value = parse_unsigned(text(key));
        if (!value || !std::in_range<Integer>(*value)) refuse(key);
        return static_cast<Integer>(*value);
    }
    std::vector<std::size_t> ranges(std::string_view key) const {
        constexpr std::size_t most = std::size_t{1} << 24;
        std::vector<std::size_t> numbers;
        std::istringstream items(text(key));
        for (std::string item; std::getline(items >> std::ws, item, ',');) {
            const std::size_t dash = item.find('-');
            const auto first = parse_unsigned(item.substr(0, dash));
            const auto last = dash == item.npos ? first : parse_unsigned(item.substr(dash + 1));
            if (!first || !last || *first > *last || *last > most) refuse(key);
            for (auto n = *first; n <= *last; ++n) numbers.push_back(n);
        }
        return numbers;
    }
    [[noreturn]] void refuse(std::string_view key) const {
        throw data_error("{}: {} is missing or not what a manifest has there", name_, key);
    }

  private:
    const YamlNode& map_;
    const std::string& name_;
};

CheckpointFile parse_file(const YamlNode& node, const std::string& name) {
    const ManifestReader reader(node, name);
    CheckpointFile file;
    file.name = reader.text("name");
    // Only in its own folder.
    if (file.name.empty() || file.name.find('/') != std::string::npos) reader.refuse("name");
    file.bytes = reader.number<std::uint64_t>("bytes");
    const std::string& digits = reader.text("checksum");
    if (std::from_chars(digits.data(), digits.data() + digits.size(), file.checksum, 16).ec != std::errc())
        reader.refuse("checksum");
    file.tiles = reader.ranges("tiles");
    return file;
}

// Names of a checkpoint's files, also of those that were never finished (io/atomic_file.hpp).
const std::regex& file_names() {
    static const std::regex names(R"((\d{6,}\.(rank-\d{4,}\.h5|waves-\d{4,}\.bin|yaml))|)"
                                  R"((\.\d{6,}\.(rank-\d{4,}\.h5|waves-\d{4,}\.bin|yaml)\.\d+\.part))");
    return names;
}

constexpr std::string_view last_key = "checksum: ";

const std::filesystem::path& made(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw runtime_failure("{}: cannot be made ({})", folder.string(), error.message());
    return folder;
}

}  // namespace

std::string checkpoint_part_name(std::int64_t num_iterations, int rank) {
    return fmt::format("{:06}.rank-{:04}.h5", num_iterations, rank);
}

CheckpointFile write_checkpoint_part(const std::filesystem::path& folder, std::int64_t num_iterations,
                                     int rank, const CheckpointPart& part) {
    CheckpointFile file;
    file.name = checkpoint_part_name(num_iterations, rank);
    hdf5::Writer writer(made(folder) / file.name);
    writer.write_scalar<std::int64_t>("/format", checkpoint_format);
    for (const CheckpointBlock& block : part.blocks) {
        const hdf5::Shape shape = {static_cast<std::ptrdiff_t>(block.size)};
        writer.create_on_disk<float>(block.path, shape);
        writer.write_on_disk(block.path, {0}, shape, block.values);
    }
    for (const auto& [path, numbers] : part.numbers) writer.write(path, numbers);
    const hdf5::Writer::Contents contents = writer.finish_and_sum();
    file.bytes = contents.bytes;
    file.checksum = contents.checksum;
    return file;
}

bool CheckpointPartReader::has(const std::string& path) const {
    return file_.has_dataset(path);
}

void CheckpointPartReader::read(const std::string& path, float* values, std::size_t size) const {
    const hdf5::Dataset dataset = file_.dataset(path);
    if (static_cast<std::size_t>(dataset.size()) != size)
        throw data_error("{}: has {} values, {} expected", dataset.where(), dataset.size(), size);
    dataset.read(values);
}

std::vector<double> CheckpointPartReader::numbers(const std::string& path) const {
    return file_.dataset(path).read_vector<double>();
}

std::string checkpoint_waves_name(std::int64_t num_iterations, int rank) {
    return fmt::format("{:06}.waves-{:04}.bin", num_iterations, rank);
}

bool is_waves_name(const std::string& name) {
    return name.ends_with(".bin");
}

CheckpointWavesWriter::CheckpointWavesWriter(const std::filesystem::path& folder, std::int64_t num_iterations,
                                             int rank)
    : written_{checkpoint_waves_name(num_iterations, rank), 0, 0, {}}, file_(made(folder) / written_.name) {}

void CheckpointWavesWriter::write(const void* waves, std::size_t bytes) {
    file_.write({static_cast<const std::byte*>(waves), bytes});
    checksum_.add(waves, bytes);
    written_.bytes += bytes;
}

CheckpointFile CheckpointWavesWriter::finish() {
    file_.finish();
    written_.checksum = checksum_.value();
    return written_;
}

CheckpointWavesReader::CheckpointWavesReader(const std::filesystem::path& file)
    : path_(file), file_(file, std::ios::binary) {
    if (!file_) throw data_error("{}: is missing or cannot be read", path_.string());
}

void CheckpointWavesReader::read(void* waves, std::size_t bytes) {
    file_.read(static_cast<char*>(waves), static_cast<std::streamsize>(bytes));
    if (!file_) throw data_error("{}: ends too early", path_.string());
}

void CheckpointWavesReader::skip(std::size_t bytes) {
    file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
}

CheckpointManifest read_manifest(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw data_error("{}: is missing or cannot be read", file.string());
    return parse_manifest({std::istreambuf_iterator<char>(stream), {}}, file.string());
}

std::filesystem::path checkpoint_folder(const std::filesystem::path& result) {
    auto folder = result;
    return folder.replace_extension("").concat(".checkpoint");
}

std::filesystem::path manifest_path(const std::filesystem::path& folder, std::int64_t num_iterations) {
    return folder / fmt::format("{:06}.yaml", num_iterations);
}

std::string to_text(const CheckpointManifest& m) {
    std::string text =
        "# A checkpoint of Tessera. With it, `tessera reconstruct RUN.yaml --resume` goes on where it was "
        "made.\n";
    text += fmt::format(
        "format: {}\niterations: {}\nengine: {}\niteration: {}\nranks: {}\ntiles: [{}, {}]\nscan: {}\n"
        "frames: {}\nfiles:\n",
        checkpoint_format, m.num_iterations, m.engine, m.iteration, m.num_ranks, m.tiles[0], m.tiles[1],
        m.scan, m.frames);
    for (const CheckpointFile& file : m.files) {
        text += fmt::format("  - {{name: {}, bytes: {}, checksum: {:016x}, tiles: \"{}\"}}\n", file.name,
                            file.bytes, file.checksum, ranges_text(file.tiles));
    }
    text += "run: |\n" + indented(m.run);
    return text + std::string(last_key) + checksum_of(text) + "\n";
}

CheckpointManifest parse_manifest(const std::string& text, const std::string& name) {
    const std::size_t end = text.rfind(last_key);
    if (end == text.npos ||
        text.substr(end) != fmt::format("{}{}\n", last_key, checksum_of(text.substr(0, end))))
        throw data_error("{}: is torn or damaged (its checksum does not match)", name);
    std::vector<ConfigProblem> problems;
    const auto document = parse_yaml(text, name, problems);
    if (!document) throw data_error("{}: is not YAML", name);
    const ManifestReader reader(document->root, name);
    if (const int format = reader.number<int>("format"); format != checkpoint_format) {
        throw data_error("{}: is of format {}, this program has {}", name, format, checkpoint_format);
    }
    CheckpointManifest manifest;
    manifest.num_iterations = reader.number<std::int64_t>("iterations");
    manifest.engine = reader.number<std::size_t>("engine");
    manifest.iteration = reader.number<int>("iteration");
    manifest.num_ranks = reader.number<int>("ranks");
    const YamlNode& tiles = reader.node("tiles");
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto count =
            tiles.children.size() == 2 ? parse_unsigned(tiles.children[axis].text) : std::nullopt;
        if (!count || !std::in_range<int>(*count)) reader.refuse("tiles");
        manifest.tiles[axis] = static_cast<int>(*count);
    }
    manifest.scan = reader.text("scan");
    manifest.frames = reader.text("frames");
    for (const YamlNode& file : reader.node("files").children)
        manifest.files.push_back(parse_file(file, name));
    if (manifest.files.empty()) reader.refuse("files");
    manifest.run = reader.text("run");
    return manifest;
}

void write_manifest(const std::filesystem::path& folder, const CheckpointManifest& manifest) {
    const std::string text = to_text(manifest);
    AtomicFile file(manifest_path(folder, manifest.num_iterations));
    file.write(std::as_bytes(std::span(text)));
    file.finish();
}

std::vector<std::filesystem::path> find_manifests(const std::filesystem::path& folder) {
    static const std::regex names(R"(\d{6,}\.yaml)");
    std::vector<std::filesystem::path> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (std::regex_match(entry.path().filename().string(), names)) found.push_back(entry.path());
    }
    // As numbers: a longer name is a larger one.
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        const std::string &x = a.native(), &y = b.native();
        return x.size() != y.size() ? x.size() > y.size() : x > y;
    });
    return found;
}

void verify(const std::filesystem::path& folder, const CheckpointFile& file) {
    const auto path = folder / file.name;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw data_error("{}: is missing or cannot be read", path.string());
    constexpr std::size_t piece = std::size_t{1} << 20;
    std::vector<char> buffer(piece);
    Checksum checksum;
    std::uint64_t bytes = 0;
    while (stream.read(buffer.data(), piece), stream.gcount() > 0) {
        checksum.add(buffer.data(), static_cast<std::size_t>(stream.gcount()));
        bytes += static_cast<std::uint64_t>(stream.gcount());
    }
    if (bytes != file.bytes)
        throw data_error("{}: has {} bytes, {} were written", path.string(), bytes, file.bytes);
    if (checksum.value() != file.checksum)
        throw data_error("{}: is damaged (its checksum does not match)", path.string());
}

void keep_only(const std::filesystem::path& folder, const std::vector<CheckpointManifest>& kept) {
    std::set<std::string> names;
    for (const CheckpointManifest& manifest : kept) {
        names.insert(manifest_path(folder, manifest.num_iterations).filename().string());
        for (const CheckpointFile& file : manifest.files) names.insert(file.name);
    }
    std::vector<std::filesystem::path> others;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (std::regex_match(name, file_names()) && !names.contains(name)) others.push_back(entry.path());
    }
    // A checkpoint must not lose a file before its manifest.
    std::stable_partition(others.begin(), others.end(),
                          [](const auto& path) { return path.extension() == ".yaml"; });
    for (const auto& path : others) std::filesystem::remove(path, error);
}

}  // namespace tessera

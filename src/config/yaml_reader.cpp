#include "config/yaml_reader.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

#include "base/error.hpp"
#include "config/key_reader.hpp"
#include "config/key_writer.hpp"
#include "config/schema.hpp"
#include "config/yaml_document.hpp"

namespace tessera {

namespace {

constexpr std::size_t max_num_problems = 100;  // nobody reads more

template <class Config>
Config parse(std::string_view yaml, std::string_view name, const std::vector<std::string>& overrides,
             std::vector<ConfigProblem>& problems) {
    Config config;
    std::vector<ConfigProblem> found;
    if (auto document = parse_yaml(yaml, name, found)) {
        apply_overrides(*document, overrides, found);
        KeyReader reader(*document);
        for (ConfigProblem& problem : reader.read([&] { describe(reader, config); })) {
            found.push_back(std::move(problem));
        }
    }
    if (found.size() > max_num_problems) {
        const std::size_t num_more = found.size() - max_num_problems;
        found.resize(max_num_problems);
        found.push_back({std::string(name), "", fmt::format("and {} more problems", num_more)});
    }
    problems.insert(problems.end(), found.begin(), found.end());
    return config;
}

// One byte beyond the limit is read, so that the parser can tell.
std::optional<std::string> read_text(const std::filesystem::path& file,
                                     std::vector<ConfigProblem>& problems) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) {
        problems.push_back({file.string(), "", "is a directory"});
        return std::nullopt;
    }
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    std::string text(YamlLimits::max_bytes + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!stream.is_open() || stream.bad()) {
        const std::string reason = errno != 0 ? std::generic_category().message(errno) : "unknown reason";
        problems.push_back({file.string(), "", fmt::format("cannot be read ({})", reason)});
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

template <class Config>
Config read(const std::filesystem::path& file, const std::vector<std::string>& overrides,
            std::vector<ConfigProblem>& problems) {
    const auto text = read_text(file, problems);
    return text ? parse<Config>(*text, file.string(), overrides, problems) : Config{};
}

template <class Config>
Config read_or_throw(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    std::vector<ConfigProblem> problems;
    Config config = read<Config>(file, overrides, problems);
    if (problems.empty()) return config;
    std::vector<std::string> lines;
    lines.reserve(problems.size());
    for (const ConfigProblem& problem : problems) lines.push_back(problem.text());
    throw usage_error("{}", fmt::join(lines, "\n"));
}

template <class Config>
std::string write(Config config) {  // a copy: describe() is for both directions
    KeyWriter writer;
    describe(writer, config);
    return writer.text();
}

}  // namespace

RunConfig read_run_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    return read_or_throw<RunConfig>(file, overrides);
}

RunConfig read_run_config(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                          std::vector<ConfigProblem>& problems) {
    return read<RunConfig>(file, overrides, problems);
}

SimulationConfig read_simulation_config(const std::filesystem::path& file,
                                        const std::vector<std::string>& overrides) {
    return read_or_throw<SimulationConfig>(file, overrides);
}

BatchConfig read_batch_config(const std::filesystem::path& file) {
    return read_or_throw<BatchConfig>(file, {});
}

MachineConfig read_machine_config(const std::filesystem::path& file,
                                  const std::vector<std::string>& overrides) {
    return read_or_throw<MachineConfig>(file, overrides);
}

RunConfig parse_run_config(std::string_view yaml, std::string_view name,
                           const std::vector<std::string>& overrides, std::vector<ConfigProblem>& problems) {
    return parse<RunConfig>(yaml, name, overrides, problems);
}

SimulationConfig parse_simulation_config(std::string_view yaml, std::string_view name,
                                         const std::vector<std::string>& overrides,
                                         std::vector<ConfigProblem>& problems) {
    return parse<SimulationConfig>(yaml, name, overrides, problems);
}

MachineConfig parse_machine_config(std::string_view yaml, std::string_view name,
                                   const std::vector<std::string>& overrides,
                                   std::vector<ConfigProblem>& problems) {
    return parse<MachineConfig>(yaml, name, overrides, problems);
}

std::string write_run_config(const RunConfig& config) {
    return write(config);
}

std::string write_simulation_config(const SimulationConfig& config) {
    return write(config);
}

std::string write_machine_config(const MachineConfig& config) {
    return write(config);
}

}  // namespace tessera

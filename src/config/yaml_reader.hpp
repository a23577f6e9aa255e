#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/batch_config.hpp"
#include "config/machine_config.hpp"
#include "config/problem.hpp"
#include "config/run_config.hpp"
#include "config/simulation_config.hpp"

// To add a key: one member with its default in run_config.hpp (or simulation_config.hpp, batch_config.hpp,
// machine_config.hpp) and one line in the matching describe() of the .cpp beside it. Reading, checking,
// nearest names and writing follow from it; key_visitor.hpp explains what such a line can say.
namespace tessera {

// Strict reading: unknown or duplicate keys, wrong types, values out of range and contradictory settings are
// problems. null means the default. `overrides` are "key.path=value" with a YAML value, as given to --set;
// engines are addressed as engines[0].num_iter (or engines.0.num_iter). All problems are collected, in the
// order of their lines; the throwing forms join them, one a line, into one usage Error. With problems, what
// is returned holds what could be read.
RunConfig read_run_config(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
RunConfig read_run_config(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                          std::vector<ConfigProblem>& problems);  // for `check`: never throws for content
SimulationConfig read_simulation_config(const std::filesystem::path& file,
                                        const std::vector<std::string>& overrides = {});
BatchConfig read_batch_config(const std::filesystem::path& file);
MachineConfig read_machine_config(const std::filesystem::path& file,
                                  const std::vector<std::string>& overrides = {});

// From text, for tests and fuzzing; `name` stands for the file in messages. Any bytes are answered with
// problems.
RunConfig parse_run_config(std::string_view yaml, std::string_view name,
                           const std::vector<std::string>& overrides, std::vector<ConfigProblem>& problems);
SimulationConfig parse_simulation_config(std::string_view yaml, std::string_view name,
                                         const std::vector<std::string>& overrides,
                                         std::vector<ConfigProblem>& problems);
MachineConfig parse_machine_config(std::string_view yaml, std::string_view name,
                                   const std::vector<std::string>& overrides,
                                   std::vector<ConfigProblem>& problems);

// Every key that the settings give a meaning to, with its resolved value; reading it again gives the same
// configuration.
std::string write_run_config(const RunConfig& config);
std::string write_simulation_config(const SimulationConfig& config);
std::string write_machine_config(const MachineConfig& config);

}  // namespace tessera

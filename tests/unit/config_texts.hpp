#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_reader.hpp"

// YAML texts in, problems as texts or a configuration without problems out.
namespace tessera {

using Texts = std::vector<std::string>;

inline constexpr std::string_view scan_line = "scan: {file: a.cxi}\n";

inline std::string with_scan(std::string_view rest) {
    return std::string(scan_line) + std::string(rest);
}

inline Texts run_problems(std::string_view yaml, const Texts& overrides = {}) {
    std::vector<ConfigProblem> problems;
    parse_run_config(yaml, "run.yaml", overrides, problems);
    Texts texts;
    for (const ConfigProblem& problem : problems) texts.push_back(problem.text());
    return texts;
}

inline Texts simulation_problems(std::string_view yaml, const Texts& overrides = {}) {
    std::vector<ConfigProblem> problems;
    parse_simulation_config(yaml, "sim.yaml", overrides, problems);
    Texts texts;
    for (const ConfigProblem& problem : problems) texts.push_back(problem.text());
    return texts;
}

inline RunConfig run_of(std::string_view yaml, const Texts& overrides = {}) {
    EXPECT_EQ(run_problems(yaml, overrides), Texts{});
    std::vector<ConfigProblem> problems;
    return parse_run_config(yaml, "run.yaml", overrides, problems);
}

inline SimulationConfig simulation_of(std::string_view yaml, const Texts& overrides = {}) {
    EXPECT_EQ(simulation_problems(yaml, overrides), Texts{});
    std::vector<ConfigProblem> problems;
    return parse_simulation_config(yaml, "sim.yaml", overrides, problems);
}

// One problem, and exactly this one.
inline void expect_problem(std::string_view yaml, const std::string& text) {
    EXPECT_EQ(run_problems(yaml), Texts{text}) << yaml.substr(0, 1000);
}

}  // namespace tessera

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_reader.hpp"

// Any bytes are answered with problems: no exception, no crash, no hang. And what is accepted is written so
// that it reads back the same. The bytes up to the first NUL are the file; what follows, split at NULs, are
// --set overrides.
//
// With Clang, from the repository root:
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -Isrc tests/fuzz/yaml_fuzz.cpp
//   src/config/*.cpp \
//       src/base/error.cpp -lyaml-cpp -lfmt -o yaml_fuzz
//   mkdir -p corpus && ./yaml_fuzz -max_total_time=180 -max_len=4096 corpus tests/fuzz/corpus/yaml
namespace {

void require(bool holds, const char* promise, const std::string& text) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n%s\n", promise, text.c_str());
    std::abort();
}

template <class Parse, class Write>
void check(Parse parse, Write write, std::string_view yaml, const std::vector<std::string>& overrides) {
    std::vector<tessera::ConfigProblem> problems;
    const auto config = parse(yaml, "fuzz.yaml", overrides, problems);
    for (const auto& problem : problems)
        require(!problem.message.empty(), "problems say something", problem.text());
    if (!problems.empty()) return;
    const std::string text = write(config);
    const auto again = parse(text, "written.yaml", {}, problems);
    for (const auto& problem : problems)
        require(false, "what is written is accepted", problem.text() + "\n" + text);
    require(again == config && write(again) == text, "what is written reads back the same", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view yaml = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(yaml.size());
    std::vector<std::string> overrides;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        overrides.emplace_back(rest.substr(0, rest.find('\0')));
        rest.remove_prefix(overrides.back().size());
    }
    check(tessera::parse_run_config, tessera::write_run_config, yaml, overrides);
    check(tessera::parse_simulation_config, tessera::write_simulation_config, yaml, overrides);
    return 0;
}

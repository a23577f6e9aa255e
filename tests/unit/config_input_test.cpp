#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config_texts.hpp"

// Where configurations come from: overrides, hostile bytes, files.
namespace tessera {
namespace {

TEST(Overrides, ReplaceAndAdd) {
    const std::string yaml = with_scan("engines: [{num_iter: 3}, {name: GD}]\ntiling: null\n");
    const RunConfig c =
        run_of(yaml, {"engines[0].num_iter=10", "engines.1.num_iter=20", "tiling.tiles=[2, 3]",
                      "scan.file=other file.cxi", "output={file: x.h5}", "output.pictures=off",
                      "probe.update.start=4", "probe.update.start=5"});
    EXPECT_EQ(c.engines[0].num_iter, 10);
    EXPECT_EQ(c.engines[1].num_iter, 20);
    EXPECT_EQ(c.engines[1].name, EngineName::GD);
    EXPECT_EQ(c.tiling.tiles, (std::array<int, 2>{2, 3}));
    EXPECT_EQ(c.scan.file, "other file.cxi");
    EXPECT_EQ(c.output.file, "x.h5");
    EXPECT_FALSE(c.output.pictures);
    EXPECT_EQ(c.probe.update.start, 5);
}

TEST(Overrides, MakeTheFirstEngineOfAMissingList) {
    const RunConfig c = run_of(scan_line, {"engines[0].num_iter=7"});
    ASSERT_EQ(c.engines.size(), 1u);
    EXPECT_EQ(c.engines[0].num_iter, 7);
}

TEST(Overrides, NullGoesBackToTheDefault) {
    EXPECT_EQ(run_of(with_scan("object: {margin_px: 3}"), {"object.margin_px=null"}).object.margin_px, 8);
    EXPECT_EQ(run_of(with_scan("object: {margin_px: 3}"), {"object.margin_px="}).object.margin_px, 8);
}

TEST(Overrides, CanMendTheFile) {
    EXPECT_EQ(run_of(with_scan("object: {margin_px: wide}"), {"object.margin_px=4"}).object.margin_px, 4);
}

TEST(Overrides, ProblemsStandAtTheOverride) {
    const auto problem = [](const std::string& override_text) {
        const Texts texts = run_problems(with_scan("engines: [{name: CG}]\n"), {override_text});
        EXPECT_EQ(texts.size(), 1u);
        return texts.empty() ? std::string() : texts[0];
    };
    EXPECT_EQ(problem("engines[0].num_itr=3"),
              "--set engines[0].num_itr=3: engines[0].num_itr: unknown key (did you mean num_iter?)");
    EXPECT_EQ(problem("engines[0].num_iter=x"),
              "--set engines[0].num_iter=x: engines[0].num_iter: expected a whole number, got 'x'");
    EXPECT_EQ(problem("engines[1].num_iter=3"),
              "--set engines[1].num_iter=3: engines[1].num_iter: engines has no item 1 (there are 1)");
    EXPECT_EQ(problem("engines.num_iter=3"),
              "--set engines.num_iter=3: engines.num_iter: engines is a list: its items "
              "are engines[0], engines[1], ...");
    EXPECT_EQ(problem("scan.file.name=3"),
              "--set scan.file.name=3: scan.file.name: scan.file is the single value "
              "'a.cxi', not a map or a list");
    EXPECT_EQ(problem("output.file=[a"),
              "--set output.file=[a: output.file: not valid YAML: end of sequence flow not "
              "found");
    for (const char* text : {"", "=", "=3", "engines", "a..b=1", ".a=1", "a.=1", "a[0=1", "a]=1", "a[]=1",
                             "[0]=1", "a[0]b=1", "a[0]b.c=1", "a[0.b]=1"}) {
        EXPECT_EQ(problem(text),
                  "--set " + std::string(text) + ": expected key.path=value, such as engines[0].num_iter=10");
    }
}

// Whatever the bytes are, there is an answer, and for these it is one problem.
TEST(HostileInput, IsOneProblem) {
    EXPECT_EQ(run_problems(""), Texts{"run.yaml: scan.file: is required"});
    EXPECT_EQ(run_problems("# only a comment\n"), Texts{"run.yaml: scan.file: is required"});
    expect_problem("hello", "run.yaml:1: expected keys such as 'scan: ...', got 'hello'");
    expect_problem("\n- scan\n- object\n", "run.yaml:2: expected keys such as 'scan: ...', got a list of 2");
    expect_problem("scan: {file: a\n", "run.yaml:2: not valid YAML: end of map flow not found");
    expect_problem("scan:\n  file: a\n bad\n", "run.yaml:3: not valid YAML: end of map not found");
    expect_problem("scan: {file: a}\n---\nscan: {file: b}\n",
                   "run.yaml:2: a second document begins (only one is allowed)");
    expect_problem("scan:\n  file: !!str a\n",
                   "run.yaml:2: tags such as tag:yaml.org,2002:str are not supported");
    expect_problem("scan:\n  [a, b]: 3\n", "run.yaml:2: a key must be a word");
    expect_problem("~: 3\n", "run.yaml:1: a key must be a word");
    expect_problem("scan: *nowhere\n", "run.yaml:1: not valid YAML: the referenced anchor is not defined");
    expect_problem("scan: &a [*a]\n", "run.yaml:1: an alias stands inside its own anchor");
    expect_problem("scan:\n  file: \xff\xfe\n", "run.yaml:2: not UTF-8 text");
    expect_problem(std::string_view("scan:\0", 6), "run.yaml:1: not UTF-8 text");
    expect_problem("\x89HDF\r\n\x1a\n", "run.yaml:1: not UTF-8 text");
    expect_problem(std::string((1 << 20) + 1, ' '), "run.yaml: larger than 1048576 bytes");
}

TEST(HostileInput, NestingIsLimited) {
    expect_problem(std::string(10000, '['), "run.yaml:1: nested deeper than 32 levels");
    expect_problem(std::string(10000, '{'), "run.yaml:1: nested deeper than 32 levels");
    std::string dashes, blocks;
    for (int i = 0; i < 10000; ++i) dashes += "- ";
    for (int i = 0; i < 1000; ++i) blocks += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    expect_problem(dashes, "run.yaml:1: nested deeper than 32 levels");
    expect_problem(blocks, "run.yaml:33: nested deeper than 32 levels");
    std::string path = "a";
    for (int i = 0; i < 1000; ++i) path += ".a";
    EXPECT_EQ(run_problems(scan_line, {path + "=1"}).size(), 1u);
}

TEST(HostileInput, AliasBombsAreLimited) {
    std::string wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    std::string deep = "a0: &a0 [[[[[[[[[[]]]]]]]]]]\n";
    for (int i = 1; i < 30; ++i) {
        const std::string last = fmt::format("*a{}", i - 1);
        const std::string name = fmt::format("a{}: &a{} ", i, i);
        wide += fmt::format("{}[{}, {}, {}, {}]\n", name, last, last, last, last);
        deep += fmt::format("{}[[[[[[[[[[{}]]]]]]]]]]\n", name, last);
    }
    const Texts wide_problems = run_problems(wide);
    ASSERT_EQ(wide_problems.size(), 1u);
    EXPECT_NE(wide_problems[0].find("more than 20000 values"), std::string::npos) << wide_problems[0];
    std::string flat = "a: &a [";
    for (int i = 0; i < 6000; ++i) flat += "x,";
    expect_problem(flat + "]\nb: [*a, *a]\n", "run.yaml:2: more than 20000 values");
    expect_problem(deep, "run.yaml:4: nested deeper than 32 levels");
}

TEST(HostileInput, MessagesStayShortAndPrintable) {
    const Texts texts = run_problems(with_scan(fmt::format("\"\\e[31m{:k>500}\": 1\n", "")));
    ASSERT_EQ(texts.size(), 1u);
    EXPECT_LT(texts[0].size(), 250u);
    EXPECT_EQ(texts[0].find('\x1b'), std::string::npos);
}

class ConfigFiles : public testing::Test {
  protected:
    ConfigFiles() { std::filesystem::create_directories(folder_); }
    ~ConfigFiles() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path write(const std::string& name, std::string_view text) const {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return folder_ / name;
    }
    std::filesystem::path folder_ =
        std::filesystem::path(testing::TempDir()) /
        (fmt::format("tessera_config_test_{}",
                     testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(ConfigFiles, AreRead) {
    EXPECT_EQ(read_run_config(write("run.yaml", scan_line)), run_of(scan_line));
    EXPECT_EQ(read_run_config(write("run.yaml", scan_line), {"object.margin_px=1"}).object.margin_px, 1);
    EXPECT_EQ(read_simulation_config(write("sim.yaml", "file: b.cxi\r\nrandom_seed: 4\r\n")).random_seed, 4u);
}

// Every file of inputs/ as it is shipped.
TEST(ConfigInputs, AreWithoutProblems) {
    const std::filesystem::path inputs = TESSERA_INPUTS;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(inputs)) {
        if (entry.path().extension() != ".yaml") continue;
        const bool is_simulation = entry.path().stem().string().ends_with("_simulation");
        try {
            if (is_simulation)
                read_simulation_config(entry.path());
            else if (entry.path().stem() == "batch")
                read_batch_config(entry.path());
            else
                read_run_config(entry.path());
        } catch (const Error& error) {
            ADD_FAILURE() << error.what();
        }
        ++count;
    }
    EXPECT_GE(count, 10u);
}

TEST_F(ConfigFiles, AllProblemsAreOneUsageError) {
    const auto file = write("run.yaml", "scan: {file: a, fil: b}\nobject: 3\n");
    try {
        read_run_config(file);
        FAIL() << "no Error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_EQ(std::string(error.what()),
                  file.string() + ":1: scan.fil: unknown key (did you mean file?)\n" + file.string() +
                      ":2: object: expected a map of keys, got '3'");
    }
    std::vector<ConfigProblem> problems;
    EXPECT_NO_THROW(read_run_config(file, {}, problems));
    EXPECT_EQ(problems.size(), 2u);
    EXPECT_THROW(read_simulation_config(file), Error);
}

TEST_F(ConfigFiles, ThatCannotBeReadAreNamed) {
    std::vector<ConfigProblem> problems;
    read_run_config(folder_ / "missing.yaml", {}, problems);
    read_run_config(folder_, {}, problems);
    ASSERT_EQ(problems.size(), 2u);
    EXPECT_EQ(problems[0].text(),
              (folder_ / "missing.yaml").string() + ": cannot be read (No such file or directory)");
    EXPECT_EQ(problems[1].text(), folder_.string() + ": is a directory");
}

}  // namespace
}  // namespace tessera

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "cluster/platform.hpp"
#include "config/yaml_reader.hpp"
#include "unit/config_texts.hpp"

namespace tessera {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

MachineConfig parsed(std::string_view yaml, Texts* texts = nullptr, const Texts& overrides = {}) {
    std::vector<ConfigProblem> problems;
    MachineConfig config = parse_machine_config(yaml, "machine.yaml", overrides, problems);
    Texts found;
    for (const ConfigProblem& problem : problems) found.push_back(problem.text());
    if (texts != nullptr) {
        *texts = found;
    } else {
        EXPECT_THAT(found, ElementsAre());
    }
    return config;
}

Texts problems_of(std::string_view yaml, const Texts& overrides = {}) {
    Texts texts;
    parsed(yaml, &texts, overrides);
    return texts;
}

constexpr std::string_view node_with_gpus =
    "node: {cores: 4, memory: 8GiB, gpus: {count: 2, memory: 1GiB, host_link: {gb_per_s: 10, latency_us: "
    "8}}}\n";

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
    return count;
}

TEST(MachineConfig, HasDefaultsAndReadsBackWhatItWrites) {
    EXPECT_FALSE(parsed("node: {cores: 2}").node.gpus);
    const MachineConfig config = parsed(
        "name: ours\nnode: {cores: 4, core: {gflops: 20, calibration: r.h5}, gpus: {count: 3, peer_link: "
        "{gb_per_s: "
        "7}}}\n"
        "nodes: 5\nnetwork: {gb_per_s: 3, latency_us: 0}\n");
    EXPECT_EQ(config.node.gpus->count, 3);
    EXPECT_EQ(config.node.gpus->peer_link->gb_per_s, 7);
    EXPECT_EQ(config.node.core.calibration, "r.h5");
    EXPECT_EQ(parsed(write_machine_config(config)), config);
}

TEST(MachineConfig, TellsWhatIsWrongAndWhatIsAllowed) {
    EXPECT_THAT(problems_of("node: {cores: 0}"), ElementsAre(HasSubstr("machine.yaml:1: node.cores: ")));
    EXPECT_THAT(problems_of("node: {cores: 129}")[0], HasSubstr("128"));
    EXPECT_THAT(problems_of("node: {core: {gflop: 3}}"), ElementsAre(HasSubstr("gflops")));
    EXPECT_THAT(problems_of("network:\n  gb_per_s: -1\n  latency_us: fast\n"),
                ElementsAre(HasSubstr("machine.yaml:2: network.gb_per_s: "),
                            HasSubstr("machine.yaml:3: network.latency_us: ")));
    EXPECT_THAT(problems_of("node: {memory: lots}"), ElementsAre(HasSubstr("node.memory")));
    EXPECT_THAT(problems_of("nodes: 1", {"nodes=0"}), ElementsAre(HasSubstr("--set nodes=0")));
}

// Every file of inputs/machines/ as it is shipped.
TEST(MachineConfig, ShippedFilesAreWithoutProblems) {
    const auto machines = std::filesystem::path(TESSERA_INPUTS) / "machines";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(machines)) {
        EXPECT_NO_THROW(read_machine_config(entry.path())) << entry.path();
        ++count;
    }
    EXPECT_EQ(count, 5);
}

TEST(Platform, HasAZoneForEachRankAndLinksForEachGpu) {
    MachineConfig machine = parsed(node_with_gpus);
    machine.nodes = 3;
    const std::string text = platform_text(machine);
    for (int rank = 0; rank < 3; ++rank) {
        EXPECT_EQ(count_of(text, fmt::format("<zone id=\"StarPU-MPI{}\"", rank)), 1u);
        EXPECT_EQ(count_of(text, fmt::format("<host id=\"StarPU-MPI{}-CPU", rank)), 4u);
        EXPECT_EQ(count_of(text, fmt::format("<host id=\"StarPU-MPI{}-CUDA", rank)), 2u);
    }
    EXPECT_EQ(count_of(text, "<zone"), count_of(text, "</zone>"));
    EXPECT_EQ(count_of(text, "<route"), 3u * (2 + 2 + 2));  // to and from the host, to each other
    EXPECT_THAT(text, HasSubstr("radical=\"0-2\""));
    EXPECT_EQ(hosts_text(machine), "node0\nnode1\nnode2\n");
}

TEST(Platform, GpusWithoutAPeerLinkGoThroughTheHost) {
    MachineConfig machine = parsed(node_with_gpus);
    EXPECT_THAT(platform_text(machine), HasSubstr("memcpy_peer\" value=\"0\""));
    EXPECT_THAT(platform_text(machine), Not(HasSubstr("peers-to")));
    machine.node.gpus->peer_link = LinkConfig{100, 4};
    EXPECT_THAT(platform_text(machine), HasSubstr("memcpy_peer\" value=\"1\""));
    EXPECT_THAT(
        platform_text(machine),
        HasSubstr("<link_ctn id=\"StarPU-MPI0-peers-from0\"/><link_ctn id=\"StarPU-MPI0-peers-to1\"/>"));
}

// Host and two GPUs, and the row and the column that StarPU needs to lose.
TEST(Platform, SchedulersAreToldTheRatesOfLinks) {
    MachineConfig machine = parsed(node_with_gpus);
    machine.node.gpus->peer_link = LinkConfig{100, 4};
    std::istringstream bandwidth(bandwidth_text(machine.node)), latency(latency_text(machine.node));
    std::string line;
    std::getline(bandwidth, line);
    std::getline(latency, line);
    const double rates[3][3] = {{0, 1e4, 1e4}, {1e4, 0, 1e5}, {1e4, 1e5, 0}};
    const double times[3][3] = {{0, 8, 8}, {8, 0, 4}, {8, 4, 0}};
    for (int from = 0; from < 3; ++from) {
        for (int to = 0; to < 3; ++to) {
            double rate = 0, time = 0;
            bandwidth >> rate;
            latency >> time;
            EXPECT_EQ(rate, rates[from][to]);
            EXPECT_EQ(time, times[from][to]);
        }
        std::string pad;
        bandwidth >> pad;
        latency >> pad;
        EXPECT_EQ(pad, "nan");
    }
    int pads = 0;
    for (std::string pad; bandwidth >> pad; ++pads) EXPECT_EQ(pad, "nan");
    EXPECT_EQ(pads, 4);
}

}  // namespace
}  // namespace tessera

#include "cluster/platform.hpp"

#include <fmt/format.h>

#include <fstream>
#include <functional>

#include "base/error.hpp"

namespace tessera {
namespace {

int num_gpus(const NodeConfig& node) {
    return node.gpus ? node.gpus->count : 0;
}

// Any number will do: StarPU says how long a task takes.
constexpr double host_speed = 1e9;

class PlatformWriter {
  public:
    explicit PlatformWriter(const MachineConfig& machine) : machine_(machine) {}

    std::string text() {
        line("<?xml version='1.0'?>");
        line("<!DOCTYPE platform SYSTEM 'https://simgrid.org/simgrid.dtd'>");
        line(R"(<platform version="4.1">)");
        line(R"(<zone id="all" routing="None">)");
        network();
        for (int rank = 0; rank < machine_.nodes; ++rank) node(rank);
        line("</zone>");
        line("</platform>");
        return text_;
    }

  private:
    template <class... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        text_ += '\n';
    }

    // A cluster's hosts each have a link out and one in; what is between them carries whatever comes.
    void network() {
        line(
            R"(<cluster id="network" prefix="node" suffix="" radical="0-{}" speed="{}f" bw="{}Bps" lat="{}s" )"
            R"(sharing_policy="SPLITDUPLEX"/>)",
            machine_.nodes - 1, host_speed, machine_.network.gb_per_s * 1e9,
            machine_.network.latency_us * 0.5e-6);
    }

    void node(int rank) {
        const std::string zone = fmt::format("StarPU-MPI{}", rank);
        line(R"(<zone id="{}" routing="Full">)", zone);
        line(R"(<host id="{}-MAIN" speed="{}f"/>)", zone, host_speed);
        for (int core = 0; core < machine_.node.cores; ++core)
            line(R"(<host id="{}-CPU{}" speed="{}f"/>)", zone, core, host_speed);
        line(R"(<host id="{}-RAM" speed="{}f"/>)", zone, host_speed);
        if (machine_.node.gpus) gpus(zone, *machine_.node.gpus);
        line("</zone>");
    }

    void link(const std::string& id, double gb_per_s, double latency_us) {
        line(R"(<link id="{}" bandwidth="{}Bps" latency="{}s"/>)", id, gb_per_s * 1e9, latency_us * 1e-6);
    }

    void route(const std::string& from, const std::string& to, std::initializer_list<std::string> links) {
        text_ += fmt::format(R"(<route src="{}" dst="{}" symmetrical="NO">)", from, to);
        for (const std::string& id : links) text_ += fmt::format(R"(<link_ctn id="{}"/>)", id);
        line("</route>");
    }

    void gpus(const std::string& zone, const GpusConfig& gpus) {
        const auto named = [&](const char* what, int gpu) { return fmt::format("{}-{}{}", zone, what, gpu); };
        for (int gpu = 0; gpu < gpus.count; ++gpu) {
            line(R"(<host id="{}" speed="{}f"><prop id="memsize" value="{}"/><prop id="memcpy_peer" )"
                 R"(value="{}"/></host>)",
                 named("CUDA", gpu), host_speed, gpus.memory_bytes, gpus.peer_link ? 1 : 0);
        }
        const std::string memory = zone + "-RAM", shared = zone + "-memory";
        link(shared, machine_.node.memory_gb_per_s, 0);
        for (int gpu = 0; gpu < gpus.count; ++gpu) {
            for (const char* way : {"to", "from"})
                link(named(way, gpu), gpus.host_link.gb_per_s, gpus.host_link.latency_us);
            if (!gpus.peer_link) continue;
            for (const char* way : {"peers-to", "peers-from"})
                link(named(way, gpu), gpus.peer_link->gb_per_s, gpus.peer_link->latency_us / 2);
        }
        for (int a = 0; a < gpus.count; ++a) {
            route(memory, named("CUDA", a), {shared, named("to", a)});
            route(named("CUDA", a), memory, {named("from", a), shared});
            for (int b = 0; b < gpus.count; ++b) {
                if (a == b) continue;
                if (gpus.peer_link) {
                    route(named("CUDA", a), named("CUDA", b), {named("peers-from", a), named("peers-to", b)});
                } else {
                    route(named("CUDA", a), named("CUDA", b), {named("from", a), shared, named("to", b)});
                }
            }
        }
    }

    const MachineConfig& machine_;
    std::string text_;
};

// Node 0 is the host, the others its GPUs.
std::string matrix(const NodeConfig& node, const std::function<double(const GpusConfig&, bool)>& between) {
    const int size = 1 + num_gpus(node);
    std::string text = "# what schedulers expect\n";
    for (int from = 0; from < size; ++from) {
        for (int to = 0; to < size; ++to) {
            const bool with_host = from == 0 || to == 0;
            text += fmt::format("{:.6e}\t", from == to ? 0.0 : between(*node.gpus, with_host));
        }
        text += "nan\n";
    }
    for (int to = 0; to < size; ++to) text += "nan\t";
    return text + "nan\n";
}

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream stream(file);
    stream << text;
    stream.close();
    if (!stream) throw runtime_failure("{} cannot be written", file.string());
}

}  // namespace

std::string platform_text(const MachineConfig& machine) {
    return PlatformWriter(machine).text();
}

std::string hosts_text(const MachineConfig& machine) {
    std::string text;
    for (int rank = 0; rank < machine.nodes; ++rank) text += fmt::format("node{}\n", rank);
    return text;
}

std::string bandwidth_text(const NodeConfig& node) {
    return matrix(node, [](const GpusConfig& gpus, bool with_host) {
        return 1e3 * (with_host || !gpus.peer_link ? gpus.host_link : *gpus.peer_link).gb_per_s;
    });
}

std::string latency_text(const NodeConfig& node) {
    return matrix(node, [](const GpusConfig& gpus, bool with_host) {
        if (with_host) return gpus.host_link.latency_us;
        return gpus.peer_link ? gpus.peer_link->latency_us : 2 * gpus.host_link.latency_us;
    });
}

void write_platform(const std::filesystem::path& folder, const MachineConfig& machine) {
    std::filesystem::create_directories(folder / "bus");
    write(folder / "platform.xml", platform_text(machine));
    write(folder / "hosts", hosts_text(machine));
    write(folder / "bus" / fmt::format("{}.bandwidth", simulated_host_name), bandwidth_text(machine.node));
    write(folder / "bus" / fmt::format("{}.latency", simulated_host_name), latency_text(machine.node));
}

}  // namespace tessera

#include "config/batch_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/schema.hpp"
#include "config/wording.hpp"

// The schema of the batch file: one describe() per struct of batch_config.hpp, one line per key.
namespace tessera {

// A map from keys to values, both of which only the reader of the run file can judge.
static std::string read_value(const YamlNode& node, const Rule&, KeySettings& set) {
    if (node.kind != YamlNode::Kind::map)
        return fmt::format("expected a map from keys to values, such as {{probe.num_modes: 2}}, {}",
                           got(node));
    set.settings.clear();
    for (const YamlNode& child : node.children)
        set.settings.push_back(fmt::format("{}={}", child.key, flow_text(child)));
    return {};
}

static std::string value_text(const KeySettings& set, const Rule&) {
    std::vector<std::string> keys;
    for (const std::string& setting : set.settings) {
        const std::size_t equals = setting.find('=');
        keys.push_back(
            fmt::format("{}: {}", value_text(setting.substr(0, equals), Rule{}), setting.substr(equals + 1)));
    }
    return fmt::format("{{{}}}", fmt::join(keys, ", "));
}

static void describe(KeyVisitor& io, BatchJobConfig& c) {
    io.key("name", c.name);
    io.key("run", c.run);
    io.key("set", c.set);
    const bool is_a_name =
        !c.name || (!c.name->empty() && c.name->front() != '.' &&
                    c.name->find_first_of(std::string_view("/\0", 2)) == std::string::npos);
    io.check(is_a_name, "name", "is the name of a file: not empty, without a slash, and no dot in front");
}

void describe(KeyVisitor& io, BatchConfig& c) {
    constexpr int max_at_once = 1000;
    io.key("run", c.run);
    io.key("scans", c.scans);
    io.list("jobs", c.jobs);
    io.key("vary", c.vary);
    io.key("at_once", c.at_once, within(1, max_at_once));
    io.key("launcher", c.launcher);

    io.check(c.run || !c.jobs.empty(), "run", "is required: a run file (or jobs, each with its own)");
    io.check(!c.scans || c.jobs.empty(), "scans", "gives the jobs already; give either scans or jobs");
    for (std::size_t i = 0; i < c.jobs.size(); ++i)
        io.check(c.run || c.jobs[i].run, fmt::format("jobs[{}].run", i),
                 "is required where there is no run file for all");
}

}  // namespace tessera

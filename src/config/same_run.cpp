#include "config/same_run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "config/schema.hpp"
#include "config/yaml_reader.hpp"

namespace tessera {
namespace {

// Every key that has a meaning, by its path, with its value as text.
class KeyLister final : public KeyVisitor {
  public:
    using Values = std::map<std::string, std::string>;
    const Values& values() const { return values_; }

    void check(bool, std::string_view, std::string_view) override {}

  private:
    void visit_key(std::string_view name, const Rule& rule, const Read&, const Text& text) override {
        if (rule.owner.empty()) values_[path_ + std::string(name)] = text();
    }
    void visit_group(std::string_view name, const std::function<void()>& describe_members) override {
        within(fmt::format("{}.", name), describe_members);
    }
    void visit_list(std::string_view name, std::size_t size, const std::function<void(std::size_t)>&,
                    const std::function<void(std::size_t)>& describe_item) override {
        for (std::size_t i = 0; i < size; ++i)
            within(fmt::format("{}[{}].", name, i), [&] { describe_item(i); });
    }
    void within(const std::string& step, const std::function<void()>& visit) {
        const std::size_t length = path_.size();
        path_ += step;
        visit();
        path_.resize(length);
    }

    std::string path_;
    Values values_;
};

KeyLister::Values values_of(RunConfig config) {
    KeyLister lister;
    describe(lister, config);
    return lister.values();
}

// What changes a result, but nothing that a run does on its way there.
bool is_of_output_alone(const std::string& key) {
    return key == "output.remove_ramp" || key == "output.flat_region";
}

// What no number of a result depends on.
bool is_of_no_account(const std::string& key) {
    if (key == "runtime.waves" || key == "runtime.random_seed") return false;
    if (is_of_output_alone(key)) return false;
    return key.starts_with("output.") || key.starts_with("runtime.") || key.starts_with("tune.");
}

// What a run may change on its way, in a configuration that ends with the running engine.
bool may_differ(const std::string& key, std::size_t running_engine) {
    return is_of_no_account(key) || is_of_output_alone(key) || key == "scan.file" ||
           key == fmt::format("engines[{}].num_iter", running_engine);
}

RunConfig up_to(RunConfig config, std::size_t running_engine) {
    config.engines.resize(std::min(config.engines.size(), running_engine + 1));
    return config;
}

// The keys that differ and must not, in alphabetical order.
template <class MayDiffer>
std::vector<std::string> different_keys(const RunConfig& first, const RunConfig& second,
                                        const MayDiffer& may_differ) {
    const auto before = values_of(first), after = values_of(second);
    std::vector<std::string> keys;
    const auto compare = [&](const std::string& key, const KeyLister::Values& other,
                             const std::string& value) {
        const auto found = other.find(key);
        if ((found == other.end() || found->second != value) && !may_differ(key)) keys.push_back(key);
    };
    for (const auto& [key, value] : before) compare(key, after, value);
    for (const auto& [key, value] : after) {
        if (!before.contains(key)) compare(key, before, value);
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

// The first engine with mini-batches deals all frames into them, for the whole run: checkpoints hold what
// belongs to frames (exit waves, places) in that order.
std::optional<std::size_t> dealing_engine(const RunConfig& config) {
    for (std::size_t i = 0; i < config.engines.size(); ++i) {
        if (has_minibatches(config.engines[i].name)) return i;
    }
    return {};
}

std::vector<std::string> keys_that_deal_otherwise(const RunConfig& began, const RunConfig& now) {
    const auto before = dealing_engine(began), after = dealing_engine(now);
    if (!before && !after) return {};
    if (!before || !after) return {fmt::format("engines[{}].name", after ? *after : *before)};
    std::vector<std::string> keys;
    const EngineConfig &dealt = began.engines[*before], &deals = now.engines[*after];
    if (dealt.minibatch_size != deals.minibatch_size)
        keys.push_back(fmt::format("engines[{}].minibatch_size", *after));
    if (dealt.batching_mode != deals.batching_mode)
        keys.push_back(fmt::format("engines[{}].batching_mode", *after));
    return keys;
}

// Does the engine move the probe at any time?
bool moves_probe(const RunConfig& config, std::size_t engine) {
    int before = 0;
    for (std::size_t i = 0; i < engine; ++i) before += config.engines[i].num_iter;
    return config.probe.update.start - before < config.engines[engine].num_iter;
}

// Where the probe never moves, LSQML's steps are of another kind from its first iteration on
// (tasks/lsqml.cpp).
bool steps_otherwise(const RunConfig& began, const RunConfig& now, std::size_t engine) {
    if (engine >= began.engines.size() || engine >= now.engines.size()) return false;
    return now.engines[engine].name == EngineName::LSQML &&
           moves_probe(began, engine) != moves_probe(now, engine);
}

}  // namespace

std::vector<std::string> keys_against_going_on(const RunConfig& began, const RunConfig& now,
                                               std::size_t running_engine) {
    auto keys = different_keys(up_to(began, running_engine), up_to(now, running_engine),
                               [&](const std::string& key) { return may_differ(key, running_engine); });
    for (std::string& key : keys_that_deal_otherwise(began, now)) {
        if (std::ranges::find(keys, key) == keys.end()) keys.push_back(std::move(key));
    }
    if (steps_otherwise(began, now, running_engine))
        keys.push_back(fmt::format("engines[{}].num_iter", running_engine));
    return keys;
}

RunConfig with_choices_of(const RunConfig& began, RunConfig now) {
    if (!now.tiling.tiles) now.tiling.tiles = began.tiling.tiles;
    if (!now.tiling.batch_size) now.tiling.batch_size = began.tiling.batch_size;
    if (now.runtime.waves == Waves::automatic) now.runtime.waves = began.runtime.waves;
    return now;
}

RunConfig config_to_go_on(const RunConfig& now, const StoppedRun& stopped) {
    std::vector<ConfigProblem> problems;
    const RunConfig began = parse_run_config(stopped.run_file, stopped.name, {}, problems);
    if (!problems.empty() || stopped.engine >= began.engines.size()) {
        throw data_error("{}: its run file cannot be read ({})", stopped.name,
                         problems.empty() ? "too few engines" : problems.front().text());
    }
    const RunConfig config = with_choices_of(began, now);
    const auto keys = keys_against_going_on(began, config, stopped.engine);
    if (!keys.empty()) {
        throw usage_error(
            "{}: is of a run with other settings, {} ({}; go on with those, or choose another output.file)",
            stopped.name, keys.size() == 1 ? "one key differs" : fmt::format("{} keys differ", keys.size()),
            fmt::join(keys, ", "));
    }
    const int num_iter = config.engines[stopped.engine].num_iter;
    if (num_iter < stopped.iteration) {
        throw usage_error(
            "engines[{}].num_iter: {} iterations, and {} has done {} already (allowed: at least that)",
            stopped.engine, num_iter, stopped.name, stopped.iteration);
    }
    return config;
}

std::vector<std::string> keys_of_another_result(const RunConfig& made, const RunConfig& now) {
    return different_keys(made, now, is_of_no_account);
}

}  // namespace tessera

#include "app/trial_run.hpp"

#include <sys/wait.h>

#include <chrono>
#include <sstream>

#include "app/about.hpp"
#include "app/child_process.hpp"
#include "base/log.hpp"
#include "io/job_file.hpp"

namespace tessera::app {
namespace {

struct Finished {
    std::string log;
    int status = 0;  // of waitpid
};

Finished run_listening(const std::vector<std::string>& command) {
    Pipe pipe;
    ChildProcess trial(command, -1, pipe.writing());
    pipe.close_writing();
    std::string log = pipe.read_all();
    return {std::move(log), trial.wait()};
}

// What the program said at last.
std::string last_message(const std::string& log) {
    std::istringstream lines(log);
    std::string said = "it said nothing";
    for (std::string line; std::getline(lines, line);) {
        const std::string_view key = R"("level":"error","message":")";
        const std::size_t at = line.find(key);
        if (at != line.npos) said = line.substr(at + key.size(), line.rfind('"') - at - key.size());
    }
    return said;
}

}  // namespace

TrialRun::TrialRun(const TuneOptions& options, const RunConfig& config, const TuneConfig& tune)
    : options_(options), config_(config), tune_(tune) {}

std::string TrialRun::machine() const {
    return describe_host();
}

std::vector<std::string> TrialRun::command(const std::vector<std::string>& settings) const {
    std::vector<std::string> words = {"--log", "json", "reconstruct", options_.run_file.string()};
    const auto set = [&](const std::string& text) {
        words.emplace_back("--set");
        words.push_back(text);
    };
    for (const std::string& text : options_.overrides) set(text);
    for (const std::string& text : settings) set(text);
    for (std::size_t e = 0; e < config_.engines.size(); ++e)
        set(fmt::format("engines[{}].num_iter={}", e, tune_.warm_up + tune_.num_iter));
    for (const char* text :
         {"output.pictures=false", "output.save_interval=0", "output.checkpoint_interval=0"})
        set(text);
    words.emplace_back("--output");
    words.push_back((options_.output / "trial.h5").string());
    return command_of_this_program(tune_.launcher, words);
}

TrialOutcome TrialRun::operator()(const std::vector<std::string>& settings) const {
    const auto begin = std::chrono::steady_clock::now();
    const Finished finished = run_listening(command(settings));
    const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::error_code ignored;
    const auto result = options_.output / "trial.h5";
    for (const auto& file : {result, job_file(result)}) std::filesystem::remove(file, ignored);
    return outcome_of(finished.log, finished.status, wall_s);
}

TrialOutcome TrialRun::outcome_of(const std::string& log, int status, double wall_s) const {
    TrialOutcome outcome;
    outcome.wall_s = wall_s;
    if (WIFSIGNALED(status)) {
        outcome.failure = fmt::format("ended by signal {}", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        outcome.failure = fmt::format("exit code {}: {}", WEXITSTATUS(status), last_message(log));
    } else {
        outcome.run_s = run_s(log, outcome.failure);
    }
    return outcome;
}

// Each engine's time per iteration, after those that warm up, times the iterations that it would have.
double TrialRun::run_s(const std::string& log, std::string& failure) const {
    std::vector<std::vector<double>> times_s(config_.engines.size());
    std::istringstream lines(log);
    std::size_t engine = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto iteration = number_in(line, R"("iteration":)"), time_s = number_in(line, R"("time_s":)");
        if (line.find(R"("event":"iteration")") == line.npos || !iteration || !time_s) continue;
        if (*iteration == 1 && !times_s[engine].empty() && engine + 1 < times_s.size()) ++engine;
        times_s[engine].push_back(*time_s);
    }
    double sum_s = 0;
    for (std::size_t e = 0; e < times_s.size(); ++e) {
        const auto warm_up = static_cast<std::size_t>(tune_.warm_up);
        if (times_s[e].size() <= warm_up) {
            failure = fmt::format("engine {} stopped after {} iterations", e, times_s[e].size());
            return 0;
        }
        const double count = static_cast<double>(times_s[e].size() - warm_up);
        sum_s += (times_s[e].back() - times_s[e][warm_up - 1]) / count * config_.engines[e].num_iter;
    }
    return sum_s;
}

}  // namespace tessera::app

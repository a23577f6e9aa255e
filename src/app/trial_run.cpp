#include "app/trial_run.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <sstream>
#include <system_error>

#include "app/about.hpp"
#include "base/log.hpp"
#include "io/job_file.hpp"

extern char** environ;

namespace tessera::app {
namespace {

class Pipe {
  public:
    Pipe() {
        if (pipe2(ends_.data(), O_CLOEXEC) != 0)
            throw runtime_failure("a trial cannot be listened to ({})",
                                  std::generic_category().message(errno));
    }
    ~Pipe() {
        close_writing();
        ::close(ends_[0]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    int writing() const { return ends_[1]; }
    void close_writing() {
        if (ends_[1] >= 0) ::close(ends_[1]);
        ends_[1] = -1;
    }
    std::string read_all() const {
        std::string text;
        std::array<char, 65536> piece;
        for (;;) {
            const ssize_t got = ::read(ends_[0], piece.data(), piece.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return text;
            text.append(piece.data(), static_cast<std::size_t>(got));
        }
    }

  private:
    std::array<int, 2> ends_{-1, -1};
};

struct Finished {
    std::string log;
    int status = 0;  // of waitpid
};

Finished run_listening(const std::vector<std::string>& command) {
    Pipe pipe;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe.writing(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe.writing(), STDOUT_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_t process = 0;
    const int failed = posix_spawnp(&process, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        throw runtime_failure("{} cannot be started ({})", command[0],
                              std::generic_category().message(failed));
    pipe.close_writing();
    Finished finished;
    finished.log = pipe.read_all();
    while (waitpid(process, &finished.status, 0) < 0 && errno == EINTR) {
    }
    return finished;
}

// The number behind "key": in a line of the log.
bool find_number(std::string_view line, std::string_view key, double& value) {
    const std::size_t at = line.find(key);
    if (at == line.npos) return false;
    const std::string_view rest = line.substr(at + key.size());
    return std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc();
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
    std::vector<std::string> words;
    std::istringstream launcher(tune_.launcher.value_or(""));
    for (std::string word; launcher >> word;) words.push_back(word);
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    words.insert(words.end(), {program, "--log", "json", "reconstruct", options_.run_file.string()});
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
    return words;
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
        double iteration = 0, time_s = 0;
        if (line.find(R"("event":"iteration")") == line.npos ||
            !find_number(line, R"("iteration":)", iteration) || !find_number(line, R"("time_s":)", time_s))
            continue;
        if (iteration == 1 && !times_s[engine].empty() && engine + 1 < times_s.size()) ++engine;
        times_s[engine].push_back(time_s);
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

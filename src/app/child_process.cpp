#include "app/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/error.hpp"

extern char** environ;

namespace tessera::app {

Pipe::Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0)
        throw runtime_failure("another process cannot be talked to ({})",
                              std::generic_category().message(errno));
}

Pipe::~Pipe() {
    close_reading();
    close_writing();
}

void Pipe::close(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
}

std::string Pipe::read_all() const {
    std::string text;
    std::array<char, 65536> piece;
    for (;;) {
        const ssize_t got = ::read(reading(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
}

ChildProcess::ChildProcess(const std::vector<std::string>& command, int in, int out) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in < 0) {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    } else {
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    }
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    // What this process ignores it need not.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t to_default;
    sigemptyset(&to_default);
    sigaddset(&to_default, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &to_default);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const int failed = posix_spawnp(&process_, words[0], &actions, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        throw runtime_failure("{} cannot be started ({})", command[0],
                              std::generic_category().message(failed));
}

ChildProcess::~ChildProcess() {
    wait();
}

std::optional<int> ChildProcess::status() {
    int status = 0;
    if (!status_ && waitpid(process_, &status, WNOHANG) == process_) status_ = status;
    return status_;
}

int ChildProcess::wait() {
    int status = 0;
    while (!status_) {
        if (waitpid(process_, &status, 0) == process_ || errno != EINTR) status_ = status;
    }
    return *status_;
}

void ChildProcess::send_signal(int number) const {
    if (!status_) ::kill(process_, number);
}

std::vector<std::string> command_of_this_program(const std::optional<std::string>& launcher,
                                                 const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    std::istringstream before(launcher.value_or(""));
    for (std::string word; before >> word;) words.push_back(word);
    words.push_back(std::filesystem::read_symlink("/proc/self/exe").string());
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
}

std::optional<double> number_in(std::string_view line, std::string_view key) {
    const std::size_t at = line.find(key);
    if (at == line.npos) return std::nullopt;
    const std::string_view rest = line.substr(at + key.size());
    double value = 0;
    if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec != std::errc()) return std::nullopt;
    return value;
}

}  // namespace tessera::app

#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::app {

// Closed in children that do not ask for it.
class Pipe {
  public:
    Pipe();
    ~Pipe();
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    int reading() const { return ends_[0]; }
    int writing() const { return ends_[1]; }
    void close_reading() { close(0); }
    void close_writing() { close(1); }
    std::string read_all() const;

  private:
    void close(std::size_t end);
    std::array<int, 2> ends_{-1, -1};
};

// Another process of this program, perhaps under a launcher. Waited for when destroyed.
class ChildProcess {
  public:
    // Reads from `in` (-1: nothing), writes to `out` what it has to say.
    ChildProcess(const std::vector<std::string>& command, int in, int out);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    std::optional<int> status();  // of waitpid, once it has ended
    int wait();
    void send_signal(int number) const;

  private:
    pid_t process_ = 0;
    std::optional<int> status_;
};

// `launcher`, by words, before this program and its arguments.
std::vector<std::string> command_of_this_program(const std::optional<std::string>& launcher,
                                                 const std::vector<std::string>& arguments);

// The number behind `key` ("\"time_s\":") in a line of a log made with --log json.
std::optional<double> number_in(std::string_view line, std::string_view key);

}  // namespace tessera::app

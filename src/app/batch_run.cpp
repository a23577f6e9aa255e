#include "app/batch_run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "config/yaml_document.hpp"

namespace tessera::app {

BatchRun::CloseLog::~CloseLog() {
    if (descriptor >= 0) ::close(descriptor);
}

BatchRun::BatchRun(const std::vector<std::string>& command, const std::filesystem::path& log_file,
                   bool takes_turns)
    : phase_(takes_turns ? Phase::begins : Phase::computes) {
    log_ = ::open(log_file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_ < 0)
        throw runtime_failure("{} cannot be written ({})", log_file.string(),
                              std::generic_category().message(errno));
    heard_bytes_ = ::lseek(log_, 0, SEEK_END);
    process_.emplace(command, takes_turns ? leave_.reading() : -1, log_);
    leave_.close_reading();
}

void BatchRun::listen() {
    const auto status = process_->status();  // first: what it wrote before it ended is all there then
    read_log();
    if (!status) return;
    status_ = *status;
    phase_ = Phase::ended;
}

void BatchRun::let_go_on() {
    phase_ = phase_ == Phase::wants_to_set_up ? Phase::sets_up : Phase::computes;
    // It may have ended meanwhile; the main program ignores SIGPIPE.
    [[maybe_unused]] const ssize_t ignored = ::write(leave_.writing(), "\n", 1);
}

std::vector<std::string> BatchRun::take_warnings() {
    return std::exchange(warnings_, {});
}

void BatchRun::read_log() {
    std::array<char, 65536> piece;
    for (;;) {
        const ssize_t got = ::pread(log_, piece.data(), piece.size(), heard_bytes_);
        if (got <= 0) return;
        heard_bytes_ += got;
        unfinished_line_.append(piece.data(), static_cast<std::size_t>(got));
        std::size_t begin = 0;
        for (std::size_t end = unfinished_line_.find('\n'); end != std::string::npos;
             end = unfinished_line_.find('\n', begin)) {
            hear(std::string_view(unfinished_line_).substr(begin, end - begin));
            begin = end + 1;
        }
        unfinished_line_.erase(0, begin);
    }
}

void BatchRun::hear(std::string_view line) {
    const auto has = [&](std::string_view words) { return line.find(words) != line.npos; };
    const auto message = [&]() -> std::string {
        std::vector<ConfigProblem> problems;
        const auto document = parse_yaml(line, "", problems);
        const YamlNode* text = document ? find_key(document->root, "message") : nullptr;
        return text != nullptr ? text->text : std::string(line);
    };
    if (has(R"("event":"wants_to_set_up")")) {
        phase_ = Phase::wants_to_set_up;
        memory_bytes_ = static_cast<std::size_t>(number_in(line, R"("memory_bytes":)").value_or(0));
        num_gpus_ = static_cast<int>(number_in(line, R"("gpus":)").value_or(0));
    } else if (has(R"("event":"wants_to_compute")")) {
        phase_ = Phase::wants_to_compute;
    } else if (has(R"("event":"computed")")) {
        phase_ = Phase::writes;
    } else if (has(R"("level":"warning")")) {
        warnings_.push_back(message());
    } else if (has(R"("level":"error")")) {
        last_error_ = message();
        has_said_error_ = true;
    } else if (!has_said_error_ && !line.empty() && line.front() != '{') {
        last_error_ = std::string(line);  // of the launcher, or of a library
    }
}

}  // namespace tessera::app

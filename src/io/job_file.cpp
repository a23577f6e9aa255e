#include "io/job_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string_view>

#include "base/error.hpp"
#include "base/log.hpp"
#include "config/yaml_document.hpp"
#include "io/atomic_file.hpp"

namespace tessera {
namespace {

constexpr std::array<std::string_view, 5> state_words = {"preparing", "running", "done", "stopped", "failed"};
// Always written in one piece of this size, so that nobody reads half of it.
constexpr std::size_t file_bytes = 4096;

std::int64_t now() {
    return static_cast<std::int64_t>(std::time(nullptr));
}

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// Of the open file, not of the process: POSIX's own would be gone as soon as anybody here closes the file.
struct flock whole_file(short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

// One description of the members for both ways.
template <class Status, class Visit>
void for_each_member(Status& s, const Visit& visit) {
    visit("host", s.host);
    visit("process", s.process);
    visit("ranks", s.num_ranks);
    visit("started", s.started);
    visit("updated", s.updated);
    visit("engine", s.engine);
    visit("iteration", s.iteration);
    visit("num_iter", s.num_iter);
    visit("cost", s.cost);
    visit("data_error", s.data_error);
    visit("frames_per_s", s.frames_per_s);
    visit("seconds_left", s.seconds_left);
    visit("memory_bytes", s.memory_bytes);
    visit("memory_bound_bytes", s.memory_bound_bytes);
    visit("memory_in_use_bytes", s.memory_in_use_bytes);
    visit("memory_group", s.memory_group);
    visit("num_memory_kills", s.num_memory_kills);
    visit("checkpoint_iterations", s.checkpoint_iterations);
    visit("checkpointed", s.checkpointed);
    visit("exit_code", s.exit_code);
    visit("message", s.message);
}

std::string text_of(const std::string& value) {
    constexpr std::size_t most = 1500;
    return log::json_string(std::string_view(value).substr(0, most));
}
template <class Number>
std::string text_of(Number value) {
    return fmt::format("{}", value);
}

std::string json(const JobStatus& status) {
    std::string text = fmt::format(R"({{"tessera_job": 1, "state": "{}")",
                                   state_words[static_cast<std::size_t>(status.state)]);
    for_each_member(status, [&](const char* key, const auto& value) {
        text += fmt::format(R"(, "{}": {})", key, text_of(value));
    });
    return text + "}";
}

void read_member(const YamlNode& node, std::string& value) {
    value = node.text;
}
template <class Number>
void read_member(const YamlNode& node, Number& value) {
    std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
}

JobStatus parse(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(stream), {});
    std::vector<ConfigProblem> problems;
    const auto document = parse_yaml(text, file.string(), problems);
    const bool is_ours = document && document->root.kind == YamlNode::Kind::map &&
                         find_key(document->root, "tessera_job") != nullptr;
    if (!is_ours) throw data_error("{}: is not a file in which a run says where it is", file.string());
    JobStatus status;
    if (const YamlNode* state = find_key(document->root, "state")) {
        for (std::size_t i = 0; i < state_words.size(); ++i) {
            if (state->text == state_words[i]) status.state = static_cast<JobState>(i);
        }
    }
    for_each_member(status, [&](const char* key, auto& value) {
        if (const YamlNode* node = find_key(document->root, key)) read_member(*node, value);
    });
    return status;
}

}  // namespace

std::filesystem::path job_file(const std::filesystem::path& result) {
    // Of a link beside what it leads to: runs that write the same file by different names meet there.
    auto file = behind_links(result);
    return file.replace_extension(".job");
}

namespace {

// Somebody else's file of that name is left alone.
bool is_somebody_elses(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored) || std::filesystem::is_empty(file, ignored)) return false;
    try {
        parse(file);
        return false;
    } catch (const Error&) {
        return true;
    }
}

}  // namespace

JobFile::JobFile(const std::filesystem::path& result, int num_ranks) {
    file_ = job_file(result);
    if (file_ == result || is_somebody_elses(file_)) {
        log::warning("{}: is another file; tessera status will know nothing of this run", file_.string());
        return;
    }
    std::error_code ignored;
    is_new_ = !std::filesystem::exists(file_, ignored);
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor_ < 0) return;
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) {
        ::close(descriptor_);
        descriptor_ = -1;
        const auto other = look_at_job(file_);
        throw usage_error(
            "output.file: {} is being written by another run (process {} on {}); give it another name",
            result.string(), other ? other->status.process : 0,
            other ? other->status.host : "another machine");
    }
    update([&](JobStatus& status) {
        status.host = host_name();
        status.process = ::getpid();
        status.num_ranks = num_ranks;
        status.started = now();
        status.memory_bound_bytes = memory_bound_.bytes;
        status.memory_group = memory_bound_.own_group.string();
        status.num_memory_kills = num_killed_for_memory(memory_bound_.own_group);
    });
}

JobFile::~JobFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void JobFile::fail(int exit_code, const std::string& message) {
    update([&](JobStatus& status) {
        if (status.state == JobState::preparing && is_new_ && descriptor_ >= 0) {
            std::error_code ignored;
            std::filesystem::remove(file_, ignored);
        }
        const bool was_stopped = exit_code == static_cast<int>(ExitCode::stopped);
        status.state = was_stopped ? JobState::stopped : JobState::failed;
        status.exit_code = exit_code;
        status.message = message;
    });
}

// What cannot be written is not worth a word: the run itself goes on.
void JobFile::write(Pace pace) {
    if (descriptor_ < 0) return;
    const auto time = std::chrono::steady_clock::now();
    if (pace == Pace::seldom && time - written_ < std::chrono::seconds(1)) return;
    written_ = time;
    status_.updated = now();
    status_.memory_bytes = resident_bytes();
    status_.memory_in_use_bytes = memory_in_use(memory_bound_);
    std::string text = json(status_);
    text.resize(file_bytes - 1, ' ');
    text += '\n';
    [[maybe_unused]] const ssize_t ignored = ::pwrite(descriptor_, text.data(), text.size(), 0);
}

std::string memory_text(std::size_t in_use, std::size_t bound) {
    constexpr double gibibyte = 1u << 30;
    return fmt::format("{:.2f} of {:.2f} GiB in use", static_cast<double>(in_use) / gibibyte,
                       static_cast<double>(bound) / gibibyte);
}

bool JobSighting::was_killed_for_memory() const {
    constexpr double close = 0.85;
    const auto bound = static_cast<double>(status.memory_bound_bytes);
    const bool was_close = bound > 0 && static_cast<double>(status.memory_in_use_bytes) > close * bound;
    return ended_without_a_word() && (num_killed_for_memory > 0 || was_close);
}

std::string JobSighting::likely_end() const {
    if (!was_killed_for_memory()) return "killed, or its machine went away";
    const auto memory = memory_text(status.memory_in_use_bytes, status.memory_bound_bytes);
    if (num_killed_for_memory == 0) return "most likely killed for memory: " + memory;
    return fmt::format(
        "most likely killed for memory: {} when it last said so, and the system has ended {} of its control "
        "group's processes since",
        memory, num_killed_for_memory);
}

std::optional<JobSighting> look_at_job(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    JobSighting sighting;
    struct flock lock = whole_file(F_RDLCK);
    sighting.is_alive = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    ::close(descriptor);
    sighting.status = parse(file);
    const JobStatus& status = sighting.status;
    if (status.host == host_name() && !status.memory_group.empty()) {
        const auto killed = num_killed_for_memory(status.memory_group);
        sighting.num_killed_for_memory = std::max<std::int64_t>(killed - status.num_memory_kills, 0);
    }
    return sighting;
}

}  // namespace tessera

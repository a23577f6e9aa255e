#include "tuning/trials.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/error.hpp"
#include "base/log.hpp"
#include "config/yaml_document.hpp"

namespace tessera {
namespace {

// A line of JSON per trial, which is YAML too.
std::string line_of(const Trial& trial, const TrialOutcome& outcome) {
    return fmt::format(
        R"({{"kind": "{}", "point": [{}], "repetition": {}, "run_s": {:.9g}, "wall_s": {:.6g}, "failure": {}}})"
        "\n",
        trial.kind == TrialKind::search ? "search" : "confirmation", fmt::join(trial.point, ", "),
        trial.repetition, outcome.run_s, outcome.wall_s, log::json_string(outcome.failure));
}

template <class T>
T number(const YamlNode& node) {
    T value{};
    std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
    return value;
}

bool read_line(std::string_view line, const TuneSpace& space, Trials::Done& done) {
    std::vector<ConfigProblem> problems;
    const auto document = parse_yaml(line, "", problems);
    if (!document || document->root.kind != YamlNode::Kind::map) return false;
    const auto get = [&](std::string_view key) { return find_key(document->root, key); };
    for (const char* key : {"kind", "point", "repetition", "run_s", "wall_s", "failure"}) {
        if (get(key) == nullptr) return false;
    }
    done.trial.kind = get("kind")->text == "search" ? TrialKind::search : TrialKind::confirmation;
    for (const YamlNode& index : get("point")->children)
        done.trial.point.push_back(number<std::size_t>(index));
    done.trial.repetition = number<int>(*get("repetition"));
    done.outcome.run_s = number<double>(*get("run_s"));
    done.outcome.wall_s = number<double>(*get("wall_s"));
    done.outcome.failure = get("failure")->text;
    if (done.trial.point.size() != space.axes.size()) return false;
    for (std::size_t a = 0; a < space.axes.size(); ++a) {
        if (done.trial.point[a] >= space.axes[a].values.size()) return false;
    }
    return true;
}

void append(const std::filesystem::path& file, std::string_view text) {
    const auto fail = [&] {
        return runtime_failure("{} cannot be written ({})", file.string(),
                               std::generic_category().message(errno));
    };
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0) throw fail();
    const bool good = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                      ::fsync(descriptor) == 0;
    ::close(descriptor);
    if (!good) throw fail();
}

}  // namespace

Trials::Trials(const std::filesystem::path& file, const std::string& fingerprint, const TuneSpace& space)
    : file_(file) {
    std::ifstream stream(file, std::ios::binary);
    if (stream) {
        read(std::string(std::istreambuf_iterator<char>(stream), {}), fingerprint, space);
    } else {
        append(file_, fingerprint + "\n");
    }
}

// What was cut off when a line was written is not a line.
void Trials::read(std::string_view text, const std::string& fingerprint, const TuneSpace& space) {
    bool is_first = true;
    std::size_t end_of_last = 0;
    for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n', end_of_last)) {
        const std::string_view line = text.substr(end_of_last, end - end_of_last);
        end_of_last = end + 1;
        if (is_first && line != fingerprint)
            throw usage_error(
                "{}: holds trials of another run file or other settings (choose another --output, or "
                "remove it)",
                file_.string());
        Done done;
        if (!is_first && read_line(line, space, done)) done_.push_back(std::move(done));
        is_first = false;
    }
    if (is_first) append(file_, fingerprint + "\n");
    if (end_of_last < text.size()) append(file_, "\n");
}

void Trials::add(const Trial& trial, const TrialOutcome& outcome) {
    append(file_, line_of(trial, outcome));
    done_.push_back({trial, outcome});
}

const TrialOutcome* Trials::find(const Trial& trial) const {
    const auto found = std::ranges::find(done_, trial, &Done::trial);
    return found == done_.end() ? nullptr : &found->outcome;
}

}  // namespace tessera

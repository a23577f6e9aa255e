#include "codelets/runtime/codelet.hpp"

#include <mutex>
#include <optional>

namespace tessera {
namespace {

struct TaskFailure {
    std::mutex lock;
    std::optional<std::string> message;
};

TaskFailure& task_failure() {
    static TaskFailure instance;
    return instance;
}

}  // namespace

std::vector<CodeletStatistics*>& codelet_statistics() {
    static std::vector<CodeletStatistics*> all;
    return all;
}

void reset_codelet_statistics() {
    for (CodeletStatistics* statistics : codelet_statistics()) {
        statistics->nanoseconds = 0;
        statistics->tasks = 0;
    }
}

void note_task_failure(const char* codelet, const char* what) noexcept {
    try {
        const std::lock_guard guard(task_failure().lock);
        if (!task_failure().message) task_failure().message = fmt::format("codelet {}: {}", codelet, what);
    } catch (...) {
        std::abort();  // not even a message can be kept
    }
}

void throw_task_failure() {
    const std::lock_guard guard(task_failure().lock);
    if (!task_failure().message) return;
    const std::string message = *task_failure().message;
    task_failure().message.reset();
    throw runtime_failure("{}", message);
}

}  // namespace tessera

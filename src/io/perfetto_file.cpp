#include "io/perfetto_file.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "io/atomic_file.hpp"

namespace tessera {
namespace {

class EventList {
  public:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        text_ += text_.empty() ? R"({"displayTimeUnit":"ms","traceEvents":[)" : ",";
        text_ += "\n{";
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        text_ += '}';
    }
    std::string finish() && { return std::move(text_) + "\n]}\n"; }

  private:
    std::string text_;
};

double us(double seconds) {
    return 1e6 * seconds;
}

void add_names(const Schedule& schedule, EventList& list) {
    for (std::size_t r = 0; r < schedule.ranks.size(); ++r) {
        list.add(R"("ph":"M","name":"process_name","pid":{},"args":{{"name":"rank {}"}})", r, r);
        const auto& workers = schedule.ranks[r].workers;
        for (std::size_t w = 0; w < workers.size(); ++w) {
            list.add(R"("ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}})", r, w,
                     log::json_string(workers[w]));
        }
    }
}

}  // namespace

void write_perfetto_file(const std::filesystem::path& file, const Schedule& schedule,
                         const Dependencies& dependencies, const ScheduleAnalysis& analysis) {
    EventList list;
    add_names(schedule, list);
    std::vector<bool> is_critical(dependencies.num_events());
    for (const std::uint32_t e : analysis.critical_path) is_critical[e] = true;
    for (std::size_t e = 0; e < dependencies.num_events(); ++e) {
        const ScheduleEvent& event = dependencies.event(e);
        const std::size_t rank = dependencies.rank_of(e);
        const std::string& name = schedule.names[static_cast<std::size_t>(event.name)];
        if (event.kind == EventKind::task) {
            list.add(
                R"("ph":"X","cat":"task","name":{},"pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":)"
                R"({{"iteration":{},"priority":{},"submitted_us":{:.3f},"ready_us":{:.3f},"critical":{}}})",
                log::json_string(name), rank, event.worker, us(event.start_s),
                us(event.end_s - event.start_s), event.iteration, event.priority, us(event.submitted_s),
                us(event.ready_s), static_cast<bool>(is_critical[e]));
            continue;
        }
        const char* way = event.kind == EventKind::send ? "send" : "receive";
        for (const char* phase : {"b", "e"}) {
            list.add(
                R"("ph":"{}","cat":"message","id":{},"name":"{} {}","pid":{},"tid":0,"ts":{:.3f},"args":)"
                R"({{"peer":{},"bytes":{},"tag":{},"iteration":{}}})",
                phase, e, way, name, rank, us(*phase == 'b' ? event.start_s : event.end_s), event.peer,
                event.bytes, event.tag, event.iteration);
        }
    }
    for (const WorkerTime& worker : analysis.workers) {
        for (const IdleTime& idle : worker.idle) {
            list.add(
                R"("ph":"X","cat":"idle","name":"{}","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"cname":)"
                R"("grey")",
                text(idle.cause), worker.rank, worker.worker, us(idle.start_s), us(idle.duration_s()));
        }
    }
    write_text_file(file, std::move(list).finish());
}

}  // namespace tessera

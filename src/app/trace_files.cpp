#include "app/trace_files.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "io/paje_file.hpp"
#include "io/perfetto_file.hpp"
#include "io/trace_page.hpp"

namespace tessera::app {

void write_trace_files(const std::filesystem::path& folder, const Schedule& schedule) {
    const Dependencies dependencies(schedule);
    const ScheduleAnalysis analysis = analyse(schedule, dependencies);
    log::info("{}", describe(analysis));
    try {
        std::error_code failed;
        std::filesystem::create_directories(folder, failed);
        write_perfetto_file(folder / "trace.json", schedule, dependencies, analysis);
        write_paje_file(folder / "trace.paje", schedule, analysis);
        write_trace_page(folder / "index.html", "Trace of a reconstruction", schedule, dependencies,
                         analysis);
        log::info("trace: {}", (folder / "index.html").string());
    } catch (const Error& problem) {
        log::warning("runtime.trace: {}", problem.what());
    }
}

}  // namespace tessera::app

// A program that uses an installed Tessera: reads a scan, and makes the problem that a reconstruction would
// solve.
#include <fmt/format.h>

#include "codelets/runtime/ranks.hpp"
#include "codelets/runtime/runtime.hpp"
#include "config/yaml_reader.hpp"
#include "io/scan_reader.hpp"
#include "tasks/problem.hpp"

int main(int, char** arguments) {
    const tessera::RunConfig config = tessera::read_run_config(arguments[1]);
    const tessera::ScanReader reader(config.scan, ".");
    const tessera::Ranks ranks;
    const tessera::Runtime runtime(config.runtime, ranks);
    const tessera::Problem problem =
        tessera::make_problem(config, reader.info(), runtime.machine(), ranks.size(), ranks.rank());
    fmt::print("{} frames, object {} x {}, {} workers\n", reader.info().num_frames,
               problem.placement.object_shape[0], problem.placement.object_shape[1], runtime.num_workers());
}

#include "app/commands.hpp"
#include "base/log.hpp"
#include "config/yaml_reader.hpp"
#include "io/scan_writer.hpp"
#include "scan/synthetic.hpp"

namespace tessera::app {

ExitCode simulate(const SimulateOptions& options) {
    SimulationConfig config = read_simulation_config(options.file, options.overrides);
    if (options.output) config.file = *options.output;
    std::error_code ignored;
    if (std::filesystem::equivalent(config.file, options.file, ignored)) {
        throw usage_error("file: {} is the simulation file itself (choose another name)",
                          config.file.string());
    }
    if (config.file.has_parent_path())
        std::filesystem::create_directories(config.file.parent_path(), ignored);
    const SyntheticScan scan = tessera::simulate(config);
    write_scan(config.file, scan, write_simulation_config(config));
    const std::string planes =
        scan.object.extent(0) > 1
            ? fmt::format("{} {} of ", scan.object.extent(0), scan.num_object_modes > 1 ? "modes" : "slices")
            : "";
    log::info("{}: {} frames of {} x {}, object {}{} x {} pixels of {}", config.file.string(),
              scan.patterns.extent(0), scan.patterns.extent(1), scan.patterns.extent(2), planes,
              scan.object.extent(1), scan.object.extent(2), length_text(scan.pixel_size_m));
    return ExitCode::done;
}

}  // namespace tessera::app

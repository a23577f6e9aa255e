#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "base/version.hpp"

namespace {

using namespace tessera;

// CLI11 parses into these; the chosen subcommand sets what to run.
struct CommandLine {
    app::ReconstructOptions reconstruct;
    app::CheckOptions check;
    app::ForecastOptions forecast;
    app::SimulateOptions simulate;
    std::filesystem::path inspect;
    app::CompareOptions compare;
    app::TuneOptions tune;
    app::BatchOptions batch;
    std::filesystem::path status;
    std::string log_format = "text";
    bool verbose = false;
    bool quiet = false;
};

const char* const set_help = "Override a key of the file, e.g. --set engines[0].num_iter=50 (repeatable)";

void add_reconstruct(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand("reconstruct", "Reconstruct object and probe from a scan");
    command->add_option("RUN.yaml", line.reconstruct.run_file, "The run file")->required();
    command->add_option("--set", line.reconstruct.overrides, set_help)->allow_extra_args(false);
    command->add_option("--output", line.reconstruct.output, "The result file, instead of output.file");
    command->add_flag(
        "--resume", line.reconstruct.resume,
        "Go on from the last checkpoint beside the result, exactly as if the run had never ended; "
        "begin where there is none");
    command->add_flag(
        "--take-turns", line.reconstruct.take_turns,
        "For programs that start several runs (tessera batch does): wait for a line on standard "
        "input before frames are read and before the first iteration; with --log json, events "
        "say what is waited for");
    command->footer("Example:\n  tessera reconstruct inputs/siemens_star.yaml --set engines[0].num_iter=60");
}

void add_check(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand("check",
                                               "Report every problem of a run file, then of its scan; print "
                                               "the settings and what the run will need");
    command->add_option("RUN.yaml", line.check.run_file, "The run file")->required();
    command->add_option("--set", line.check.overrides, set_help)->allow_extra_args(false);
    command
        ->add_option("--ranks", line.check.num_ranks,
                     "Forecast for a run on so many ranks (mpirun -n): memory and bytes sent of each")
        ->check(CLI::Range(1, 1'000'000));
    command->footer(
        "Examples:\n  tessera check inputs/siemens_star.yaml\n"
        "  tessera check inputs/siemens_star.yaml --ranks 8 --set 'tiling.tiles=[4,4]'");
}

void add_forecast(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand(
        "forecast",
        "Simulate a run on a machine that need not be there: time, idle workers, traffic, memory");
    command->add_option("RUN.yaml", line.forecast.run_file, "The run file")->required();
    command->add_option("--set", line.forecast.overrides, set_help)->allow_extra_args(false);
    command->add_option("--machine", line.forecast.machine_file, "The machine file (inputs/machines)")
        ->required();
    command
        ->add_option("--set-machine", line.forecast.machine_overrides,
                     "Override a key of the machine file, e.g. --set-machine node.cores=64 (repeatable)")
        ->allow_extra_args(false);
    command
        ->add_option("--nodes", line.forecast.num_nodes,
                     "So many nodes, one rank on each, instead of `nodes`")
        ->check(CLI::Range(1, 100'000));
    command
        ->add_option("--iterations", line.forecast.num_iter,
                     "Iterations of the first engine to simulate; the first of them does not count")
        ->check(CLI::Range(2, 1'000'000))
        ->capture_default_str();
    command->add_option("--trace", line.forecast.trace, "A folder for what every task did, and when");
    command->add_flag(
        "--model", line.forecast.model,
        "Place tasks and messages one after the other instead of simulating them: needs no simulator, "
        "for thousands of ranks; some percent off, more where messages dominate or a rank has several GPUs");
    command->footer(
        "Needs the simulator that tools/build simgrid makes, but for --model.\n"
        "Examples:\n  tessera forecast inputs/siemens_star.yaml --machine inputs/machines/laptop.yaml\n"
        "  tessera forecast run.yaml --machine inputs/machines/cpu_cluster.yaml --nodes 16 --set "
        "'tiling.tiles=[8,8]'");
}

void add_simulate(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand("simulate", "Make a scan with known truth, written as CXI");
    command->add_option("SIMULATION.yaml", line.simulate.file, "The simulation file")->required();
    command->add_option("--set", line.simulate.overrides, set_help)->allow_extra_args(false);
    command->add_option("--output", line.simulate.output, "The scan file, instead of `file`");
    command->footer("Example:\n  tessera simulate inputs/siemens_star_simulation.yaml --output star.cxi");
}

void add_inspect(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand("inspect", "Say what is in a scan, a result or checkpoints");
    command->add_option("FILE", line.inspect, "A scan, a result or a folder of checkpoints")->required();
    command->footer("Examples:\n  tessera inspect scan.cxi\n  tessera inspect result.checkpoint");
}

void add_compare(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand(
        "compare", "Compare a result with another result, or with the truth in a simulated scan");
    command->add_option("A", line.compare.first, "A result")->required();
    command->add_option("B", line.compare.second, "A result, or a scan made by simulate")->required();
    command->footer("Example:\n  tessera compare result.h5 star.cxi");
}

void add_tune(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand(
        "tune", "Find the fastest settings of a run file on this machine, with evidence (its block `tune`)");
    command->add_option("RUN.yaml", line.tune.run_file, "The run file")->required();
    command->add_option("--set", line.tune.overrides, set_help)->allow_extra_args(false);
    command
        ->add_option("--output", line.tune.output,
                     "The folder of the report, the best settings as a run file, and the trials done so far")
        ->capture_default_str();
    command->footer(
        "Interrupted, the same command goes on with it.\n"
        "Example:\n  tessera tune inputs/tune.yaml --output tune");
}

void add_batch(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand(
        "batch", "Reconstruct many scans one after the other, the next one's reading beside this one's end");
    command->add_option("JOBS", line.batch.jobs, "A batch file, or a folder of run files")->required();
    command->add_option("--set", line.batch.overrides, "Override a key of all run files (repeatable)")
        ->allow_extra_args(false);
    command->add_option("--output", line.batch.output, "The folder of results, logs and the summary table")
        ->capture_default_str();
    command->footer(
        "What fails does not stop the others: table.csv, table.json and the exit code say what has failed. "
        "The "
        "same command\nagain does what is left: what has been stopped or killed goes on from its "
        "checkpoint.\n"
        "Examples:\n  tessera batch inputs/batch.yaml --output batch\n  tessera batch runs/ --set "
        "engines[0].num_iter=200");
}

void add_status(CLI::App& program, CommandLine& line) {
    CLI::App* command = program.add_subcommand(
        "status", "Say where a run is, or how it ended: while it lives and afterwards, from any machine");
    command->add_option("FILE", line.status, "The result, the run file, or the .job file beside the result")
        ->required();
    command->footer("Example:\n  tessera status result.h5");
}

ExitCode run(const CLI::App& program, const CommandLine& line) {
    const auto level = line.verbose ? log::Level::debug : line.quiet ? log::Level::warning : log::Level::info;
    log::configure(line.log_format == "json" ? log::Format::json : log::Format::text, level);
    if (program.got_subcommand("reconstruct")) return app::reconstruct(line.reconstruct);
    if (program.got_subcommand("check")) return app::check(line.check);
    if (program.got_subcommand("forecast")) return app::forecast(line.forecast);
    if (program.got_subcommand("simulate")) return app::simulate(line.simulate);
    if (program.got_subcommand("inspect")) return app::inspect(line.inspect);
    if (program.got_subcommand("status")) return app::status(line.status);
    if (program.got_subcommand("batch")) return app::batch(line.batch);
    if (program.got_subcommand("tune")) return app::tune(line.tune);
    return app::compare(line.compare);
}

// The last word of a log for machines.
int log_end(ExitCode code) {
    if (log::format() == log::Format::json)
        log::event("end", fmt::format(R"("exit_code":{})", static_cast<int>(code)), "");
    return static_cast<int>(code);
}

int main_in_frame(int argc, char** argv) {
    CLI::App program("Tessera: ptychographic reconstruction as one task graph");
    program.require_subcommand(1);
    program.set_version_flag("--version", version() + (commit().empty() ? "" : " (" + commit() + ")"));
    program.footer(
        "Exit codes: 0 done, 2 usage or run file, 3 data, 4 runtime or device, 5 diverged, 75 stopped by a "
        "signal or the time limit (reconstruct --resume goes on)");
    CommandLine line;
    program.add_option("--log", line.log_format, "text (for people) or json (one object a line)")
        ->check(CLI::IsMember({"text", "json"}));
    program.add_flag("--verbose", line.verbose, "Say more");
    program.add_flag("--quiet", line.quiet, "Warnings and errors only");
    program.fallthrough();  // options of the program may follow the subcommand, which inherits this
    add_reconstruct(program, line);
    add_check(program, line);
    add_forecast(program, line);
    add_simulate(program, line);
    add_inspect(program, line);
    add_compare(program, line);
    add_tune(program, line);
    add_batch(program, line);
    add_status(program, line);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        const int wanted = program.exit(problem, std::cout, std::cerr);
        return wanted == 0 ? 0 : static_cast<int>(ExitCode::usage);
    }
    return log_end(run(program, line));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return main_in_frame(argc, argv);
    } catch (const std::exception& problem) {
        const Error error = as_error(problem);
        // Of several ranks that stop together, one has told the message.
        if (*error.what() != '\0') log::error("{}", error.what());
        return log_end(error.code());
    }
}

"""Time of an iteration, time to the same data error, and what the same number of passes leads to: Tessera against
its peers. Started by `run`."""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import environments
import passes
import quiet
import report
from scan import Scan, read_tessera_result
from tools import Conditions, Peer, ProgramFailed, PtyChi, PtyPy, Tessera, all_tools

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = [ROOT / "build/release/bin/tessera", ROOT / "bin/tessera"]  # of a checkout, of an unpacked bundle


def core_list(text):
    return [int(core) for core in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tools/bench/peers/run",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--scan", type=pathlib.Path, help="a far-field CXI file; without: a simulated Siemens star"
    )
    parser.add_argument(
        "--tessera",
        type=pathlib.Path,
        default=next(filter(pathlib.Path.exists, PROGRAMS), PROGRAMS[0]),
        help="the program",
    )
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="what everybody runs on")
    parser.add_argument(
        "--installed",
        action="store_true",
        help="only the peers that the Python which runs this can import; install none",
    )
    parser.add_argument(
        "--cores",
        type=core_list,
        default=",".join(map(str, sorted(os.sched_getaffinity(0)))),
        help="the cores that every program is pinned to",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of every measurement, interleaved")
    parser.add_argument(
        "--max-iterations", type=int, default=60, help="how far the search for a peer's best error goes"
    )
    parser.add_argument(
        "--checkpoints", type=int, default=2, help="iterations between two looks at a peer's error"
    )
    parser.add_argument(
        "--slack",
        type=float,
        default=1.05,
        help="the error to reach is the peer's best times this, so that nobody waits for a tail",
    )
    parser.add_argument("--target", type=float, help="the error to reach, instead")
    parser.add_argument("--probe-start", type=int, default=2, help="first iteration that moves the probe")
    parser.add_argument("--only", default="", help="only the peers whose row matches this regular expression")
    parser.add_argument(
        "--parts",
        type=lambda text: text.split(","),
        default="iterations,results,passes",
        help="what is measured: the time of an iteration, the time to the same error, what as many passes lead to",
    )
    parser.add_argument("--passes", type=int, default=40, help="over the frames, for the last of them")
    parser.add_argument(
        "--untimed",
        action="store_true",
        help="only what as many passes lead to, each program once, whatever else the machine is busy with",
    )
    parser.add_argument(
        "--disturbance",
        type=float,
        default=0.1,
        help="the share of the cores that others may use; a run that sees more is repeated",
    )
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds to wait for idle cores, each time"
    )
    parser.add_argument(
        "--ptypy",
        default="ptypy==0.9.*",
        help="PtyPy for pip: a requirement, or the path of a checkout or archive",
    )
    parser.add_argument("--ptychi", default="ptychi==2.2.*", help="pty-chi for pip")
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        nargs="?",
        const=ROOT / "tools/bench/results",
        help="also write peers-<date>-<commit>.json and .md there",
    )
    arguments = parser.parse_args()
    if arguments.untimed:
        arguments.parts, arguments.repetitions, arguments.disturbance = ["passes"], 1, float("inf")
    return arguments


def say(text):
    print(text, file=sys.stderr, flush=True)


def choose_tools(arguments):
    """The programs to measure, with their environments, and why others are left out."""
    cupy = ["cupy"] if arguments.device == "gpu" else []
    modules = {PtyPy: ["ptypy", *cupy], PtyChi: ["ptychi"]}
    requirements = {
        PtyPy: [arguments.ptypy, "scipy", "mpi4py", "mpich", "h5py", "numpy", *(f"{name}-cuda13x" for name in cupy)],
        PtyChi: [arguments.ptychi, "h5py", "numpy"],
    }
    pythons, absent, chosen = {}, {}, []
    for tool in all_tools(arguments.device, len(arguments.cores)):
        if isinstance(tool, Peer):
            if not re.search(arguments.only, tool.label):
                continue
            name = "-".join(modules[type(tool)])
            if name not in pythons and name not in absent:
                try:
                    pythons[name] = (
                        environments.own_python(modules[type(tool)])
                        if arguments.installed
                        else environments.environment(name, requirements[type(tool)])
                    )
                except environments.Unavailable as error:
                    absent[name] = str(error)
            if name in absent:
                continue
            tool.python = pythons[name]
        chosen.append(tool)
    return chosen, absent


def prepare(arguments, scratch):
    """The scan, and in a file for the peers the positions, object and probe that Tessera starts from."""
    scan_file = arguments.scan
    if scan_file is None:
        scan_file = scratch / "star.cxi"
        subprocess.run(
            [
                arguments.tessera,
                "simulate",
                ROOT / "inputs/siemens_star_simulation.yaml",
                "--output",
                scan_file,
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    conditions = Conditions(
        arguments.tessera.resolve(),
        scan_file.resolve(),
        scratch / "peers.h5",
        scratch,
        arguments.cores,
        arguments.device,
        arguments.probe_start,
    )
    scan, starts, pixel_size_m = read_starts(conditions)
    scan.write_for_peers(conditions.prepared, starts, pixel_size_m)
    halves = []
    has_truth = arguments.scan is None  # of the whole scan; else the halves are compared with each other
    for half in () if has_truth else passes.HALVES:
        # Fewer frames may reach less far: a half has an object of its own.
        part = dataclasses.replace(conditions, prepared=scratch / f"peers_{half}.h5", every_other=half)
        part_scan, *start = read_starts(part)
        part_scan.write_for_peers(part.prepared, *start)
        halves.append(part)
    return scan, passes.Judge(scan, conditions, halves, has_truth)


def read_starts(conditions):
    """The scan, by interpolation the fields that Tessera starts from, and the size of an object pixel."""
    starts = {}
    for name, interpolation in (("nearest", "nearest"), ("subpixel", "fourier")):
        # One iteration moves the object alone when the probe starts later: its probe is the starting one.
        first = dataclasses.replace(conditions, probe_start=1)
        Tessera("start", interpolation=interpolation).run(first, [1])
        starts[name], frames, pixel_size_m = read_tessera_result(conditions.scratch / "tessera.h5")
    return Scan(conditions.scan, frames), starts, pixel_size_m


class Meter:
    """Takes measurements while the cores are idle, and remembers how disturbed the worst of them was."""

    def __init__(self, conditions, arguments):
        self.conditions, self.arguments = conditions, arguments
        self.others_share = 0.0

    def run(self, tool, blocks):
        run = quiet.least_disturbed(
            lambda: tool.run(self.conditions, blocks),
            self.conditions.cores,
            self.arguments.disturbance,
            self.arguments.patience,
        )
        self.others_share = max(self.others_share, run.others_share)
        return run


def leave_out_failing(tools, conditions):
    """The tools whose first iteration ends well, why the other peers' do not, and the programs' versions."""
    working, failing, versions = [], {}, {}
    for tool in tools:
        try:
            versions |= tool.run(conditions, [1]).versions
            working.append(tool)
        except ProgramFailed as failure:
            if not isinstance(tool, Peer):
                raise
            failing[tool.label] = failure.reason
    return working, failing, versions


def measure_iterations(tools, meter, scan):
    """Milliseconds per frame and iteration of every tool in every repetition, interleaved."""
    times = {tool.label: [] for tool in tools}
    for repetition in range(meter.arguments.repetitions):
        for tool in tools:
            run = meter.run(tool, tool.timing_blocks)
            times[tool.label].append(1e3 * run.blocks_s[-1] / tool.timing_blocks[-1] / len(scan.patterns))
            say(
                f"repetition {repetition + 1}, {tool.label}: {times[tool.label][-1]:.3f} ms per frame and "
                f"iteration (others used {run.others_share:.0%} of the cores)"
            )
    return times


def error_curve(tool, conditions, scan, arguments):
    """[(iterations, data error)], all by the one function."""
    if isinstance(tool, Tessera):
        run = tool.run(conditions, [arguments.max_iterations])
        ours = scan.data_error(run.fields)
        if abs(ours / run.own_data_error - 1) > 1e-3:
            raise SystemExit(f"{tool.label}: says data error {run.own_data_error}, its fields give {ours}")
        return list(enumerate(run.data_errors, start=1))
    num_blocks = arguments.max_iterations // arguments.checkpoints
    run = tool.run(conditions, [arguments.checkpoints] * num_blocks, snapshots=True)
    curve = [
        (arguments.checkpoints * (index + 1), scan.data_error(fields))
        for index, fields in enumerate(run.snapshots)
    ]
    if run.own_data_error is not None and abs(curve[-1][1] / run.own_data_error - 1) > 1e-2:
        raise SystemExit(
            f"{tool.label}: says data error {run.own_data_error}, its fields give {curve[-1][1]}"
        )
    return curve


def first_below(curve, target):
    return next((iterations for iterations, error in curve if error <= target), None)


def plan_results(tools, conditions, scan, arguments):
    """For every peer: the error to reach, and in how many iterations it and Tessera reach it."""
    ours = {
        tool.interpolation: tool
        for tool in tools
        if isinstance(tool, Tessera) and tool.engine == "CG" and tool.waves != "recompute"
    }
    curves = {tool.label: error_curve(tool, conditions, scan, arguments) for tool in ours.values()}
    plans = []
    for tool in tools:
        if not isinstance(tool, Peer):
            continue
        curve = curves[tool.label] = error_curve(tool, conditions, scan, arguments)
        best = min(error for _, error in curve)
        target = arguments.target or arguments.slack * best
        reference = ours[tool.interpolation]
        iterations = first_below(curve, target)
        reference_iterations = first_below(curves[reference.label], target)
        say(
            f"{tool.label}: best data error {best:.5f}; {target:.5f} after {iterations} iterations, "
            f"{reference.label}: after {reference_iterations}"
        )
        if iterations and reference_iterations:
            plans.append(report.Plan(tool, reference, target, iterations, reference_iterations))
    return plans, curves


def measure_results(plans, meter, scan):
    """Every peer and Tessera to the same error, one after the other, in every repetition."""
    for repetition in range(meter.arguments.repetitions):
        for plan in plans:
            peer = meter.run(plan.tool, [plan.iterations])
            ours = meter.run(plan.reference, [plan.reference_iterations])
            plan.add(peer, scan.data_error(peer.fields), ours, scan.data_error(ours.fields))
            say(
                f"repetition {repetition + 1}, {plan.tool.label}: {peer.work_s:.1f} s, Tessera "
                f"{ours.process.wall_s:.2f} s (others used {peer.others_share:.0%}, {ours.others_share:.0%})"
            )


def main():
    arguments = parse_arguments()
    if not arguments.tessera.exists():
        raise SystemExit(
            f"{arguments.tessera}: no such program (build it with tools/build, or name it with --tessera)"
        )
    with tempfile.TemporaryDirectory(prefix="tessera-peers-") as folder:
        scan, judge = prepare(arguments, pathlib.Path(folder))
        conditions = judge.conditions
        tools, absent = choose_tools(arguments)
        tools, failing, versions = leave_out_failing(tools, conditions)
        absent |= failing
        for name, reason in absent.items():
            say(f"without {name}: {reason}")
        meter = Meter(conditions, arguments)
        times, plans, curves, rows = {}, [], {}, []
        if "iterations" in arguments.parts:
            times = measure_iterations(tools, meter, scan)
        if "results" in arguments.parts:
            plans, curves = plan_results(tools, conditions, scan, arguments)
            measure_results(plans, meter, scan)
        if "passes" in arguments.parts:
            peers = [tool for tool in tools if isinstance(tool, Peer)]
            rows = passes.compare_after_passes(peers, arguments.passes, judge, meter, say)
    comparison = report.Comparison(
        scan=(
            arguments.scan.name
            if arguments.scan
            else "simulated Siemens star (inputs/siemens_star_simulation.yaml)"
        ),
        num_frames=len(scan.patterns),
        frame_shape=list(scan.patterns.shape[1:]),
        cores=conditions.cores,
        gpu=report.gpu_model() if conditions.device == "gpu" else None,
        repetitions=arguments.repetitions,
        probe_start=arguments.probe_start,
        others_share=None if arguments.untimed else meter.others_share,
        versions=versions,
        absent=absent,
        tools=tools,
        times=times,
        plans=plans,
        curves=curves,
        passes=rows,
    )
    print(comparison.text())
    if arguments.output:
        say(f"written: {comparison.write(arguments.output)}")


if __name__ == "__main__":
    try:
        main()
    except ProgramFailed as failure:
        sys.exit(str(failure))

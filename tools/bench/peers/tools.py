"""The measured programs: how each is started on a scan for so many iterations, and what it says afterwards.

Each run is a process of its own, pinned to the same cores. `blocks` are iterations whose time is taken apart: the
first warms up (and holds the iterations before the probe moves), the others are what an iteration costs.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import time

import h5py

import environments
from scan import Fields, read_tessera_result

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Conditions:
    """What every run of the comparison has in common."""

    tessera: pathlib.Path
    scan: pathlib.Path  # CXI, for Tessera
    prepared: pathlib.Path  # the same for the peers
    scratch: pathlib.Path
    cores: list
    probe_start: int


@dataclasses.dataclass
class Run:
    """One process: seconds of the wall clock and of all its cores, and what came out."""

    wall_s: float
    cpu_s: float
    imports_s: float  # until an interpreter has its libraries: part of wall_s
    blocks_s: list
    fields: Fields
    snapshots: list
    versions: dict
    own_data_error: float = None
    data_errors: list = None  # per iteration, where the program says them itself

    @property
    def work_s(self):
        """Load, reconstruct, save."""
        return self.wall_s - self.imports_s


def timed_process(command, conditions, threads):
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    cores = ",".join(str(core) for core in conditions.cores)
    begin = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "--cpu-list", cores, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | limits,
        cwd=conditions.scratch,
        text=True,
    )
    output, errors = process.communicate()
    wall_s = time.monotonic() - begin
    if process.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors[-3000:]}"
        )
    return begin, wall_s, output


def children_cpu_s():
    times = os.times()
    return times.children_user + times.children_system


class Tessera:
    def __init__(self, label, engine="CG", waves="auto", interpolation="nearest"):
        self.label, self.engine, self.waves, self.interpolation = label, engine, waves, interpolation
        self.nearest = interpolation == "nearest"
        self.timing_blocks = [2, 20]  # whole tens: every tenth iteration makes the kept waves afresh

    def run(self, conditions, blocks, snapshots=False):
        result = conditions.scratch / "tessera.h5"
        run_file = conditions.scratch / "tessera.yaml"
        run_file.write_text(
            f"scan: {{file: {json.dumps(str(conditions.scan))}}}\n"
            f"probe: {{initial: auto, update: {{start: {conditions.probe_start}}}}}\n"
            f"engines: [{{name: {self.engine}, num_iter: {sum(blocks)}}}]\n"
            f"positions: {{interpolation: {self.interpolation}}}\n"
            f"runtime: {{waves: {self.waves}}}\n"
            "output: {pictures: false}\n"
        )
        before = children_cpu_s()
        _, wall_s, _ = timed_process(
            [conditions.tessera, "reconstruct", run_file, "--output", result], conditions, threads=1
        )  # its workers are StarPU's
        cpu_s = children_cpu_s() - before
        fields, _, _ = read_tessera_result(result)
        with h5py.File(result) as file:
            process = file["entry_1/process_1"]
            at_s = [0.0, *process["time_s"][()]]
            errors = list(process["data_error"][()])
            version = process["version"].asstr()[()]
            about = {
                "Tessera": " ".join([version, process["about/commit"].asstr()[()]]).strip(),
                "Tessera's runtime": process["about/runtime"].asstr()[()],
            }
        ends = [sum(blocks[:count]) for count in range(len(blocks) + 1)]
        blocks_s = [at_s[last] - at_s[first] for first, last in zip(ends, ends[1:])]
        return Run(wall_s, cpu_s, 0.0, blocks_s, fields, [], about, errors[-1], errors)


class Peer:
    def __init__(self, label, driver, engine, processes=None, batch_size=None, interpolation="nearest"):
        self.label, self.driver, self.engine, self.batch_size = label, driver, engine, batch_size
        self.processes = processes  # under mpiexec; None: threads in one process
        self.nearest = interpolation == "nearest"
        self.interpolation = interpolation
        self.timing_blocks = [2, 5]
        self.python = None  # of its environment, once that is there

    def run(self, conditions, blocks, snapshots=False):
        result, job = conditions.scratch / "peer.h5", conditions.scratch / "peer.json"
        threads = 1 if self.processes else len(conditions.cores)
        job.write_text(
            json.dumps(
                {
                    "engine": self.engine,
                    "blocks": blocks,
                    "snapshots": snapshots,
                    "nearest": self.nearest,
                    "probe_start": conditions.probe_start,
                    "batch_size": self.batch_size,
                    "threads": threads,
                    "scan": str(conditions.prepared),
                    "result": str(result),
                }
            )
        )
        command = [self.python, HERE / self.driver, job]
        if self.processes and self.processes > 1:
            command = [environments.mpiexec(self.python), "-n", self.processes, *command]
        before = children_cpu_s()
        begin, wall_s, output = timed_process(command, conditions, threads)
        cpu_s = children_cpu_s() - before
        said = json.loads(output.strip().splitlines()[-1])
        with h5py.File(result) as file:
            windows_px = file["windows_px"][()]
            fields = Fields(file["object"][()], file["probe"][()], windows_px)
            kept = file.get("snapshots", {})
            snapshots_kept = [
                Fields(kept[str(i)]["object"][()], kept[str(i)]["probe"][()], windows_px)
                for i in range(len(kept))
            ]
        return Run(
            wall_s,
            cpu_s,
            said["imported"] - begin,
            said["blocks_s"],
            fields,
            snapshots_kept,
            said["versions"],
            said["own_data_error"],
        )


def all_tools(num_cores, batch_sizes):
    """Everything that can be measured, in the order of the table."""
    ptypy = [
        Peer(f"PtyPy {engine}, {count} process{'es' if count > 1 else ''}", "drive_ptypy.py", engine, count)
        for engine in ("ML", "DM")
        for count in sorted({1, num_cores})
    ]
    ptychi = [
        Peer(f"pty-chi {engine}, batches of {size}", "drive_ptychi.py", engine, batch_size=size)
        for engine in ("LSQML", "rPIE")
        for size in batch_sizes
    ]
    ptychi_subpixel = [
        Peer(
            f"pty-chi {engine}, batches of {batch_sizes[0]}, sub-pixel",
            "drive_ptychi.py",
            engine,
            batch_size=batch_sizes[0],
            interpolation="fourier",
        )
        for engine in ("LSQML", "rPIE")
    ]
    return [
        Tessera("Tessera CG, waves: keep", waves="keep"),
        Tessera("Tessera CG, waves: recompute", waves="recompute"),
        Tessera("Tessera GD", engine="GD"),
        *ptypy,
        *ptychi,
        Tessera("Tessera CG, default settings (sub-pixel)", interpolation="fourier"),
        *ptychi_subpixel,
    ]

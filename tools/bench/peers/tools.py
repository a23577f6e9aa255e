"""The measured programs: how each is started on a scan for so many iterations, and what it says afterwards.

Each run is a process of its own, pinned to the same cores, on them alone or on one GPU beside them. `blocks` are iterations whose time is taken apart:
the first warms up (and holds the iterations before the probe moves), the last says what an iteration costs.
"""

import dataclasses
import json
import os
import pathlib
import subprocess

import environments
import h5py
from quiet import CoreTimes
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
    device: str  # cpu, gpu
    probe_start: int
    every_other: int = None  # the frames of one half: 0, 2, ... or 1, 3, ...


class ProgramFailed(Exception):
    """A program that ended with an error. `reason`: the last that it said."""

    def __init__(self, command, done):
        super().__init__(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        self.reason = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1]


@dataclasses.dataclass
class Process:
    """A program from start to end."""

    begin_s: float  # of the machine's monotonic clock
    wall_s: float
    cpu_s: float
    others_share: float  # of the cores, meanwhile
    output: str


@dataclasses.dataclass
class Run:
    """A process and what came out of it."""

    process: Process
    blocks_s: list
    fields: Fields
    versions: dict
    imports_s: float = 0.0  # until an interpreter has its libraries: part of the process's time
    snapshots: list = dataclasses.field(default_factory=list)  # fields after each block
    data_errors: list = dataclasses.field(default_factory=list)  # after each iteration, as Tessera says them
    own_data_error: float = None  # at the end, as the program says it

    @property
    def others_share(self):
        return self.process.others_share

    @property
    def work_cpu_s(self):
        """As work_s, of processor time: what an interpreter needs to have its libraries is one core's work."""
        return self.process.cpu_s - self.imports_s

    @property
    def work_s(self):
        """Load, reconstruct, save."""
        return self.process.wall_s - self.imports_s


def run_process(command, conditions, threads):
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    before = CoreTimes(conditions.cores)
    cores = ",".join(str(core) for core in conditions.cores)
    done = subprocess.run(
        ["taskset", "--cpu-list", cores, *map(str, command)],
        capture_output=True,
        env=os.environ | limits,
        cwd=conditions.scratch,
        text=True,
    )
    after = CoreTimes(conditions.cores)
    if done.returncode != 0:
        raise ProgramFailed(command, done)
    return Process(
        before.at_s,
        after.at_s - before.at_s,
        after.ours_s - before.ours_s,
        after.others_share(before, conditions.cores),
        done.stdout,
    )


class Tessera:
    def __init__(
        self,
        label,
        engine="CG",
        waves="auto",
        interpolation="nearest",
        gpu_kernels="staged",
        engine_settings=None,
    ):
        self.label, self.engine, self.waves, self.interpolation = label, engine, waves, interpolation
        self.gpu_kernels, self.engine_settings = gpu_kernels, engine_settings or {}
        self.timing_blocks = [2, 20]  # whole tens: every tenth iteration makes the kept waves afresh

    def start_like(self):
        """Tessera on the same windows."""
        return self

    def run(self, conditions, blocks):
        result, run_file = conditions.scratch / "tessera.h5", conditions.scratch / "tessera.yaml"
        half = conditions.every_other
        frames = "" if half is None else f", frames: {{start: {half}, step: 2}}"
        engine = {"name": self.engine, "num_iter": sum(blocks), **self.engine_settings}
        run_file.write_text(
            f"scan: {{file: {json.dumps(str(conditions.scan))}{frames}}}\n"
            f"probe: {{initial: auto, update: {{start: {conditions.probe_start}}}}}\n"
            f"engines: [{json.dumps(engine)}]\n"
            f"positions: {{interpolation: {self.interpolation}}}\n"
            f"runtime: {{waves: {self.waves}, gpu_kernels: {self.gpu_kernels}, "
            f"gpus: {1 if conditions.device == 'gpu' else 0}}}\n"
            "output: {pictures: false}\n"
        )
        command = [conditions.tessera, "reconstruct", run_file, "--output", result]
        process = run_process(command, conditions, threads=1)  # its workers are StarPU's
        fields, _, _ = read_tessera_result(result)
        with h5py.File(result) as file:
            group = file["entry_1/process_1"]
            at_s = [0.0, *group["time_s"][()]]
            errors = [float(error) for error in group["data_error"]]
            commit, runtime = (group[f"about/{key}"].asstr()[()] for key in ("commit", "runtime"))
            versions = {"Tessera": f"{group['version'].asstr()[()]} {commit}".strip(), "with": runtime}
        ends = [sum(blocks[:count]) for count in range(len(blocks) + 1)]
        blocks_s = [at_s[last] - at_s[first] for first, last in zip(ends, ends[1:])]
        return Run(process, blocks_s, fields, versions, data_errors=errors, own_data_error=errors[-1])


class Peer:
    """A peer's engine, driven by `driver` in its own environment."""

    driver = None

    def __init__(self, label, engine, interpolation):
        self.label, self.engine, self.interpolation = label, engine, interpolation
        self.timing_blocks = [2, 5]
        self.python = None  # of its environment, once that is there

    def settings(self, conditions):
        """What its job says besides."""
        raise NotImplementedError

    def counterpart(self):
        """Tessera's engine of the same name, with the settings that have the same meaning in both."""
        raise NotImplementedError

    def start_like(self):
        return self.counterpart()

    def command(self, job):
        return [self.python, HERE / self.driver, job]

    def run(self, conditions, blocks, snapshots=False):
        result, job = conditions.scratch / "peer.h5", conditions.scratch / "peer.json"
        settings = self.settings(conditions) | {
            "engine": self.engine,
            "blocks": blocks,
            "snapshots": snapshots,
            "nearest": self.interpolation == "nearest",
            "probe_start": conditions.probe_start,
            "device": conditions.device,
            "scan": str(conditions.prepared),
            "result": str(result),
        }
        job.write_text(json.dumps(settings))
        process = run_process(self.command(job), conditions, settings["threads"])
        said = json.loads(process.output.strip().splitlines()[-1])
        with h5py.File(result) as file:
            windows_px = file["windows_px"][()]
            kept = [file[f"snapshots/{index}"] for index in range(len(file.get("snapshots", ())))]
            fields, *snapshots = (
                Fields(group["object"][()], group["probe"][()], windows_px) for group in (file, *kept)
            )
        return Run(
            process,
            said["blocks_s"],
            fields,
            said["versions"],
            imports_s=said["imported"] - process.begin_s,
            snapshots=snapshots,
            own_data_error=said["own_data_error"],
        )


class PtyPy(Peer):
    driver = "drive_ptypy.py"

    def __init__(self, engine, processes):
        label = f"PtyPy {engine}, {processes} process{'es' if processes > 1 else ''}"
        super().__init__(label, engine, "nearest")  # it knows no other
        self.processes = processes

    def settings(self, conditions):
        return {"threads": 1}

    def counterpart(self):
        engine = {"ML": "CG", "DM": "DM"}[self.engine.removesuffix("_cupy")]
        return Tessera(f"Tessera {engine}", engine=engine)

    def command(self, job):
        alone = super().command(job)
        return (
            alone
            if self.processes == 1
            else [environments.mpiexec(self.python), "-n", self.processes, *alone]
        )


class PtyChi(Peer):
    driver = "drive_ptychi.py"

    def __init__(self, engine, batch_size, step_size, interpolation):
        suffix = "" if interpolation == "nearest" else ", sub-pixel"
        batches = "" if engine == "DM" else f", batches of {batch_size}"  # which no result of DM depends on
        super().__init__(f"pty-chi {engine}{batches}{suffix}", engine, interpolation)
        self.batch_size, self.step_size = batch_size, step_size

    def counterpart(self):
        return Tessera(
            f"Tessera {self.engine}",
            engine=self.engine,
            interpolation=self.interpolation,
            engine_settings=PTYCHI_DM if self.engine == "DM" else {"minibatch_size": self.batch_size},
        )

    def settings(self, conditions):
        return {"threads": len(conditions.cores), "batch_size": self.batch_size, "step_size": self.step_size}


# pty-chi's difference map in Tessera's keys: every frame takes part; the probe changes, then the object, both once.
PTYCHI_DM = {"fourier_relax_factor": 0, "overlap_max_iterations": 1, "update_object_first": False}

# Engine, frames per update, step size. LSQML as it comes, and with smaller batches, which converge in fewer
# iterations. rPIE adds up the updates of a batch: as it comes (100, 1) it diverges where frames overlap much,
# and these settings did best on a measured scan. Tessera divides by the light of all frames of a batch: its steps are
# another thing, and its own.
PTYCHI_SETTINGS = [("LSQML", 100, 1.0), ("LSQML", 32, 1.0), ("rPIE", 10, 0.3), ("DM", 100, 1.0)]


def all_tools(device, num_cores):
    """Everything that can be measured, in the order of the table."""
    if device == "gpu":
        devices_own = [
            Tessera("Tessera CG, kernels: on_chip", waves="recompute", gpu_kernels="on_chip"),
            *(PtyPy(engine, 1) for engine in ("ML_cupy", "DM_cupy")),
        ]
    else:
        devices_own = [PtyPy(engine, count) for engine in ("ML", "DM") for count in sorted({1, num_cores})]
    tools = [
        Tessera("Tessera CG, waves: keep", waves="keep"),
        Tessera("Tessera CG, waves: recompute", waves="recompute"),
        Tessera("Tessera GD", engine="GD"),
        *devices_own,
        *(PtyChi(*settings, "nearest") for settings in PTYCHI_SETTINGS),
        Tessera("Tessera CG, default settings (sub-pixel)", interpolation="fourier"),
        *(PtyChi(*settings, "fourier") for settings in PTYCHI_SETTINGS),
    ]
    if device == "gpu":
        for tool in tools:
            warm_up, timed = tool.timing_blocks
            tool.timing_blocks = [warm_up, 5 * timed]  # each is that much shorter
    return tools

"""One table, and the same as JSON: medians over repetitions of ratios taken within a repetition."""

import dataclasses
import datetime
import json
import pathlib
import platform
import statistics
import subprocess

from tools import Tessera


def median_ratio(numerators, denominators):
    return statistics.median(a / b for a, b in zip(numerators, denominators))


@dataclasses.dataclass
class Plan:
    """A peer and Tessera on the way to the same data error."""

    tool: object
    reference: object
    target: float
    iterations: int
    reference_iterations: int
    peer_runs: list = dataclasses.field(default_factory=list)
    reference_runs: list = dataclasses.field(default_factory=list)

    def add(self, peer, peer_error, ours, our_error):
        for runs, run, error in ((self.peer_runs, peer, peer_error), (self.reference_runs, ours, our_error)):
            runs.append(
                {
                    "wall_s": run.process.wall_s,
                    "work_s": run.work_s,
                    "cpu_s": run.process.cpu_s,
                    "used_by_others": run.others_share,
                    "data_error": error,
                }
            )

    def ratio(self, key):
        return median_ratio([run[key] for run in self.peer_runs], [run[key] for run in self.reference_runs])

    def median(self, whose, key):
        return statistics.median(run[key] for run in whose)

    def as_dict(self):
        return {
            "peer": self.tool.label,
            "reference": self.reference.label,
            "target_data_error": self.target,
            "peer_iterations": self.iterations,
            "reference_iterations": self.reference_iterations,
            "peer_runs": self.peer_runs,
            "reference_runs": self.reference_runs,
            "ratio": {key: self.ratio(key) for key in ("work_s", "wall_s", "cpu_s")},
        }


def cpu_model():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def gpu_model():
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", "--id=0"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def table(rows):
    """Markdown, columns padded so that it reads well in a terminal too."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


@dataclasses.dataclass
class Comparison:
    scan: str
    num_frames: int
    frame_shape: list
    cores: list
    gpu: str  # None: on the cores alone
    repetitions: int
    probe_start: int
    others_share: float  # None: no times were taken
    versions: dict
    absent: dict
    tools: list
    times: dict
    plans: list
    curves: dict
    passes: list

    def ratios_of_iterations(self):
        """Per tool: its time of an iteration over that of each Tessera row it is comparable with."""
        ours = [tool for tool in self.tools if isinstance(tool, Tessera) and tool.engine == "CG"]
        return {
            tool.label: {
                reference.label: median_ratio(self.times[tool.label], self.times[reference.label])
                for reference in ours
            }
            for tool in self.tools
        }

    def iteration_table(self):
        references = [tool for tool in self.tools if isinstance(tool, Tessera) and tool.engine == "CG"]
        rows = [
            [
                "an iteration",
                "ms per frame",
                *(f"÷ {tool.label.removeprefix('Tessera ')}" for tool in references),
            ]
        ]
        ratios = self.ratios_of_iterations()
        for tool in self.tools:
            rows.append(
                [
                    tool.label,
                    f"{statistics.median(self.times[tool.label]):.3f}",
                    *(f"{ratios[tool.label][reference.label]:.2f}" for reference in references),
                ]
            )
        return table(rows)

    def result_table(self):
        rows = [
            [
                "to the same data error",
                "data error",
                "iterations",
                "Tessera's",
                "s",
                "with imports",
                "Tessera's",
                "ratio",
                "with imports",
                "of CPU time",
            ]
        ]
        for plan in self.plans:
            rows.append(
                [
                    plan.tool.label,
                    f"{plan.target:.5f}",
                    str(plan.iterations),
                    str(plan.reference_iterations),
                    f"{plan.median(plan.peer_runs, 'work_s'):.2f}",
                    f"{plan.median(plan.peer_runs, 'wall_s'):.2f}",
                    f"{plan.median(plan.reference_runs, 'wall_s'):.2f}",
                    *(f"{plan.ratio(key):.1f}" for key in ("work_s", "wall_s", "cpu_s")),
                ]
            )
        return table(rows)

    def error_table(self):
        """The least data error on the way; the same function judges all."""
        rows = [["given time", "least data error", "after iterations"]]
        for label, curve in self.curves.items():
            iterations, error = min(curve, key=lambda point: point[1])
            rows.append([label, f"{error:.5f}", str(iterations)])
        return table(rows)

    def passes_table(self):
        """Side by side: the peer's, then Tessera's."""
        kinds = {"work": "time ÷ Tessera's", "cpu": "CPU time ÷ Tessera's"} if self.passes[0].times else {}
        rows = [
            [
                "after as many passes",
                "passes",
                "data error",
                "Tessera's",
                "object",
                "Tessera's",
                "resolution, px",
                "Tessera's",
                *kinds.values(),
            ]
        ]
        for row in self.passes:
            both = (row.theirs, row.ours)
            rows.append(
                [
                    row.tool.label,
                    str(row.passes),
                    *(f"{quality.data_error:.5f}" for quality in both),
                    *(f"{quality.object_error:.4f}" for quality in both),
                    *(f"{quality.resolution_px:.2f}" for quality in both),
                    *(f"{row.ratio(kind):.1f}" for kind in kinds),
                ]
            )
        return table(rows)

    def text(self):
        height, width = self.frame_shape
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        timing = (
            "No times were taken: the machine was busy with other work."
            if self.others_share is None
            else f"Medians of {self.repetitions} repetitions; others used at most {self.others_share:.0%} of the "
            "cores during a run."
        )
        parts = [
            f"{self.scan}: {self.num_frames} frames of {height} x {width}, one mode.\n"
            f"{f'{self.gpu} beside ' if self.gpu else ''}{len(self.cores)} cores of {cpu_model()}; {versions}.\n"
            f"{timing}",
        ]
        if self.times:
            parts.append(self.iteration_table())
        if self.plans:
            parts.append(self.result_table())
        if self.curves:
            parts.append(self.error_table())
        if self.passes:
            parts.append(self.passes_table())
        parts += [f"Not measured: {name} ({reason})." for name, reason in self.absent.items()]
        return "\n\n".join(parts)

    def as_dict(self):
        return {
            "scan": self.scan,
            "frames": self.num_frames,
            "frame_shape": self.frame_shape,
            "machine": {"gpu": self.gpu, "cpu": cpu_model(), "cores": self.cores, "used_by_others": self.others_share},
            "repetitions": self.repetitions,
            "probe_start": self.probe_start,
            "versions": self.versions,
            "absent": self.absent,
            "iteration_ms_per_frame": self.times,
            "iteration_ratios": self.ratios_of_iterations() if self.times else {},
            "to_the_same_error": [plan.as_dict() for plan in self.plans],
            "data_error_curves": self.curves,
            "after_as_many_passes": [row.as_dict() for row in self.passes],
        }

    def write(self, folder):
        commit = self.versions["Tessera"].split()[-1]
        stem = folder / f"peers-{datetime.date.today():%Y-%m-%d}-{commit}"
        folder.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".json").write_text(json.dumps(self.as_dict(), indent=1) + "\n")
        stem.with_suffix(".md").write_text(f"# Tessera and its peers\n\n{self.text()}\n")
        return stem.with_suffix(".md")

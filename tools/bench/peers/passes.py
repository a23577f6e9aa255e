"""After the same number of passes over the frames: a peer's engine beside Tessera's of the same name."""

import dataclasses
import re
import shutil
import statistics
import subprocess

import h5py

HALVES = (0, 1)


@dataclasses.dataclass
class Quality:
    """What a program ends with: by the data, and by the object."""

    data_error: float
    object_error: float  # against the truth of a simulated scan, else between the objects of both halves
    resolution_px: float  # half period where the ring correlation meets the 1/2-bit curve, the same two objects


@dataclasses.dataclass
class Passes:
    """A peer and its counterpart after as many passes."""

    tool: object
    counterpart: object
    passes: int
    theirs: Quality
    ours: Quality
    times: list  # of each repetition: (their, our) seconds of work, (their, our) of processors; none: not taken

    def ratio(self, kind):
        return statistics.median(pair[kind][0] / pair[kind][1] for pair in self.times)

    def as_dict(self):
        return {
            "peer": self.tool.label,
            "counterpart": self.counterpart.label,
            "counterpart_settings": self.counterpart.engine_settings,
            "passes": self.passes,
            "theirs": dataclasses.asdict(self.theirs),
            "ours": dataclasses.asdict(self.ours),
            "work_s": [pair["work"] for pair in self.times],
            "cpu_s": [pair["cpu"] for pair in self.times],
        }


def keep_as_result(tessera_result, fields, path):
    """The fields of any program as a result of Tessera, so that one program compares them all."""
    shutil.copyfile(tessera_result, path)
    with h5py.File(path, "r+") as file:
        image = file["entry_1/image_1/data"]
        image[...] = fields.object.reshape(image.shape)


def compare_objects(tessera, first, second):
    """(relative difference, half period in pixels) that `tessera compare` finds."""
    said = subprocess.run(
        [tessera, "compare", first, second], check=True, capture_output=True, text=True
    ).stdout
    difference = float(re.search(r"object error\s+(\S+)", said).group(1))
    period = re.search(r"1/2-bit at \S+ / px \(half period (\S+) px", said)
    return difference, float(period.group(1)) if period else float("inf")


class Judge:
    """Runs programs for so many passes and judges what they end with."""

    def __init__(self, scan, conditions, half_conditions, has_truth):
        self.scan, self.conditions = scan, conditions
        self.half_conditions, self.has_truth = half_conditions, has_truth

    def judge(self, tool, passes, fields):
        scratch = self.conditions.scratch
        kept = [scratch / f"compared_{half}.h5" for half in HALVES]
        if self.has_truth:
            keep_as_result(self.template(self.conditions, tool), fields, kept[0])
            other = self.conditions.scan
        else:
            for half, path in zip(self.half_conditions, kept):
                keep_as_result(self.template(half, tool), tool.run(half, [passes]).fields, path)
            other = kept[1]
        return Quality(
            self.scan.data_error(fields), *compare_objects(self.conditions.tessera, kept[0], other)
        )

    def template(self, conditions, tool):
        """A result of Tessera of these frames and windows."""
        name = f"template_{conditions.every_other}_{tool.interpolation}.h5"
        path = conditions.scratch / name
        if not path.exists():
            tool.start_like().run(conditions, [1])
            shutil.copyfile(conditions.scratch / "tessera.h5", path)
        return path


def compare_after_passes(tools, passes, judge, meter, say):
    """One row per peer."""
    rows = []
    for tool in tools:
        counterpart = tool.counterpart()
        times = []
        for _ in range(meter.arguments.repetitions):
            theirs, ours = meter.run(tool, [passes]), meter.run(counterpart, [passes])
            if not meter.arguments.untimed:
                times.append({"work": (theirs.work_s, ours.work_s), "cpu": (theirs.work_cpu_s, ours.work_cpu_s)})
        row = Passes(
            tool,
            counterpart,
            passes,
            judge.judge(tool, passes, theirs.fields),
            judge.judge(counterpart, passes, ours.fields),
            times,
        )
        say(f"{tool.label}: after {passes} passes {row.theirs}, {counterpart.label} {row.ours}")
        rows.append(row)
    return rows

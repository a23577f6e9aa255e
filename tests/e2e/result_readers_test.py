#!/usr/bin/python3
"""A real result and a real simulated scan, opened by h5py and silx (read_result.py); pictures are there; the log for
machines is JSON; objects of slices and of modes are compared by what can be seen of both.  result_readers_test.py PROGRAM"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

SIMULATION = """
object: {pattern: siemens_star}
probe: {shape: zone_plate, diameter_px: 20, num_modes: 2, photons_per_frame: 1.0e+5}
scan: {pattern: spiral, grid: [5, 5], step_px: 6}
detector: {shape: [48, 64], distance_m: 1.0, masked_fraction: 0.02, background_per_pixel: 0.5}
file: scan.cxi
"""

RUN = """
scan: {file: scan.cxi}
probe: {num_modes: 2}
engines: [{name: CG, num_iter: 6}, {name: GD, num_iter: 4}]
output: {file: result.h5, save_interval: 2}
"""


def with_planes(folder, name, planes_of, **attributes):
    """A copy of result.h5 with another object: (plane, y, x)."""
    shutil.copy(folder / "result.h5", folder / name)
    with h5py.File(folder / name, "r+") as file:
        image = file["entry_1/image_1"]
        planes, old = planes_of(image["data"][0]).astype(np.complex64), dict(image["data"].attrs)
        del image["data"]
        data = image.create_dataset("data", data=planes)
        for key, value in {**old, **attributes}.items():
            data.attrs[key] = value


def compare_planes(folder, compared):
    """Two slices whose product is the object, and two modes whose summed intensity is that of the object."""
    with_planes(folder, "slices.h5", lambda o: np.stack([2j * o, np.full_like(o, -0.5j)]), slice_spacings_m=[1e-6])
    with_planes(folder, "modes.h5", lambda o: np.stack([0.6 * o, 0.8j * o]), num_modes=[2.0])
    projections, intensities = "their projections are compared", "their summed intensities are compared"
    for first, second, words in (("slices", "result", f"2 and 1: {projections}"), ("modes", "result", f"2 and 1: {intensities}"),
                                 ("slices", "modes", f"1 and 2: {intensities}"), ("modes", "slices", f"2 and 1: {intensities}")):
        told = compared(f"{first}.h5", f"{second}.h5")
        error = float(told.split("object error")[1].split()[0])
        assert error < 1e-5 and words in told, told
    with_planes(folder, "other.h5", lambda o: np.stack([o, 0.7 * np.roll(o, 5, 0)]), num_modes=[2.0])
    told = compared("other.h5", "slices.h5")
    assert float(told.split("object error")[1].split()[0]) > 0.01, told


def main():
    program = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "simulation.yaml").write_text(SIMULATION)
        (folder / "run.yaml").write_text(RUN)

        def run(*arguments):
            return subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True)

        run(program, "simulate", "simulation.yaml")
        log = run(program, "--log", "json", "reconstruct", "run.yaml").stderr
        events = [json.loads(line) for line in log.splitlines()]
        iterations = [event for event in events if event.get("event") == "iteration"]
        assert [event["iteration"] for event in iterations] == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4], iterations
        assert events[-1]["event"] == "end" and events[-1]["exit_code"] == 0, events[-1]
        assert events[-2]["event"] == "done" and events[-2]["iterations"] == 10, events[-2]
        for picture in ("object_phase", "object_amplitude", "probe", "error"):
            content = (folder / "result_pictures" / f"{picture}.png").read_bytes()
            assert content.startswith(b"\x89PNG"), picture
        run("/usr/bin/python3", str(Path(__file__).with_name("read_result.py")), "result.h5", "scan.cxi")
        for file in ("scan.cxi", "result.h5"):
            assert file in run(program, "inspect", file).stdout
        assert "object error" in run(program, "compare", "result.h5", "scan.cxi").stdout
        compare_planes(folder, lambda *files: run(program, "compare", *files).stdout)
        assert "MiB" in run(program, "check", "run.yaml").stdout


if __name__ == "__main__":
    main()

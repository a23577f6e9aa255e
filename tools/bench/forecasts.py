"""What the benchmarks that forecast have in common: starting `tessera forecast`, and scans without counts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py

MACHINES = Path(__file__).resolve().parents[2] / "inputs/machines"


def words(option, settings):
    return [word for setting in settings for word in (option, setting)]


def write_scan_without_counts(file, positions_m, frame_shape):
    """Positions (frame, (y, x)) and frames of zeros but for the first, which take no room: all that a forecast needs."""
    with h5py.File(file, "w") as scan:
        scan["positions"] = positions_m
        frames = scan.create_dataset("frames", (len(positions_m), *frame_shape), "uint16", chunks=(1, *frame_shape),
                                     compression="gzip")
        frames[0] = 1


def forecast(program, folder, machine, settings=(), machine_settings=(), nodes=1, iterations=4, model=False):
    """What `tessera forecast` tells of run.yaml in the folder; how long that took, its processor time, which others on the
    machine change less, and the most memory that one of its processes held: took_s, cpu_s, peak_bytes."""
    began = time.monotonic()
    process = subprocess.Popen([program, "--log", "json", "forecast", "run.yaml", "--machine", str(machine), "--nodes",
                                str(nodes), "--iterations", str(iterations), *words("--set", settings),
                                *words("--set-machine", machine_settings), *(["--model"] if model else [])],
                               cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(said)
    told = next(json.loads(line) for line in said.splitlines() if '"event":"forecast"' in line)
    return told | {"took_s": time.monotonic() - began, "cpu_s": used.ru_utime + used.ru_stime,
                   "peak_bytes": 1024 * used.ru_maxrss}

#!/usr/bin/python3
"""Sweeps over settings: the report, the run file that they end with, what fails, and going on after an interruption.
tune_test.py PROGRAM [TEST]"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = ""
DONE, USAGE, RUNTIME, STOPPED = 0, 2, 4, 75

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [6, 6], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scans/scan.cxi
"""

RUN = """scan: {file: ../scans/scan.cxi}
engines:
  - {name: CG, num_iter: 100}
  - {name: GD, num_iter: 50}
runtime: {cpus: 1}
output: {file: result.h5, pictures: false}
tune:
  vary:
    tiling.batch_size: [3, 6]
    runtime.scheduler: [lws, eager]
    runtime.memory_limit.host: [1MB]
    runtime.operations: [fused, staged]
    runtime.priorities: [on, off]
  search: one_by_one
  warm_up: 1
  num_iter: 2
  repetitions: 2
  confirmations: 2
"""


class Tune(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        for name in ("runs", "scans"):
            (self.folder / name).mkdir()
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "runs/run.yaml").write_text(RUN)
        self.program("--quiet", "simulate", "simulation.yaml")

    def program(self, *arguments, expected=DONE):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, expected, done.stderr)
        return done.stderr

    def num_trials(self):
        return len((self.folder / "tune/trials.txt").read_text().splitlines()) - 1

    def test_ends_with_a_run_file_that_runs(self):
        told = self.program("tune", "runs/run.yaml")
        self.assertRegex(told, r"(x as fast as|Nothing was faster than) the run file's own settings")
        table = json.loads((self.folder / "tune/table.json").read_text())
        self.assertTrue(table["complete"])
        with open(self.folder / "tune/table.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), len(table["points"]))
        times = [float(row["median_s"]) for row in rows if not row["failure"]]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(len(times), 4)
        self.assertTrue(any(row["runtime.operations"] == "staged" for row in rows if not row["failure"]))
        self.assertTrue(any(row["runtime.priorities"] == "off" for row in rows if not row["failure"]))
        failed = [row for row in rows if row["failure"]]
        self.assertTrue(failed)
        for row in failed:
            self.assertEqual(row["runtime.memory_limit.host"], "1MB")
            self.assertIn("exit code 4", row["failure"])
        lines = (self.folder / "tune/trials.txt").read_text().splitlines()
        self.assertEqual(sum("exit code 4" in line for line in lines), len(failed))  # once, not once a repetition
        self.assertNotRegex((self.folder / "tune/index.html").read_text(), r"""(src|href)\s*=|@import|https?://""")
        self.program("reconstruct", "tune/best.yaml", "--set", "engines[0].num_iter=2", "--set",
                     "engines[1].num_iter=2")
        self.assertEqual(list((self.folder / "tune").glob("trial.*")), [])
        before = self.num_trials()
        self.program("tune", "runs/run.yaml")  # nothing is left to do
        self.assertEqual(self.num_trials(), before)

    def test_goes_on_after_an_interruption(self):
        job = subprocess.Popen([PROGRAM, "tune", "runs/run.yaml"], cwd=self.folder, stderr=subprocess.PIPE, text=True)
        trials = self.folder / "tune/trials.txt"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not trials.exists() or self.num_trials() < 2):
            time.sleep(0.02)
        job.send_signal(signal.SIGINT)
        _, told = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, told)
        self.assertIn("the same command goes on", told)
        done = self.num_trials()
        self.assertGreaterEqual(done, 2)
        self.assertIn(f"{done} trials are done already", self.program("tune", "runs/run.yaml"))
        self.assertTrue(json.loads((self.folder / "tune/table.json").read_text())["complete"])

    def test_does_not_mix_sweeps(self):
        self.program("tune", "runs/run.yaml", "--set", "tune.num_iter=1")
        told = self.program("tune", "runs/run.yaml", expected=USAGE)
        self.assertIn("trials.txt", told)

    def test_names_what_cannot_be_varied(self):
        told = self.program("tune", "runs/run.yaml", "--set", "tune.vary={tiling.batch_sise: [3]}", expected=USAGE)
        self.assertIn("did you mean batch_size?", told)

    def test_says_why_nothing_runs(self):
        told = self.program("tune", "runs/run.yaml", "--set", "scan.file=gone.cxi", expected=RUNTIME)
        self.assertIn("gone.cxi", told)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)

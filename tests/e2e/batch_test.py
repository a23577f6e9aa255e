#!/usr/bin/python3
"""Many scans with one command: the same results as one by one, what fails beside what does not, what a second call does,
stopping, killing, and that the next scan is read while one computes.  batch_test.py PROGRAM MPIRUN [TEST]"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
DONE, USAGE, DATA, RUNTIME, DIVERGED, STOPPED = 0, 2, 3, 4, 5, 75

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [6, 6], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan: {file: scan.cxi}
engines:
  - {name: CG, num_iter: 4}
runtime: {cpus: 1}
output: {pictures: false, checkpoint_interval: 0.02}
"""

FIELDS = ["image_1/data", "image_2/data", "process_1/cost", "process_1/data_error"]


def contents(result):
    with h5py.File(result) as file:
        return {name: file["entry_1/" + name][()].tobytes() for name in FIELDS}


class Batch(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        for name in ("runs", "scans"):
            (self.folder / name).mkdir()
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "runs/run.yaml").write_text(RUN)
        self.simulate("a.cxi", 1)

    def simulate(self, name, seed):
        self.program("--quiet", "simulate", "simulation.yaml", "--output", f"scans/{name}", "--set",
                     f"random_seed={seed}")

    def program(self, *arguments, expected=DONE, env=None):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env=env)
        self.assertEqual(done.returncode, expected, done.stderr)
        return done.stderr

    def write(self, text):
        (self.folder / "runs/batch.yaml").write_text(text)

    def batch(self, *arguments, jobs="runs/batch.yaml", **options):
        return self.program("batch", jobs, "--output", "out", *arguments, **options)

    def table(self):
        rows = json.loads((self.folder / "out/table.json").read_text())
        with open(self.folder / "out/table.csv", newline="", encoding="utf-8") as file:
            read = list(csv.DictReader(file))
        self.assertEqual([row["name"] for row in rows], [row["name"] for row in read])
        return {row["name"]: row for row in rows}

    def states(self):
        return {name: row["state"] for name, row in self.table().items()}

    def start(self, *arguments, **options):
        job = subprocess.Popen([PROGRAM, "batch", "runs/batch.yaml", "--output", "out", *arguments], cwd=self.folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(lambda: job.poll() is None and job.kill())
        self.addCleanup(job.stderr.close)
        return job

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, "waited in vain")
            time.sleep(0.01)

    def log_has(self, name, words):
        log = self.folder / f"out/{name}.log"
        return log.exists() and words in log.read_text()

    # ---- the jobs

    def test_same_bits_as_one_by_one(self):
        self.simulate("b.cxi", 2)
        self.write("{run: run.yaml, scans: ../scans/*.cxi, vary: {probe.num_modes: [1, 2]}}")
        self.batch()
        self.assertEqual(list(self.table()), ["a_num_modes=1", "a_num_modes=2", "b_num_modes=1", "b_num_modes=2"])
        for scan in "ab":
            for modes in (1, 2):
                self.program("reconstruct", "runs/run.yaml", "--output", "one.h5", "--set",
                             f"scan.file=../scans/{scan}.cxi", "--set", f"probe.num_modes={modes}")
                self.assertEqual(contents(self.folder / "one.h5"),
                                 contents(self.folder / f"out/{scan}_num_modes={modes}.h5"))
        for row in self.table().values():
            self.assertEqual((row["state"], row["exit_code"], row["iterations"]), ("done", 0, 4))
            self.assertGreater(row["data_error"], 0)

    def test_next_scan_is_read_while_one_computes(self):
        self.write("{run: run.yaml, vary: {scan.file: [../scans/a.cxi], engines.0.num_iter: [400, 401, 402]}}")
        self.batch()
        rows = list(self.table().values())
        for before, after in zip(rows, rows[1:]):
            self.assertLess(after["begin_s"], before["end_s"])
            self.assertLess(before["compute_s"], after["compute_s"])
            self.assertTrue(self.log_has(after["name"], "wants_to_compute"))
        # Its frames were in memory before the run ahead of it had ended.
        second = [json.loads(line) for line in (self.folder / f"out/{rows[1]['name']}.log").read_text().splitlines()]
        first = [json.loads(line) for line in (self.folder / f"out/{rows[0]['name']}.log").read_text().splitlines()]
        ready = next(line["time"] for line in second if line.get("event") == "wants_to_compute")
        self.assertLess(ready, first[-1]["time"])

    def test_jobs_with_names_and_settings(self):
        (self.folder / "runs/other.yaml").write_text(RUN.replace("CG", "GD").replace("scan.cxi", "../scans/a.cxi"))
        self.write("""
run: run.yaml
at_once: 2
jobs:
  - {set: {scan.file: ../scans/a.cxi, engines.0.num_iter: 2}}
  - {name: mine, set: {scan.file: ../scans/a.cxi}}
  - {run: other.yaml}
""")
        self.batch("--set", "tiling.batch_size=6")
        self.assertEqual({name: row["iterations"] for name, row in self.table().items()},
                         {"a_num_iter=2": 2, "mine": 4, "other": 4})
        for row in self.table().values():
            self.assertIn("tiling.batch_size=6", row["settings"])

    def test_folder_of_run_files(self):
        for name in ("one", "two"):
            (self.folder / f"runs/{name}.yaml").write_text(RUN.replace("scan.cxi", "../scans/a.cxi"))
        (self.folder / "runs/run.yaml").unlink()
        self.batch(jobs="runs")
        self.assertEqual(self.states(), {"one": "done", "two": "done"})

    def test_ranks(self):
        self.write(f"{{run: run.yaml, launcher: {MPIRUN} -n 2, scans: ../scans/*.cxi}}")
        tiles = ("--set", "tiling.tiles=[2,1]")
        self.batch(*tiles, env=os.environ | RANKS_ON_ANY_MACHINE)
        self.program("reconstruct", "runs/run.yaml", "--output", "one.h5", "--set", "scan.file=../scans/a.cxi", *tiles)
        self.assertEqual(contents(self.folder / "one.h5"), contents(self.folder / "out/a.h5"))
        refused = subprocess.run([MPIRUN, "-n", "1", PROGRAM, "batch", "runs/batch.yaml"], cwd=self.folder, text=True,
                                 capture_output=True, env=os.environ | RANKS_ON_ANY_MACHINE, timeout=60)
        self.assertEqual(refused.returncode, USAGE)
        self.assertIn("launcher", refused.stderr)

    # ---- what fails, and what is left

    def test_failures_stop_nobody_and_are_done_again(self):
        self.simulate("d.cxi", 4)
        (self.folder / "scans/b.cxi").write_text("not a scan\n")
        (self.folder / "runs/broken.yaml").write_text("scan: {fiel: x}\n")
        self.write("""
run: run.yaml
jobs:
  - {name: broken, run: broken.yaml}
  - {name: a, set: {scan.file: ../scans/a.cxi}}
  - {name: b, set: {scan.file: ../scans/b.cxi}}
  - {name: gone, set: {scan.file: ../scans/gone.cxi}}
  - {name: c, set: {scan.file: ../scans/a.cxi, engines: [{name: GD, num_iter: 3, step: 1.0e+20}]}}
  - {name: d, set: {scan.file: ../scans/d.cxi}}
""")
        told = self.batch(expected=RUNTIME)  # they failed for different reasons
        self.assertEqual({name: row["exit_code"] for name, row in self.table().items()},
                         {"broken": USAGE, "a": DONE, "b": DATA, "gone": DATA, "c": DIVERGED, "d": DONE})
        self.assertIn("HDF5", self.table()["b"]["message"])
        self.assertIn("did you mean file?", self.table()["broken"]["message"])
        self.assertIn("2 of 6 jobs have a result; the same command does what is left", told)
        before = (self.folder / "out/a.h5").stat().st_mtime_ns
        shutil.copy(self.folder / "scans/a.cxi", self.folder / "scans/b.cxi")
        shutil.copy(self.folder / "scans/a.cxi", self.folder / "scans/gone.cxi")
        (self.folder / "runs/broken.yaml").write_text(RUN.replace("scan.cxi", "../scans/a.cxi"))
        told = self.batch(expected=DIVERGED)
        self.assertEqual(self.states(), {"broken": "done", "a": "done before", "b": "done", "gone": "done",
                                         "c": "failed", "d": "done before"})
        self.assertEqual((self.folder / "out/a.h5").stat().st_mtime_ns, before)
        self.assertIn("2 of them done before", told)

    def test_other_settings_are_other_results(self):
        self.write("{run: run.yaml, scans: ../scans/*.cxi}")
        self.batch()
        self.batch()
        self.assertEqual(self.states(), {"a": "done before"})
        self.batch("--set", "output.save_interval=2", "--set", "runtime.submit_ahead=1")
        self.assertEqual(self.states(), {"a": "done before"})
        self.batch("--set", "engines[0].num_iter=5")
        self.assertEqual((self.states(), self.table()["a"]["iterations"]), ({"a": "done"}, 5))
        (self.folder / "out/a.h5").unlink()
        self.batch()
        self.assertEqual(self.states(), {"a": "done"})

    def interrupted(self, interrupt, expected):
        """A batch that is interrupted in its first job goes on, to the bits of one that is not."""
        self.simulate("b.cxi", 2)
        self.write("{run: run.yaml, scans: ../scans/*.cxi}")
        settings = ("--set", "engines[0].num_iter=300", "--set", "runtime.waves=recompute")
        job = self.start(*settings)
        self.wait_for(lambda: self.log_has("a", '"event":"checkpoint"') and self.log_has("b", "wants_to_compute"))
        interrupt(job)
        _, told = job.communicate(timeout=60)
        self.assertEqual(job.returncode, expected, told)
        yield
        self.batch(*settings)
        self.assertEqual({state.split()[0] for state in self.states().values()}, {"done"})
        self.assertTrue(self.log_has("a", "the run goes on after"))
        for name in "ab":
            self.program("reconstruct", "runs/run.yaml", "--output", "one.h5", "--set", f"scan.file=../scans/{name}.cxi",
                         *settings)
            self.assertEqual(contents(self.folder / "one.h5"), contents(self.folder / f"out/{name}.h5"))

    def test_stopped_and_taken_up(self):
        for _ in self.interrupted(lambda job: job.send_signal(signal.SIGTERM), STOPPED):
            self.assertEqual(self.states(), {"a": "stopped", "b": "stopped"})

    def test_stopped_and_begun_again_with_other_settings(self):
        self.write("{run: run.yaml, scans: ../scans/*.cxi}")
        job = self.start("--set", "engines[0].num_iter=3000")
        self.wait_for(lambda: self.log_has("a", '"event":"checkpoint"'))
        job.send_signal(signal.SIGTERM)
        _, told = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, told)
        self.batch("--set", "engines[0].num_iter=5", "--set", "engines[0].noise_model=poisson")
        self.assertEqual((self.states(), self.table()["a"]["iterations"]), ({"a": "done"}, 5))
        self.assertFalse(self.log_has("a", "the run goes on after"))

    def test_job_is_killed(self):
        def kill(_):
            pid = json.loads((self.folder / "out/a.job").read_text())["process"]
            os.kill(pid, signal.SIGKILL)

        for _ in self.interrupted(kill, RUNTIME):
            self.assertEqual(self.states(), {"a": "failed", "b": "done"})
            self.assertEqual(self.table()["a"]["exit_code"], 128 + signal.SIGKILL)

    def test_batch_is_killed(self):
        for _ in self.interrupted(lambda job: job.kill(), -signal.SIGKILL):
            # The run that computed goes on by itself, the one that waited ends; nobody may take a's place meanwhile.
            self.wait_for(lambda: self.log_has("b", '"exit_code":75'))
            pid = json.loads((self.folder / "out/a.job").read_text())["process"]
            os.kill(pid, signal.SIGKILL)

    # ---- the batch file

    def refuse(self, text, *words):
        self.write(text)
        told = self.batch(expected=USAGE)
        for word in words:
            self.assertIn(word, told)

    def test_bad_batch_files(self):
        self.refuse("{run: run.yaml, scnas: x}", "batch.yaml:1", "did you mean scans?")
        self.refuse("{run: run.yaml, at_once: 0}", "at_once", "0")
        self.refuse("{scans: '*.cxi'}", "run", "is required")
        self.refuse("{run: run.yaml, scans: '../scans/*.h5'}", "no file matches", "scans/*.h5")
        self.refuse("{run: run.yaml, jobs: [{name: a/b}]}", "jobs[0].name", "slash")
        self.refuse("{run: run.yaml, jobs: [{name: a}, {name: a}]}", "jobs 1 and 2 would both write out/a.h5")
        self.refuse("{run: run.yaml, vary: {probe.num_modes: 2}}", "vary", "expected a map from keys to lists")
        (self.folder / "empty").mkdir()
        self.assertIn("no run file in it", self.batch(jobs="empty", expected=USAGE))
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    PROGRAM, MPIRUN = os.path.abspath(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)

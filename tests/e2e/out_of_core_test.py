#!/usr/bin/python3
"""Scans larger than the memory limit: the same bits, what `check` says of them, and scans that go away or change while
they are in use.  out_of_core_test.py PROGRAM MPIRUN [TEST]"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
DATA, RUNTIME = 3, 4
MEBIBYTE = 1 << 20
FRAMES = "entry_1/instrument_1/detector_1/data"

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 12, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [12, 12], step_px: 4}
detector: {shape: [128, 128], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan: {file: scan.cxi}
engines:
  - {name: CG, num_iter: 2}
tiling: {tiles: [1, 2], batch_size: 1}
positions: {interpolation: nearest}
runtime: {cpus: 1, waves: recompute}
output: {file: result.h5, pictures: false}
"""


class OutOfCore(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def check(self, *arguments):
        done = subprocess.run([PROGRAM, "check", "run.yaml", *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def limit(self, num_ranks=1):
        """What keeps about half of the patterns of each rank out of memory."""
        arguments = ["--ranks", str(num_ranks)] if num_ranks > 1 else []
        needed = float(re.search(r"([0-9.]+) MiB  in all", self.check(*arguments))[1])
        return f"runtime.memory_limit.host={int(needed * MEBIBYTE - 1.2 * MEBIBYTE)}"

    def command(self, num_ranks, *settings):
        words = [MPIRUN, "-n", str(num_ranks)] if num_ranks > 1 else []
        words += [PROGRAM, "reconstruct", "run.yaml"]
        for setting in settings:
            words += ["--set", setting]
        return {"args": words, "cwd": self.folder, "env": {**os.environ, **RANKS_ON_ANY_MACHINE}, "text": True}

    def fields(self):
        with h5py.File(self.folder / "result.h5") as file:
            entry = file["entry_1"]
            return {name: entry[name][()] for name in ("image_1/data", "image_2/data", "process_1/cost",
                                                       "process_1/data_error_per_frame")}

    def start_long_run(self, num_ranks):
        """Returns the process when some iterations are done."""
        job = subprocess.Popen(**self.command(num_ranks, self.limit(num_ranks), "engines[0].num_iter=100000"),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.addCleanup(job.stdout.close)
        self.addCleanup(lambda: job.poll() is None and os.killpg(job.pid, signal.SIGKILL))
        for line in job.stdout:
            if "iteration 3/" in line:
                return job
        self.fail("the run ended too early")

    def expect_end(self, job, *words):
        rest, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, DATA, rest)
        errors = [line for line in rest.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, rest)
        for word in ("scan.cxi", "frame ", *words):
            self.assertIn(word, errors[0])
        self.assertEqual({entry.name for entry in self.folder.iterdir()},
                         {"scan.cxi", "run.yaml", "simulation.yaml", "result.job"})

    # ---- the answer

    def test_same_bits(self):
        subprocess.run(**self.command(1), capture_output=True, check=True, timeout=60)
        reference = self.fields()
        done = subprocess.run(**self.command(1, self.limit()), capture_output=True, check=True, timeout=60)
        self.assertRegex(done.stderr, r"\d+ of 144 batches do not fit into memory")
        for name, values in self.fields().items():
            np.testing.assert_array_equal(values, reference[name], name)
        if MPIRUN:
            done = subprocess.run(**self.command(2, self.limit(2)), capture_output=True, check=True, timeout=120)
            self.assertRegex(done.stderr, r"\d+ of 72 batches do not fit into memory")
            for name, values in self.fields().items():
                np.testing.assert_array_equal(values, reference[name], name)

    # ---- the forecast

    def test_check_says_what_is_read_again(self):
        self.assertNotIn("read again", self.check())
        printed = self.check("--set", self.limit())
        found = re.search(r"of 144 batches (\d+) stay and (\d+) are read again.*: ([0-9.]+) MiB per iteration, ([0-9.e-]+) s",
                          printed)
        self.assertIsNotNone(found, printed)
        staying, read_again = int(found[1]), int(found[2])
        self.assertEqual(staying + read_again, 144)
        self.assertGreater(staying, 0)
        frame_mebibytes = 128 * 128 * 2 / MEBIBYTE
        self.assertAlmostEqual(float(found[3]), 2 * read_again * frame_mebibytes, delta=0.06)

    def test_too_small_a_limit(self):
        done = subprocess.run(**self.command(1, "runtime.memory_limit.host=64MiB"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, RUNTIME, done.stderr)
        self.assertRegex(done.stderr, r"error: this run needs [0-9.]+ GiB at least.* and 0\.06\d GiB are allowed")

    # ---- faults

    def test_a_scan_that_is_cut_off(self):
        job = self.start_long_run(1)
        os.truncate(self.folder / "scan.cxi", 100_000)
        self.expect_end(job, "shrunk")

    def test_a_scan_that_changes(self):
        job = self.start_long_run(1)
        with open(self.folder / "scan.cxi", "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size // 2)
            file.write(bytes(500_000))
        self.expect_end(job)

    def test_a_scan_that_is_cut_off_for_several_ranks(self):
        if not MPIRUN:
            self.skipTest("no mpirun")
        job = self.start_long_run(2)
        os.truncate(self.folder / "scan.cxi", 100_000)
        self.expect_end(job, "shrunk")

    def test_a_scan_that_is_unlinked_is_still_there(self):
        self.goes_on_after(lambda: os.remove(self.folder / "scan.cxi"))

    def test_a_scan_that_is_replaced_is_still_there(self):
        def replace():
            (self.folder / "other.cxi").write_bytes(b"another scan")
            os.replace(self.folder / "other.cxi", self.folder / "scan.cxi")

        self.goes_on_after(replace)

    def goes_on_after(self, change):
        job = self.start_long_run(1)
        change()
        for _ in range(2):
            self.assertIn("iteration", job.stdout.readline())
        job.send_signal(signal.SIGTERM)
        rest, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, 75, rest)


if __name__ == "__main__":
    PROGRAM, MPIRUN = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    unittest.main(verbosity=2)

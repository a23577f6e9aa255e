#!/usr/bin/python3
"""A disk that fails while a scan is read: whatever read it is that fails, one message says so and nothing is written.
read_errors_test.py PROGRAM MPIRUN LIBRARY [TEST]; the library (tests/support/failing_reads.cpp) lets reads fail."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN, LIBRARY = "", "", ""
DONE, DATA = 0, 3
FRAMES = "entry_1/instrument_1/detector_1/data"

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 10, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [6, 6], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan: {file: scan.cxi}
engines:
  - {name: GD, num_iter: 2}
tiling: {tiles: [1, 2], batch_size: 3}
runtime: {cpus: 1, waves: recompute}
output: {file: result.h5, pictures: false}
"""


class ReadErrors(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def run_with_failing_reads(self, after, *command):
        environment = {**os.environ, **RANKS_ON_ANY_MACHINE, "LD_PRELOAD": LIBRARY, "FAILING_READS_FILE": "scan.cxi",
                       "FAILING_READS_AFTER": str(after), "FAILING_READS_COUNT": "reads.txt"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=100)

    def assert_one_message(self, done):
        self.assertEqual(done.returncode, DATA, done.stderr)
        messages = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(messages), 1, done.stderr)
        self.assertIn("scan.cxi", messages[0])
        self.assertIn("Input/output error", messages[0])

    def contents(self):
        return {entry.name: entry.read_bytes() for entry in self.folder.iterdir() if entry.name != "reads.txt"}

    def fails_at_any_read(self):
        """From the first read on, then later and later, until all that there are have been made."""
        (self.folder / "result.h5").write_bytes(b"an earlier result")
        before = self.contents()
        after, num_failed = 0, 0
        while True:
            with self.subTest(after=after):
                done = self.run_with_failing_reads(after, PROGRAM, "reconstruct", "run.yaml")
                if done.returncode == DONE:
                    break
                self.assert_one_message(done)
                self.assertEqual(self.contents(), before)
            num_failed += 1
            after += max(after // 4, 1)
        self.assertGreater(num_failed, 8)

    def test_of_frames_in_one_piece(self):
        self.fails_at_any_read()

    def test_of_compressed_frames(self):
        with h5py.File(self.folder / "scan.cxi", "r+") as file:
            frames = file[FRAMES][()]
            del file[FRAMES]
            file.create_dataset(FRAMES, data=frames, chunks=(1, *frames.shape[1:]), compression="gzip", shuffle=True)
        self.fails_at_any_read()

    def test_of_frames_that_are_read_again(self):
        """By tasks, on any thread: frames that do not fit into memory."""
        (self.folder / "simulation.yaml").write_text(SIMULATION.replace("[32, 32]", "[128, 128]").replace("[6, 6]", "[12, 12]"))
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)
        with h5py.File(self.folder / "scan.cxi", "r+") as file:
            frames = file[FRAMES][()]
            del file[FRAMES]
            # Several frames a chunk: only HDF5 itself can read them.
            file.create_dataset(FRAMES, data=frames, chunks=(4, *frames.shape[1:]), compression="gzip")
        settings = ("--set", "tiling.batch_size=1", "--set", "positions.interpolation=nearest")
        checked = subprocess.run([PROGRAM, "check", "run.yaml", *settings], cwd=self.folder, capture_output=True, text=True,
                                 check=True, timeout=60).stdout
        needed = float(re.search(r"([0-9.]+) MiB  in all", checked)[1])
        settings += ("--set", f"runtime.memory_limit.host={int((needed - 1.2) * (1 << 20))}")
        done = self.run_with_failing_reads(10**6, PROGRAM, "reconstruct", "run.yaml", *settings)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("do not fit into memory", done.stderr)
        (self.folder / "result.h5").unlink()
        num_reads = int(re.search(r"(\d+) reads", (self.folder / "reads.txt").read_text())[1])
        for after in (num_reads - 20, num_reads - 3):
            with self.subTest(after=after):
                done = self.run_with_failing_reads(after, PROGRAM, "reconstruct", "run.yaml", *settings)
                self.assert_one_message(done)
                self.assertNotIn("HDF5-DIAG", done.stderr)
                self.assertFalse((self.folder / "result.h5").exists())

    def test_of_one_rank(self):
        other = self.folder / "other"
        other.mkdir()
        for name in ("scan.cxi", "run.yaml"):
            shutil.copy(self.folder / name, other / name)
        for after in (0, 60):
            with self.subTest(after=after):
                done = self.run_with_failing_reads(
                    after, MPIRUN, "-n", "1", "env", "-u", "LD_PRELOAD", PROGRAM, "reconstruct", "other/run.yaml",
                    ":", "-n", "1", PROGRAM, "reconstruct", "run.yaml")
                self.assert_one_message(done)
                self.assertFalse((self.folder / "result.h5").exists())


if __name__ == "__main__":
    PROGRAM, MPIRUN, LIBRARY = (str(Path(word).resolve()) for word in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1] + [f"ReadErrors.{name}" for name in sys.argv[4:]], verbosity=2)

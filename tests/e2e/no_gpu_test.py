#!/usr/bin/env python3
"""A program built with CUDA on a machine without a GPU, or with its GPUs hidden: it says why it runs on the CPU, and
refuses where a GPU was asked for.

usage: no_gpu_test.py PROGRAM
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None  # path of tessera, from the command line
RUNTIME = 4

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+4}
scan: {pattern: raster, grid: [4, 4], step_px: 3}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """
scan: {file: scan.cxi}
engines:
  - {name: CG, num_iter: 2}
output: {file: result.h5, pictures: false}
"""


class NoGpu(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        simulated = self.tessera("simulate", "simulation.yaml")
        self.assertEqual(simulated.returncode, 0, simulated.stderr)

    def tessera(self, *arguments):
        hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, env=hidden, capture_output=True, text=True)

    def reconstruct(self, *overrides):
        done = self.tessera("reconstruct", "run.yaml", *(word for one in overrides for word in ("--set", one)))
        if " GPU, " in done.stderr:
            self.skipTest("this machine's GPUs cannot be hidden")
        return done

    def test_says_why_it_runs_on_the_cpu(self):
        done = self.reconstruct("runtime.cpus=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"no GPU to be had \(\w[^()]+\): running on 1 CPU worker\n")

    def test_says_nothing_where_none_was_wanted(self):
        done = self.reconstruct("runtime.gpus=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("GPU", done.stderr)

    def test_refuses_where_one_was_asked_for(self):
        done = self.reconstruct("runtime.gpus=1")
        self.assertEqual(done.returncode, RUNTIME, done.stderr)
        self.assertRegex(done.stderr, r"error: runtime\.gpus: 1 asked for, 0 to be had \(\w[^()]+\)\n")
        self.assertFalse((self.folder / "result.h5").exists())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

#!/usr/bin/env python3
"""The program against the independent double-precision reference of tests/reference: what it says of its result is
so, and its result is as good.

usage: reference_test.py PROGRAM [TestClass[.test]]...
"""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np
import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/reference"))

import cg
import evaluate
import model as m

PROGRAM = None  # path of tessera, from the command line


def tessera(*arguments):
    """Runs the program on one core and returns what it writes to stdout."""
    environment = {**os.environ, "STARPU_WORKERS_NOBIND": "1", "STARPU_SILENT": "1"}
    done = subprocess.run(
        [PROGRAM, "--quiet", *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise AssertionError(f"tessera {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stdout


def reconstruct(run_file, scan, result, *overrides):
    overrides = [f"scan.file={scan}", "output.pictures=false", "runtime.cpus=1", *overrides]
    options = [word for override in overrides for word in ("--set", override)]
    tessera("reconstruct", run_file, "--output", result, *options)


def evaluation(scan, result):
    return evaluate.evaluate(evaluate.parse_arguments([str(scan), str(result)]))


def history(result):
    with h5py.File(result) as f:
        return f["entry_1/process_1/cost"][()]


class InFolder(unittest.TestCase):
    """Each test class works in a folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    @classmethod
    def write(cls, name, content):
        (cls.folder / name).write_text(yaml.safe_dump(content))
        return cls.folder / name


class ReportedNumbers(InFolder):
    """Final cost and data errors in a result file are those of the object, probe and positions beside them."""

    SIMULATION = {
        "object": {"pattern": "random_features"},
        "probe": {"diameter_px": 20, "num_modes": 2, "photons_per_frame": 1e5, "guess_defocus_error": 0.1},
        "scan": {"grid": [5, 8], "step_px": 5, "jitter": 0.4},
        "detector": {"shape": [64, 64], "background_per_pixel": 0.5, "masked_fraction": 0.03},
    }

    def simulated(self, **detector):
        simulation = {**self.SIMULATION, "detector": {**self.SIMULATION["detector"], **detector}}
        scan = self.folder / "scan.cxi"
        tessera("simulate", self.write("simulation.yaml", simulation), "--output", scan)
        return scan

    def check(self, scan, noise_model, interpolation, *overrides):
        run = {
            "scan": {"file": str(scan)},
            "probe": {"num_modes": 2},
            "engines": [{"name": "CG", "num_iter": 15, "noise_model": noise_model}],
            "positions": {"interpolation": interpolation},
        }
        result = self.folder / "result.h5"
        reconstruct(self.write("run.yaml", run), scan, result, *overrides)
        found = evaluation(scan, result)
        self.assertEqual((found["noise_model"], found["interpolation"]), (noise_model, interpolation))
        for key in ("relative_difference_cost", "relative_difference_data_error"):
            self.assertLess(found[key], 1e-5, key)
        self.assertLess(found["largest_relative_difference_per_frame"], 1e-5)
        self.assertLess(found["cost"], history(result)[0])
        return found

    def test_every_noise_model_and_interpolation(self):
        scan = self.simulated()
        for noise_model, interpolation in itertools.product(m.NOISE_MODELS, m.INTERPOLATIONS):
            with self.subTest(noise_model=noise_model, interpolation=interpolation):
                self.check(scan, noise_model, interpolation)

    def test_near_field(self):
        scan = self.simulated(
            propagation="near_field", focus_to_sample_m=5e-3, distance_m=1.0, pixel_size_m=55e-6
        )
        for interpolation in m.INTERPOLATIONS:
            with self.subTest(interpolation=interpolation):
                self.check(scan, "amplitude", interpolation)

    def test_every_second_frame_of_a_padded_probe(self):
        scan = self.simulated(probe_shape=[48, 40])
        found = self.check(scan, "poisson", "fourier", "scan.frames.start=1", "scan.frames.step=2")
        self.assertEqual(found["num_frames"], 20)


class Validation(InFolder):
    """inputs/validation.yaml against the same method in double precision, object and cost."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scan = cls.folder / "validation.cxi"
        tessera("simulate", SOURCE / "inputs/validation_simulation.yaml", "--output", cls.scan)
        cls.result = cls.folder / "validation.h5"
        reconstruct(SOURCE / "inputs/validation.yaml", cls.scan, cls.result)
        cls.reference = cls.folder / "validation.npz"
        arguments = [str(cls.scan), "--known-probe", "--num-iter", "64", "--output", str(cls.reference)]
        cg.run(cg.parse_arguments(arguments), report_line=lambda line: None)

    def test_first_iterations_are_the_same(self):
        # Cost after each iteration. Later ones drift apart as conjugate gradients do in any two precisions.
        expected = np.load(self.reference)["cost"][1:9]
        np.testing.assert_allclose(history(self.result)[:8], expected, rtol=1e-3)

    def test_result_is_as_good(self):
        found, expected = evaluation(self.scan, self.result), evaluation(self.scan, self.reference)
        self.assertLess(found["cost"], 1.05 * expected["cost"])
        self.assertLess(found["truth"]["object_error"], 1.05 * expected["truth"]["object_error"])
        self.assertLess(found["data_error"], 1e-6)
        self.assertLess(found["truth"]["object_error"], 1e-3)
        # Of a cost that is nearly nothing, single precision leaves fewer digits.
        self.assertLess(found["relative_difference_cost"], 1e-3)

    def test_compare_finds_the_truth(self):
        words = tessera("compare", self.result, self.scan).split()
        self.assertLess(float(words[words.index("error") + 1]), 1e-3)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

#!/usr/bin/env python3
"""The program against the independent double-precision reference of tests/reference: what it says of its result
is so, and its result is as good.

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
    """Runs the program on one core (or, with TESSERA_TEST_DEVICE=cuda, one GPU) and returns what it writes to stdout."""
    environment = {**os.environ, "STARPU_WORKERS_NOBIND": "1", "STARPU_SILENT": "1"}
    done = subprocess.run(
        [PROGRAM, "--quiet", *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise AssertionError(f"tessera {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stdout


def reconstruct(run_file, scan, result, *overrides):
    device = "runtime.gpus=1" if os.environ.get("TESSERA_TEST_DEVICE") == "cuda" else "runtime.cpus=1"
    overrides = [f"scan.file={scan}", "output.pictures=false", device, *overrides]
    options = [word for override in overrides for word in ("--set", override)]
    tessera("reconstruct", run_file, "--output", result, *options)


def evaluation(scan, result):
    return evaluate.evaluate(evaluate.parse_arguments([str(scan), str(result)]))


def object_error(said_by_compare):
    words = said_by_compare.split()
    return float(words[words.index("error") + 1])


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
        "probe": {
            "diameter_px": 20,
            "num_modes": 2,
            "photons_per_frame": 1e5,
            "guess_defocus_error": 0.1,
        },
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


class SimulatedScan(InFolder):
    """Noise-free patterns are those that the reference makes of the truth beside them."""

    SIMULATION = {
        "object": {"pattern": "textures"},
        "probe": {"diameter_px": 16, "num_modes": 2},
        "scan": {"grid": [3, 4]},
        "detector": {
            "shape": [48, 45],
            "probe_shape": [36, 41],
            "photon_noise": False,
            "integer_counts": False,
            "background_per_pixel": 0.5,
            "masked_fraction": 0.03,
        },
    }

    def check(self, **detector):
        simulation = {**self.SIMULATION, "detector": {**self.SIMULATION["detector"], **detector}}
        file = self.folder / "scan.cxi"
        tessera("simulate", self.write("simulation.yaml", simulation), "--output", file)
        scan = m.read_scan(file)
        misfit = evaluate.misfit_of_truth(scan, scan.truth, np.arange(12), "amplitude", 0)
        self.assertLess(misfit["data_error"], 1e-13)  # the file has single precision

    def test_far_field(self):
        self.check()

    def test_near_field(self):
        self.check(propagation="near_field", focus_to_sample_m=5e-3, distance_m=1.0, pixel_size_m=55e-6)


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
        self.assertLess(object_error(tessera("compare", self.result, self.scan)), 1e-3)


class UnknownProbe(InFolder):
    def test_object_and_probe_are_found_together(self):
        scan, result = self.folder / "scan.cxi", self.folder / "result.h5"
        tessera("simulate", SOURCE / "inputs/unknown_probe_simulation.yaml", "--output", scan)
        reconstruct(SOURCE / "inputs/unknown_probe.yaml", scan, result)
        with h5py.File(result) as f:
            self.assertLess(f["entry_1/process_1/final_data_error"][()], 1e-7)
        self.assertLess(object_error(tessera("compare", result, scan)), 1e-3)
        # In a larger area; probe and object share a factor that no data can tell apart.
        self.assertLess(evaluation(scan, result)["truth"]["object_error_free_scale"], 1e-3)


class PhotonNoise(InFolder):
    """10 000 photons a frame, each half of the scan for itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scan = cls.folder / "scan.cxi"
        tessera("simulate", SOURCE / "inputs/photon_noise_simulation.yaml", "--output", cls.scan)
        cls.halves = [cls.folder / name for name in ("even.h5", "odd.h5")]
        for start, half in enumerate(cls.halves):
            run = SOURCE / "inputs/photon_noise.yaml"
            reconstruct(run, cls.scan, half, f"scan.frames.start={start}", "engines[0].num_iter=25")

    def test_misfit_is_what_photon_noise_leaves(self):
        for half in self.halves:
            found = evaluation(self.scan, half)
            self.assertLess(found["cost"], found["truth"]["cost"])  # some of the noise is fitted,
            self.assertGreater(found["cost"], 0.8 * found["truth"]["cost"])  # but not much
            self.assertAlmostEqual(found["data_error"] / found["truth"]["data_error"], 1, delta=0.15)
            self.assertLess(object_error(tessera("compare", half, self.scan)), 0.15)

    def test_halves_agree(self):
        said = tessera("compare", *self.halves)
        self.assertLess(object_error(said), 0.2)
        one_seventh_per_px = float(said.split("1/7 at ")[1].split()[0])
        self.assertGreater(one_seventh_per_px, 0.3)


class MeasuredScans(InFolder):
    """The run files for the scans in the folder TESSERA_TEST_DATA."""

    def check(self, run_file, scan_name, largest_data_error):
        scan = pathlib.Path(os.environ.get("TESSERA_TEST_DATA", "")) / scan_name
        if not scan.is_file():
            self.skipTest(f"{scan_name} is not in TESSERA_TEST_DATA")
        result = self.folder / "result.h5"
        reconstruct(SOURCE / "inputs" / run_file, scan, result)
        found = evaluation(scan, result)
        self.assertLess(found["data_error"], largest_data_error)
        self.assertLess(found["relative_difference_cost"], 1e-5)

    def test_far_field(self):
        self.check("velociprobe_siemens_star.yaml", "aps_siemens_star.cxi", 0.0118)

    def test_far_field_with_minibatches(self):
        self.check("velociprobe_rpie.yaml", "aps_siemens_star.cxi", 0.0124)
        self.check("velociprobe_lsqml.yaml", "aps_siemens_star.cxi", 0.0124)

    def test_near_field(self):
        self.check("p25_near_field.yaml", "petra_p25_nearfield.cxi", 0.0039)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

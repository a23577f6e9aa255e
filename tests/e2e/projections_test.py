#!/usr/bin/env python3
"""DM, RAAR and AP against tests/reference/dm.py, what their projections must be, and measured frames.

usage: projections_test.py PROGRAM [TestClass[.test]]...
"""

import json
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

import dm

PROGRAM = None  # path of tessera, from the command line

SIMULATION = {
    "object": {"pattern": "random_features"},
    "probe": {"shape": "gaussian", "diameter_px": 9, "defocus_m": 8e-3, "photons_per_frame": 1e5},
    "scan": {"pattern": "spiral", "grid": [6, 6], "step_px": 4},
    "detector": {"shape": [24, 32], "distance_m": 1.0},
    "random_seed": 5,
}
NUM_ITER = 12


def tessera(*arguments):
    environment = {**os.environ, "STARPU_WORKERS_NOBIND": "1", "STARPU_SILENT": "1"}
    done = subprocess.run(
        [PROGRAM, "--quiet", *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise AssertionError(f"tessera {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")


class InFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def simulate(self, name="scan.cxi", **changes):
        simulation = {**SIMULATION, **{key: {**SIMULATION[key], **changes[key]} for key in changes}}
        (self.folder / "simulation.yaml").write_text(yaml.safe_dump(simulation))
        tessera("simulate", self.folder / "simulation.yaml", "--output", self.folder / name)
        return self.folder / name

    def reconstruct(self, scan, engines, **settings):
        """Costs after each iteration, object and probe"""
        run = {
            "scan": {"file": str(scan)},
            "engines": engines,
            "runtime": {"cpus": 1},
            "output": {"file": str(self.folder / "result.h5"), "pictures": False, "checkpoint_interval": 0},
            **settings,
        }
        (self.folder / "run.yaml").write_text(yaml.safe_dump(run))
        tessera("reconstruct", self.folder / "run.yaml")
        with h5py.File(self.folder / "result.h5") as file:
            entry = file["entry_1"]
            cost = entry["process_1/cost"][()]
            return cost, np.squeeze(entry["image_1/data"][()]), np.atleast_3d(entry["image_2/data"][()])

    def reference(self, scan, *arguments):
        lines, output = [], self.folder / "reference.npz"
        dm.run(dm.parse_arguments([str(scan), *arguments, "--output", str(output)]),
               lambda line: lines.append(json.loads(line)))
        cost = [line["cost"] for line in lines[1:-1]] + [lines[-1]["final_cost"]]
        result = np.load(output)
        return np.array(cost), result["object"], result["probe"]


class SameAsReference(InFolder):
    """Object and cost of every iteration, in single precision."""

    def check(self, engine, *arguments, scan=None, modes=2, interpolation="nearest", settings=None, rtol=1e-4,
              **options):
        scan = scan or self.simulate()
        cost, obj, _ = self.reconstruct(
            scan,
            [{"name": engine, "num_iter": NUM_ITER, **options}],
            positions={"interpolation": interpolation},
            tiling={"tiles": [2, 2], "batch_size": 4},
            **{"probe": {"num_modes": modes}, **(settings or {})},
        )
        expected_cost, expected, _ = self.reference(
            scan, "--engine", engine, "--num-iter", str(NUM_ITER), "--modes", str(modes), "--interpolation",
            interpolation, *arguments)
        np.testing.assert_allclose(cost, expected_cost, rtol=rtol)
        self.assertLess(np.linalg.norm(obj - expected), 3 * rtol * np.linalg.norm(expected))

    def test_engines(self):
        for engine in ("DM", "RAAR", "AP"):
            with self.subTest(engine):
                self.check(engine)

    def test_coefficients(self):
        self.check("DM", "--dm-alpha", "0.7", "--dm-beta", "0.9", "--fourier-power-bound", "0.3", alpha=0.7, beta=0.9,
                   fourier_power_bound=0.3)
        self.check("RAAR", "--raar-beta", "0.9", "--fourier-relax-factor", "0", beta=0.9, fourier_relax_factor=0)
        self.check("DM", "--overlap-max-iterations", "4", "--overlap-converge-factor", "0",
                   overlap_max_iterations=4, overlap_converge_factor=0)

    def test_probe_first(self):
        for turns in (1, 3):
            with self.subTest(turns=turns):
                self.check("DM", "--update-probe-first", "--overlap-max-iterations", str(turns),
                           update_object_first=False, overlap_max_iterations=turns)
        self.check("RAAR", "--update-probe-first", "--overlap-converge-factor", "0", update_object_first=False,
                   overlap_converge_factor=0)

    def test_one_mode(self):
        # Alone it is zero on many pixels of the detector, but for rounding, which the projection magnifies.
        for engine in ("DM", "AP"):
            with self.subTest(engine):
                self.check(engine, modes=1, rtol=2e-3)

    def test_constraints(self):
        self.check("DM", "--clip-object", "0.8", "1.0", "--probe-support-radius", "0.7", "--object-inertia", "1e-2",
                   "--probe-inertia", "1e-3", clip_object=[0.8, 1.0], probe_support_radius=0.7, object_inertia=1e-2,
                   probe_inertia=1e-3)

    def test_mean_of_the_last(self):
        self.check("DM", "--average-last", "0.4", average_last=0.4)

    def test_between_pixels(self):
        for interpolation in ("fourier", "bilinear"):
            with self.subTest(interpolation):
                self.check("DM", interpolation=interpolation)

    def test_smaller_probe_masks_and_background(self):
        scan = self.simulate(detector={"background_per_pixel": 0.5, "masked_fraction": 0.03})
        self.check("DM", "--probe-size", "20", "22", scan=scan, settings={"probe": {"num_modes": 2, "size": [20, 22]}})

    def test_near_field(self):
        scan = self.simulate(detector={"propagation": "near_field", "focus_to_sample_m": 5e-3, "pixel_size_m": 55e-6})
        for interpolation in ("nearest", "fourier"):
            with self.subTest(interpolation):
                self.check("DM", scan=scan, interpolation=interpolation)


class Projections(InFolder):
    def test_a_solution_stays(self):
        """What fits all frames within the power bound is where both projections agree."""
        scan = self.simulate(detector={"photon_noise": False, "integer_counts": False})
        engines = [{"name": "CG", "num_iter": 200}]
        before_cost, before, _ = self.reconstruct(scan, engines)
        for engine in ("DM", "RAAR", "AP"):
            for relax, largest_change in ((0.05, 1e-6), (0, 2e-2)):
                with self.subTest(engine=engine, relax=relax):
                    after_cost, after, _ = self.reconstruct(
                        scan, engines + [{"name": engine, "num_iter": 20, "fourier_relax_factor": relax}])
                    self.assertLess(np.linalg.norm(after - before), largest_change * np.linalg.norm(before))

    def test_alternating_projections_descend(self):
        cost, _, _ = self.reconstruct(self.simulate(), [{"name": "AP", "num_iter": 30, "fourier_relax_factor": 0}],
                                      positions={"interpolation": "nearest"}, probe={"update": {"start": 0}})
        self.assertTrue(np.all(np.diff(cost) < 1e-4 * cost[:-1]), cost)

    def test_handed_on(self):
        scan = self.simulate()
        dm_cost, _, _ = self.reconstruct(scan, [{"name": "DM", "num_iter": 20}])
        cost, _, _ = self.reconstruct(scan, [{"name": "DM", "num_iter": 20}, {"name": "CG", "num_iter": 10},
                                             {"name": "RAAR", "num_iter": 5}, {"name": "GD", "num_iter": 5}])
        np.testing.assert_array_equal(cost[:20], dm_cost)
        self.assertLess(cost[29], dm_cost[-1])
        self.assertLess(cost[-1], cost[0])


class MeasuredScan(InFolder):
    """chi of Dong et al.'s algorithm on measured frames, from an implementation of its own in double precision:
    integer positions, beta 0.9, power bound 5e-5, probe from iteration 2 on, one pass
    of object and probe."""

    EXPECTED = {1: [0.263, 0.182, 0.149, 0.143, 0.162], 3: [0.233, 0.156, 0.122, 0.130, 0.145]}
    AT = [5, 10, 20, 30, 50]

    def test_difference_map(self):
        scan = pathlib.Path(os.environ.get("TESSERA_TEST_DATA", "")) / "aps_siemens_star.cxi"
        if not scan.is_file():
            self.skipTest(f"{scan.name} is not in TESSERA_TEST_DATA")
        for modes, expected in self.EXPECTED.items():
            with self.subTest(modes=modes):
                engine = {"name": "DM", "num_iter": 50, "beta": 0.9, "overlap_max_iterations": 1,
                          "fourier_power_bound": 5e-5, "object_inertia": 1e-5}
                self.reconstruct(scan, [engine],
                                 positions={"interpolation": "nearest"}, probe={"num_modes": modes})
                with h5py.File(self.folder / "result.h5") as file:
                    chi = np.sqrt(file["entry_1/process_1/data_error"][()])
                np.testing.assert_allclose(chi[np.array(self.AT) - 1], expected, rtol=0.04)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

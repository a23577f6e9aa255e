#!/usr/bin/python3
"""Broken input, as users bring it: one clear message with file and dataset or line, its own exit code, and an earlier
result untouched.  bad_input_test.py PROGRAM"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

PROGRAM = ""
USAGE, DATA, RUNTIME = 2, 3, 4

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+4}
scan: {pattern: raster, grid: [4, 4], step_px: 3}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan:
  file: scan.cxi
engines:
  - {name: CG, num_iter: 2}
output: {file: result.h5, pictures: false}
"""

FRAMES = "entry_1/instrument_1/detector_1/data"
TRANSLATIONS = "entry_1/sample_1/geometry_1/translation"


def run(folder, *arguments, **options):
    return subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, **options)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scan_folder = tempfile.TemporaryDirectory()
        folder = Path(cls.scan_folder.name)
        (folder / "simulation.yaml").write_text(SIMULATION)
        done = run(folder, "simulate", "simulation.yaml")
        assert done.returncode == 0, done.stderr
        cls.scan = folder / "scan.cxi"

    @classmethod
    def tearDownClass(cls):
        cls.scan_folder.cleanup()

    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.folder = Path(self.holder.name)
        shutil.copy(self.scan, self.folder / "scan.cxi")
        (self.folder / "run.yaml").write_text(RUN)
        (self.folder / "result.h5").write_bytes(b"an earlier result")

    def tearDown(self):
        self.holder.cleanup()

    def expect_refusal(self, code, *words, arguments=("reconstruct", "run.yaml"), lines=1, **options):
        done = run(self.folder, *arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), lines, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual((self.folder / "result.h5").read_bytes(), b"an earlier result")
        leftovers = {entry.name for entry in self.folder.iterdir()} - {"scan.cxi", "run.yaml", "result.h5", "extra.h5"}
        self.assertEqual(leftovers, set())

    def edit(self):
        return h5py.File(self.folder / "scan.cxi", "r+")

    def replace(self, path, value):
        """In place of every link to the dataset, so that no reader finds the old one."""
        with self.edit() as file:
            old = file[path].id
            links = []

            def collect(name):
                entry = file.get(name, getlink=True)
                if isinstance(entry, h5py.HardLink) and name in file and file[name].id == old:
                    links.append(name)

            file.visit(collect)
            soft = {path} | set(links)
            for name in soft:
                del file[name]
            if value is not None:
                file[path] = value

    # ---- the scan

    def test_flat_region_outside_of_the_object(self):
        self.expect_refusal(USAGE, "output.flat_region: [0, 5000, 0, 10]", "is not inside the object of",
                            arguments=("reconstruct", "run.yaml", "--set", "output.flat_region=[0, 5000, 0, 10]"))

    def test_missing_file(self):
        self.expect_refusal(DATA, "nothing.cxi", arguments=("reconstruct", "run.yaml", "--set", "scan.file=nothing.cxi"))

    def test_not_hdf5(self):
        (self.folder / "scan.cxi").write_text("these are not the data you are looking for\n" * 100)
        self.expect_refusal(DATA, "scan.cxi", "HDF5")

    def test_truncated_hdf5(self):
        content = (self.folder / "scan.cxi").read_bytes()
        (self.folder / "scan.cxi").write_bytes(content[: len(content) // 2])
        self.expect_refusal(DATA, "scan.cxi")

    def test_one_position_too_few(self):
        with self.edit() as file:
            translations = file[TRANSLATIONS][()]
        self.replace(TRANSLATIONS, translations[:-1])
        self.expect_refusal(DATA, "scan.cxi", "15", "16")

    def test_more_frames_than_positions(self):
        with self.edit() as file:
            frames = file[FRAMES][()]
        self.replace(FRAMES, np.concatenate([frames, frames[:10]]))
        self.expect_refusal(DATA, "scan.cxi", "16", "26")

    def test_position_not_finite(self):
        with self.edit() as file:
            file[TRANSLATIONS][3, 0] = np.nan
        self.expect_refusal(DATA, "scan.cxi", "translation", "3")

    def test_frames_of_a_wrong_shape(self):
        self.replace(FRAMES, np.zeros((16, 32), np.uint16))
        self.expect_refusal(DATA, "scan.cxi", "data", "(16, 32)")

    def test_empty_scan(self):
        self.replace(FRAMES, np.zeros((0, 32, 32), np.uint16))
        self.expect_refusal(DATA, "scan.cxi", "data")

    def test_one_frame(self):
        self.expect_refusal(DATA, "scan.cxi", arguments=("reconstruct", "run.yaml", "--set", "scan.frames.stop=1"))

    def test_count_too_large(self):
        with self.edit() as file:
            frames = file[FRAMES][()].astype(np.float32)
        frames[2, 5, 7] = np.inf
        self.replace(FRAMES, frames)
        self.expect_refusal(DATA, "scan.cxi", "data", "2", "(5, 7)", "inf")

    def test_no_counts_at_all(self):
        with self.edit() as file:
            file[FRAMES][...] = 0
        self.expect_refusal(DATA, "scan.cxi", "no counts")

    def test_everything_masked(self):
        with self.edit() as file:
            file["entry_1/instrument_1/detector_1/mask"][...] = 1
        self.expect_refusal(DATA, "scan.cxi", "mask")

    def test_zero_energy(self):
        with self.edit() as file:
            file["entry_1/instrument_1/source_1/energy"][...] = 0.0
            for name in ("wavelength",):
                if f"entry_1/instrument_1/source_1/{name}" in file:
                    del file[f"entry_1/instrument_1/source_1/{name}"]
        self.expect_refusal(DATA, "scan.cxi", "energy")

    def test_energy_that_contradicts_the_file(self):
        self.expect_refusal(DATA, "energy",
                            arguments=("reconstruct", "run.yaml", "--set", "scan.geometry.energy_eV=1000"))

    def test_probe_larger_than_the_frame_is_asked_for(self):
        self.expect_refusal(USAGE, "probe.size", arguments=("reconstruct", "run.yaml", "--set", "probe.size=64"))

    def test_a_halo_of_less_than_a_pixel(self):
        self.expect_refusal(USAGE, "tiling.halo_m", "pixel",
                            arguments=("reconstruct", "run.yaml", "--set", "tiling.halo_m=1.0e-10"))

    # ---- the run file

    def refuse_run_file(self, text, *words, lines=1):
        (self.folder / "run.yaml").write_text(text)
        self.expect_refusal(USAGE, "run.yaml", *words, lines=lines)

    def test_missing_run_file(self):
        self.expect_refusal(USAGE, "nothing.yaml", arguments=("reconstruct", "nothing.yaml"))

    def test_unknown_key_with_the_nearest_one(self):
        self.refuse_run_file(RUN.replace("num_iter", "num_itr"), "run.yaml:4", "num_itr", "num_iter")

    def test_duplicate_key(self):
        self.refuse_run_file(RUN + "output: {file: other.h5}\n", "run.yaml:6", "output")

    def test_wrong_type(self):
        self.refuse_run_file(RUN.replace("num_iter: 2", "num_iter: many"), "run.yaml:4", "num_iter", "many")

    def test_value_out_of_range(self):
        self.refuse_run_file(RUN + "runtime: {submit_ahead: 0}\n", "run.yaml:6", "submit_ahead", "0")

    def test_unknown_override(self):
        self.expect_refusal(USAGE, "probe.mode", arguments=("reconstruct", "run.yaml", "--set", "probe.mode=2"))

    def test_more_gpus_than_there_are(self):
        self.expect_refusal(RUNTIME, "runtime.gpus", "99", arguments=("reconstruct", "run.yaml", "--set", "runtime.gpus=99"))

    def test_unknown_scheduler(self):
        self.expect_refusal(USAGE, "runtime.scheduler", "nonsense", "lws",
                            arguments=("reconstruct", "run.yaml", "--set", "runtime.scheduler=nonsense"))

    def test_unknown_subcommand(self):
        done = run(self.folder, "recontsruct", "run.yaml")
        self.assertEqual(done.returncode, USAGE)

    # ---- the machine

    def test_memory_limit(self):
        self.expect_refusal(RUNTIME, "memory_limit",
                            arguments=("reconstruct", "run.yaml", "--set", "runtime.memory_limit.host=10MiB"))

    def test_output_folder_that_is_a_file(self):
        self.expect_refusal(RUNTIME, "scan.cxi",
                            arguments=("reconstruct", "run.yaml", "--output", "scan.cxi/result.h5"))

    def test_output_that_is_a_folder(self):
        self.expect_refusal(RUNTIME, "output.file", arguments=("reconstruct", "run.yaml", "--output", "."))

    def small_disk(self, num_bytes):
        """The folder of a file system with so much room."""
        if os.geteuid() != 0 or not shutil.which("mount"):
            self.skipTest("a full disk needs root, to mount a small tmpfs")
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", holder.name],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("tmpfs cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", holder.name], check=True)
        return Path(holder.name)

    def test_disk_full_of_the_result(self):
        disk = self.small_disk(64 << 10)
        earlier = disk / "result.h5"
        earlier.write_bytes(b"an earlier result")
        done = run(self.folder, "reconstruct", "run.yaml", "--output", str(earlier))
        self.assertEqual(done.returncode, RUNTIME, done.stderr)
        self.assertIn("result.h5", done.stderr)
        self.assertEqual(earlier.read_bytes(), b"an earlier result")
        self.assertEqual({entry.name for entry in disk.iterdir()}, {"result.h5", "result.job"})

    def written_on_disk_with_room_for(self, fraction, *settings):
        """Room for the result and a fraction of what is written besides; the result is good and there."""
        words = [word for setting in settings for word in ("--set", setting)]
        run(self.folder, "reconstruct", "run.yaml", "--output", "all/result.h5", *words)
        sizes = {path.relative_to(self.folder / "all"): -(-path.stat().st_size // 4096) * 4096
                 for path in (self.folder / "all").rglob("*") if path.is_file()}
        result = sizes[Path("result.h5")] + sizes[Path("result.job")]
        room = result + max(int(fraction * (sum(sizes.values()) - result)), 8 << 10)
        disk = self.small_disk(room)
        done = run(self.folder, "reconstruct", "run.yaml", "--output", str(disk / "result.h5"), *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(disk / "result.h5") as here, h5py.File(self.folder / "all/result.h5") as there:
            np.testing.assert_array_equal(here["entry_1/image_1/data"][()], there["entry_1/image_1/data"][()])
        return disk, done.stderr

    def test_disk_full_of_pictures(self):
        disk, told = self.written_on_disk_with_room_for(0.3, "output.pictures=true")
        self.assertIn("the result itself is written", told)
        for picture in (disk / "result_pictures").rglob("*"):
            self.assertTrue(picture.read_bytes().endswith(b"IEND\xaeB`\x82"), picture)

    def test_disk_full_of_a_checkpoint(self):
        # Of one or two checkpoints that the run leaves: less than one fits.
        disk, told = self.written_on_disk_with_room_for(0.1, "output.checkpoint_interval=0.001", "engines[0].num_iter=60",
                                                        "runtime.waves=recompute")
        self.assertRegex(told, r"checkpoint.* cannot be written .*the run goes on")
        left = [path.name for path in (disk / "result.checkpoint").iterdir()]
        self.assertEqual([name for name in left if name.startswith(".")], [])

    # ---- a run that goes astray

    def test_cost_that_is_no_number_after_some_iterations(self):
        (self.folder / "result.h5").unlink()
        done = run(self.folder, "reconstruct", "run.yaml", "--set", "engines[0]={name: GD, num_iter: 500, step: 6}",
                   "--set", "output.save_interval=2")
        self.assertEqual(done.returncode, 5, done.stderr)
        iterations = int(re.search(r"error: GD: the cost is not finite after (\d+) iterations", done.stderr)[1])
        self.assertGreater(iterations, 3)
        with h5py.File(self.folder / "result.h5") as file:  # of before
            self.assertLessEqual(len(file["entry_1/process_1/cost"]), iterations)
            self.assertTrue(np.isfinite(file["entry_1/image_1/data"][()]).all())
        status = run(self.folder, "status", "result.h5")
        self.assertIn(f"failed with exit code 5: GD: the cost is not finite after {iterations} iterations", status.stdout)

    # ---- and the same scan, unbroken

    def test_good_input_is_accepted(self):
        done = run(self.folder, "reconstruct", "run.yaml")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(h5py.is_hdf5(self.folder / "result.h5"))


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()

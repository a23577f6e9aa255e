#!/usr/bin/python3
"""One reconstruction on several MPI ranks: the same bits as on one, bytes as forecast, and one message when a rank
cannot go on.  ranks_test.py PROGRAM MPIRUN [TEST]"""

import contextlib
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
import numpy as np

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
USAGE, DATA, RUNTIME, DIVERGED, STOPPED = 2, 3, 4, 5, 75

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 9, defocus_m: 8.0e-3, photons_per_frame: 1.0e+5}
scan: {pattern: spiral, grid: [6, 6], step_px: 4}
detector: {shape: [24, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan: {file: scan.cxi}
probe: {num_modes: 2}
engines:
  - {name: CG, num_iter: 4}
tiling: {tiles: [2, 4], batch_size: 3}
runtime: {cpus: 1, waves: keep}
output: {file: result.h5, pictures: false}
"""

CAN_MOUNT = unittest.skipUnless(os.geteuid() == 0 and shutil.which("mount") and shutil.which("unshare"),
                                "a full disk needs root, to mount a small tmpfs")

FIELDS = ("image_1/data", "image_2/data", "process_1/cost", "process_1/step", "process_1/data_error",
          "process_1/data_error_per_frame", "process_1/positions_px")
# Of a probe that varies, an object with modes, a background that is refined.
MORE_FIELDS = ("process_1/intensity_scale", "process_1/probe_amplitude", "process_1/opr_weights", "image_3/data",
               "process_1/object_mode_powers", "process_1/background")


class Ranks(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def command(self, *parts):
        """Each part: (number of ranks, run file, [words before the program], further arguments...)"""
        words = [MPIRUN]
        for number, run_file, *arguments in parts:
            before = arguments.pop(0) if arguments and isinstance(arguments[0], list) else []
            words += [":"] if len(words) > 1 else []
            words += ["-n", str(number), *before, PROGRAM, "reconstruct", run_file, *arguments]
        return {"args": words, "cwd": self.folder, "env": {**os.environ, **RANKS_ON_ANY_MACHINE}, "text": True}

    def run_ranks(self, *parts):
        try:
            return subprocess.run(**self.command(*parts), capture_output=True, timeout=150)
        except subprocess.TimeoutExpired as late:
            self.fail(f"not done after {late.timeout} s; so far:\n{(late.stdout or b'').decode()}{(late.stderr or b'').decode()}")

    def start_long_run(self, number):
        """Returns when some iterations are done: the process, of which mpirun is the leader."""
        job = subprocess.Popen(**self.command((number, "run.yaml", "--set", "engines[0].num_iter=100000")),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.addCleanup(job.stdout.close)
        self.addCleanup(lambda: job.poll() is None and os.killpg(job.pid, signal.SIGKILL))
        for line in job.stdout:
            if "iteration 3/" in line:
                return job
        self.fail("the run ended too early")

    def result(self, name):
        with h5py.File(self.folder / name) as file:
            entry = file["entry_1"]
            about = {key: entry["process_1/about"][key][()].decode() for key in entry["process_1/about"]}
            fields = [*FIELDS, *(field for field in MORE_FIELDS if field in entry)]
            return {field: entry[field][()] for field in fields}, about

    def assert_same(self, results, expected):
        self.assertEqual(results.keys(), expected.keys())
        for field in expected:
            self.assertEqual(results[field].tobytes(), expected[field].tobytes(), field)

    def assert_one_message(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        messages = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(messages), 1, done.stderr)
        for word in words:
            self.assertIn(word, messages[0])
        self.assertFalse((self.folder / "result.h5").exists())

    def test_same_bits_on_any_number_of_ranks(self):
        for case in (["engines[0].name=CG"], ["tiling.exchange=passes", "runtime.waves=recompute"],
                     ["tiling.exchange=voxels", "runtime.waves=recompute"],
                     ["tiling.halo_m=5.2e-7"],  # 7 x 9 pixels of windows of 24 x 32
                     ["tiling.halo_m=5.2e-7", "tiling.exchange=passes", "runtime.waves=recompute"],
                     ["object.num_slices=2", "object.slice_spacings_m=1.0e-5", "object.regularize_layers=0.3",
                      "runtime.waves=recompute"],
                     ["engines[0].name=CG", "object.num_modes=2", "output.remove_ramp=true"],
                     ["engines[0].name=DM", "object.num_modes=3", "tiling.exchange=passes",
                      "engines[0].average_last=0.5", "runtime.waves=auto"],
                     ["engines[0].name=GD", "engines[0].step=0.3"],
                     ["engines[0].name=DM", "engines[0].average_last=0.5", "runtime.waves=auto"],
                     ["engines[0].name=RAAR", "tiling.exchange=passes", "runtime.waves=recompute"],
                     ["engines[0].name=rPIE", "engines[0].minibatch_size=9"],
                     ["engines[0].refine_positions.start=1", "positions.max_shift_px=2", "probe.orthogonalize_interval=1"],
                     ["engines[0].name=LSQML", "engines[0].refine_positions.start=0", "positions.max_shift_px=3",
                      "engines[0].refine_positions.search={start: 1, interval: 1, suspicious_error: 0.8}",
                      "tiling.exchange=passes"],
                     ["engines[0].name=CG", "object.constraints.total_variation=0.01", "object.constraints.amplitude=[0.8,1.1]",
                      "probe.support.radius=0.8", "probe.support.fourier_radius=0.9", "output.remove_ramp=true",
                      "output.flat_region=[20,30,20,30]"],
                     ["engines[0].name=rPIE", "object.constraints.smoothing=0.1", "object.constraints.interval=2",
                      "probe.support.fourier_radius=0.9", "output.remove_ramp=true", "tiling.exchange=passes"],
                     ["engines[0].name=CG", "probe.variable={num_opr_modes: 2, variable_intensity: true, start: 1}"],
                     ["engines[0].name=rPIE", "probe.variable={variable_intensity: true, start: 0, interval: 2}"],
                     ["engines[0].name=CG", "detector.refine_background={start: 1}", "detector.upsampling=2"],
                     ["engines[0].name=mPIE", "engines[0].minibatch_size=9", "tiling.exchange=passes"],
                     ["engines[0].name=LSQML", "engines[0].momentum_acceleration_gain=0.5"],
                     ["engines=[{name: AP, num_iter: 2}, {name: mPIE, num_iter: 2}, {name: CG, num_iter: 2}]"]):
            settings = [word for setting in case for word in ("--set", setting)]
            expected = None
            # Every rank is two threads that look for work all the time: many of them on few cores take their time.
            few = any(word in setting for setting in case for word in ("=DM", "num_modes=2", "refine_background"))
            for number in (1, 2, 4, 7) if case == ["engines[0].name=CG"] else (1, 4) if few else (1, 3):
                with self.subTest(settings=case, ranks=number):
                    done = self.run_ranks((number, "run.yaml", *settings, "--output", f"{number}.h5"))
                    self.assertEqual(done.returncode, 0, done.stderr)
                    fields, about = self.result(f"{number}.h5")
                    self.assertEqual(about["ranks"], str(number))
                    self.assertEqual(about["sent_bytes"], about["forecast_sent_bytes"])
                    self.assertEqual(sum(map(int, about["sent_bytes"].split())) > 0, number > 1)
                    self.assertEqual(len(about["peak_memory_bytes"].split()), number)
                    self.assertTrue(np.isfinite(fields["image_1/data"]).all())
                    if expected is None:
                        expected = fields
                    self.assert_same(fields, expected)

    def test_stages_have_the_same_bits_on_any_number_of_ranks(self):
        for case in (["probe.num_modes=2"], ["engines[0].name=DM", "runtime.waves=auto"],
                     ["engines[0].name=LSQML", "tiling.exchange=passes"]):
            settings = [word for setting in case for word in ("--set", setting)]
            done = self.run_ranks((1, "run.yaml", *settings, "--output", "fused.h5"))
            self.assertEqual(done.returncode, 0, done.stderr)
            expected, _ = self.result("fused.h5")
            for number in (1, 3):
                with self.subTest(settings=case, ranks=number):
                    done = self.run_ranks((number, "run.yaml", *settings, "--set", "runtime.operations=staged",
                                           "--output", f"{number}.h5"))
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assert_same(self.result(f"{number}.h5")[0], expected)

    def test_more_ranks_than_tiles(self):
        done = self.run_ranks((3, "run.yaml", "--set", "tiling.tiles=[1,2]"))
        self.assert_one_message(done, USAGE, "tiling.tiles", "1 x 2", "3 ranks", "[2, 2]")

    def test_more_ranks_than_automatic_tiles(self):
        done = self.run_ranks((4, "run.yaml", "--set", "tiling.tiles=auto"))
        self.assert_one_message(done, USAGE, "tiling.tiles", "1 x 1", "4 ranks", "[2, 2]")

    def other_folder(self):
        """With the same run file: what a node may see where a file system is not the same everywhere."""
        other = self.folder / "other"
        other.mkdir()
        (other / "run.yaml").write_text(RUN)
        return other

    def test_a_file_that_one_rank_does_not_find(self):
        self.other_folder()
        self.assert_one_message(self.run_ranks((1, "run.yaml"), (1, "other/run.yaml")), DATA, "rank 1", "scan.cxi")

    def test_a_file_that_is_cut_off_for_one_rank(self):
        scan = (self.folder / "scan.cxi").read_bytes()
        (self.other_folder() / "scan.cxi").write_bytes(scan[: len(scan) // 2])
        self.assert_one_message(self.run_ranks((1, "run.yaml"), (1, "other/run.yaml")), DATA, "rank 1", "scan.cxi")

    def test_run_files_that_differ(self):
        (self.folder / "other.yaml").write_text(RUN.replace("num_iter: 4", "num_iter: 5"))
        self.assert_one_message(self.run_ranks((1, "run.yaml"), (1, "other.yaml")), USAGE, "rank 1", "run file")

    def test_scans_that_differ(self):
        other = self.other_folder()
        (other / "simulation.yaml").write_text(SIMULATION.replace("step_px: 4", "step_px: 5"))
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=other, check=True, timeout=60)
        self.assert_one_message(self.run_ranks((1, "run.yaml"), (1, "other/run.yaml")), USAGE, "rank 1", "scan")

    def test_divergence(self):
        settings = ("--set", "engines[0].name=GD", "--set", "engines[0].step=1e6", "--set", "engines[0].momentum=0",
                    "--set", "engines[0].num_iter=100")
        self.assert_one_message(self.run_ranks((2, "run.yaml", *settings)), DIVERGED, "not finite")

    # ---- disks that are full

    @contextlib.contextmanager
    def small_disk(self, size):
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True).returncode:
            self.skipTest("tmpfs cannot be mounted here")
        try:
            yield disk
        finally:
            subprocess.run(["umount", disk], check=True)

    @CAN_MOUNT
    def test_a_result_that_does_not_fit(self):
        """Intermediate results are missed, the last one is an error; the other rank does not wait for ever."""
        with self.small_disk("16k") as disk:
            (disk / "result.h5").write_bytes(b"an earlier result")
            done = self.run_ranks((2, "run.yaml", "--output", "disk/result.h5", "--set", "output.save_interval=1",
                                   "--set", "output.checkpoint_interval=0"))
            self.assert_one_message(done, RUNTIME, "disk/result.h5", "No space left")
            self.assertIn("an intermediate result; the run goes on", done.stderr)
            self.assertEqual((disk / "result.h5").read_bytes(), b"an earlier result")
            self.assertEqual({entry.name for entry in disk.iterdir()}, {"result.h5", "result.job"})

    @CAN_MOUNT
    def test_a_checkpoint_that_does_not_fit_for_one_rank(self):
        """Both ranks go on, without a manifest of what only one has written; the earlier checkpoint stays."""
        interval = ("--set", "output.checkpoint_interval=0.02")
        done = self.run_ranks((2, "run.yaml", "--set", "engines[0].num_iter=20", "--set", "runtime.waves=recompute",
                               *interval))
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.result("result.h5")[0]
        earlier = {path.name: path.read_bytes() for path in (self.folder / "result.checkpoint").iterdir()}
        self.assertTrue(any(name.endswith(".yaml") for name in earlier), done.stderr)
        # The second rank has a disk of its own, which is as good as full.
        pages = sum(len(contents) // 4096 + 1 for contents in earlier.values())
        full = ("cp -r result.checkpoint copy && "
                f"mount -t tmpfs -o size={4 * pages + 16}k tmpfs result.checkpoint && "
                'cp copy/* result.checkpoint && exec "$0" "$@"')
        again = ("--resume", "--set", "engines[0].num_iter=30", "--set", "runtime.waves=recompute", *interval)
        done = self.run_ranks((1, "run.yaml", *again), (1, "run.yaml", ["unshare", "-m", "sh", "-c", full], *again))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("No space left", done.stderr)
        self.assertIn("the run goes on", done.stderr)
        fields = self.result("result.h5")[0]
        self.assertEqual(len(fields["process_1/cost"]), 30)
        self.assertEqual(fields["process_1/step"][:20].tobytes(), expected["process_1/step"].tobytes())
        after = {path.name: path.read_bytes() for path in (self.folder / "result.checkpoint").iterdir()}
        self.assertEqual(after, earlier)

    def test_a_signal_stops_all_together(self):
        job = self.start_long_run(2)
        os.kill(job.pid, signal.SIGUSR2)  # Open MPI hands it on to the ranks
        rest = job.stdout.read()
        self.assertEqual(job.wait(60), STOPPED, rest)
        self.assertIn("stopped early", rest)
        self.assertGreater(len(self.result("result.h5")[0]["process_1/cost"]), 2)

    def test_a_killed_rank_ends_the_job(self):
        job = self.start_long_run(2)
        ranks = subprocess.run(["pgrep", "-P", str(job.pid), "-f", "reconstruct"], capture_output=True, text=True)
        victim = int(ranks.stdout.split()[-1])
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        rest = job.stdout.read()
        self.assertNotEqual(job.wait(60), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn("signal 9", rest)
        self.assertFalse((self.folder / "result.h5").exists())


if __name__ == "__main__":
    PROGRAM, MPIRUN = (str(Path(word).resolve()) for word in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + [f"Ranks.{name}" for name in sys.argv[3:]], verbosity=2)

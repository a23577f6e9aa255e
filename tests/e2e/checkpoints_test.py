#!/usr/bin/python3
"""Runs that are stopped, killed and taken up again, on one rank or several, end with the bits of one that nothing
happened to.  checkpoints_test.py PROGRAM MPIRUN [TEST]"""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import yaml

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
DONE, USAGE, DATA, STOPPED = 0, 2, 3, 75

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5, guess_defocus_error: 0.3}
scan: {pattern: spiral, grid: [7, 7], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan:
  file: scan.cxi
engines:
  - {name: GD, num_iter: 5}
  - {name: CG, num_iter: 20}
tiling: {tiles: [3, 2], batch_size: 6}
runtime: {cpus: 1}
output: {file: result.h5, pictures: false, checkpoint_interval: 0.02}
"""

RECOMPUTE = ("--set", "runtime.waves=recompute")
KEEP = ("--set", "runtime.waves=keep")
EXIT_WAVES = (*RECOMPUTE, "--set", "engines[1].name=DM")
# A second or so on one rank, which is faster than several on few cores.
LONG = (*RECOMPUTE, "--set", "engines[1].num_iter=300")

RESULTS = ["image_1/data", "image_2/data"] + [
    "process_1/" + name for name in ("cost", "data_error", "step", "data_error_per_frame")
]


def contents(result):
    with h5py.File(result) as file:
        return {name: file["entry_1/" + name][()].tobytes() for name in RESULTS}


def descendants(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children] + [pid for child in children for pid in descendants(int(child))]


class Run:
    """A run in the background, whose log is a list of events."""

    def __init__(self, folder, ranks, *arguments, **options):
        command = [PROGRAM, "reconstruct", "run.yaml", "--log", "json", *arguments]
        if ranks > 1:
            command = [MPIRUN, "-n", str(ranks), *command]
        self.log = open(folder / "log.txt", "w+b")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            env=os.environ | RANKS_ON_ANY_MACHINE,
            **options,
        )
        self.ranks = ranks

    def text(self):
        return Path(self.log.name).read_text(errors="replace")

    def iterations(self):
        return self.text().count('"event":"iteration"')

    def messages(self):
        return " | ".join(re.findall(r'"message":"([^"]*)"', self.text()))

    def has_written_checkpoints(self):
        return '"event":"checkpoint"' in self.text()

    def wait_for_iterations(self, count):
        while self.process.poll() is None and self.iterations() < count:
            time.sleep(0.01)

    def programs(self):
        """The processes of the ranks, without their launcher."""
        return descendants(self.process.pid) if self.ranks > 1 else [self.process.pid]

    def finish(self, expect=DONE):
        try:
            code = self.process.wait(timeout=240)
        finally:
            self.kill()
        assert code == expect, f"exit code {code}, {expect} expected: {self.text()[-2000:]}"
        return self

    def kill(self):
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.log.close()


class Checkpoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        folder = Path(cls.holder.name)
        (folder / "simulation.yaml").write_text(SIMULATION)
        (folder / "run.yaml").write_text(RUN)
        subprocess.run([PROGRAM, "simulate", "simulation.yaml"], cwd=folder, check=True, capture_output=True)
        cls.scan = folder / "scan.cxi"
        cls.expected = {}
        for settings in (RECOMPUTE, KEEP, EXIT_WAVES, LONG):
            Run(folder, 1, *settings, "--set", "output.checkpoint_interval=0").finish()
            assert not (folder / "result.checkpoint").exists()
            cls.expected[settings] = contents(folder / "result.h5")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def setUp(self):
        self.own = tempfile.TemporaryDirectory()
        self.folder = Path(self.own.name)
        shutil.copy(self.scan, self.folder / "scan.cxi")
        (self.folder / "run.yaml").write_text(RUN)
        self.checkpoints = self.folder / "result.checkpoint"

    def tearDown(self):
        self.own.cleanup()

    def start(self, ranks, *arguments, settings=RECOMPUTE, **options):
        return Run(self.folder, ranks, "--resume", *settings, *arguments, **options)

    def manifests(self):
        return sorted(self.checkpoints.glob("[0-9]*.yaml"))

    def expect_same_bits(self, settings=RECOMPUTE):
        found = contents(self.folder / "result.h5")
        different = [name for name in RESULTS if found[name] != self.expected[settings][name]]
        self.assertEqual(different, [])

    def stop_once(self, ranks, iterations, **options):
        run = self.start(ranks, **options)
        run.wait_for_iterations(iterations)
        os.kill(run.programs()[0], signal.SIGTERM)
        run.finish(expect=STOPPED)
        self.assertIn("--resume goes on", run.messages())

    # ---- stopped in order

    def stopped_and_taken_up(self, ranks, iterations, settings=RECOMPUTE):
        for count in ranks[:-1]:
            before = self.manifests()[-1:]
            self.stop_once(count, iterations, settings=settings)
            self.assertGreater(self.manifests()[-1:], before)
            manifest = yaml.safe_load(self.manifests()[-1].read_text())
            self.assertEqual(manifest["ranks"], count)
            self.assertEqual(len(manifest["files"]), 2 * count if settings == EXIT_WAVES else count)
            self.assertLessEqual(len(self.manifests()), 2)
        run = self.start(ranks[-1], settings=settings).finish()
        self.assertIn("the run goes on after", run.messages())
        self.expect_same_bits(settings)

    def test_one_rank_then_two_then_one(self):
        self.stopped_and_taken_up([1, 2, 1], 4)

    def test_three_ranks_then_two(self):
        self.stopped_and_taken_up([3, 2], 8)

    def test_kept_waves_on_two_ranks_then_one(self):
        self.stopped_and_taken_up([2, 1], 17, KEEP)

    def test_exit_waves_on_two_ranks_then_three_then_one(self):
        self.stopped_and_taken_up([2, 3, 1], 8, EXIT_WAVES)

    def test_time_limit(self):
        run = self.start(1, "--set", "runtime.time_limit=0.2", settings=LONG).finish(expect=STOPPED)
        self.assertIn("no checkpoint there", run.messages())
        self.assertGreater(len(self.manifests()), 0)
        self.start(1, settings=LONG).finish()
        self.expect_same_bits(LONG)

    def test_jobs_shorter_than_ten_iterations_come_to_an_end(self):
        """Kept waves are made afresh at every tenth iteration, and a run can begin nowhere else."""
        reached, code = [], STOPPED
        while code == STOPPED:
            run = self.start(1, "--set", "runtime.time_limit=0.0001", settings=KEEP)
            code = run.process.wait(timeout=60)
            run.kill()
            if code == STOPPED:
                reached.append(yaml.safe_load(self.manifests()[-1].read_text())["iterations"])
                self.assertEqual(sorted(set(reached)), reached)
        self.assertEqual(code, DONE)
        self.assertIn(15, reached)
        self.expect_same_bits(KEEP)

    # ---- killed

    def killed_and_taken_up(self, ranks, kills, delay_s, settings):
        chance = random.Random(f"{ranks}")
        for kill in range(kills):
            run = self.start(ranks[kill % len(ranks)], settings=settings)
            run.wait_for_iterations(1)
            time.sleep(chance.uniform(0, delay_s))
            run.kill()
            # What is not finished is none: every file of a manifest is whole.
            for manifest in self.manifests():
                for file in yaml.safe_load(manifest.read_text())["files"]:
                    self.assertEqual((self.checkpoints / file["name"]).stat().st_size, file["bytes"])
        run = self.start(ranks[kills % len(ranks)], settings=settings).finish()
        self.expect_same_bits(settings)
        if run.has_written_checkpoints():
            self.assertEqual([path for path in self.checkpoints.iterdir() if path.name.startswith(".")], [])

    def test_killed_at_any_moment(self):
        self.killed_and_taken_up([1], kills=8, delay_s=0.3, settings=LONG)

    def test_killed_at_any_moment_on_several_ranks(self):
        self.killed_and_taken_up([2, 3, 1], kills=2, delay_s=6, settings=RECOMPUTE)

    def test_killed_at_any_moment_with_exit_waves(self):
        self.killed_and_taken_up([1, 2], kills=3, delay_s=2, settings=EXIT_WAVES)

    # ---- damaged, foreign

    def test_damaged_newest(self):
        self.stop_once(1, 20, settings=LONG)
        self.stop_once(1, 30, settings=LONG)
        newest = self.manifests()[-1]
        name = yaml.safe_load(newest.read_text())["files"][0]["name"]
        with open(self.checkpoints / name, "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
        run = self.start(1, settings=LONG).finish()
        self.assertIn(f"{name}: is damaged", run.messages())
        self.assertIn(f"{newest.name}: passed over for the one before", run.messages())
        self.expect_same_bits(LONG)

    def test_none_that_is_good(self):
        self.stop_once(1, 20, settings=LONG)
        for manifest in self.manifests():
            os.truncate(manifest, 200)
        for ranks in (1, 2):
            run = self.start(ranks, settings=LONG).finish(expect=DATA)
            self.assertEqual(run.messages().count("no checkpoint in it is good"), 1)

    def test_other_settings(self):
        self.stop_once(1, 20, settings=LONG)
        other = ("--set", "engines[0].step=0.4", "--set", "tiling.exchange=passes", "--set", "engines[1].num_iter=170")
        for ranks in (1, 2):
            run = self.start(ranks, *other).finish(expect=USAGE)
            self.assertIn("2 keys differ (engines[0].step, tiling.exchange", run.messages())

    def test_other_scan(self):
        self.stop_once(1, 20, settings=LONG)
        with h5py.File(self.folder / "scan.cxi", "r+") as file:
            frames = file["entry_1/instrument_1/detector_1/data"]
            frames[3] = frames[4]
        run = self.start(1, settings=LONG).finish(expect=DATA)
        self.assertIn("is of another scan", run.messages())

    # ---- a disk that is full

    def test_full_disk(self):
        self.stop_once(1, 20, settings=LONG)
        before = {path.name: path.read_bytes() for path in self.checkpoints.iterdir()}
        limit = (max(map(len, before.values())) + (self.folder / "result.h5").stat().st_size) // 2

        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        run = self.start(1, settings=LONG, preexec_fn=limit_files).finish()
        self.assertIn("cannot be written", run.messages())
        self.assertIn("the run goes on", run.messages())
        self.expect_same_bits(LONG)
        self.assertEqual(before, {path.name: path.read_bytes() for path in self.checkpoints.iterdir()})


if __name__ == "__main__":
    PROGRAM, MPIRUN = os.path.abspath(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    unittest.main()

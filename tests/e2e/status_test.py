#!/usr/bin/python3
"""What a run says of itself while it lives, what is left of it when it is killed, and two runs with one result.
status_test.py PROGRAM [TEST]"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = ""
DONE, USAGE, DATA, RUNTIME, DIVERGED, STOPPED = 0, 2, 3, 4, 5, 75

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [8, 8], step_px: 4}
detector: {shape: [64, 64], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = """scan: {file: scan.cxi}
engines:
  - {name: GD, num_iter: 100000}
runtime: {cpus: 1}
output: {file: result.h5, pictures: false, checkpoint_interval: 0.05}
"""


class Status(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        self.program("--quiet", "simulate", "simulation.yaml")

    def program(self, *arguments, expected=DONE):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, expected, done.stderr)
        return done.stdout + done.stderr

    def begin(self, *before):
        """A run that goes on, and has written a checkpoint; `before`: words that start the program."""
        job = subprocess.Popen([*before, PROGRAM, "--quiet", "reconstruct", "run.yaml"], cwd=self.folder, stderr=subprocess.PIPE,
                               text=True)
        self.addCleanup(job.stderr.close)
        self.addCleanup(job.wait)
        self.addCleanup(job.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (self.folder / "result.job").exists():
                told = self.program("status", "result.h5")
                if "checkpoint after" in told and "iteration" in told:
                    return job, told
            time.sleep(0.05)
        self.fail("no checkpoint within a minute")

    def test_of_a_run_that_lives(self):
        job, told = self.begin()
        self.assertIn("result.h5: runs", told)
        self.assertIn(f"process {job.pid} on", told)
        self.assertRegex(told, r"iteration \d+ of 100000 \(GD\), cost [\d.e+]+, data error")
        self.assertRegex(told, r"frames/s, [\d:]+ left, [\d.]+ of [\d.]+ GiB in use")

    def test_of_a_run_that_is_stopped(self):
        job, _ = self.begin()
        job.send_signal(signal.SIGTERM)
        self.assertEqual(job.wait(timeout=60), STOPPED)
        self.assertIn("run.yaml: was stopped; reconstruct --resume goes on", self.program("status", "run.yaml"))

    def test_of_a_run_that_is_killed(self):
        job, _ = self.begin()
        job.send_signal(signal.SIGKILL)
        job.wait(timeout=60)
        told = self.program("status", "result.job")
        self.assertIn("ended without a word", told)
        self.assertIn("killed, or its machine went away); reconstruct --resume goes on", told)
        told = self.program("reconstruct", "run.yaml", "--resume", "--set", "engines[0].num_iter=100000", "--set",
                            "runtime.time_limit=0.2s", expected=STOPPED)
        self.assertIn("the run before ended without a word", told)
        self.assertIn("the run goes on after", told)

    @contextlib.contextmanager
    def control_group(self, limit_bytes):
        """A folder of a new control group (of version 1 or 2) below this process's, with a limit of memory and no swap."""
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        version_1 = [path for _, controllers, path in groups if "memory" in controllers.split(",")]
        if version_1:
            group, limit = Path("/sys/fs/cgroup/memory" + version_1[0]), "memory.limit_in_bytes"
            swap, swap_bytes = "memory.memsw.limit_in_bytes", limit_bytes
        else:
            group, limit = Path("/sys/fs/cgroup" + groups[-1][2]), "memory.max"
            swap, swap_bytes = "memory.swap.max", 0
        group /= f"tessera_test_{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(limit_bytes))
            if (group / swap).exists():  # not where the system counts no swap
                (group / swap).write_text(str(swap_bytes))
        except OSError as refused:
            with contextlib.suppress(OSError):
                group.rmdir()
            self.skipTest(f"a control group with a memory limit cannot be made here: {refused}")
        try:
            yield group
        finally:
            for _ in range(100):  # the system takes its time with those that have ended
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.05)

    def test_of_a_run_that_is_killed_for_memory(self):
        """Really: something else in its control group takes all there is, and the system ends the run."""
        limit = 400 << 20
        with self.control_group(limit) as group:
            enter = f"echo $$ > {group}/cgroup.procs && "
            job, _ = self.begin("sh", "-c", enter + 'echo 1000 > /proc/$$/oom_score_adj && exec "$0" "$@"')
            greedy = subprocess.Popen(["sh", "-c", enter + 'exec "$0" "$@"', sys.executable, "-c",
                                       "import time; hold = bytearray(b'x') * %d; time.sleep(60)" % (limit - (16 << 20))])
            self.addCleanup(greedy.wait)
            self.addCleanup(greedy.kill)
            self.assertEqual(job.wait(timeout=60), -signal.SIGKILL)
            told = self.program("status", "run.yaml")
            self.assertRegex(told, "killed for memory: .*has ended [1-9] of its control group's processes since")
            told = self.program("reconstruct", "run.yaml", "--resume", "--set", "runtime.time_limit=0.2s", expected=STOPPED)
            self.assertRegex(told, "killed for memory: [0-9.]+ of 0.39 GiB .*has ended [1-9] of its control group's processes")
            greedy.kill()
            greedy.wait()

    def test_of_a_run_that_was_close_to_its_memory(self):
        job, _ = self.begin()
        job.send_signal(signal.SIGKILL)
        job.wait(timeout=60)
        file = self.folder / "result.job"
        status = json.loads(file.read_text())
        status["memory_in_use_bytes"] = int(0.97 * status["memory_bound_bytes"])
        file.write_text(json.dumps(status))
        self.assertIn("most likely killed for memory", self.program("status", "run.yaml"))
        told = self.program("reconstruct", "run.yaml", "--resume", "--set", "runtime.time_limit=0.2s", expected=STOPPED)
        self.assertIn("most likely killed for memory", told)

    def test_of_a_run_that_is_done_or_fails(self):
        short = ("--set", "engines[0].num_iter=3")
        self.program("reconstruct", "run.yaml", *short)
        self.assertIn("result.h5: is done", self.program("status", "result.h5"))
        self.program("reconstruct", "run.yaml", *short, "--set", "engines[0].step=1e20", expected=DIVERGED)
        told = self.program("status", "result.h5")
        self.assertRegex(told, r"failed with exit code 5: GD: the cost is not finite")
        self.program("reconstruct", "run.yaml", "--set", "runtime.memory_limit.host=1MB", expected=RUNTIME)
        self.assertRegex(self.program("status", "result.h5"), r"failed with exit code 4: this run needs [\d.]+ GiB")

    def test_a_run_that_cannot_begin_leaves_nothing(self):
        self.program("reconstruct", "run.yaml", "--set", "runtime.memory_limit.host=1MB", expected=RUNTIME)
        self.assertFalse((self.folder / "result.job").exists())

    def test_a_file_of_somebody_else_stays(self):
        for words in ("#!/bin/sh\necho a job of mine\n", "{tessera: 1}"):
            (self.folder / "result.job").write_text(words)
            told = self.program("reconstruct", "run.yaml", "--set", "engines[0].num_iter=2")
            self.assertIn("result.job: is another file", told)
            self.assertEqual((self.folder / "result.job").read_text(), words)

    def test_two_runs_do_not_share_a_result(self):
        job, _ = self.begin()
        before = sorted(path.name for path in self.folder.iterdir())
        told = self.program("reconstruct", "run.yaml", expected=USAGE)
        self.assertIn(f"result.h5 is being written by another run (process {job.pid} on", told)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)
        self.assertIn("result.h5: runs", self.program("status", "result.h5"))
        self.program("reconstruct", "run.yaml", "--output", "other.h5", "--set", "engines[0].num_iter=2")

    def test_names_of_the_same_result_are_one_result(self):
        job, _ = self.begin()
        (self.folder / "elsewhere").mkdir()
        (self.folder / "elsewhere/link.h5").symlink_to("../result.h5")
        (self.folder / "folder").symlink_to(self.folder)
        for name in ("elsewhere/../result.h5", "elsewhere/link.h5", "folder/result.h5", "./result.h5"):
            told = self.program("reconstruct", "run.yaml", "--output", name, expected=USAGE)
            self.assertIn(f"is being written by another run (process {job.pid} on", told)
            self.assertIn("runs", self.program("status", name))

    def test_a_link_is_written_through(self):
        (self.folder / "store").mkdir()
        (self.folder / "link.h5").symlink_to("store/result.h5")
        self.program("reconstruct", "run.yaml", "--output", "link.h5", "--set", "engines[0].num_iter=2")
        self.assertTrue((self.folder / "link.h5").is_symlink())
        self.assertTrue((self.folder / "store/result.h5").is_file())
        self.assertIn("is done", self.program("status", "link.h5"))
        self.program("reconstruct", "run.yaml", "--output", "store/../other/../new/result.h5", "--set",
                     "engines[0].num_iter=2")
        self.assertTrue((self.folder / "new/result.h5").is_file())

    def test_of_nothing(self):
        self.assertIn("there is no such file", self.program("status", "result.h5", expected=DATA))
        (self.folder / "result.job").write_text("{a: 1}")
        self.assertIn("is not a file in which a run says where it is", self.program("status", "result.h5", expected=DATA))

    def test_the_log_for_machines_says_how_it_ended(self):
        def last_line(*arguments, expected):
            lines = self.program("--log", "json", "reconstruct", "run.yaml", *arguments, expected=expected).splitlines()
            events = [json.loads(line) for line in lines]
            for event in events:
                if event.get("event") == "iteration":
                    self.assertGreater(event["memory_bytes"], 0)
                    self.assertGreater(event["frames_per_s"], 0)
            return events[-1]

        done = last_line("--set", "engines[0].num_iter=3", expected=DONE)
        self.assertEqual((done["event"], done["exit_code"]), ("end", DONE))
        failed = last_line("--set", "scan.file=gone.cxi", expected=DATA)
        self.assertEqual((failed["event"], failed["exit_code"]), ("end", DATA))


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)

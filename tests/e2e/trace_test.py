#!/usr/bin/python3
"""Traces that a run leaves: what viewers read, what people see, on one rank and on two.
trace_test.py PROGRAM MPIRUN [TEST]"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
NUM_ITER, TILES, BATCHES_PER_TILE = 3, 2, 4

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [8, 8], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = f"""scan: {{file: scan.cxi}}
engines:
  - {{name: CG, num_iter: {NUM_ITER}}}
tiling: {{tiles: [1, {TILES}], batch_size: 8}}
runtime: {{cpus: 1, waves: recompute, trace: trace}}
output: {{file: result.h5, pictures: false}}
"""


class Trace(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def reconstruct(self, *arguments, ranks=1, core=None):
        command = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
        if core is not None:
            command = ["taskset", "--cpu-list", str(core)]
        done = subprocess.run([*command, PROGRAM, "reconstruct", "run.yaml", *arguments], cwd=self.folder, timeout=120,
                              capture_output=True, text=True, env=dict(os.environ, **RANKS_ON_ANY_MACHINE))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def events(self):
        return json.loads((self.folder / "trace/trace.json").read_text())["traceEvents"]

    def check_timelines(self, events, num_ranks):
        """What a worker did and why it did nothing fill the time from the first task to the last, without overlap."""
        lines = {}
        for event in events:
            if event["ph"] == "X":
                lines.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
        self.assertEqual({pid for pid, _ in lines}, set(range(num_ranks)))
        spans = []
        for line in lines.values():
            line.sort()
            for (_, end), (start, _) in zip(line, line[1:]):
                self.assertAlmostEqual(start, end, delta=0.01)
            spans.append((line[0][0], line[-1][1]))
        self.assertLess(max(start for start, _ in spans) - min(start for start, _ in spans), 0.01)
        self.assertLess(max(end for _, end in spans) - min(end for _, end in spans), 0.01)

    def check_tasks(self, events):
        tasks = Counter((event["name"], event["args"]["iteration"]) for event in events if event.get("cat") == "task")
        for iteration in range(NUM_ITER):
            self.assertEqual(tasks["gradient", iteration], TILES * BATCHES_PER_TILE)
            self.assertEqual(tasks["line_search", iteration], TILES * BATCHES_PER_TILE)

    def test_of_one_rank(self):
        told = self.reconstruct()
        self.assertRegex(told, r"workers were busy [\d.]+ % of")
        events = self.events()
        self.check_timelines(events, 1)
        self.check_tasks(events)

    def test_has_a_worker_for_each_core_that_the_process_may_use(self):
        told = self.reconstruct("--set", "runtime.cpus=auto", core=max(os.sched_getaffinity(0)))
        self.assertIn(", 1 CPU worker, ", told)
        self.check_timelines(self.events(), 1)

    def test_of_two_ranks(self):
        self.reconstruct(ranks=2)
        events = self.events()
        self.check_timelines(events, 2)
        messages = Counter(event["name"] for event in events if event["ph"] == "b")
        self.assertEqual(messages["send halo strip"], messages["receive halo strip"])
        self.assertGreaterEqual(messages["send halo strip"], 2 * NUM_ITER)

    def test_for_vite(self):
        self.reconstruct()
        lines = (self.folder / "trace/trace.paje").read_text().splitlines()
        defined = {line.split()[1] for line in lines if line.startswith("3 ")}
        workers = {line.split()[2] for line in lines if line.startswith("4 ") and line.split()[3] == "W"}
        changes = [line.split() for line in lines if line.startswith("6 ")]
        self.assertTrue(changes)
        self.assertEqual({change[3] for change in changes}, workers)
        self.assertLessEqual({change[4] for change in changes}, defined)
        times = [float(change[1]) for change in changes]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], 0)

    def test_page_needs_nothing_else(self):
        self.reconstruct()
        page = (self.folder / "trace/index.html").read_text()
        self.assertNotRegex(page, r"""(src|href)\s*=|@import|url\(|https?://""")
        data = re.search(r"const T = \{rows:(\[.*?\]),names:(\[.*?\]),causes:(\[.*?\]),makespan:([\d.]+),"
                         r"tasks:\[(.*?)\],idle:\[(.*?)\]\};", page)
        self.assertEqual(json.loads(data[1]), ["CPU 0"])
        self.assertIn("gradient", json.loads(data[2]))
        tasks = [float(number) for number in data[5].rstrip(",").split(",")]
        self.assertEqual(len(tasks) % 6, 0)
        self.assertEqual(sum(1 for event in self.events() if event.get("cat") == "task"), len(tasks) // 6)
        self.assertAlmostEqual(max(a + b for a, b in zip(tasks[1::6], tasks[2::6])), float(data[4]), delta=0.2)

    def test_that_cannot_be_written_costs_no_result(self):
        (self.folder / "taken").write_text("a file")
        told = self.reconstruct("--set", "runtime.trace=taken")
        self.assertIn("warning: runtime.trace: taken", told)
        self.assertTrue((self.folder / "result.h5").exists())
        self.assertEqual((self.folder / "taken").read_text(), "a file")


if __name__ == "__main__":
    PROGRAM, MPIRUN = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)

#!/usr/bin/python3
"""`tessera forecast`: what it refuses, what a modelled machine does, and, where the simulator is built, a simulated one.
forecast_test.py PROGRAM MPIRUN [TEST]"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, MPIRUN = "", ""
NUM_ITER = 4

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [16, 16], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
random_seed: 5
file: scan.cxi
"""

RUN = f"""scan: {{file: scan.cxi}}
probe: {{update: {{start: 0}}}}
engines:
  - {{name: CG, num_iter: {NUM_ITER}}}
tiling: {{tiles: [4, 4], batch_size: 4}}
runtime: {{waves: recompute}}
output: {{file: result.h5, pictures: false}}
"""

RUN_OF_MANY_FRAMES = """scan:
  file: scan.h5
  format: hdf5
  geometry: {energy_eV: 8000, detector_distance_m: 1.0, detector_pixel_size_m: 20.0e-6}
  keys: {frames: frames, positions: positions}
probe: {initial: gaussian, diameter_m: 2.0e-6, update: {start: 0}}
engines: [{name: CG, num_iter: 1}]
tiling: {tiles: [4, 4], batch_size: 4096}
runtime: {waves: recompute}
output: {file: result.h5, pictures: false}
"""

# Slow cores, so that tasks take about a millisecond.
MACHINE = """name: a test
node:
  cores: 3
  memory: 4GiB
  core: {gflops: 1, gb_per_s: 1, task_us: 1}
network: {gb_per_s: 10, latency_us: 1}
"""

GPUS = """
  gpus:
    count: 2
    memory: 1GiB
    speed: {gflops: 20, gb_per_s: 20, task_us: 5}
    host_link: {gb_per_s: 20, latency_us: 5}
    peer_link: {gb_per_s: 100, latency_us: 2}
"""


def simulator():
    """Where the program looks for it."""
    program = Path(PROGRAM).resolve()
    places = [os.environ.get("TESSERA_SIMGRID"), program.parent / "tessera-simgrid",
              program.parent.parent.parent / "simgrid/bin/tessera-simgrid"]
    return next((place for place in places if place and Path(place).is_file()), None)


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text(RUN)
        (self.folder / "machine.yaml").write_text(MACHINE)

    def start(self, *arguments, **environment):
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, timeout=120, capture_output=True, text=True,
                              env=dict(os.environ, **environment))


class Refused(Folder):
    """Needs no simulator."""

    def test_without_simulator(self):
        done = self.start("forecast", "run.yaml", "--machine", "machine.yaml", TESSERA_SIMGRID="nowhere/simulator")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("nowhere/simulator", done.stderr)
        self.assertIn("tools/build simgrid", done.stderr)

    def test_machine_files(self):
        for text, said in (("node: {cores: 0}", r"bad\.yaml:1: node\.cores: .*1"),
                           ("node: {cores: 2}\nnetwork: {latency_us: -1}", r"bad\.yaml:2: network\.latency_us"),
                           ("nodes: {gpus: 3}", r"bad\.yaml:1: nodes"),
                           ("node: {gpu: {count: 3}}", r"node\.gpu: .*gpus")):
            (self.folder / "bad.yaml").write_text(text)
            done = self.start("forecast", "run.yaml", "--machine", "bad.yaml")
            self.assertEqual(done.returncode, 2, text)
            self.assertRegex(done.stderr, said)

    def test_missing_machine_file(self):
        done = self.start("forecast", "run.yaml", "--machine", "none.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("none.yaml", done.stderr)


class OfAnyKind:
    """What holds of simulations and of the model."""

    how = ()

    def setUp(self):
        super().setUp()
        subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def forecast(self, *machine, nodes=1, more=(), how=None):
        settings = [word for text in machine for word in ("--set-machine", text)]
        done = self.start("--log", "json", "forecast", "run.yaml", "--machine", "machine.yaml", "--nodes", str(nodes),
                          "--iterations", str(NUM_ITER), *settings, *more, *(self.how if how is None else how))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        events = [json.loads(line) for line in done.stderr.splitlines() if '"event":"forecast"' in line]
        self.assertEqual(len(events), 1, done.stderr)
        return events[0]

    def test_shares_are_all_of_the_time(self):
        told = self.forecast(nodes=4)
        shares = [told[key] for key in ("busy", "waiting_for_strips", "waiting_for_other_messages", "waiting_for_tasks",
                                        "waiting_for_submission", "scheduling", "nothing_left")]
        self.assertAlmostEqual(sum(shares), 1, delta=1e-3)
        self.assertTrue(all(share >= 0 for share in shares), told)

    def test_priorities(self):
        priorities = {}
        for choice in ("on", "off"):
            self.forecast(more=("--set", f"runtime.priorities={choice}", "--trace", choice))
            trace = json.loads(next((self.folder / choice).glob("*.json")).read_text())
            priorities[choice] = {event["args"]["priority"] for event in trace["traceEvents"] if "priority" in event.get("args", {})}
        self.assertGreater(len(priorities["on"]), 1)
        self.assertEqual(priorities["off"], {0})

    def test_is_the_same_again(self):
        first, second = self.forecast(nodes=4), self.forecast(nodes=4)
        for key in first.keys() - {"time"}:
            self.assertEqual(first[key], second[key], key)

    def test_more_is_not_slower(self):
        one, two = self.forecast("node.cores=2"), self.forecast("node.cores=4")
        self.assertLess(two["iteration_s"], 0.7 * one["iteration_s"])
        four_nodes = self.forecast(nodes=4)
        self.assertLess(four_nodes["iteration_s"], 0.7 * self.forecast(nodes=1)["iteration_s"])

    def test_strips_are_waited_for_where_the_network_is_slow(self):
        ideal = self.forecast("network.gb_per_s=1e6", "network.latency_us=0", nodes=4)
        usual = self.forecast(nodes=4)
        slow = self.forecast("network.gb_per_s=0.005", "network.latency_us=1000", nodes=4)
        self.assertLess(ideal["waiting_for_strips"], 2e-3)
        self.assertGreater(slow["waiting_for_strips"], 0.1)
        self.assertGreater(slow["iteration_s"], usual["iteration_s"])
        self.assertLessEqual(ideal["iteration_s"], usual["iteration_s"] * 1.01)

    def test_speed_of_cores_counts(self):
        usual, fast = self.forecast(), self.forecast("node.core.gflops=2", "node.core.gb_per_s=2", "node.core.task_us=0.5")
        self.assertAlmostEqual(usual["iteration_s"] / fast["iteration_s"], 2, delta=0.1)

    def test_slices_cost_what_the_window_of_the_probe_has(self):
        slices = ("--set", "object.num_slices=20", "--set", "object.slice_spacings_m=1e-9", "--set", "probe.initial=gaussian",
                  "--set", "probe.diameter_m=1e-7")
        frames, small = self.forecast(more=slices), self.forecast(more=(*slices, "--set", "probe.size=[8,8]"))
        self.assertLess(small["iteration_s"], 0.3 * frames["iteration_s"])

    def test_gpus(self):
        (self.folder / "machine.yaml").write_text(MACHINE.replace("\nnetwork", GPUS + "network"))
        two, one = self.forecast(), self.forecast("node.gpus.count=1")
        self.assertLess(two["iteration_s"], one["iteration_s"])
        self.assertGreater(two["gpu_memory_bytes"], 0)
        nodes = self.forecast(nodes=2)
        self.assertLess(nodes["iteration_s"], two["iteration_s"])

    def test_sends_what_check_says(self):
        told = self.forecast(nodes=4)
        text = self.start("check", "run.yaml", "--ranks", "4").stdout
        sent = [float(number) for number in re.findall(r"^ +\d+ +\d+ +\d+ +[\d.]+  ([\d.]+) \(halos", text, re.M)]
        self.assertEqual(len(sent), 4, text)
        # check rounds to a hundredth of a MiB, and iterations that weigh send more.
        self.assertAlmostEqual(told["sent_bytes_most"] / 2**20, max(sent), delta=0.2 * max(sent) + 0.01)

    def test_its_tasks_and_messages_are_those_of_a_real_run(self):
        self.compare_with_a_real_run()

    def test_also_those_that_follow_the_engines_own(self):
        self.compare_with_a_real_run("engines[0].refine_positions={start: 0}", "positions.max_shift_px=2",
                                     "probe.num_modes=2", "probe.orthogonalize_interval=1")
        self.compare_with_a_real_run("probe.variable={num_opr_modes: 1, variable_intensity: true, start: 0}")

    def test_also_those_of_operations_in_stages(self):
        self.compare_with_a_real_run("runtime.operations=staged")

    def compare_with_a_real_run(self, *settings):
        choices = [word for setting in settings for word in ("--set", setting)]
        self.forecast("node.cores=2", nodes=2, more=("--trace", "simulated", *choices))
        run = subprocess.run([MPIRUN, "-n", "2", PROGRAM, "--quiet", "reconstruct", "run.yaml", "--set",
                              "runtime.trace=measured", "--set", "runtime.cpus=1", "--set",
                              "output.checkpoint_interval=0", *choices], cwd=self.folder, timeout=120,
                             capture_output=True, text=True, env=dict(os.environ, **RANKS_ON_ANY_MACHINE))
        self.assertEqual(run.returncode, 0, run.stderr)

        def counted(folder):
            events = json.loads((self.folder / folder / "trace.json").read_text())["traceEvents"]
            tasks = Counter((event["pid"], event["name"], event["args"]["iteration"]) for event in events
                            if event.get("cat") == "task" and event["args"]["iteration"] >= 0)
            messages = Counter((event["pid"], event["name"]) for event in events if event["ph"] == "b")
            return tasks, messages

        tasks, messages = counted("simulated")
        real_tasks, real_messages = counted("measured")
        inner = range(NUM_ITER - 1)  # the last ends with an evaluation in a real run
        self.assertEqual({key: count for key, count in tasks.items() if key[2] in inner},
                         {key: count for key, count in real_tasks.items() if key[2] in inner})
        for key in messages:
            self.assertLessEqual(messages[key], real_messages[key], key)
        strips = {key: count for key, count in messages.items() if "halo strip" in key[1]}
        self.assertTrue(strips)
        self.assertEqual(strips, {key: count for key, count in real_messages.items() if "halo strip" in key[1]})

    def test_durations_of_a_measured_run(self):
        run = self.start("--quiet", "reconstruct", "run.yaml", "--set", "runtime.cpus=1")
        self.assertEqual(run.returncode, 0, run.stderr)
        plain = self.forecast("node.cores=1")
        measured = self.forecast("node.cores=1", "node.core.calibration=result.h5")
        self.assertNotAlmostEqual(plain["iteration_s"], measured["iteration_s"], delta=0.1 * plain["iteration_s"])

    # What is forecast is what was measured, loosely: waiting for the cores that other programs have is not in a forecast. DM
    # leaves out turns of its overlap projection, which a forecast knows from the measured run alone.
    def test_measured_runs_are_forecast(self):
        for engine in ("CG", "DM"):
            settings = ["--set", f"engines[0].name={engine}", "--set", "tiling.tiles=[1,1]", "--set", "tiling.batch_size=32",
                        "--set", "engines[0].num_iter=12"]
            run = self.start("--quiet", "reconstruct", "run.yaml", "--set", "runtime.cpus=1", "--set",
                             "output.checkpoint_interval=0", *settings)
            self.assertEqual(run.returncode, 0, run.stderr)
            with h5py.File(self.folder / "result.h5") as file:
                process = file["entry_1/process_1"]
                measured_s = float(process["time_s"][-1]) / 12
                self.assertEqual("codelet_overlap_object" in process["timings_s"], engine == "DM")
            told = self.forecast("node.cores=1", "node.core.calibration=result.h5", more=settings)
            self.assertGreater(told["iteration_s"], 0.2 * measured_s, engine)
            self.assertLess(told["iteration_s"], 1.4 * measured_s, engine)

    def test_a_calibration_that_is_none(self):
        done = self.start("forecast", "run.yaml", "--machine", "machine.yaml", "--set-machine",
                          "node.core.calibration=scan.cxi", *self.how)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("scan.cxi", done.stderr)

    def test_more_nodes_than_tiles(self):
        done = self.start("forecast", "run.yaml", "--machine", "machine.yaml", "--nodes", "17", *self.how)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count("error:"), 1, done.stderr)
        self.assertIn("tiling.tiles", done.stderr)


class Modelled(OfAnyKind, Folder):
    """Needs no simulator."""

    how = ("--model",)

    def start(self, *arguments, **environment):
        return super().start(*arguments, **environment, TESSERA_SIMGRID="nowhere/simulator")

    def test_what_the_model_does_not_know(self):
        (self.folder / "machine.yaml").write_text(MACHINE.replace("\nnetwork", GPUS + "network"))
        for setting, said in (("runtime.mixed=on", r"runtime\.mixed"), ("runtime.memory_limit=100MiB", "memory_limit"),
                              ("runtime.disk=.", r"runtime\.disk")):
            done = self.start("forecast", "run.yaml", "--machine", "machine.yaml", "--model", "--set", setting)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, said)


class Simulated(OfAnyKind, Folder):
    @classmethod
    def setUpClass(cls):
        if simulator() is None:
            raise unittest.SkipTest("the simulator is not built (tools/build simgrid)")

    def test_the_model_is_close(self):
        """Where tasks take about a millisecond, as they should."""
        gpus = MACHINE.replace("\nnetwork", GPUS + "network").replace("gflops: 20, gb_per_s: 20", "gflops: 1, gb_per_s: 1")
        for machine, nodes in ((MACHINE, 1), (MACHINE, 4), (gpus.replace("count: 2", "count: 1"), 4), (gpus, 1)):
            (self.folder / "machine.yaml").write_text(machine)
            for exchange in ("neighbours", "passes", "voxels") if nodes > 1 else ("neighbours",):
                with self.subTest(nodes=nodes, gpus="gpus" in machine, exchange=exchange):
                    choice = ("--set", f"tiling.exchange={exchange}")
                    simulated = self.forecast(nodes=nodes, more=choice)
                    modelled = self.forecast(nodes=nodes, more=choice, how=("--model",))
                    self.assertEqual(modelled["tasks"], simulated["tasks"])
                    self.assertEqual(modelled["messages"], simulated["messages"])
                    self.assertEqual(modelled["sent_bytes_most"], simulated["sent_bytes_most"])
                    self.assertEqual(modelled["gpu_memory_bytes"], simulated["gpu_memory_bytes"])
                    self.assertAlmostEqual(modelled["iteration_s"] / simulated["iteration_s"], 1, delta=0.03)

    def test_ranks_share_the_scan(self):
        """They are in one process: what each knows of all frames, some 80 bytes a frame, is there once."""
        nodes, sides, peak = 16, (40, 250), []
        (self.folder / "run.yaml").write_text(RUN_OF_MANY_FRAMES)
        for side in sides:
            y, x = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
            with h5py.File(self.folder / "scan.h5", "w") as scan:
                scan["positions"] = 1e-6 * np.stack([y.ravel(), x.ravel()], axis=1)
                frames = scan.create_dataset("frames", (side**2, 8, 8), "uint16", chunks=(1, 8, 8))  # which takes no room
                frames[0] = 1
            process = subprocess.Popen([PROGRAM, "--quiet", "forecast", "run.yaml", "--machine", "machine.yaml", "--nodes",
                                        str(nodes), "--iterations", "2"], cwd=self.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            peak.append(1024 * used.ru_maxrss)
        self.assertLess((peak[1] - peak[0]) / (sides[1]**2 - sides[0]**2), 0.5 * 80 * nodes)


if __name__ == "__main__":
    PROGRAM, MPIRUN = (os.path.abspath(path) for path in sys.argv[1:3])
    result = unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2, exit=False).result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)

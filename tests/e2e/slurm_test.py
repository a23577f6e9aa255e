#!/usr/bin/python3
"""The batch scripts of inputs/slurm on a real Slurm of one node, which this test starts and ends.
slurm_test.py PROGRAM SCRIPTS [TEST]

Needs root, slurmctld, slurmd and munged; without them it says so and is skipped (exit code 77)."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from mpi_environment import RANKS_ON_ANY_MACHINE

PROGRAM, SCRIPTS = "", Path()
SKIPPED = 77

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SchedulerParameters=batch_sched_delay=0,sched_interval=1,requeue_setup_env_fail
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=300
PreemptMode=REQUEUE
PreemptType=preempt/partition_prio
NodeName={host} CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=30 State=UP
PartitionName=high Nodes=ALL PriorityTier=10 State=UP
"""

SIMULATION = """
object: {{pattern: random_features}}
probe: {{shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}}
scan: {{pattern: spiral, grid: [10, 10], step_px: 4}}
detector: {{shape: [64, 64], distance_m: 1.0}}
random_seed: {seed}
file: scan{seed}.cxi
"""

RUN = """scan: {{file: scan1.cxi}}
engines:
  - {{name: GD, num_iter: {num_iter}}}
tiling: {{tiles: [2, 2], batch_size: 10}}
runtime: {{cpus: 1}}
output: {{file: result.h5, pictures: false}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


class Cluster:
    """munged, slurmctld and slurmd with all their files in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        for name in ("state", "spool"):
            (folder / name).mkdir()
        os.chmod(folder, 0o755)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.host = socket.gethostname().split(".")[0]
        (folder / "slurm.conf").write_text(CONFIGURATION.format(
            folder=folder, host=self.host, port=free_port(), node_port=free_port(), cpus=os.cpu_count()))
        self.environment = dict(os.environ, SLURM_CONF=str(folder / "slurm.conf"), TESSERA=PROGRAM,
                                **RANKS_ON_ANY_MACHINE)

    def start(self):
        self.launch("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
                    f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munged.pid",
                    f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/munge.log")
        self.wait_for(lambda: (self.folder / "munge.socket").exists())
        self.launch("slurmctld", "-D", "-i", "-f", str(self.folder / "slurm.conf"))
        self.launch("slurmd", "-D", "-f", str(self.folder / "slurm.conf"), "-N", self.host)
        self.wait_for(lambda: "idle" in self.call("sinfo", "-h", "-o", "%T", check=False))

    def launch(self, program, *arguments):
        log = open(self.folder / f"{program}.out", "wb")
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.processes.append(subprocess.Popen([path, *arguments], stdout=log, stderr=log, env=self.environment))
        log.close()

    def wait_for(self, holds, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                raise TimeoutError(self.logs())
            time.sleep(0.1)

    def logs(self):
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-2000:]}"
                         for pattern in ("*.log", "*.out") for file in sorted(self.folder.glob(pattern)))

    def call(self, *command, check=True, cwd=None):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, cwd=cwd)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def stop(self):
        self.call("scancel", "--full", "--user=root", check=False)
        time.sleep(0.5)
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Slurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.cluster = Cluster(Path(cls.holder.name))
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        for seed in (1, 2):
            (self.folder / "simulation.yaml").write_text(SIMULATION.format(seed=seed))
            subprocess.run([PROGRAM, "--quiet", "simulate", "simulation.yaml"], cwd=self.folder, check=True, timeout=60)

    def write_run(self, num_iter):
        (self.folder / "run.yaml").write_text(RUN.format(num_iter=num_iter))

    def submit(self, script, *options):
        answer = self.cluster.call("sbatch", "--parsable", "--mem=500", "--output=log-%j.txt", *options,
                                   str(SCRIPTS / script), "run.yaml", cwd=self.folder)
        return answer.strip().split(";")[0]

    def state(self, job):
        states = self.cluster.call("squeue", "-h", "-t", "all", "-j", job, "-o", "%T", check=False).split()
        return states[0] if len(set(states)) == 1 else " ".join(states)

    def wait_for(self, job, state, seconds=120):
        try:
            self.cluster.wait_for(lambda: self.state(job) == state, seconds)
        except TimeoutError:
            self.fail(f"job {job} is {self.state(job)}, not {state}: {self.log()}\n{self.cluster.logs()}")

    def log(self):
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("log-*.txt")))

    def iteration(self):
        told = subprocess.run([PROGRAM, "status", "result.h5"], cwd=self.folder, capture_output=True, text=True, timeout=60)
        words = told.stdout.split()
        return int(words[words.index("iteration") + 1]) if "iteration" in words else 0

    def require_going_on(self, job):
        """It is in the queue again, where Slurm would keep it for two minutes: in the second in which it was put back the node
        would still refuse it."""
        self.wait_for(job, "PENDING")
        time.sleep(4)
        self.cluster.call("scontrol", "update", f"JobId={job}", "StartTime=now")
        self.wait_for(job, "COMPLETED")
        self.assertIn("the run goes on after", self.log())
        self.require_uninterrupted_bits()

    def require_uninterrupted_bits(self):
        subprocess.run([PROGRAM, "--quiet", "reconstruct", "run.yaml", "--output", "whole.h5"], cwd=self.folder, check=True,
                       timeout=300)
        with h5py.File(self.folder / "result.h5") as got, h5py.File(self.folder / "whole.h5") as expected:
            for key in ("entry_1/image_1/data", "entry_1/image_2/data", "entry_1/process_1/cost"):
                np.testing.assert_array_equal(got[key][()], expected[key][()])

    def test_single_node(self):
        self.write_run(5)
        self.wait_for(self.submit("single_node.sh"), "COMPLETED")
        self.require_uninterrupted_bits()

    def test_several_ranks(self):
        self.write_run(5)
        self.wait_for(self.submit("several_nodes.sh", "--nodes=1"), "COMPLETED")
        self.require_uninterrupted_bits()

    def test_an_array_of_scans(self):
        self.write_run(3)
        (self.folder / "scans.txt").write_text("scan1.cxi\nscan2.cxi\n")
        self.wait_for(self.submit("array_of_scans.sh", "--array=1-2"), "COMPLETED")
        for name in ("scan1.h5", "scan2.h5"):
            self.assertTrue((self.folder / name).exists(), self.log())

    def test_preempted_it_goes_on(self):
        self.write_run(2000)
        job = self.submit("preemptible.sh")
        self.cluster.wait_for(lambda: self.iteration() > 5)
        other = self.cluster.call("sbatch", "--parsable", "--partition=high", "--exclusive", "--mem=500",
                                  "--output=/dev/null", "--wrap=sleep 1", cwd=self.folder).strip()
        self.wait_for(other, "COMPLETED")
        self.require_going_on(job)

    def test_out_of_time_it_goes_on(self):
        # Slurm looks at limits seldom and in minutes: what it would send is sent here.
        self.write_run(2000)
        job = self.submit("preemptible.sh")
        self.cluster.wait_for(lambda: self.iteration() > 5)
        self.cluster.call("scancel", "--signal=USR2", job)
        self.cluster.wait_for(lambda: "stopped early (signal)" in self.log())
        self.require_going_on(job)


def missing():
    if os.geteuid() != 0:
        return "only root may start a Slurm"
    for program in ("munged", "slurmctld", "slurmd", "sbatch"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            return f"there is no {program} (Debian: slurm-wlm, munge)"
    return ""


if __name__ == "__main__":
    if missing():
        print(f"skipped: {missing()}")
        sys.exit(SKIPPED)
    PROGRAM, SCRIPTS = os.path.abspath(sys.argv[1]), Path(os.path.abspath(sys.argv[2]))
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)

#!/bin/bash
# A job that others may push out, and that is longer than its time:  sbatch preemptible.sh run.yaml
#SBATCH --job-name=tessera
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --time=01:00:00
#SBATCH --requeue               # preempted, it goes back into the queue
#SBATCH --open-mode=append      # with its log
#SBATCH --signal=USR2@120       # two minutes before the end: stop in order

srun --mpi=none "${TESSERA:-tessera}" reconstruct "$1" --resume
code=$?
# Out of time: into the queue again, where a preempted job goes by itself.
[[ $code -ne 75 ]] || scontrol requeue "$SLURM_JOB_ID"
exit $code

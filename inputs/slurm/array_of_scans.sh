#!/bin/bash
# One run file for many scans, a line of scans.txt each:
#   sbatch --array=1-$(wc -l < scans.txt) array_of_scans.sh run.yaml
#SBATCH --job-name=tessera
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time=01:00:00
#SBATCH --signal=USR2@60

scan=$(sed -n "${SLURM_ARRAY_TASK_ID}p" scans.txt)
name=$(basename "${scan%.*}")
srun --mpi=none "${TESSERA:-tessera}" reconstruct "$1" --resume --set "scan.file=$(realpath "$scan")" --output "$name.h5"

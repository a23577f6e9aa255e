#!/bin/bash
# One node with all its cores:  sbatch single_node.sh run.yaml
#SBATCH --job-name=tessera
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=USR2@120       # two minutes before the end: stop in order

srun --mpi=none "${TESSERA:-tessera}" reconstruct "$1" --resume
code=$?
[[ $code -ne 75 ]] || echo "stopped before its end: send the same script again to go on"
exit $code

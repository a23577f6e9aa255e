#!/bin/bash
# One rank per node, each with all cores of its node:  sbatch --nodes=8 several_nodes.sh run.yaml
#SBATCH --job-name=tessera
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=USR2@120       # two minutes before the end: stop in order

# Where Slurm and MPI know each other (PMIx), `srun --mpi=pmix` does the same.
mpirun --map-by ppr:1:node --bind-to none "${TESSERA:-tessera}" reconstruct "$1" --resume
code=$?
[[ $code -ne 75 ]] || echo "stopped before its end: send the same script again to go on"
exit $code

#!/bin/bash
# Features of a side by an array job of SLURM, and one file of them. Call it from the folder that the results belong to:
#
#   VIDEOS=/data/real SIDE=real sbatch --array=1-64 slurm.sh
#
# Each task takes every 64th video. One that is preempted starts again and goes on from its own store. The last task to
# end joins all shards; `sbatch` it again with the same range to complete what has failed: what is there is not made
# again.
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

parts=$SLURM_ARRAY_TASK_COUNT
part=$SLURM_ARRAY_TASK_ID
mkdir -p shards
shard=shards/$part-of-$parts.npz
if [ ! -e "$shard" ]; then
    fvd-bench stats "$VIDEOS" --side "$SIDE" --protocol "${PROTOCOL:-stylegan-v-fvd16}" --moments --shard "$part/$parts" --cache "stores/$part" --out "$shard"
fi

shopt -s nullglob
done=(shards/*-of-"$parts".npz)
if [ "${#done[@]}" -eq "$parts" ]; then
    fvd-bench merge "${done[@]}" --out "$SIDE.npz"
fi

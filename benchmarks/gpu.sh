#!/bin/bash
# Everything that has to be measured on a GPU. Needs CUDA, the I3D weights (the store, or FVD_BENCH_I3D=FILE), and for
# the comparison in throughput.py a folder with cd-fvd: PEER=DIR. Steps go on when one of them fails.
set -uo pipefail
cd "$(dirname "$0")"
status=0
python3 gpu.py || status=1
python3 throughput.py --device cuda ${PEER:+--peer "$PEER"} || status=1
python3 overlap.py --device cuda || status=1
(cd .. && FVD_BENCH_REQUIRE_GPU=1 python3 -m pytest -m gpu) || status=1
exit $status

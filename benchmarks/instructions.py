"""Question: what do the number of threads and the processor's instruction set do to features and scores?

Command:  python benchmarks/instructions.py DATA
Time:     4 minutes on 2 cores.
Expected: one digest of all features for every number of threads, also where Intel's library cuts sums up among threads
          (`MKL_CBWR=COMPATIBLE` makes it do so on every processor); other digests for other instruction sets, whose
          scores agree to about a millionth. Products in an order of our own take I3D no more than 3 % longer.

20 talking faces against 10 natural scenes, FVD of `stylegan-v-fvd16`, in a process for each setting. Libraries can be
told to use an older instruction set than the processor has, not a newer one: run this on several processors to compare
those.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from machine import write

from fvd_bench.networks import arithmetic, i3d_network, weights

ROUNDS = 15

SETTINGS: dict[str, dict[str, str]] = {
    **{f"{threads} threads": {"OMP_NUM_THREADS": str(threads)} for threads in (1, 2, 4, 8)},
    **{
        f"{threads} threads, sums cut up": {"OMP_NUM_THREADS": str(threads), "MKL_CBWR": "COMPATIBLE"}
        for threads in (1, 2, 4, 8)
    },
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "AVX": {"ONEDNN_MAX_CPU_ISA": "AVX", "ATEN_CPU_CAPABILITY": "default"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}

PROGRAM = """
import hashlib, json, sys
from fvd_bench import Settings, evaluate
from fvd_bench.features import store
features, put = {}, store.FeatureStore.put
def noted(store, entries):
    features.update((key, entry.features.tobytes()) for key, entry in entries)
    put(store, entries)
store.FeatureStore.put = noted
result = evaluate(sys.argv[1], sys.argv[2], settings=Settings(cache=None, device="cpu"))
digest = hashlib.sha256(b"".join(features[key] for key in sorted(features)))  # sides may take turns in another order
print(json.dumps({"score": result.value, "features": digest.hexdigest()[:12]}))
"""


def scored(data: Path, variables: dict[str, str]) -> dict[str, float | str]:
    sides = [str(data / "dev" / name) for name in ("faces_jpg_128", "natural_davis_jpg")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *sides],
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def cost() -> float:
    """Time of I3D on two clips of 16 frames with our order of summation, over that with the library's, in pairs."""
    network = i3d_network.I3D.from_tensors(weights.load("i3d-kinetics-400").tensors)
    clips = torch.zeros(2, 3, 16, 224, 224)
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for product in (arithmetic.linear, torch.nn.functional.linear):
            i3d_network.linear = product
            began = time.perf_counter()
            network(clips)
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
    return round(statistics.median(ratios[1:]), 3)


def main(data: Path) -> None:
    found = {}
    for name, variables in SETTINGS.items():
        found[name] = scored(data, variables)
        print(f"{name:30} {found[name]['score']:.9f} {found[name]['features']}", flush=True)
    scores = [float(row["score"]) for row in found.values()]
    summary = {
        "largest_relative_difference": (max(scores) - min(scores)) / scores[0],
        "time_over_the_library's_order": cost(),
    }
    print(summary)
    write("instructions", __doc__, {"all": summary, "settings": found})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    main(parser.parse_args().data)

"""Question: how much faster does OpenVINO run I3D on a processor than torch does, and how far apart are the features?

Command:  pip install '.[openvino]'
          python benchmarks/engines.py
Time:     1 minute on 2 idle cores.
Expected: about as fast, and a largest difference of features of about 2e-5. OpenVINO has direct sums, fused with what
          follows them; torch has our larger convolutions by Winograd's algorithm.

Both run the same micro-batch, 2 clips of 16 frames, in turns, so that a busy neighbour slows both.
"""

from __future__ import annotations

import statistics
from functools import partial

import torch
from machine import write
from throughput import interleave

from fvd_bench.networks import i3d, weights
from fvd_bench.networks.arithmetic import float32_arithmetic

CLIPS, ROUNDS = 2, 15
ENGINES = {"torch": "cpu", "OpenVINO": "openvino"}


def main() -> None:
    tensors = weights.load(i3d.WEIGHTS).tensors
    videos = torch.rand(CLIPS, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    networks = {name: i3d.build(tensors, device) for name, device in ENGINES.items()}
    with torch.inference_mode(), float32_arithmetic("float32"):
        features = [network(videos) for network in networks.values()]
        runs = {name: partial(network, videos) for name, network in networks.items()}
        seconds = interleave(runs, rounds=ROUNDS, device="cpu")
    by_torch, by_openvino = seconds.values()
    result = {
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "ratio": round(statistics.median(a / b for a, b in zip(by_torch, by_openvino, strict=True)), 3),
        "max_feature_difference": float((features[0] - features[1]).abs().max()),
        "largest_feature": float(features[0].abs().max()),
    }
    print({name: value for name, value in result.items() if name != "seconds"})
    write("engines", __doc__, result)


if __name__ == "__main__":
    main()

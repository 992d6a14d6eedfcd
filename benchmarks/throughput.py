"""Question: how many clips a second does our I3D take, and how many the one that cd-fvd ships?

Command:  pip install --no-deps --target cd-fvd cd-fvd
          python benchmarks/throughput.py --peer cd-fvd
Time:     1 minute on 2 idle cores.
Expected: on a CPU a ratio of 2.5 to 3 on the same weights, and a largest difference of features of about 2e-5.

Every round runs every setting once, so that a busy neighbour slows all of them; the medians over the rounds are
compared. Each network gets the batch size that suits it best; ours also has micro-batches side by side, as in an
evaluation on a CPU. cd-fvd's module is loaded from its file alone, since the package imports decoders that the network
does not need; it is filled with our tensors and timed with the epsilon that it ships, 1e-5. For the comparison of
features it gets the right one, 1e-3.

`--device cuda` measures there, in full float32, and ours in TF32 besides; without `--peer` it measures ours only.
`--tiny` is for rehearsals: one clip of 9 frames, whose numbers mean nothing.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from machine import parser, write
from torch import Tensor, nn

from fvd_bench.networks import weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.i3d_network import I3D, kernel_shapes
from fvd_bench.networks.lanes import MOST_FRAMES, Lanes
from fvd_bench.networks.network import BATCH_FRAMES

NETWORK_FILE = Path("cdfvd", "third_party", "i3d", "pytorch_i3d.py")
SHIPPED_EPSILON, RIGHT_EPSILON = 1e-5, 1e-3
OUR_BATCHES, PEER_BATCHES = (1, 2, 4, 8), (1, 2, 4)
PEER_BRANCHES = {
    "Branch_0/Conv3d_0a_1x1": "b0",
    "Branch_1/Conv3d_0a_1x1": "b1a",
    "Branch_1/Conv3d_0b_3x3": "b1b",
    "Branch_2/Conv3d_0a_1x1": "b2a",
    "Branch_2/Conv3d_0b_3x3": "b2b",
    "Branch_3/Conv3d_0b_1x1": "b3b",
}


def main() -> None:
    arguments = parse()
    device, frames, rounds, batches = arguments.device, arguments.frames, arguments.rounds, OUR_BATCHES
    if arguments.tiny:
        frames, rounds, batches = 9, 1, OUR_BATCHES[:1]
    tensors = weights.load("i3d-kinetics-400").tensors
    ours = I3D.from_tensors(tensors).to(device)
    peer = None if arguments.peer is None else load_peer(arguments.peer, tensors).to(device)
    micro_batch = max(1, BATCH_FRAMES // frames)
    lanes = Lanes(max(1, MOST_FRAMES // (micro_batch * frames)) if device == "cpu" else 1)
    in_lanes = micro_batch * lanes.count
    generator = torch.Generator().manual_seed(0)
    videos = (torch.rand(max(*batches, in_lanes), 3, frames, 224, 224, generator=generator) * 2 - 1).to(device)

    runs: dict[str, Callable[[], object]] = {
        f"fvd-bench, batch {batch}": partial(ours, videos[:batch]) for batch in batches
    }
    if lanes.count > 1:
        runs[f"fvd-bench in lanes, batch {in_lanes}"] = partial(lanes.map, ours, videos[:in_lanes].split(micro_batch))
    with torch.inference_mode(), float32_arithmetic("tf32"):
        reduced = interleave(runs, rounds=rounds, device=device) if device == "cuda" else {}
    with torch.inference_mode(), float32_arithmetic("float32"):
        difference = None if peer is None else largest_difference(ours, peer, videos[:2])
        if peer is not None:
            set_epsilon(peer, SHIPPED_EPSILON)
            runs |= {f"cd-fvd, batch {batch}": partial(peer, videos[:batch]) for batch in PEER_BATCHES}
        seconds = interleave(runs, rounds=rounds, device=device)

    speeds = clips_per_second(seconds)
    result = {
        **({"tiny": True} if arguments.tiny else {}),
        "threads": torch.get_num_threads(),
        "frames": frames,
        "seconds": seconds,
        "clips_per_second": speeds,
        "clips_per_second_tf32": clips_per_second(reduced),
        "ratio": ratio(speeds),
        "max_feature_difference": difference,
    }
    for name, speed in speeds.items():
        print(f"{name:22} {speed:7.2f} clips/s")
    print(f"ratio {result['ratio']}, largest difference of features {difference}")
    write("throughput", __doc__, result, device=device)


def parse() -> argparse.Namespace:
    options = parser("cpu")
    options.add_argument("--frames", type=int, default=16, help="frames of a clip (default: 16)")
    options.add_argument("--rounds", type=int, default=7, help="rounds that are measured (default: 7)")
    options.add_argument("--peer", type=Path, help="folder into which cd-fvd was installed; needed on the CPU")
    arguments = options.parse_args()
    if arguments.peer is None and arguments.device == "cpu" and not arguments.tiny:
        options.error("--peer is missing: `pip install --no-deps --target cd-fvd cd-fvd`, then `--peer cd-fvd`")
    if arguments.peer is not None and not (arguments.peer / NETWORK_FILE).is_file():
        options.error(f"--peer: no {NETWORK_FILE} in it: `pip install --no-deps --target {arguments.peer} cd-fvd`")
    return arguments


def load_peer(folder: Path, tensors: Mapping[str, np.ndarray]) -> nn.Module:
    """cd-fvd's network with our tensors and the right epsilon, in evaluation mode."""
    spec = importlib.util.spec_from_file_location("cdfvd_network", folder / NETWORK_FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.InceptionI3d(400, in_channels=3).eval()
    state = network.state_dict()
    for name in kernel_shapes():
        fill(state, tensors, name)
    network.load_state_dict(state)
    set_epsilon(network, RIGHT_EPSILON)
    return network


def fill(state: dict[str, Tensor], tensors: Mapping[str, np.ndarray], name: str) -> None:
    """Put one convolution's tensors under the names that cd-fvd has for them."""
    block, _, branch = name.partition("/")
    target = "logits" if block == "Logits" else f"{block}.{PEER_BRANCHES[branch]}" if branch else block
    state[f"{target}.conv3d.weight"] = torch.from_numpy(tensors[f"{name}/kernel"]).permute(4, 3, 0, 1, 2).contiguous()
    if block == "Logits":
        state[f"{target}.conv3d.bias"] = torch.from_numpy(tensors[f"{name}/bias"])
        return
    state[f"{target}.bn.weight"] = torch.ones(len(tensors[f"{name}/beta"]))
    for key, tensor in {"bias": "beta", "running_mean": "mean", "running_var": "var"}.items():
        state[f"{target}.bn.{key}"] = torch.from_numpy(tensors[f"{name}/{tensor}"])


def set_epsilon(network: nn.Module, epsilon: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eps = epsilon


def largest_difference(ours: nn.Module, peer: nn.Module, videos: Tensor) -> float:
    return float((ours(videos) - peer(videos)).abs().max())


def interleave(runs: Mapping[str, Callable[[], object]], *, rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of every run in every round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for counted in [False] + [True] * rounds:
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            if counted:
                seconds[name].append(round(time.perf_counter() - start, 5))
    return seconds


def clips_per_second(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: round(batch_of(name) / statistics.median(times), 3) for name, times in seconds.items()}


def batch_of(run: str) -> int:
    return int(run.split()[-1])


def ratio(speeds: Mapping[str, float]) -> float | None:
    """Our best speed over the peer's best; None where the peer was not measured."""
    peers = [speed for name, speed in speeds.items() if name.startswith("cd-fvd")]
    ours = [speed for name, speed in speeds.items() if name.startswith("fvd-bench")]
    return round(max(ours) / max(peers), 3) if peers else None


if __name__ == "__main__":
    main()

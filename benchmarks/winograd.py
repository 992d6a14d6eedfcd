"""Question: what does Winograd's algorithm do to the speed and to the digits of I3D on a processor?

Command:  python benchmarks/winograd.py DATA
Time:     2 minutes on 2 idle cores.
Expected: 1.2 to 1.6 times as many clips a second as by direct sums, more where the processor's cache is not shared with
          busy neighbours, and features that are as near to those of float64.

The same network twice, on the same micro-batch of 2 clips of 16 frames, in turns, so that a busy neighbour slows both.
The direct one has torch's own convolutions in place of all of ours. Errors are those of the logits of a clip of noise
and of four talking faces, against the direct network in float64.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from machine import write
from throughput import interleave
from torch import Tensor, nn

from fvd_bench.networks import weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.convolution import Convolution, StridedConvolution, TiledConvolution
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.videos.file import VideoFile

CLIPS, FRAMES, ROUNDS, FACES = 2, 16, 15, 4
N = TypeVar("N", bound=nn.Module)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("data", type=Path, help="a folder with dev/faces_mp4_128, see benchmarks/README.md")
    data = options.parse_args().data

    tensors = weights.load("i3d-kinetics-400").tensors
    noise = torch.rand(CLIPS, 3, FRAMES, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    networks = {"winograd": I3D.from_tensors(tensors), "direct": direct(I3D.from_tensors(tensors))}
    threads = torch.get_num_threads()
    table: dict[str, object] = {"rounds": ROUNDS}
    with torch.inference_mode(), float32_arithmetic("float32"):
        for count in sorted({1, threads}):
            torch.set_num_threads(count)
            runs = {name: partial(network, noise) for name, network in networks.items()}
            seconds = interleave(runs, rounds=ROUNDS, device="cpu")
            ratio = statistics.median(a / b for a, b in zip(seconds["direct"], seconds["winograd"], strict=True))
            table[f"{count} threads"] = {"ratio": round(ratio, 3), "seconds": seconds}
            print(count, "threads:", round(ratio, 3), flush=True)
        table["errors"] = errors(networks, [noise[:1], *faces(data)])
    print(table["errors"])
    write("winograd", __doc__, table)


def direct(network: N) -> N:
    """Give a network torch's own convolutions."""
    for module in network.modules():
        if isinstance(module, TiledConvolution):
            module.forward = partial(Convolution.forward, module)  # type: ignore[method-assign]
        elif isinstance(module, StridedConvolution):
            module.forward = module.direct  # type: ignore[method-assign]
    return network


def faces(data: Path) -> list[Tensor]:
    """Clips of talking faces, enlarged to the network's input."""
    clips = []
    for file in sorted((data / "dev" / "faces_mp4_128").iterdir())[:FACES]:
        pixels = np.stack([frame.pixels for frame in VideoFile(file).frames(np.arange(FRAMES))])
        clip = (
            F.interpolate(torch.from_numpy(pixels).movedim(-1, 1).float(), size=(224, 224), mode="bilinear") / 127.5 - 1
        )
        clips.append(clip.movedim(0, 1)[None].contiguous())
    return clips


def errors(networks: dict[str, I3D], clips: list[Tensor]) -> dict[str, dict[str, float]]:
    """The largest and the mean square error of logits, and the largest logit."""
    found = {name: [network(clip) for clip in clips] for name, network in networks.items()}
    exact_network = networks["direct"].double()
    exact = torch.cat([exact_network.head(exact_network.mixed_5c(clip.double())) for clip in clips])
    gaps = {name: torch.cat(logits) - exact for name, logits in found.items()}
    table = {
        name: {"largest": float(gap.abs().max()), "root_mean_square": float(gap.square().mean().sqrt())}
        for name, gap in gaps.items()
    }
    return table | {"logits": {"largest": float(exact.abs().max())}}


if __name__ == "__main__":
    main()

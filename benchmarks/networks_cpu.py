"""Question: what does a processor gain by the arithmetic that we chose for it, and what does it cost in digits?

Command:  python benchmarks/networks_cpu.py
Time:     5 minutes on 2 idle cores.
Expected: more clips and images a second by each choice, and features as near to those of float64. Lanes and pools
          change no bit of them.

Two ways of the same work, on the same input, in turns, so that a busy neighbour slows both:

    lanes      I3D on four micro-batches side by side, each on its share of the threads, and one after the other on all,
               from a thread of its own, as an evaluation does it
    pools      I3D with maxima taken one axis at a time, and with torch's pool, on one thread
    c3d        C3D's larger convolutions by Winograd's algorithm, and by direct sums
    inception  torch-fidelity's Inception with kernels in the layout channels-last, and as they come

I3D has its weights; the others have random ones that keep activations at their size. Errors are those of the features
against the same network in float64, in the mean square.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from machine import write
from throughput import interleave
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from winograd import direct

from fvd_bench.networks import i3d_network, weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.c3d_network import C3D
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.networks.inception_network import Inception
from fvd_bench.networks.lanes import Lanes
from fvd_bench.networks.pooling import max_pool_3
from fvd_bench.networks.weights import c3d_tensors

ROUNDS = 9
MICRO_BATCHES, CLIPS, FRAMES, IMAGES = 4, 2, 16, 8
Ways = Mapping[str, Callable[[], Tensor]]


def main() -> None:
    threads = torch.get_num_threads()
    table: dict[str, Any] = {"rounds": ROUNDS, "threads": threads}
    with torch.inference_mode(), float32_arithmetic("float32"):
        i3d = I3D.from_tensors(weights.load("i3d-kinetics-400").tensors)
        with ThreadPoolExecutor(1) as thread:
            table["lanes"] = thread.submit(compared, lanes(i3d)).result()
        torch.set_num_threads(1)
        table["pools"] = compared(pools(i3d))
        torch.set_num_threads(threads)
        for name, networks, inputs in (("c3d", *c3d()), ("inception", *inception())):
            ways = {way: partial(network, inputs) for way, network in networks.items()}
            table[name] = compared(ways) | {"errors": errors(networks, inputs)}
    print({name: found["ratio"] for name, found in table.items() if isinstance(found, dict)})
    write("networks_cpu", __doc__, table)


def compared(ways: Ways) -> dict[str, Any]:
    """Return the seconds of two ways, the ratio of the second to the first, and whether they give the same bits."""
    (_, now), (_, other) = ways.items()
    seconds = interleave(ways, rounds=ROUNDS, device="cpu")
    first, second = seconds.values()
    ratio = statistics.median(b / a for a, b in zip(first, second, strict=True))
    return {"ratio": round(ratio, 3), "same_bits": torch.equal(now(), other()), "seconds": seconds}


def lanes(i3d: I3D) -> Ways:
    generator = torch.Generator().manual_seed(0)
    batches = [torch.rand(CLIPS, 3, FRAMES, 224, 224, generator=generator) * 2 - 1 for _ in range(MICRO_BATCHES)]

    def logits(most: int) -> Tensor:
        return torch.cat(Lanes(most).map(i3d, batches))

    return {"side by side": partial(logits, MICRO_BATCHES), "one after the other": partial(logits, 1)}


def pools(i3d: I3D) -> Ways:
    clips = torch.rand(CLIPS, 3, FRAMES, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def logits(pool: Callable[[Tensor], Tensor]) -> Tensor:
        i3d_network.max_pool_3 = pool
        found: Tensor = i3d(clips)
        i3d_network.max_pool_3 = max_pool_3
        return found

    torchs = partial(F.max_pool3d, kernel_size=3, stride=1, padding=1)
    return {"axis by axis": partial(logits, max_pool_3), "torch's": partial(logits, torchs)}


def c3d() -> tuple[dict[str, nn.Module], Tensor]:
    generator, tensors = torch.Generator().manual_seed(0), {}
    for layer, shape in c3d_tensors.WEIGHTS.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5  # He et al. 2015
        tensors[f"{layer}/weight"] = (torch.randn(shape, generator=generator) * scale).numpy()
        tensors[f"{layer}/bias"] = np.zeros(shape[0], np.float32)
    mean = np.full(c3d_tensors.MEAN, 110, np.float32)
    clips = torch.rand(CLIPS, *c3d_tensors.MEAN, generator=generator) * 255
    return {"winograd": C3D(tensors, mean), "direct": direct(C3D(tensors, mean))}, clips


def inception() -> tuple[dict[str, nn.Module], Tensor]:
    generator = torch.Generator().manual_seed(0)
    state = seeded_state(generator)
    images = torch.randint(0, 256, (IMAGES, 3, 128, 128), dtype=torch.uint8, generator=generator)
    layouts = {"channels-last": True, "as it comes": False}
    networks: dict[str, nn.Module] = {
        name: Inception(state, gives_logits=False, channels_last=last).eval() for name, last in layouts.items()
    }
    return networks, images


class Blank(FeatureExtractorInceptionV3):
    """torch-fidelity's module, which comes from a file of weights alone, as it is before it has read one."""

    def load_state_dict(self, state_dict: object) -> None:  # type: ignore[override]
        """Keep the weights that it was made with."""


def seeded_state(generator: torch.Generator) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.pth"
        torch.save({}, empty)
        state = Blank("blank", ["2048"], feature_extractor_weights_path=str(empty)).state_dict()
    for tensor in state.values():
        if tensor.ndim == 4:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5)
    return {name: tensor.numpy() for name, tensor in state.items()}


def errors(networks: Mapping[str, nn.Module], inputs: Tensor) -> dict[str, float]:
    """Return the error of each way, and the largest feature. The last way is the direct one, which runs in float64."""
    found = {name: network(inputs) for name, network in networks.items()}
    *_, last = networks.values()
    last.double()
    for module in last.modules():
        if isinstance(module, FeatureExtractorInceptionV3):  # it casts its input, which stays uint8
            module.feature_extractor_internal_dtype = torch.float64
    exact = last(inputs if inputs.dtype == torch.uint8 else inputs.double())
    gaps = {name: float((features - exact).square().mean().sqrt()) for name, features in found.items()}
    return gaps | {"largest feature": float(exact.abs().max())}


if __name__ == "__main__":
    main()

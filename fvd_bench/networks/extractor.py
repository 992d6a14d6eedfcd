"""A torch module as a feature extractor: frames are prepared as a protocol says, and go through in micro-batches.

All micro-batches have one size, since the arithmetic may depend on how many clips there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from fvd_bench.errors import NetworkError
from fvd_bench.networks import weights as weight_store
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.environment import inputs_on
from fvd_bench.networks.lanes import MOST_FRAMES, Lanes
from fvd_bench.networks.network import BATCH_FRAMES, Features, Network, Progress
from fvd_bench.plugins import running_user_code
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.preprocess import network_input
from fvd_bench.videos.video import Pixels


class TorchExtractor:
    """A torch module, or another function of tensors, that gives the features of a network.

    module: from [B, 3, T, H, W], or [B, 3, H, W] where the network sees single frames, float32 and prepared by the
        rule, to float32 [B, dim]. A module is moved to the device, and evaluates from now on.
    weights, unverified: as in `FeatureExtractor`.
    batch_frames: frames in a micro-batch.
    side_by_side: whether several micro-batches of clips run at once on a processor. That is for modules whose features
        depend neither on the number of threads nor on what else runs.
    """

    def __init__(
        self,
        module: Callable[[Tensor], Tensor],
        rule: FeatureRule,
        network: Network,
        *,
        device: str,
        weights: Mapping[str, str],
        unverified: Sequence[str] = (),
        batch_frames: int,
        side_by_side: bool = False,
    ) -> None:
        self.dim = network.layers[rule.layer]
        self.weights = weights
        self.unverified = unverified
        self._module = module.to(device).eval() if isinstance(module, torch.nn.Module) else module
        self._rule = rule
        self._network = network
        self._is_foreign = bool(network.version)
        self._device = torch.device(inputs_on(device))
        self._batch_frames = batch_frames
        self._side_by_side = side_by_side and device == "cpu"

    @classmethod
    def load(
        cls,
        build: Callable[..., Callable[[Tensor], Tensor]],
        rule: FeatureRule,
        network: Network,
        *,
        device: str,
        weights: Mapping[str, Path],
        progress: Progress,
        batch_frames: int = BATCH_FRAMES,
        side_by_side: bool = False,
    ) -> Self:
        """Load the weights of a network, and make its extractor.

        build: returns the module, from the tensors by name of each set of weights that the network names.
        weights, progress: as in `networks.network.Create`. Raises WeightsError.
        """
        sets = [weight_store.load(name, path=weights.get(name), progress=progress) for name in network.weights]
        return cls(
            build(*(each.tensors for each in sets)),
            rule,
            network,
            device=device,
            weights={name: each.digest for name, each in zip(network.weights, sets, strict=True)},
            unverified=[sentence for each in sets for sentence in each.unverified],
            batch_frames=batch_frames,
            side_by_side=side_by_side,
        )

    def batch_clips(self, frames: int) -> int:
        return self._lanes(frames).count * self.micro_batch_clips(frames)

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        """Return features as `FeatureExtractor` says. Raises NetworkError when the module gives something else."""
        return self.begin(clips)()

    def begin(self, clips: Sequence[Pixels]) -> Callable[[], list[Features]]:
        """Start on clips, and return a function that waits for their features.

        A CUDA device is only told what to do: this thread waits for nothing there. Raises NetworkError as a call does.
        """
        with torch.inference_mode(), float32_arithmetic(self._rule.precision):
            started = list(self._of_frames(clips) if self._network.sees == "frames" else self._of_clips(clips))
        lengths = [self._network.count([len(clip)]) for clip in clips]

        def features() -> list[Features]:
            found = np.concatenate([wait()[:count] for wait, count in started])
            return np.split(found, np.cumsum(lengths)[:-1])

        return features

    def micro_batch_clips(self, frames: int) -> int:
        """Return how many clips of this many frames go through the network together."""
        return max(1, self._batch_frames // frames)

    def _lanes(self, frames: int) -> Lanes:
        """Return the lanes for micro-batches of clips of this many frames."""
        return Lanes(max(1, MOST_FRAMES // (frames * self.micro_batch_clips(frames))) if self._side_by_side else 1)

    def _of_clips(self, clips: Sequence[Pixels]) -> list[_Started]:
        """Run the network on clips of one length, and of one size where they are not resized."""
        size = self.micro_batch_clips(len(clips[0]))

        def start(some: Sequence[Pixels]) -> _Started:
            inputs = [self._prepared(clip) for clip in some]
            return self._run(torch.stack(inputs + inputs[:1] * (size - len(inputs)))), len(inputs)

        parts = [clips[first : first + size] for first in range(0, len(clips), size)]
        return self._lanes(len(clips[0])).map(start, parts)

    def _of_frames(self, clips: Sequence[Pixels]) -> Iterator[_Started]:
        """Run the network on the frames of clips, which may differ in size and length."""
        for _, group in itertools.groupby(clips, key=lambda clip: clip.shape[1:]):
            frames, size = np.concatenate(list(group)), self._batch_frames
            for first in range(0, len(frames), size):
                part = frames[first : first + size]
                padding = np.repeat(part[:1], size - len(part), axis=0)
                inputs = self._prepared(np.concatenate([part, padding])).transpose(0, 1)  # [size, 3, H, W]
                yield self._run(inputs.contiguous()), len(part)

    def _prepared(self, clip: Pixels) -> Tensor:
        """Return the input of the network [3, T, H, W] that a clip makes."""
        return network_input(self._on_device(clip), self._rule)

    def _on_device(self, clip: Pixels) -> Tensor:
        pixels = torch.from_numpy(clip)
        if self._device.type == "cuda":  # a copy from other memory would wait for the batch that runs
            return pixels.pin_memory().to(self._device, non_blocking=True)
        return pixels.to(self._device)

    def _run(self, inputs: Tensor) -> Callable[[], Features]:
        """Return a function that waits for the features of a whole micro-batch.

        Raises NetworkError when they are not what the network says.
        """
        with (
            running_user_code(f"{self._network.name}: running it", raising=NetworkError)
            if self._is_foreign
            else nullcontext()
        ):
            found = self._module(inputs)
        expected = (len(inputs), self.dim)
        if not isinstance(found, Tensor) or found.dtype != torch.float32 or found.shape != expected:
            is_tensor = isinstance(found, Tensor)
            what = f"{str(found.dtype)[6:]} {list(found.shape)}" if is_tensor else f"a {type(found).__name__}"
            raise NetworkError(
                f"{self._network.name} gives {what} for inputs {list(inputs.shape)}: expected a tensor, float32 "
                f"{list(expected)}, as dim = {self.dim} states"
            )
        return _fetching(found)


_Started = tuple[Callable[[], Features], int]
"""A function that waits for the features of a micro-batch, and how many of them are wanted."""


def _fetching(features: Tensor) -> Callable[[], Features]:
    """Start to copy features to the processor, and return a function that waits for them."""
    if not features.is_cuda:
        found: Features = features.cpu().numpy()
        return lambda: found
    copy = torch.empty(features.shape, dtype=features.dtype, pin_memory=True)
    copy.copy_(features, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def wait() -> Features:
        copied.synchronize()
        fetched: Features = copy.numpy()
        return fetched

    return wait

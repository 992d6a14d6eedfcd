"""Recompute published numbers on this machine: the inputs, the I3D logits, and the FVDs of known videos."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.networks import environment, fingerprint, goldens, i3d, weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.goldens import GoldenLogits, Videos
from fvd_bench.networks.i3d_network import NUM_CLASSES

Logits = Callable[[Tensor], Tensor]
"""I3D, as `i3d.build` makes it."""

_MICRO_BATCH = 2


@dataclass(frozen=True)
class Check:
    """One number that was found here, and the published one.

    tolerance: the largest absolute difference that passes, 0 for texts. origin: where the number was published.
    """

    name: str
    expected: float | str
    found: float | str
    tolerance: float
    origin: str

    @property
    def ok(self) -> bool:
        """Whether the found number is the expected one. NaN never is."""
        if isinstance(self.expected, str) or isinstance(self.found, str):
            return self.expected == self.found
        return abs(self.found - self.expected) <= self.tolerance


def run(*, full: bool, device: str, progress: Callable[[int, int], None] | None = None) -> tuple[Check, ...]:
    """Compute every check; the caller looks at `ok`.

    It takes about half a minute on two cores, with `full` two minutes.

    full: whether to include the 256 random clips of fvd-comparison.
    device: `cpu`, `cuda`, `mps` or `openvino`. On the last two the logits are also compared with those of this
        machine's processor by torch.
    progress: called with the number of video frames that went through the network, and their total.

    Raises WeightsError when the network's weights cannot be had.
    """
    tensors = weights.load("i3d-kinetics-400").tensors
    network = i3d.build(tensors, device)
    reference = i3d.build(tensors, "cpu") if device in ("mps", "openvino") else None
    checks: list[Check] = []
    total = _total_frames(full)
    done = 0
    with float32_arithmetic("float32"):
        for frames, found in _steps(network, reference, full=full, device=device):
            checks += found
            done += frames
            if progress is not None:
                progress(done, total)
    return tuple(checks)


def logits_checks(network: Logits, golden: GoldenLogits, *, device: str = "cpu") -> list[Check]:
    """Make one row's videos, and compare the network's logits with the published ones.

    An error of at most e in each of n logits moves their L2 norm by at most e √n. It moves the sum by about as much
    unless the errors are correlated, which rounding errors are not. So both have that tolerance.
    """
    videos = golden.videos()
    logits = _logits(network, videos, device).astype(np.float64)
    listed = np.append(logits[0, :4], logits[0, NUM_CLASSES - 1]) - (*golden.first, golden.last)
    spread = goldens.LOGITS_TOLERANCE * logits.size**0.5
    origin = goldens.LOGITS_ORIGIN
    name = golden.name
    checks = [
        Check(f"{name}: error of 5 logits", 0.0, float(abs(listed).max()), goldens.LOGITS_TOLERANCE, origin),
        Check(f"{name}: sum", golden.total, float(logits.sum()), spread, origin),
        Check(f"{name}: L2 norm", golden.norm, float(np.linalg.norm(logits)), spread, origin),
    ]
    if golden.digest is not None:
        digest = sha256(videos.tobytes()).hexdigest()[: len(golden.digest)]
        checks.insert(0, Check(f"{name}: videos' sha256", golden.digest, digest, 0.0, origin))
    return checks


def constant_checks(network: Logits, golden: goldens.ConstantVideos, *, device: str = "cpu") -> list[Check]:
    """Compare the FVD of the all -1 against the all +1 video with every number published for it."""
    where = environment.inputs_on(device)
    found = fingerprint.measure(network, lengths=(golden.frames,), device=where)[golden.frames]
    name = f"FVD of constant videos, {golden.frames} frames"
    references = [
        (name, golden.float32, goldens.CONSTANT_TOLERANCE, goldens.CONSTANT_ORIGIN),
        (f"{name}, GPU list", golden.gpu, goldens.GPU_TOLERANCE, goldens.GPU_ORIGIN),
    ]
    if golden.frames == goldens.TENSORFLOW_FRAMES:
        tensorflow = goldens.TENSORFLOW_CONSTANT
        references.append((f"{name}, TensorFlow", tensorflow, goldens.CONSTANT_TOLERANCE, goldens.TENSORFLOW_ORIGIN))
    return [
        Check(name, expected, found, relative * expected, origin) for name, expected, relative, origin in references
    ]


def device_check(network: Logits, reference: Logits, golden: GoldenLogits, *, device: str) -> Check:
    """Compare the logits of one row's videos on a device with those on the processor. reference: the network there."""
    videos = golden.videos()
    error = abs(_logits(network, videos, device) - _logits(reference, videos, "cpu")).max()
    origin = "the same network on this machine's processor"
    return Check(f"{golden.name}: {device} against cpu", 0.0, float(error), goldens.LOGITS_TOLERANCE, origin)


def _steps(network: Logits, reference: Logits | None, *, full: bool, device: str) -> Iterator[tuple[int, list[Check]]]:
    """Yield (number of frames that went through the network, checks that were completed by that).

    reference: the network on the processor, to compare with. None for no such comparison.
    """
    for row in goldens.LOGITS:
        checks = logits_checks(network, row, device=device)
        if reference is not None:
            checks.append(device_check(network, reference, row, device=device))
        yield row.clips * row.frames, checks
    for constant in goldens.CONSTANT_VIDEOS:
        yield 2 * constant.frames, constant_checks(network, constant, device=device)
    if full:
        yield from _random_steps(network, device=device)


def _random_steps(network: Logits, *, device: str) -> Iterator[tuple[int, list[Check]]]:
    sides = []
    for seed in (goldens.RANDOM_REAL_SEED, goldens.RANDOM_FAKE_SEED):
        features = []
        for clip in goldens.random_clips(seed):
            features.append(_logits(network, clip, device))
            yield clip.shape[1], []
        sides.append(np.concatenate(features))
    found = frechet_distance(*sides, ddof=1)
    expected = goldens.RANDOM_FVD
    tolerance = goldens.RANDOM_TOLERANCE * expected
    yield 0, [Check("FVD of 128 + 128 random clips", expected, found, tolerance, goldens.RANDOM_ORIGIN)]


def _total_frames(full: bool) -> int:
    rows = sum(row.clips * row.frames for row in goldens.LOGITS)
    constants = sum(2 * constant.frames for constant in goldens.CONSTANT_VIDEOS)
    return rows + constants + (2 * goldens.RANDOM_CLIPS * goldens.RANDOM_FRAMES if full else 0)


def _logits(network: Logits, videos: Videos, device: str) -> NDArray[np.float32]:
    """Return the logits of [B, T, H, W, 3] videos as [B, 400]."""
    where = environment.inputs_on(device)
    with torch.inference_mode():
        inputs = torch.split(torch.from_numpy(videos).permute(0, 4, 1, 2, 3), _MICRO_BATCH)
        return torch.cat([network(part.to(where)).cpu() for part in inputs]).numpy()

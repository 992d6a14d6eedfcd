"""Networks that are declared in a few lines: a function that makes a torch module, and what is known of it before."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError, NetworkError, WeightsError
from fvd_bench.networks.network import BATCH_FRAMES, FeatureExtractor, Network, Progress, Sees
from fvd_bench.plugins import source_version
from fvd_bench.protocols.rules import FeatureRule

if TYPE_CHECKING:
    from torch import Tensor

    Module = Callable[[Tensor], Tensor]
    """A torch module, or another function of tensors, from inputs to features."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def network(
    *,
    dim: int,
    size: int | None,
    range: tuple[float, float],
    frames: int | tuple[int, int | None] = (1, None),
    sees: Sees = "clips",
    layer: str = "features",
    batch_frames: int = BATCH_FRAMES,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    software: tuple[str, ...] = (),
    licence: str = "",
) -> Callable[[Callable[[], Module]], Network]:
    """Make a network, which protocols may name, of a function that returns a torch module.

    The function takes nothing. It is called when the network is needed, each time it is. The module, or another
    function, takes float32 [B, 3, T, size, size], or [B, 3, size, size] where it sees single frames, and returns
    float32 [B, dim].

    dim: length of a feature. size: side of the frames in pixels, None for any. range: what black and white become.
    frames: length of a clip, or of the shortest and the longest, None where there is no longest.
    sees: whether a feature is of a whole clip or of a single frame. layer: what protocols call the output.
    batch_frames: frames that go through at a time, so that clips of 16 frames go by batch_frames / 16.
    name: that of the function unless given. version: has to rise whenever a feature could change; a digest of the file
    that the function is in unless given.
    digest: of the weights. That of a module is computed from its state dict, and has to begin with this one, of 8
    digits or more; that of another function is this one.
    software: libraries whose versions are part of what the network is, as pip names them, such as ("torchvision",).
    licence: of the weights.

    Raises ArgumentError, and ProtocolError where a version has to be given.
    """
    fewest, most = frames if isinstance(frames, tuple) else (frames, frames)
    for what, number in (("dim", dim), ("size", size), ("batch_frames", batch_frames), ("frames", fewest)):
        if number is not None and number < 1:
            raise ArgumentError(f"{what} = {number}: expected 1 or more")
    if isinstance(software, str):
        raise ArgumentError(f"software = {software!r}: expected a tuple of names, ({software!r},)")
    if digest is not None and not re.fullmatch(r"[A-Za-z0-9]{8,}", digest):
        raise ArgumentError(f"digest = {digest!r}: expected 8 letters and digits, or more")

    def declare(make: Callable[[], Module]) -> Network:
        called, made_by = name or make.__name__, version or source_version(make, make.__name__)
        for text in (called, made_by):
            if not _NAME.fullmatch(text):
                raise ArgumentError(f"{text!r}: expected letters, digits, '.', '_', '+' and '-' in name and version")

        def create(
            rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
        ) -> FeatureExtractor:
            from fvd_bench.networks.extractor import TorchExtractor

            module = make()
            if not callable(module):
                raise NetworkError(f"{called} returned a {type(module).__name__}: expected a torch module")
            found = _digest(module, digest, called)
            return TorchExtractor(
                module,
                rule,
                declared,
                device=device,
                weights={called: found} if found else {},
                unverified=() if found else (f"{called} gives no digest of its weights, so nothing tells them apart",),
                batch_frames=batch_frames,
            )

        declared = Network(
            name=called,
            create=create,
            layers={layer: dim},
            sees=sees,
            fewest_frames=fewest,
            most_frames=most,
            size=size,
            range=(float(range[0]), float(range[1])),
            software=software,
            licence=licence,
            version=made_by,
        )
        return declared

    return declare


def _digest(module: Module, given: str | None, name: str) -> str | None:
    """Return the digest of a module's weights, or what is given for them. Raises WeightsError where both differ."""
    import torch

    from fvd_bench.networks.weights.files import tensor_digest

    if not isinstance(module, torch.nn.Module):
        return given
    state = {key: value for key, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    if not state:
        return given
    found = tensor_digest({key: value.detach().cpu().to(torch.float32).numpy() for key, value in state.items()})
    if given is not None and not found.startswith(given):
        raise WeightsError(f"the weights of {name} have the digest {found}, expected {given}: another file of weights?")
    return found

"""Protocols on a network that is handed over in Python, in the place of their own."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError, NetworkError, ProtocolError
from fvd_bench.networks import NETWORKS, Network, Sees
from fvd_bench.networks.declared import network as declare
from fvd_bench.plugins import running_user_code, source_version
from fvd_bench.protocols.protocol import Protocol, ProtocolLike, each, load
from fvd_bench.protocols.rules import ClipRule, FeatureRule, Resize
from fvd_bench.settings import Device, Settings

if TYPE_CHECKING:
    from torch import Tensor

_TRIED_SIZE = 224


@contextlib.contextmanager
def on_network(
    given: Network | Callable[[Tensor], Tensor], protocol: ProtocolLike | Sequence[ProtocolLike], *, device: Device
) -> Iterator[tuple[Protocol, ...]]:
    """Yield protocols with this network in the place of their own; outside of the block there is no such network.

    given: a declared network, which gets frames of the size and the range that it states; or a torch module or another
        function, which gets what the protocol prepares for its own network. A module is copied, and stays as it is.
    device: where the network is to run.
    The protocols are named after both, and say that they are not comparable with what they are named after.
    Raises ProtocolError, ArgumentError, and NetworkError when the network fails.
    """
    protocols = [load(p) for p in each(protocol)]  # whose own networks are not needed
    network = described(given, protocols[0], device=device)
    with NETWORKS.given(network.name, network) as name:
        yield tuple(_on(p, network, name) for p in protocols)


@contextlib.contextmanager
def on_given(
    given: Network | Callable[[Tensor], Tensor] | None,
    protocol: ProtocolLike | Sequence[ProtocolLike],
    settings: Settings,
) -> Iterator[tuple[ProtocolLike | Sequence[ProtocolLike], Settings]]:
    """Yield protocols on a network, and settings that keep no features of a bare one. Where none is given, both are as
    they were. Raises as `on_network` does."""
    if given is None:
        yield protocol, settings
        return
    with on_network(given, protocol, device=settings.device) as replaced:
        yield replaced, without_store(settings, given)


def described(given: Network | Callable[[Tensor], Tensor], protocol: ProtocolLike, *, device: Device) -> Network:
    """Return a network as it was declared, or the description of a bare one by what it gives for a protocol's clips.

    Raises ArgumentError for what is no network, and as `on_network` does.
    """
    from fvd_bench.networks.environment import inputs_on, resolve_device  # which load what mistakes are told without

    if isinstance(given, Network):
        return given
    if callable(given):
        return _described(given, load(protocol), inputs_on(resolve_device(device)))
    raise ArgumentError(f"network is of type {type(given).__name__}: expected a torch module, or a declared network")


def without_store(settings: Settings, given: object) -> Settings:
    """Return settings that keep no features of a bare network: nothing tells what it computed at another time."""
    return settings if isinstance(given, Network) else dataclasses.replace(settings, cache=None)


def _on(protocol: Protocol, network: Network, name: str) -> Protocol:
    """Return a protocol with the features of a network that stands under a name."""
    rule, own = protocol.features, network.rule(name)
    resize = own.resize if network.kernel else rule.resize
    if network.size is not None and network.kernel is None:
        resize = dataclasses.replace(resize or Resize(size=network.size), size=network.size)
    features = FeatureRule(
        extractor=name,
        layer=rule.layer if rule.layer in network.layers else own.layer,
        resize=resize,
        rounding=rule.rounding,
        range=network.range or rule.range,
        precision=rule.precision,
        channels=rule.channels if network.range is None else "rgb",  # a network of its own range is declared for RGB
    )
    return dataclasses.replace(
        protocol,
        name=f"{protocol.name}-on-{network.name}",
        summary=f"{protocol.name} on the features of {network.name}, a network that was handed over in Python",
        features=features,
        not_comparable=f"its features are those of {network.name}, in the place of {rule.extractor}",
    )


def _described(module: Callable[[Tensor], Tensor], protocol: Protocol, device: str) -> Network:
    """Describe a torch module, or another function, by the protocol that it is to follow and by what it gives."""
    import torch

    is_module = isinstance(module, torch.nn.Module)
    named = type(module).__name__ if is_module else getattr(module, "__name__", type(module).__name__)
    name = re.sub(r"[^A-Za-z0-9]+", "-", named).strip("-") or "function"
    try:
        version = source_version(type(module) if is_module else module, name)
    except ProtocolError:
        version = "unknown"
    own = NETWORKS.get(protocol.features.extractor)
    sees: Sees = own.sees if own else "clips"
    if is_module:
        module = copy.deepcopy(module)  # what becomes of the given one, in training for one, is no matter of ours
    make: Callable[[], Callable[[Tensor], Tensor]] = (lambda: copy.deepcopy(module)) if is_module else lambda: module
    dim = _dim(make(), protocol, sees, name, device)
    described = declare(name=name, version=version, dim=dim, size=None, range=protocol.features.range, sees=sees)(make)
    return dataclasses.replace(described, range=None)  # it is that of each protocol


def _frames(rule: ClipRule) -> int:
    """Return the length of a clip, and where clips are as long as their videos that of the shortest one."""
    if isinstance(rule.frames, int):
        return rule.frames
    return 1 if rule.frames == "all" else len(range(0, rule.frames_needed - rule.given_frames, rule.stride))


def _dim(module: Callable[[Tensor], Tensor], protocol: Protocol, sees: Sees, name: str, device: str) -> int:
    """Return how many numbers a module gives for one input of a protocol, all grey. Raises NetworkError."""
    import torch

    from fvd_bench.networks.arithmetic import own_defaults

    side = protocol.features.resize.size if protocol.features.resize else _TRIED_SIZE
    length = () if sees == "frames" else (_frames(protocol.fake),)
    if isinstance(module, torch.nn.Module):
        module = module.to(device).eval()
    grey = torch.full((1, 3, *length, side, side), sum(protocol.features.range) / 2, dtype=torch.float32, device=device)
    with (
        running_user_code(f"{name}: trying it on one input", raising=NetworkError),
        torch.inference_mode(),
        own_defaults(),  # as where it is to run
    ):
        found = module(grey)
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 1:
        what = list(found.shape) if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
        raise NetworkError(
            f"{name} gives {what} for one input {[1, 3, *length, side, side]}: expected a tensor [1, dim]"
        )
    return found.shape[1]

"""Feature extractors: networks that turn uint8 clips into features, found by the name in a protocol."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from fvd_bench.errors import NetworkError, ProtocolError
from fvd_bench.networks.network import FeatureExtractor, Features, Network, Progress, Sees, begin
from fvd_bench.paths import PathLike
from fvd_bench.plugins import Registry, running_user_code
from fvd_bench.protocols import protocol as protocols
from fvd_bench.protocols.rules import SIDES, ClipRule, FeatureRule

__all__ = [
    "NETWORKS",
    "FeatureExtractor",
    "Features",
    "Network",
    "Progress",
    "Sees",
    "arithmetic",
    "begin",
    "check",
    "create",
    "declared",
    "environment",
    "fingerprint",
    "goldens",
    "i3d",
    "i3d_network",
    "identity",
    "lpips",
    "own_versions",
    "pinned",
    "remembered",
    "software",
    "trial",
    "verification",
    "versions",
    "versions_of",
    "videomae_network",
    "vjepa2_network",
    "weights",
]

_BUILT_IN: dict[str, str | Network] = {
    "i3d": "fvd_bench.networks.i3d:NETWORK",
    "inception": "fvd_bench.networks.inception:NETWORK",
    "c3d": "fvd_bench.networks.c3d:NETWORK",
    "videomae-base": "fvd_bench.networks.videomae:BASE",
    "videomae-v2-g": "fvd_bench.networks.videomae:GIANT",
    "vjepa-h": "fvd_bench.networks.vjepa:FIRST",
    "vjepa2-l": "fvd_bench.networks.vjepa:SECOND",
    "dinov2-l": "fvd_bench.networks.dinov2:NETWORK",
    "clip-l14-336": "fvd_bench.networks.clip:LARGE",
    "clip-b32": "fvd_bench.networks.clip:BASE",
    "pixels": "fvd_bench.networks.pixels:NETWORK",
}
"""Name, as protocols have it -> where the network is described. A new network is a file, and a line here."""


def _adopt(name: str, found: object) -> Network:
    """Return the network that another package, or the user's own code, has under a name. Raises ProtocolError."""
    if not isinstance(found, Network):
        raise ProtocolError(
            f"{name} is of type {type(found).__name__}: expected a network, as @fvd_bench.network(...) makes one"
        )
    if not found.version:
        raise ProtocolError(f"{name} states no version, which has to rise whenever one of its features could change")
    return found


NETWORKS = Registry("network", key="extractor", group="fvd_bench.extractors", adopt=_adopt, built_in=_BUILT_IN)
"""Networks by name. Those of other packages are entry points, and those of the user's own are module:object."""


def check(protocol: protocols.Protocol, where: str) -> None:
    """Raise ProtocolError, naming `where`, when a protocol's network does not exist or cannot see its clips."""
    rule = protocol.features
    name = rule.extractor
    try:
        network = NETWORKS.find(name)
    except ProtocolError as error:
        raise ProtocolError(f"{where}: {error}") from error
    fewest, most = network.fewest_frames, network.most_frames
    for side in SIDES:
        clips = protocol.clip_rule(side)
        frames = clips.frames
        if fewest == most and frames != fewest:
            raise ProtocolError(f"{where}: {side} frames = {frames}, but {name} sees clips of {fewest} frames alone")
        if frames == "all":
            if fewest > 1 or most is not None:
                raise ProtocolError(
                    f"{where}: {side} frames = all, which takes frames by themselves, but {name} sees clips; whole "
                    "makes one clip of each video"
                )
        elif frames == "whole":
            _check_whole(clips, network, f"{where}: {side} frames = whole")
        elif most is not None and frames > most:
            raise ProtocolError(f"{where}: {side} frames = {frames}, but {name} sees at most {most} frames a clip")
        elif frames < fewest:
            raise ProtocolError(f"{where}: {side} frames = {frames}, but {name} needs at least {fewest} frames a clip")
    try:
        network.check(rule)
    except ProtocolError as error:
        raise ProtocolError(f"{where}: {error}") from error
    if rule.network and not network.version:
        raise ProtocolError(f"{where}: network = {rule.network!r}: {name} is of fvd-bench itself, so leave that out")


def _check_whole(rule: ClipRule, network: Network, what: str) -> None:
    """Raise ProtocolError, which begins with `what`, when a network may not see whole videos as single clips."""
    if network.sees == "frames":
        raise ProtocolError(f"{what}, but {network.name} sees single frames: all takes them")
    needed = rule.given_frames + (network.fewest_frames - 1) * rule.stride + 1
    if rule.frames_needed < needed or 0 < rule.most_frames < network.fewest_frames:
        raise ProtocolError(
            f"{what}, and {network.name} needs at least {network.fewest_frames} frames a clip: min_frames must be "
            f"{needed} or more, and most_frames no fewer than {network.fewest_frames}"
        )
    if network.most_frames is not None and not 0 < rule.most_frames <= network.most_frames:
        raise ProtocolError(f"{what}, and {network.name} sees at most {network.most_frames}: most_frames must say so")


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, PathLike], progress: Progress) -> FeatureExtractor:
    """Build the extractor that a protocol names. Weights that are not here yet are fetched. Where an earlier run built
    the same from the same files, and torch is not loaded, that is put off until the extractor has to run.

    The global random generator of torch stays as it is.
    device: `cpu`, `cuda`, `mps` or `openvino`.
    weights: for names of sets of weights, the file to read the set from.
    progress: reports on fetching.
    Raises ProtocolError when the extractor cannot do what the rule asks for. Raises WeightsError when the weights
    cannot be found or used, and for unknown names in `weights`; NetworkError when code of the user's own fails.
    """
    from fvd_bench.networks import remembered
    from fvd_bench.networks import weights as weight_store

    for name in weights:
        weight_store.spec_of(name)
    if rule.precision == "tf32" and device != "cuda":
        raise ProtocolError('precision = "tf32" exists on CUDA devices only')
    network = NETWORKS.find(rule.extractor)
    network.check(rule)
    if device not in network.devices:
        raise ProtocolError(
            f"{network.name} runs on {', '.join(network.devices)}, not on {device}: choose one of these"
        )
    files = {name: Path(file) for name, file in weights.items()}
    make = partial(_created, network, rule, device=device, weights=files, progress=progress)
    if not network.version:
        used = [files.get(name) or weight_store.place(name) for name in network.weights]
        if "torch" not in sys.modules and (deferred := remembered.Deferred.of(rule, used, device, make)):
            return deferred
        made = make()
        remembered.remember_network(rule, used, device, made)
        return made
    extractor = make()
    if rule.network and (found := identity(network, extractor)) != rule.network:
        raise NetworkError(
            f"{rule.extractor} is {found}, and {rule.network} was expected: it was changed, or has other weights each "
            "time that it is made; weights that are drawn need a seed, torch.manual_seed(0)"
        )
    return extractor


def software(rule: FeatureRule) -> tuple[str, ...]:
    """Return the packages whose versions are part of a rule's network. None are known of one that is not here."""
    network = NETWORKS.get(rule.extractor)
    return () if network is None else network.software


def own_versions(rules: Iterable[FeatureRule], device: str) -> dict[str, str]:
    """Return the versions that networks have by themselves: of the packages that they are made of, and under the
    network's name how it computes on a device."""
    from fvd_bench.networks import environment

    found: dict[str, str] = {}
    for rule in rules:
        network = NETWORKS.get(rule.extractor)
        if network is not None:
            found |= environment.package_versions(network.software)
            if device in network.arithmetic:
                found[rule.extractor] = network.arithmetic[device]
    return found


def versions(rules: Iterable[FeatureRule], device: str) -> dict[str, str]:
    """Return the version of everything that may change a feature of the networks of rules, but `keys.ENGINE`."""
    from fvd_bench.networks import environment

    return environment.feature_versions(device) | own_versions(rules, device)


def versions_of(rule: FeatureRule, made: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of everything that may change the features of the network of one rule.

    made: the `versions` where the features are made, of other networks too.
    """
    from fvd_bench.networks import environment

    packages = software(rule)
    own = {*packages, rule.extractor} | environment.OF_ALL
    return environment.package_versions(packages) | {name: found for name, found in made.items() if name in own}


def pinned(rule: FeatureRule, where: str) -> FeatureRule:
    """Return a rule that names the version and the weights of a network that is not of this package.

    Such a network is made for that. Raises ProtocolError, naming `where`, where the rule names others already, and what
    `create` raises.
    """
    network = NETWORKS[rule.extractor]
    if not network.version:
        return rule
    there = _created(network, rule, device="cpu", weights={}, progress=lambda done, total: None)
    found = identity(network, there)
    if rule.network not in ("", found):
        raise ProtocolError(f"{where}: network = {rule.network!r}, and {rule.extractor} is {found} here")
    return dataclasses.replace(rule, network=found)


def identity(network: Network, extractor: FeatureExtractor) -> str:
    """Return what tells a network of another package or of the user's own from all others: NAME@VERSION#WEIGHTS."""
    digests = "+".join(digest[:12] for digest in extractor.weights.values())
    return f"{network.name}@{network.version}#{digests or 'none'}"


def _created(
    network: Network, rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
) -> FeatureExtractor:
    import torch  # only here, since it takes seconds

    from fvd_bench.networks import environment
    from fvd_bench.networks.arithmetic import own_defaults

    if lacking := environment.absent(network.software):  # before weights are fetched
        raise NetworkError(
            f"{network.name} names the library {lacking[0]!r}, and no package of that name is installed: install it, "
            "or name it as pip does, such as open_clip_torch"
            if network.version
            else f"{network.name} needs {lacking[0]}, which is not installed: pip install 'fvd-bench[networks]'"
        )
    with (
        torch.random.fork_rng(devices=[]),  # a network is made with random weights, which its own then replace
        own_defaults(),
    ):
        if not network.version:
            return network.create(rule, device=device, weights=weights, progress=progress)
        torch.default_generator.seed()  # so that weights that are drawn without a seed are others each time
        with running_user_code(f"{network.name}: making it", raising=NetworkError):
            return network.create(rule, device=device, weights=weights, progress=progress)

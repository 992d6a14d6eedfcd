"""Protocols of every network that is at hand: the same clips, with all metrics that the features of each allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

from fvd_bench.errors import ProtocolError
from fvd_bench.metrics import METRICS
from fvd_bench.networks import NETWORKS, Network
from fvd_bench.networks import weights as weight_store
from fvd_bench.protocols import protocol as protocols
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import ClipRule, FeatureRule

CLIPS = "stylegan-v-fvd16-panel"
"""The protocol whose clips and settings of metrics all of them have."""

_OF_CLIPS = ("fvd", "kvd", "kvd-biased", "mind", "precision", "recall", "density", "coverage")
_OF_FRAMES = ("fd", "mind")
"""Metrics that no network of their own is named for. `fd` is the Fréchet distance where it has no name of its own."""

_FOR_TESTS = "pixels"


def protocols_at_hand(weights: Collection[str] = ()) -> list[Protocol]:
    """Return a protocol for each layer of each network whose weights are here, of installed packages too.

    weights: names of sets of weights that are given as files. A network sees clips as the first protocol that ships for
    it prepares them, or else as it states itself. Raises ProtocolError where a network of a package cannot be used, or
    none is at hand.
    """
    clips = protocols.load(CLIPS)
    shipped = [protocols.load(name) for name in protocols.names()]
    here = {*weights, *(row.name for row in weight_store.installed() if row.present)}
    found = []
    for name in dict.fromkeys([*NETWORKS, *NETWORKS.installed()]):
        network = NETWORKS.find(name)
        if name != _FOR_TESTS and here.issuperset(network.weights):
            own = [p.features for p in shipped if p.features.extractor == name]
            found += list(_of_network(name, network, [*own, network.rule(name)], clips))
    if not found:
        raise ProtocolError("no network is at hand: `fvd-bench weights list` says where weights can be had")
    return found


def _of_network(name: str, network: Network, ways: list[FeatureRule], clips: Protocol) -> Iterator[Protocol]:
    """Yield a protocol for each layer that a metric is computed on. ways: how it may see clips, the first of a layer
    counts."""
    by_layer: dict[str, list[str]] = {}
    for metric in _metrics(name, network):
        by_layer.setdefault(METRICS[metric].layers.get(name, ways[0].layer), []).append(metric)
    for layer, metrics in by_layer.items():
        features = next((way for way in ways if way.layer == layer), dataclasses.replace(ways[-1], layer=layer))
        yield dataclasses.replace(
            clips,
            name=f"{network.name}-{layer}".replace("_", "-"),
            summary=f"what {layer} of {network.name} tells of the clips of {clips.name}",
            real=_clip(clips.real, network),
            fake=_clip(clips.fake, network),
            features=features,
            metric=dataclasses.replace(clips.metric, names=tuple(metrics)),
        )


def _metrics(name: str, network: Network) -> list[str]:
    """List the metrics that can be computed on the features of a network."""
    installed = {metric: METRICS.find(metric) for metric in METRICS.installed()}
    bound = [metric for metric in (*METRICS, *installed) if name in METRICS[metric].layers]
    free = _OF_CLIPS if network.sees == "clips" else _OF_FRAMES
    others = [metric for metric, found in installed.items() if not found.layers and network.sees in found.sees]
    return [metric for metric in dict.fromkeys([*bound, *free, *others]) if metric != "fd" or "fid" not in bound]


def _clip(rule: ClipRule, network: Network) -> ClipRule:
    """Return a rule for clips as long as a network sees them."""
    assert isinstance(rule.frames, int)
    frames = max(rule.frames, network.fewest_frames)
    return dataclasses.replace(rule, frames=min(frames, network.most_frames or frames))

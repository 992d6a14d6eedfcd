"""Protocols that can be scored by: loaded, and allowed by their networks and metrics."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from fvd_bench import metrics, networks
from fvd_bench.errors import ProtocolError
from fvd_bench.protocols import protocol as protocols
from fvd_bench.protocols.protocol import Protocol, ProtocolLike, each


def load(protocol: ProtocolLike) -> Protocol:
    """Return a protocol that is given by name, by path, or as it is. It names the versions of networks and metrics that
    are not of this package, which are loaded for that.

    Raises ProtocolError as `protocols.load` and `check` do, and what `networks.pinned` raises.
    """
    loaded = protocols.load(protocol)
    where = loaded.name if isinstance(protocol, Protocol) else os.fspath(protocol)
    check(loaded, where)
    features, metric = networks.pinned(loaded.features, where), metrics.pinned(loaded.metric, where)
    return dataclasses.replace(loaded, features=features, metric=metric)


def load_all(protocol: ProtocolLike | Sequence[ProtocolLike]) -> tuple[Protocol, ...]:
    """Load one protocol or several, each once, as `load` does. Raises ProtocolError, also when there is none."""
    return tuple(dict.fromkeys(map(load, each(protocol))))


def check(protocol: Protocol, where: str) -> None:
    """Raise ProtocolError, naming `where`, when a protocol is none that can be scored by, whatever the videos."""
    protocol.check(where)
    networks.check(protocol, where)
    metrics.check(protocol, where)


def only_metric(protocol: Protocol) -> str:
    """Return the name of a protocol's metric. Raises ProtocolError when it has several."""
    names = protocol.metric.names
    if len(names) > 1:
        raise ProtocolError(
            f"{protocol.name} has the metrics {', '.join(names)}: expected one; copy its file, keep one of them, and "
            "pass the path of the copy"
        )
    return names[0]

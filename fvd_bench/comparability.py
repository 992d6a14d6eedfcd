"""Whether two results may be compared: everything but the fake videos has to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fvd_bench import protocol as protocols
from fvd_bench.errors import NotComparableError, ProtocolError
from fvd_bench.evaluation import ProtocolLike
from fvd_bench.protocol import Protocol
from fvd_bench.result import Result, Score


def require_same(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises NotComparableError with the entries of both that differ."""
    differ = [key for key in before if key in now and before[key] != now[key]]
    if differ:
        fields = ", ".join(f"{key} is {_short(now[key])} and was {_short(before[key])}" for key in differ)
        raise NotComparableError(f"not comparable: {what}: {fields}")


def require_same_inputs(before: Result, *, weights: Mapping[str, str], real_fingerprint: str) -> None:
    """Raises NotComparableError when weights or real videos are not those of a result."""
    require_same("weights", before.weights, weights)
    require_same("the real videos", {"fingerprint": before.real.fingerprint}, {"fingerprint": real_fingerprint})


def pairs(before: Result, now: Result) -> list[tuple[Score, Score]]:
    """The scores of one metric, protocol and row. Raises NotComparableError when there are none, or one differs."""
    old, new = ({(s.metric, s.protocol, s.row): s for s in r.scores if s.value is not None} for r in (before, now))
    common = [(old[key], new[key]) for key in old if key in new]
    if not common:
        named = [", ".join(f"{metric} of {name}" for metric, name, _ in scores) or "none" for scores in (old, new)]
        raise NotComparableError(f"not comparable: no score is in both: {named[0]} before, {named[1]} now")
    for a, b in common:
        if a.digest != b.digest:
            choices = [result.protocols.get(score.digest, {}) for result, score in ((before, a), (now, b))]
            _refuse_protocol(a, b.digest, *choices)
        counts = [{"real clips": s.real.clips, "fake clips": s.fake.clips, "repeats": len(s.values)} for s in (a, b)]
        require_same(f"{a.metric} of {a.protocol}", *counts)
    return common


def protocols_of(before: Result, given: Sequence[ProtocolLike]) -> list[Protocol]:
    """The protocols of a result's scores. given: those that do not ship with the package.

    Raises NotComparableError when one has changed since, ProtocolError when one is missing.
    """
    own = {p.name: p for p in (p if isinstance(p, Protocol) else protocols.load(str(p)) for p in given)}
    found = []
    for score in {s.protocol: s for s in before.scores if s.value is not None and s.row is None}.values():
        if score.protocol not in own and score.protocol not in protocols.names():
            raise ProtocolError(
                f"the protocol {score.protocol} does not ship with fvd-bench; pass its file with --protocol"
            )
        protocol = own.get(score.protocol) or protocols.load(score.protocol)
        if protocol.digest() != score.digest:
            _refuse_protocol(
                score, protocol.digest(), before.protocols.get(score.digest, {}), protocols.plain(protocol.choices())
            )
        found.append(protocol)
    return found


def notes(before: Result, now: Result) -> tuple[str, ...]:
    """Differences that do not forbid comparing, but may move a score a little."""
    versions = {**before.environment, "fvd-bench": before.fvd_bench}, {**now.environment, "fvd-bench": now.fvd_bench}
    return tuple(
        f"{key} is {versions[1][key]} and was {value}"
        for key, value in versions[0].items()
        if key in versions[1] and versions[1][key] != value
    )


def _refuse_protocol(score: Score, digest: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    require_same(f"the protocol {score.protocol}", before, now)
    raise NotComparableError(
        f"not comparable: the protocol {score.protocol} has the digest {digest[:12]} and had {score.digest[:12]}"
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text

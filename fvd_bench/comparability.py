"""Whether two results may be compared: everything but the fake videos has to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fvd_bench import protocol as protocols
from fvd_bench.environment import NEUTRAL
from fvd_bench.errors import NotComparableError, ProtocolError, ResultError
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
    """The scores of one metric, protocol and row.

    Raises NotComparableError when there are none, when one differs, and when one has no value now.
    """
    old, new = ({_key(score): score for score in result.scores} for result in (before, now))
    common = [(score, new[key]) for key, score in old.items() if score.value is not None and key in new]
    if not common:
        named = [", ".join(f"{metric} of {name}" for metric, name, _ in scores) or "none" for scores in (old, new)]
        raise NotComparableError(f"not comparable: no score is in both: {named[0]} before, {named[1]} now")
    for a, b in common:
        if a.digest != b.digest:
            choices = [result.protocols.get(score.digest, {}) for result, score in ((before, a), (now, b))]
            _refuse_protocol(a, b.digest, *choices)
        if b.value is None:
            raise NotComparableError(f"not comparable: {a.metric} of {a.protocol} has no value now: {b.reason}")
        counts = [
            {"real clips": s.real.clips, "fake clips": s.fake.clips, "repeats": len(s.values), "seed": s.seed}
            for s in (a, b)
        ]
        require_same(f"{a.metric} of {a.protocol}", *counts)
    return common


def protocols_of(before: Result, given: Sequence[ProtocolLike]) -> list[Protocol]:
    """The protocols of a result's scores. given: those that do not ship with the package.

    Rows of tables, such as the audit's, are passed over: `notes` names them. Raises NotComparableError when a protocol
    has changed since, ProtocolError when one is missing, ResultError when no score is left.
    """
    scores = [score for score in before.scores if score.value is not None and score.row is None]
    if not scores:
        raise ResultError(
            "none of its scores can be compared with: they have no value, or are rows of a table; make a baseline with "
            "`fvd-bench compute`"
        )
    own = {p.name: p for p in (p if isinstance(p, Protocol) else protocols.load(str(p)) for p in given)}
    found = []
    for score in {score.protocol: score for score in scores}.values():
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
    """Differences that do not forbid comparing: other software, scores that are in one result alone."""
    versions = {**before.environment, "fvd-bench": before.fvd_bench}, {**now.environment, "fvd-bench": now.fvd_bench}
    found = [
        f"made with other software: {key} is {versions[1][key]} and was {value}"
        for key, value in versions[0].items()
        if key in versions[1] and versions[1][key] != value and key not in NEUTRAL
    ]
    keys = [{_key(score) for score in result.scores} for result in (before, now)]
    for which, alone in (("before", keys[0] - keys[1]), ("now", keys[1] - keys[0])):
        if alone:
            names = ", ".join(sorted(f"{metric} of {row or protocol}" for metric, protocol, row in alone))
            found.append(f"not compared, since only the result {which} has it: {names}")
    return tuple(found)


def _key(score: Score) -> tuple[str, str, str | None]:
    return score.metric, score.protocol, score.row


def _refuse_protocol(score: Score, digest: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    require_same(f"the protocol {score.protocol}", before, now)
    raise NotComparableError(
        f"not comparable: the protocol {score.protocol} has the digest {digest[:12]} and had {score.digest[:12]}"
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text

"""Whether two results may be compared: everything except the fake videos has to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from fvd_bench.errors import NotComparableError, ProtocolError, ResultError
from fvd_bench.evaluation.comparisons.ranking import is_scale
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.evaluation.score import Score
from fvd_bench.networks.environment import NEUTRAL
from fvd_bench.protocols import protocol as protocols
from fvd_bench.protocols.protocol import Protocol, ProtocolLike, each, plain
from fvd_bench.protocols.rules import (
    FRECHET,
    OF_FRECHET,
    SIDES,
    ClipRule,
    FeatureRule,
    MetricRule,
)


def require_same(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise NotComparableError, naming the entries, when an entry of both differs."""
    differ = [key for key in before if key in now and before[key] != now[key]]
    if differ:
        fields = ", ".join(f"{key} is {_short(now[key])} and was {_short(before[key])}" for key in differ)
        raise NotComparableError(f"not comparable: {what}: {fields}")


def require_same_inputs(before: Result, *, weights: Mapping[str, str], real_fingerprint: str) -> None:
    """Raise NotComparableError when the weights or the real videos are not those of a result."""
    require_same("weights", before.weights, weights)
    require_same("the real videos", {"fingerprint": before.real.fingerprint}, {"fingerprint": real_fingerprint})


def pairs(before: Result, now: Result, known: Sequence[Protocol] = ()) -> list[tuple[Score, Score]]:
    """Pair the scores that were made alike: same metric, same row, and same in all else that reaches the metric.

    The protocols of a pair may have different names and different other metrics. Each score is in at most one pair. The
    scale of motion is in none, as it has no fake videos in which results could differ.
    known: protocols of these scores besides those that ship.
    Raises NotComparableError when there is no pair, when a protocol has changed under its name, and when a score has no
    value now.
    """
    old = [score for score in before.scores if score.value is not None and not is_scale(score)]
    free = [score for score in now.scores if not is_scale(score)]
    found: dict[int, Score] = {}
    for of_one_name in (True, False):
        for place, a in enumerate(old):
            alike = (
                b
                for b in free
                if (a.metric, a.row) == (b.metric, b.row) and (a.protocol == b.protocol or not of_one_name)
                if _made_alike(a, b, before, now, known)
            )
            if place not in found and (b := next(alike, None)) is not None:
                found[place] = b
                free.remove(b)
    for place, a in enumerate(old):
        same_name = (b for b in free if (a.metric, a.row, a.protocol) == (b.metric, b.row, b.protocol))
        if place not in found and (namesake := next(same_name, None)) is not None:
            _refuse_protocol(a, namesake.digest, *_choices(a, namesake, before, now))
    if not found:
        named = [", ".join(f"{s.metric} of {s.protocol}" for s in scores) or "none" for scores in (old, free)]
        raise NotComparableError(f"not comparable: no score is in both: {named[0]} before, {named[1]} now")
    common = [(old[place], b) for place, b in sorted(found.items())]
    for a, b in common:
        if b.value is None:
            raise NotComparableError(f"not comparable: {a.metric} of {a.protocol} has no value now: {b.reason}")
        counts = [
            {"real clips": s.real.clips, "fake clips": s.fake.clips, "repeats": len(s.values), "seed": s.seed}
            for s in (a, b)
        ]
        require_same(f"{a.metric} of {a.protocol}", *counts)
    return common


def protocols_of(before: Result, given: ProtocolLike | Sequence[ProtocolLike]) -> list[Protocol]:
    """Return the protocols of a result's scores. given: those that do not ship with the package.

    Rows of tables, such as Table 4, are passed over; `notes` names them. Raises NotComparableError when a protocol
    has changed since, ProtocolError when one is missing, and ResultError when no score is left.
    """
    scores = [score for score in before.scores if score.value is not None and score.row is None]
    if not scores:
        raise ResultError(
            "none of its scores can be compared with: they have no value, or are rows of a table; make a baseline with "
            "`fvd-bench compute`"
        )
    own = {p.name: p for p in map(load, each(given) if given else ())}
    found: dict[tuple[str, int], Protocol] = {}
    for score in scores:
        versions = protocols.versions(score.protocol)
        if score.protocol not in own and not versions:
            raise ProtocolError(
                f"the protocol {score.protocol} does not ship with fvd-bench; pass its file with --protocol"
            )
        ships = score.protocol_version in versions
        shipped = f"{score.protocol}@{score.protocol_version}" if ships else score.protocol
        protocol = own.get(score.protocol) or load(shipped)
        if score.metric not in protocol.metric.names:
            raise NotComparableError(f"not comparable: the protocol {protocol.name} has no metric {score.metric} now")
        alone, choices = protocol.alone(score.metric), before.protocols.get(score.digest)
        sections = [_complete(choices, score.metric), _complete(plain(alone.choices()), score.metric)]
        if score.digest not in (alone.digest(), protocol.digest()) and sections[0] != sections[1]:
            _refuse_protocol(score, alone.digest(), *sections)
        found[score.protocol, score.protocol_version] = protocol
    return list(found.values())


def notes(before: Result, now: Result, compared: Sequence[tuple[Score, Score]]) -> tuple[str, ...]:
    """List differences that do not forbid comparing: other software, names or groups, and scores of one result alone.

    compared: the `pairs` of the results.
    """
    versions = {**before.environment, "fvd-bench": before.fvd_bench}, {**now.environment, "fvd-bench": now.fvd_bench}
    found = [
        f"made with other software: {key} is {versions[1][key]} and was {value}"
        for key, value in versions[0].items()
        if key in versions[1] and versions[1][key] != value and key not in NEUTRAL
    ]
    found += [
        f"{a.metric} of {b.protocol} is compared with that of {a.protocol}, which is made alike"
        for a, b in compared
        if a.protocol != b.protocol
    ]
    if before.group_by != now.group_by:
        by = [f"by {group_by}" if group_by else "not at all" for group_by in (now.group_by, before.group_by)]
        found.append(f"videos are grouped {by[0]} and were {by[1]}: errors of the two count different things")
    keys = [{_key(score) for score in result.scores} for result in (before, now)]
    common = [{_key(pair[which]) for pair in compared} for which in (0, 1)]
    alone = keys[0] - keys[1] - common[0], keys[1] - keys[0] - common[1]
    for which, scores in zip(("before", "now"), alone, strict=True):
        if scores:
            names = ", ".join(sorted(f"{metric} of {row or protocol}" for protocol, _, metric, row in scores))
            found.append(f"not compared, since only the result {which} has it: {names}")
    return tuple(found)


def _key(score: Score) -> tuple[str, int, str, str | None]:
    return score.protocol, score.protocol_version, score.metric, score.row


def _made_alike(a: Score, b: Score, before: Result, now: Result, known: Sequence[Protocol]) -> bool:
    """Return whether all that reaches the metric is the same.

    Older results have the digest of all metrics of a protocol. They are known by the choices that stand in them; those
    without choices are known by the protocol that their name stands for.
    """
    if a.digest == b.digest:
        return True
    one, other = _choices(a, b, before, now)
    if one and other:
        return one == other
    named = [protocol for protocol in known if protocol.name == a.protocol]
    if a.protocol_version in protocols.versions(a.protocol):
        named.append(load(f"{a.protocol}@{a.protocol_version}"))
    return any({a.digest, b.digest} <= {p.digest(), p.alone(a.metric).digest()} for p in named)


def _choices(a: Score, b: Score, before: Result, now: Result) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return _complete(before.protocols.get(a.digest), a.metric), _complete(now.protocols.get(b.digest), b.metric)


def _complete(choices: Mapping[str, Any] | None, metric: str) -> Mapping[str, Any]:
    """Return the choices of a result that reach a metric, empty where the result has none.

    Choices that the result's version did not know yet get their defaults, since there was no other way then.
    """
    if choices is None:
        return {}
    sections = (*((side, ClipRule) for side in SIDES), ("features", FeatureRule), ("metric", MetricRule))
    defaults = {f"{section}.{f.name}": f.default for section, rule in sections for f in fields(rule)}
    known = plain({key: value for key, value in defaults.items() if value is not MISSING}) | dict(choices)
    idle = ("names", *(() if metric in FRECHET else OF_FRECHET))
    return {key: value for key, value in known.items() if key not in [f"metric.{name}" for name in idle]}


def _refuse_protocol(score: Score, digest: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    require_same(f"the protocol {score.protocol}", before, now)
    raise NotComparableError(
        f"not comparable: the protocol {score.protocol} has the digest {digest[:12]} and had {score.digest[:12]}"
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text

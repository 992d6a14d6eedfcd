"""A protocol: every choice that makes a score, as data, with a version and a digest.

A protocol is a TOML file. In [clip], [count] and [frames] a value is given once for both sides, or per side as `{ real
= ..., fake = ... }`. Unknown keys are refused. Files shipped with the package are found by name, or by a short one of
`aliases.ALIASES`; those of `family` are made of one by the numbers in their name. Any other file is found by its path,
which contains a slash or ends in .toml.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import lru_cache
from typing import Any

from fvd_bench.errors import ProtocolError, UnknownProtocolError, cause
from fvd_bench.paths import read_text, shipped
from fvd_bench.protocols import family
from fvd_bench.protocols.aliases import ALIASES, is_path
from fvd_bench.protocols.consistency import check_possible
from fvd_bench.protocols.parsing import checked_name, refuse_unknown, rule_of, side_tables, value_of
from fvd_bench.protocols.rules import ClipRule, FeatureRule, MetricRule, Resize, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named, versioned way of computing scores.

    name, summary, source: for people.
    version: rises whenever a number could change.
    assumptions: choices that the source does not state, a sentence each.
    real, fake: the clips of either side.
    features: the network and its preprocessing.
    metric: the metrics.
    not_comparable: why its scores are not those of the codebase that it is named after. Empty if they are.
    """

    name: str
    version: int
    summary: str
    source: str
    assumptions: tuple[str, ...]
    real: ClipRule
    fake: ClipRule
    features: FeatureRule
    metric: MetricRule
    not_comparable: str = ""

    def clip_rule(self, side: Side) -> ClipRule:
        return self.real if side == "real" else self.fake

    def check(self, where: str) -> None:
        """Raise ProtocolError, naming `where`, when its rules exclude each other, see `consistency`."""
        check_possible({"real": self.real, "fake": self.fake}, self.features, self.metric, where)

    def canonical(self) -> dict[str, Any]:
        """Return all choices that can change the number, without name, version, prose and defaults."""
        return {name: _without_defaults(section) for name, section in self._sections().items()}

    def choices(self) -> dict[str, Any]:
        """Return all choices that can change the number, defaults included, by dotted names such as `real.start`."""
        sections = self._sections().items()
        return {f"{name}.{f.name}": getattr(s, f.name) for name, s in sections for f in dataclasses.fields(s)}

    def _sections(self) -> dict[str, Any]:
        sides = {"real": self.real.effective(), "fake": self.fake.effective()}
        return {**sides, "features": self.features, "metric": self.metric}

    def to_table(self) -> dict[str, Any]:
        """Return all of its fields for JSON, which `from_table` reads back."""
        prose = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _RULES}
        return prose | {name: _without_defaults(getattr(self, name)) for name in _RULES}

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, where: str) -> Protocol:
        """Make a protocol from what `to_table` returned. Raises ProtocolError for anything that is not a complete
        protocol.

        where: names the table in messages.
        """
        hints = {f.name: f.type for f in dataclasses.fields(cls)}
        refuse_unknown(table, tuple(hints), where)
        for key in hints:
            if not isinstance(table.get(key), dict if key in _RULES else object) or key not in table:
                raise ProtocolError(f"{where}: the key {key!r} is missing, or is no table")
        protocol = cls(
            name=checked_name(table["name"], where),
            version=value_of(int, table["version"], {"least": 1}, f"{where}: version"),
            summary=value_of(str, table["summary"], {}, f"{where}: summary"),
            source=value_of(str, table["source"], {}, f"{where}: source"),
            assumptions=value_of(tuple[str, ...], list(table["assumptions"]), {}, f"{where}: assumptions"),
            real=rule_of(ClipRule, table["real"], f"{where} (real side)"),
            fake=rule_of(ClipRule, table["fake"], f"{where} (fake side)"),
            features=rule_of(FeatureRule, table["features"], f"{where}: features"),
            metric=rule_of(MetricRule, table["metric"], f"{where}: metric"),
            not_comparable=value_of(str, table["not_comparable"], {}, f"{where}: not_comparable"),
        )
        protocol.check(where)
        return protocol

    def alone(self, metric: str) -> Protocol:
        """Return the protocol with one of its metrics, and with choices that do not affect that one at their defaults.

        Its digest is that of the metric's score, whatever other metrics the protocol has.
        """
        return dataclasses.replace(self, metric=self.metric.alone(metric))

    def digest(self) -> str:
        """Return the sha256 of the canonical JSON. Protocols with the same digest compute the same."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def signature(self) -> str:
        """Return one line that names each choice. Runs add their counts, seed and weights to it."""
        return (
            f"{self.name}@{self.version}|features:{self.features.signature()}"
            f"|real:{self.real.signature()}|fake:{self.fake.signature()}"
            f"|{self.metric.signature()}|#{self.digest()[:12]}"
        )


_RULES = ("real", "fake", "features", "metric")


ProtocolLike = Protocol | str | os.PathLike[str]


_SHIPPED = shipped("fvd_bench.protocols.shipped", "protocols")

_SUGGESTIONS = 5
_ALIKE = 0.5
"""A name that is not known gets at most this many suggestions, of names that are this much alike."""


def names() -> list[str]:
    """Return the names of the protocols that ship with the package."""
    return sorted(stem for stem in _stems() if "@" not in stem)


def versions(name: str) -> list[int]:
    """Return the shipped versions of a protocol, newest first, or an empty list if none has that name."""
    if name not in names() and _numbers(name) is not None:
        return versions(family.BASE)
    if name not in names():
        return []
    older = [int(version) for stem, _, version in (s.partition("@") for s in _stems()) if stem == name and version]
    return [read(name).version, *sorted(older, reverse=True)]


def text(name_or_path: str) -> str:
    """Return the TOML text of a protocol.

    Raises UnknownProtocolError when there is none with that name or version, and ProtocolError for a path.
    """
    if is_path(name_or_path):
        try:
            return read_text(name_or_path)
        except (OSError, UnicodeDecodeError) as error:
            raise ProtocolError(
                f"protocol file {name_or_path} cannot be read: {cause(error)}; expected TOML, as `fvd-bench "
                "protocols show NAME` prints it"
            ) from error
    given, at, version = name_or_path.partition("@")
    name = ALIASES.get(given, given)
    if name not in names() and (numbers := family.Numbers.of(name)) is not None:
        return numbers.text(text(f"{family.BASE}{at}{version}"))
    if name not in names():
        close = difflib.get_close_matches(name.lower(), [*ALIASES, *names()], n=_SUGGESTIONS, cutoff=_ALIKE)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UnknownProtocolError(
            f"no protocol is named {name!r}; {hint}`fvd-bench protocols list` names all; to use a file of your own "
            "pass its path, ending in .toml"
        )
    if f"{name}{at}{version}" in _stems():
        return _SHIPPED.joinpath(f"{name}{at}{version}.toml").read_text("utf-8")
    newest, *older = versions(name)
    if at and version != str(newest):
        there = ", ".join(f"{name}@{v}" for v in (newest, *older))
        raise UnknownProtocolError(f"there is no version {version!r} of {name}; there is {there}")
    return text(name)


def _numbers(name: str) -> family.Numbers | None:
    """Return the numbers in the full name of a protocol of the family; None for every other name."""
    try:
        numbers = family.Numbers.of(name)
    except UnknownProtocolError:
        return None
    return numbers if numbers is not None and numbers.name == name else None


def each(protocol: ProtocolLike | Sequence[ProtocolLike]) -> Sequence[ProtocolLike]:
    """Return one protocol or several, as they were given, as several. Raises ProtocolError where there is none."""
    given = [protocol] if isinstance(protocol, Protocol | str | os.PathLike) else protocol
    if not given:
        raise ProtocolError("no protocol is given")
    return given


def load(protocol: ProtocolLike) -> Protocol:
    """Load a protocol by name, by NAME@VERSION, or by path. A Protocol is returned as it is.

    Raises ProtocolError, naming file, key and allowed values, for anything that is not a complete protocol. Raises it
    too for a protocol that has the name of a shipped one and differs from all its versions, since its scores would be
    taken for theirs.
    """
    if not isinstance(protocol, Protocol | str | os.PathLike):
        raise ProtocolError(f"{protocol!r:.100} is no protocol: expected a name, a path or a Protocol")
    loaded = protocol if isinstance(protocol, Protocol) else read(os.fspath(protocol))
    known = versions(loaded.name)
    full_name = f"{loaded.name}@{loaded.version}"
    if not known or (loaded.version in known and read(full_name).digest() == loaded.digest()):
        return loaded
    ships = full_name if loaded.version in known else loaded.name
    where = f"the protocol {full_name}" if isinstance(protocol, Protocol) else os.fspath(protocol)
    shown = "mine.toml" if isinstance(protocol, Protocol) else where
    raise ProtocolError(
        f"{where}: it is named {full_name} and is not what ships with fvd-bench under this name: its digest is "
        f"{loaded.digest()[:12]}, that of {ships} is {read(ships).digest()[:12]}. Give it another name; "
        f"`fvd-bench protocols diff {ships} {shown}` shows the difference"
    )


def read(name_or_path: str) -> Protocol:
    """Load a protocol like `load`, but whatever its name is: to look at it, not to score by it."""
    return _read(name_or_path) if is_path(name_or_path) else _read_shipped(name_or_path)


@lru_cache
def _read_shipped(name: str) -> Protocol:
    return _read(name)


def _read(name_or_path: str) -> Protocol:
    try:
        table = tomllib.loads(text(name_or_path))
    except (ValueError, RecursionError) as error:  # of tomllib's own, and of Python's numbers of too many digits
        raise ProtocolError(f"{name_or_path}: not valid TOML: {error}") from error
    return parse(table, where=name_or_path)


@lru_cache
def _stems() -> tuple[str, ...]:
    """Return the names of the shipped files, NAME for the newest version and NAME@VERSION for older ones."""
    return tuple(f.name.removesuffix(".toml") for f in _SHIPPED.iterdir() if f.name.endswith(".toml"))


def parse(table: Mapping[str, Any], *, where: str) -> Protocol:
    """Build a protocol from a parsed TOML table. where: names the table in messages."""
    sections = ("clip", "count", "frames", "features", "metric")
    prose = ("name", "version", "summary", "source", "assumptions", "not_comparable")
    refuse_unknown(table, (*prose, *sections), where)
    for key in ("name", "version", "summary", "source", "clip", "features", "metric"):
        if key not in table:
            raise ProtocolError(f"{where}: the key {key!r} is missing")
    for key in sections:
        if not isinstance(table.get(key, {}), dict):
            raise ProtocolError(f"{where}: {key} is a table, [{key}]")
    sides = side_tables(table, where)
    protocol = Protocol(
        name=checked_name(table["name"], where),
        version=value_of(int, table["version"], {"least": 1}, f"{where}: version"),
        summary=value_of(str, table["summary"], {}, f"{where}: summary"),
        source=value_of(str, table["source"], {}, f"{where}: source"),
        assumptions=value_of(tuple[str, ...], table.get("assumptions", []), {}, f"{where}: assumptions"),
        real=rule_of(ClipRule, sides["real"], f"{where} (real side)"),
        fake=rule_of(ClipRule, sides["fake"], f"{where} (fake side)"),
        features=rule_of(FeatureRule, table["features"], f"{where}: [features]"),
        metric=rule_of(MetricRule, table["metric"], f"{where}: [metric]"),
        not_comparable=value_of(str, table.get("not_comparable", ""), {}, f"{where}: not_comparable"),
    )
    protocol.check(where)
    return protocol


def plain(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return `Protocol.choices` as JSON gives them back."""
    shown = {key: str(value) if isinstance(value, Resize) else value for key, value in choices.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in shown.items()}


def _without_defaults(section: Any) -> dict[str, Any]:  # Any: one of the frozen dataclasses above
    values: dict[str, Any] = {}
    for f in dataclasses.fields(section):
        value = getattr(section, f.name)
        if f.default is MISSING or value != f.default:
            values[f.name] = _without_defaults(value) if isinstance(value, Resize) else value
    return values

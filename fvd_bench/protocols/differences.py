"""How two protocols differ, and which ones of the literature cannot be shipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, ClipRule

ABSENT: Mapping[str, str] = {
    "dgm-eval": "its seven other image networks (MAE, SwAV, ConvNeXt and others) are on their own download sites",
    "disco-fid-vid": "needs a 3D-ResNet-50 trained on Kinetics, from a release on GitHub",
    "fvmd": "needs the point tracker PIPs++; its distance is one of tracks, not of features",
    "srvp-fd": "needs the SRVP encoders, one for each data set, from the Hugging Face hub",
    "stream": "needs SwAV, which is on its own download site alone",
    "vfid-tryon-resnext": "needs a 3D-ResNeXt-101 from the Hugging Face hub",
}
"""Protocols of the literature that this package does not have, each with the reason."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which protocols a and b differ.

    fields: dotted names as in `Protocol.choices`; those of both sides where these change in the same way.
    a, b: its values. None also stands for a field that has no effect there, see `idle_in`.
    idle_in: `a` or `b` if the field has no effect in that one, because of a difference elsewhere. Else None.
    """

    fields: tuple[str, ...]
    a: Any
    b: Any
    idle_in: str | None = None

    @property
    def name(self) -> str:
        """The field's name, without its side if both sides change."""
        return self.fields[0] if len(self.fields) == 1 else self.fields[0].partition(".")[2]

    @property
    def texts(self) -> tuple[str, str]:
        """Both values, as texts for people."""
        field = self.fields[0].partition(".")[2]
        a, b = (_text(field, value) for value in (self.a, self.b))
        return "–" if self.idle_in == "a" else a, "–" if self.idle_in == "b" else b


def differences(a: Protocol, b: Protocol) -> list[Difference]:
    """Return all fields in which two protocols differ, in the order of `Protocol.choices`."""
    even_a, even_b = aligned(a, b)
    before, after, raw_a, raw_b = a.choices(), b.choices(), _raw(a), _raw(b)
    raw_even_b = _raw(even_b)
    moved = {name for name, value in _raw(even_a).items() if value != raw_even_b[name]}
    found: dict[str, Difference] = {}
    for name in raw_a:
        if name in moved:
            found[name] = Difference((name,), raw_a[name], raw_b[name])
        elif before[name] != after[name]:
            idle_in = "a" if with_choices(a, {name: raw_b[name]}).digest() == a.digest() else "b"
            old, new = (None, after[name]) if idle_in == "a" else (before[name], None)
            found[name] = Difference((name,), old, new, idle_in)
    return _joined(found)


def aligned(a: Protocol, b: Protocol) -> tuple[Protocol, Protocol]:
    """Return two protocols that compute the same as a and b, and differ in no field that has no effect in one of
    them."""
    raw_b, digest_a, digest_b = _raw(b), a.digest(), b.digest()
    for name, mine in _raw(a).items():  # each is looked at once, before it is changed
        theirs = raw_b[name]
        if mine == theirs:
            continue
        if (even := with_choices(a, {name: theirs})).digest() == digest_a:
            a = even
        elif (even := with_choices(b, {name: mine})).digest() == digest_b:
            b = even
    return a, b


def with_choices(protocol: Protocol, choices: Mapping[str, Any]) -> Protocol:
    """Return the protocol with other values of some fields, by the dotted names of `Protocol.choices`. Nothing is
    checked."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in choices.items():
        section, _, field = name.partition(".")
        sections.setdefault(section, {})[field] = value
    changed = {name: dataclasses.replace(getattr(protocol, name), **values) for name, values in sections.items()}
    return dataclasses.replace(protocol, **changed)


def _raw(protocol: Protocol) -> dict[str, Any]:
    """Return what `Protocol.choices` returns, but with fields that have no effect as the protocol sets them."""
    sections = {name: getattr(protocol, name) for name in (*SIDES, "features", "metric")}
    return {f"{name}.{f.name}": getattr(s, f.name) for name, s in sections.items() for f in dataclasses.fields(s)}


def _joined(found: Mapping[str, Difference]) -> list[Difference]:
    """Return the differences, with one for both sides where these change in the same way."""
    joined = dict(found)
    for f in dataclasses.fields(ClipRule):
        real, fake = (joined.get(f"{side}.{f.name}") for side in SIDES)
        if real and fake and (real.a, real.b, real.idle_in) == (fake.a, fake.b, fake.idle_in):
            joined[f"real.{f.name}"] = dataclasses.replace(real, fields=(*real.fields, *fake.fields))
            del joined[f"fake.{f.name}"]
    return list(joined.values())


def _text(field: str, value: Any) -> str:
    if value is None:
        return "all" if field == "count" else "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

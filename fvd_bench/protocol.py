"""A protocol: everything that makes a score, as data, with a version and a hash.

A protocol is a TOML file. In [clip], [count] and [frames] a value may be given once for both sides, or per
side as `{ real = ..., fake = ... }`. Unknown keys are refused. Files shipped with the package are found by
name; any other is found by its path (something with a slash or ending in .toml).
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib.resources
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fvd_bench.errors import ProtocolError

Side = Literal["real", "fake"]
SIDES: tuple[Side, Side] = ("real", "fake")

FEWEST_FRAMES = {"i3d": 9, "inception": 1, "pixels": 1}
"""Extractors that a protocol may name, with the shortest clip that each can see."""

METRIC_EXTRACTORS = {"fvd": ("i3d", "pixels"), "fid": ("inception",)}
"""Metrics that a protocol may name, with the extractors whose features go by that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """A resize to a square.

    size: side of the result in pixels.
    geometry: `stretch` forces both sides; `short-side-crop` scales the shorter side and crops the centre.
    kernel: `bilinear` (half-pixel centres), `bilinear-tf1` (source = target · in / out), `bicubic`.
    antialias: widen the kernel when shrinking.
    """

    size: int = field(metadata={"least": 1})
    geometry: Literal["stretch", "short-side-crop"] = "stretch"
    kernel: Literal["bilinear", "bilinear-tf1", "bicubic"] = "bilinear"
    antialias: bool = False

    def __str__(self) -> str:
        return f"{self.size}-{self.geometry}-{self.kernel}{'-antialias' if self.antialias else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRule:
    """How one side's videos become uint8 clips.

    frames: length of a clip; `all` takes every frame of the video (for extractors that see single frames).
    stride: distance of neighbouring frames of a clip in frames of the video.
    start: one clip at a `random` place or at the `first` frame, or `all` non-overlapping clips.
    length_rule: a video must hold the clip's `span`, (frames - 1) · stride + 1, or `frames-times-stride`.
    min_frames: videos with fewer frames than this are left out as well.
    short_videos: `skip` names and counts a video that is too short, `error` ends the run.
    content: `video`; `still` repeats one random frame of the video; `still-real` does so with the *real*
        videos in the place of the fake ones.
    count: number of videos used, None for all; selection: which, when there are more: a `seeded` subset or
        the `first-sorted`.
    resize: resize of the frames as uint8 images before the network's own, rounded by `rounding`.
    jpeg: round trip through Pillow's JPEG: `never`, `always`, or `unless-jpeg` (frames that already are JPEG
        files stay as they are), at `jpeg_quality` and `jpeg_subsampling`; `order` says which comes first.
    """

    frames: int | Literal["all"] = field(metadata={"least": 1})
    stride: int = field(default=1, metadata={"least": 1})
    start: Literal["random", "first", "all"] = "first"
    length_rule: Literal["span", "frames-times-stride"] = "span"
    min_frames: int = field(default=0, metadata={"least": 0})
    short_videos: Literal["skip", "error"] = "skip"
    content: Literal["video", "still", "still-real"] = "video"
    count: int | None = field(default=None, metadata={"least": 2})
    selection: Literal["seeded", "first-sorted"] = "seeded"
    resize: Resize | None = None
    rounding: Literal["nearest", "truncate"] = "nearest"
    order: Literal["resize-then-jpeg", "jpeg-then-resize"] = "resize-then-jpeg"
    jpeg: Literal["never", "unless-jpeg", "always"] = "never"
    jpeg_quality: int = field(default=95, metadata={"least": 1, "most": 100})
    jpeg_subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0"

    @property
    def is_random(self) -> bool:
        """Whether the frames that are taken from a video depend on the seed."""
        return self.start == "random" or self.content != "video"

    @property
    def frames_needed(self) -> int:
        """Frames that must decode for a video to be used."""
        if self.frames == "all":
            return max(1, self.min_frames)
        span = (self.frames - 1) * self.stride + 1
        return max(span if self.length_rule == "span" else self.frames * self.stride, self.min_frames)

    def signature(self) -> str:
        """Short text that names every choice of this rule."""
        parts = ["all" if self.count is None else f"{self.count}-{self.selection}"]
        parts += [self.start, f"{self.frames}x{self.stride}"]
        if self.length_rule != "span":
            parts.append(self.length_rule)
        if self.min_frames:
            parts.append(f"min{self.min_frames}")
        if self.short_videos != "skip":
            parts.append("short-is-error")
        if self.content != "video":
            parts.append(self.content)
        images = [f"{self.resize}-{self.rounding}"] if self.resize else []
        if self.jpeg != "never":
            images.append(f"jpeg{self.jpeg_quality}-{self.jpeg_subsampling}-{self.jpeg}")
        return ",".join(parts + (images if self.order == "resize-then-jpeg" else images[::-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRule:
    """How uint8 clips become features.

    extractor, layer: the network and which of its outputs.
    resize: to the network's input size, None feeds the frames as they are; rounding: of the resized values.
    range: what 0 and 255 become.
    precision: arithmetic of the network; `tf32` exists on CUDA devices only.
    """

    extractor: str = field(metadata={"allowed": tuple(FEWEST_FRAMES)})
    layer: str = "logits"
    resize: Resize | None = None
    rounding: Literal["none", "nearest", "truncate"] = "none"
    range: tuple[float, float] = (-1.0, 1.0)
    precision: Literal["float32", "tf32"] = "float32"

    def signature(self) -> str:
        """Short text that names every choice of this rule."""
        size = "as-is" if self.resize is None else str(self.resize)
        rounding = "" if self.rounding == "none" else f"-{self.rounding}"
        low, high = self.range
        return f"{self.extractor}:{self.layer},{size}{rounding},[{low:g},{high:g}],{self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """How features become scores.

    names: the metrics. ddof: 0 divides covariances by N, 1 by N - 1.
    aggregation: one score of `all` features, or the mean over consecutive batches of `batch` (`batch-mean`).
    """

    names: tuple[str, ...] = field(metadata={"allowed": tuple(METRIC_EXTRACTORS)})
    ddof: int = field(default=0, metadata={"least": 0, "most": 1})
    aggregation: Literal["all", "batch-mean"] = "all"
    batch: int = field(default=0, metadata={"least": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named, versioned way of computing scores; `version` rises whenever a number could move."""

    name: str
    version: int
    summary: str
    source: str
    assumptions: tuple[str, ...]
    real: ClipRule
    fake: ClipRule
    features: FeatureRule
    metric: MetricRule

    def clip_rule(self, side: Side) -> ClipRule:
        return self.real if side == "real" else self.fake

    def canonical(self) -> dict[str, Any]:
        """All choices that can move the number; name, version, prose and defaults are left out."""
        sections = {"real": self.real, "fake": self.fake, "features": self.features, "metric": self.metric}
        return {name: _without_defaults(section) for name, section in sections.items()}

    def digest(self) -> str:
        """sha256 of the canonical JSON: protocols of one digest compute the same."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def signature(self) -> str:
        """One line that names each choice; runs add their counts, seed and weights to it."""
        batches = "" if self.metric.aggregation == "all" else f"|batch-mean:{self.metric.batch}"
        return (
            f"{self.name}@{self.version}|features:{self.features.signature()}"
            f"|real:{self.real.signature()}|fake:{self.fake.signature()}"
            f"|ddof:{self.metric.ddof}{batches}|#{self.digest()[:12]}"
        )


def names() -> list[str]:
    """Names of the protocols that ship with the package."""
    folder = importlib.resources.files("fvd_bench.protocols")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def text(name_or_path: str) -> str:
    """The TOML text of a protocol. Raises ProtocolError when there is none of that name or path."""
    if "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml"):
        try:
            return Path(name_or_path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProtocolError(f"protocol file {name_or_path}: {error}") from error
    if name_or_path not in names():
        close = difflib.get_close_matches(name_or_path, names(), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ProtocolError(
            f"no protocol is named {name_or_path!r}; {hint}the names are {', '.join(names())}; "
            "to use a file of your own pass its path, ending in .toml"
        )
    file = importlib.resources.files("fvd_bench.protocols").joinpath(f"{name_or_path}.toml")
    return file.read_text("utf-8")


def load(name_or_path: str) -> Protocol:
    """Load a protocol by name or path.

    Raises ProtocolError, naming file, key and allowed values, for anything that is not a complete protocol.
    """
    try:
        table = tomllib.loads(text(name_or_path))
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"{name_or_path}: not valid TOML: {error}") from error
    return parse(table, where=name_or_path)


def parse(table: Mapping[str, Any], *, where: str) -> Protocol:
    """Build a protocol from a parsed TOML table; `where` names it in errors."""
    top = ("name", "version", "summary", "source", "assumptions", "clip", "count", "frames", "features", "metric")
    _refuse_unknown(table, top, where)
    for key in ("name", "version", "summary", "source", "clip", "features", "metric"):
        if key not in table:
            raise ProtocolError(f"{where}: the key {key!r} is missing")
    for key in ("clip", "count", "frames", "features", "metric"):
        if not isinstance(table.get(key, {}), dict):
            raise ProtocolError(f"{where}: {key} is a table, [{key}]")
    sides = _side_tables(table, where)
    protocol = Protocol(
        name=_name(table["name"], where),
        version=_value(int, table["version"], {"least": 1}, f"{where}: version"),
        summary=_value(str, table["summary"], {}, f"{where}: summary"),
        source=_value(str, table["source"], {}, f"{where}: source"),
        assumptions=_value(tuple[str, ...], table.get("assumptions", []), {}, f"{where}: assumptions"),
        real=_section(ClipRule, sides["real"], f"{where} (real side)"),
        fake=_section(ClipRule, sides["fake"], f"{where} (fake side)"),
        features=_section(FeatureRule, table["features"], f"{where}: [features]"),
        metric=_section(MetricRule, table["metric"], f"{where}: [metric]"),
    )
    _check_possible(protocol, where)
    return protocol


_CLIP_KEYS = ("frames", "stride", "start", "length_rule", "min_frames", "short_videos", "content")
_COUNT_KEYS = ("real", "fake", "selection")
_FRAMES_KEYS = ("resize", "rounding", "order", "jpeg", "jpeg_quality", "jpeg_subsampling")


def _side_tables(table: Mapping[str, Any], where: str) -> dict[Side, dict[str, Any]]:
    """Spread [clip], [count] and [frames] over the two sides."""
    sides: dict[Side, dict[str, Any]] = {"real": {}, "fake": {}}
    for section, allowed in (("clip", _CLIP_KEYS), ("count", _COUNT_KEYS), ("frames", _FRAMES_KEYS)):
        values = dict(table.get(section, {}))
        _refuse_unknown(values, allowed, f"{where}: [{section}]")
        if section == "count":
            per_side = {side: values.pop(side) for side in SIDES if side in values}
            for side, count in per_side.items():
                sides[side]["count"] = None if count == "all" else count
        for key, value in values.items():
            sided = isinstance(value, dict) and bool(value) and set(value) <= set(SIDES)
            for side in SIDES:
                if not sided:
                    sides[side][key] = value
                elif side in value:
                    sides[side][key] = value[side]
    return sides


def _check_possible(protocol: Protocol, where: str) -> None:
    extractor, fewest = protocol.features.extractor, FEWEST_FRAMES[protocol.features.extractor]
    for side in SIDES:
        rule = protocol.clip_rule(side)
        if rule.frames == "all":
            if fewest > 1:
                raise ProtocolError(f"{where}: {extractor} needs clips of a fixed length; {side} frames is 'all'")
            if rule.start != "first" or rule.content != "video":
                raise ProtocolError(f'{where}: {side} frames = "all" takes the whole video: start must be "first"')
        elif rule.frames < fewest:
            raise ProtocolError(
                f"{where}: {side} frames = {rule.frames}, but {extractor} needs at least {fewest} frames a clip "
                "(below that its last pooling window is empty and the original network gives NaN)"
            )
    if protocol.real.content == "still-real":
        raise ProtocolError(f'{where}: content = "still-real" is for the fake side; use "still" on the real side')
    low, high = protocol.features.range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ProtocolError(f"{where}: range = [{low}, {high}]: expected two finite numbers, the smaller one first")
    for resize in (protocol.real.resize, protocol.fake.resize, protocol.features.resize):
        if resize is not None and resize.antialias and resize.kernel == "bilinear-tf1":
            raise ProtocolError(f"{where}: the kernel bilinear-tf1 has no antialiasing")
    metric = protocol.metric
    if not metric.names or len(set(metric.names)) < len(metric.names):
        raise ProtocolError(f"{where}: metric names = {list(metric.names)}: expected at least one, each once")
    for name in metric.names:
        if extractor not in METRIC_EXTRACTORS[name]:
            allowed = " or ".join(METRIC_EXTRACTORS[name])
            raise ProtocolError(f"{where}: {name} is computed on features of {allowed}, not of {extractor}")
    if (metric.aggregation == "batch-mean") != (metric.batch >= 2):
        raise ProtocolError(f'{where}: aggregation = "batch-mean" needs batch >= 2, and "all" takes no batch')


def _name(value: Any, where: str) -> str:
    """A name stands in signatures and tables, so it is plain."""
    name: str = _value(str, value, {}, f"{where}: name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ProtocolError(f"{where}: name = {name!r}: expected letters, digits, '.', '_' and '-'")
    return name


_Section = TypeVar("_Section", Resize, ClipRule, FeatureRule, MetricRule)


def _section(cls: type[_Section], table: Mapping[str, Any], where: str) -> _Section:
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    _refuse_unknown(table, tuple(fields), where)
    missing = [f.name for f in fields.values() if f.default is MISSING and f.name not in table]
    if missing:
        raise ProtocolError(f"{where}: the key {missing[0]!r} is missing")
    values = {k: _value(hints[k], v, fields[k].metadata, f"{where}: {k}") for k, v in table.items()}
    return cls(**values)


def _value(hint: Any, value: Any, limits: Mapping[str, Any], where: str) -> Any:  # Any: typing's own objects
    """Check a TOML value against a type hint and the field's limits, and return it."""
    if get_origin(hint) in (Union, UnionType):
        options = get_args(hint)
        if value is None and type(None) in options:
            return None
        literal = next((o for o in options if get_origin(o) is Literal), None)
        if literal is not None and value in get_args(literal):
            return value
        hint = next(o for o in options if o is not type(None) and get_origin(o) is not Literal)
    if get_origin(hint) is Literal:
        return _one_of(value, get_args(hint), where)
    if hint is Resize:
        if not isinstance(value, dict):
            raise ProtocolError(f"{where} = {value!r}: expected a table such as {{ size = 224 }}")
        return _section(Resize, value, where)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if not isinstance(value, list) or (get_args(hint)[-1] is not Ellipsis and len(value) != 2):
            raise ProtocolError(f"{where} = {value!r}: expected a list{'' if item is str else ' of two numbers'}")
        return tuple(_value(item, v, limits, where) for v in value)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ProtocolError(f"{where} = {value!r}: expected {hint.__name__}, found {type(value).__name__}")
    if value < limits.get("least", value) or value > limits.get("most", value):
        raise ProtocolError(f"{where} = {value}: expected {limits['least']} to {limits.get('most', 'any')}")
    return _one_of(value, limits["allowed"], where) if "allowed" in limits else value


def _one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if value not in allowed:
        raise ProtocolError(f"{where} = {value!r}: allowed are {', '.join(repr(a) for a in allowed)}")
    return value


def _refuse_unknown(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ProtocolError(f"{where}: unknown key {key!r}; {hint}allowed are {', '.join(allowed)}")


def _without_defaults(section: Any) -> dict[str, Any]:  # Any: one of the frozen dataclasses above
    values: dict[str, Any] = {}
    for f in dataclasses.fields(section):
        value = getattr(section, f.name)
        if f.default is MISSING or value != f.default:
            values[f.name] = _without_defaults(value) if isinstance(value, Resize) else value
    return values

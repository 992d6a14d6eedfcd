"""A paired protocol: every choice that makes the scores of videos against their own originals, frame by frame.

It is a TOML file, as the protocols of sets of videos are, with a table for each metric that it has: [psnr], [ssim],
[lpips]. Temporal flickering is defined in one way alone, so every paired protocol has it. Files shipped with the
package are found by name; any other file is found by its path, which contains a slash or ends in .toml.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, get_args

from fvd_bench.errors import ProtocolError, UnknownProtocolError, cause
from fvd_bench.paths import read_text, shipped
from fvd_bench.protocols.aliases import is_path
from fvd_bench.protocols.parsing import checked_name, refuse_unknown, rule_of, value_of

_SHIPPED = shipped("fvd_bench.protocols.shipped.paired", "protocols/paired")

Metric = Literal["psnr", "ssim", "lpips", "flickering"]
METRICS: tuple[Metric, ...] = get_args(Metric)

LOWER_IS_BETTER: frozenset[Metric] = frozenset(("lpips",))

Average = Literal["videos", "frames"]
"""What counts the same in the score of a set: each video, or each frame, so that longer videos count for more."""

Network = Literal["alex", "vgg", "squeeze"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PsnrRule:
    """PSNR = 20 log10(255 / (root mean squared error + epsilon)), in decibels, of values of 0 to 255.

    pool: over what the squared error is averaged before the logarithm: each `frame`, each `video`, or `all` videos.
    most: what frames that differ by nothing, or by less than this stands for, get. None for infinity.
    epsilon: is added to the root mean squared error, in grey levels.
    arithmetic: `exact`, or `uint8`, in which differences and their squares wrap modulo 256.
    """

    pool: Literal["frame", "video", "all"]
    average: Average = "videos"
    most: float | None = None
    epsilon: float = field(default=0.0, metadata={"least": 0.0})
    arithmetic: Literal["exact", "uint8"] = "exact"

    def signature(self) -> str:
        pool = self.pool if self.pool == "all" else f"{self.pool},mean-of-{self.average}"
        cap = "" if self.most is None else f",most{self.most:g}"
        epsilon = f",epsilon{self.epsilon:.3g}" if self.epsilon else ""
        return f"per-{pool}{cap}{epsilon}{',uint8' if self.arithmetic == 'uint8' else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SsimRule:
    """SSIM (Wang et al. 2004) with K1 = 0.01 and K2 = 0.03, of each colour channel, averaged over channels and places.

    window, size, sigma: what local means are weighted by: a `gaussian` or a `uniform` square of that many pixels.
    border: what is beyond the frame: `zeros` for black, `reflect` for its mirror image. `valid` for nothing: places
        where the window leaves the frame are left out.
    covariance: divided by the number of pixels in the window, or, for a `sample`, by one less.
    """

    window: Literal["gaussian", "uniform"]
    size: int = field(metadata={"least": 3})
    sigma: float = field(default=1.5, metadata={"least": 0.0})
    border: Literal["valid", "zeros", "reflect"] = "valid"
    covariance: Literal["population", "sample"] = "population"
    average: Average = "videos"

    def signature(self) -> str:
        shape = f"{self.window}{self.size}{f',sigma{self.sigma:g}' if self.window == 'gaussian' else ''}"
        return f"{shape},{self.border},{self.covariance},mean-of-{self.average}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LpipsRule:
    """LPIPS (Zhang et al. 2018), version 0.1, of each frame.

    spatial: whether each layer's map is enlarged to the size of the frame before it is averaged.
    """

    network: Network
    spatial: bool = False
    average: Average = "videos"

    def signature(self) -> str:
        return f"{self.network},v0.1{',spatial' if self.spatial else ''},mean-of-{self.average}"


@dataclass(frozen=True, slots=True)
class FlickeringRule:
    """Temporal flickering as VBench defines it: (255 - the mean absolute change from frame to frame) / 255."""

    average: Average = "videos"

    def signature(self) -> str:
        return f"vbench,mean-of-{self.average}"


Rule = PsnrRule | SsimRule | LpipsRule | FlickeringRule


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedProtocol:
    """A named, versioned way of scoring videos against their own originals.

    lengths: `equal` scores no pair of unequal lengths; `shorter` scores as many frames as the shorter video has.
    rfvd: the name of the protocol that scores all pairs as two sets of videos, empty for none.
    psnr, ssim, lpips: None where the protocol does not have the metric.
    """

    name: str
    version: int
    summary: str
    source: str
    assumptions: tuple[str, ...]
    lengths: Literal["equal", "shorter"]
    rfvd: str = ""
    psnr: PsnrRule | None = None
    ssim: SsimRule | None = None
    lpips: LpipsRule | None = None
    flickering: FlickeringRule = FlickeringRule()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it has, in a fixed order."""
        return tuple(name for name in METRICS if getattr(self, name) is not None)

    def rule(self, metric: Metric) -> Rule:
        rule: Rule | None = getattr(self, metric)
        assert rule is not None, f"{self.name} has no {metric}"
        return rule

    def choices(self, metric: Metric) -> dict[str, Any]:
        """Return all choices that can change the score of a metric, by dotted names such as `ssim.size`."""
        rule = dataclasses.asdict(self.rule(metric))
        return {"lengths": self.lengths, **{f"{metric}.{name}": value for name, value in rule.items()}}

    def canonical(self, metric: Metric) -> dict[str, Any]:
        """Return the choices of a metric without defaults."""
        rule = self.rule(metric)
        chosen = {
            f.name: getattr(rule, f.name)
            for f in dataclasses.fields(rule)
            if f.default is MISSING or getattr(rule, f.name) != f.default
        }
        return {"lengths": self.lengths, metric: chosen}

    def digest(self, metric: Metric | None = None) -> str:
        """Return the sha256 of the canonical JSON of a metric, or of all of them and the protocol of rFVD.

        What has the same digest computes the same.
        """
        if metric is not None:
            canonical = self.canonical(metric)
        else:
            canonical = {"rfvd": self.rfvd} | {k: v for name in self.metrics for k, v in self.canonical(name).items()}
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def signature(self, metric: Metric) -> str:
        """Return one line that names each choice. Runs add their counts and weights to it."""
        rule = self.rule(metric).signature()
        return f"{self.name}@{self.version}|{rule}|lengths:{self.lengths}|#{self.digest(metric)[:12]}"


PairedProtocolLike = PairedProtocol | str | os.PathLike[str]

_RULES: Mapping[str, type[Rule]] = {"psnr": PsnrRule, "ssim": SsimRule, "lpips": LpipsRule}


def names() -> list[str]:
    """Return the names of the paired protocols that ship with the package."""
    return sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir() if file.name.endswith(".toml"))


def load(protocol: PairedProtocolLike) -> PairedProtocol:
    """Load a paired protocol by name or by path. A PairedProtocol is returned as it is.

    Raises UnknownProtocolError where none has that name. Raises ProtocolError, naming file, key and allowed values, for
    anything that is not a complete protocol, and for one that has the name of a shipped one and is another.
    """
    if not isinstance(protocol, PairedProtocol | str | os.PathLike):
        raise ProtocolError(f"{protocol!r:.100} is no paired protocol: expected a name, a path or a PairedProtocol")
    loaded = protocol if isinstance(protocol, PairedProtocol) else _read(os.fspath(protocol))
    if loaded.name in names():
        shipped = _read(loaded.name)
        if (loaded.version, loaded.digest()) != (shipped.version, shipped.digest()):
            raise ProtocolError(
                f"the paired protocol {loaded.name}@{loaded.version} is not what ships with fvd-bench under this name: "
                "give it another name"
            )
    return loaded


def load_all(protocol: PairedProtocolLike | Sequence[PairedProtocolLike]) -> tuple[PairedProtocol, ...]:
    """Load one paired protocol or several, each once, as `load` does.

    Raises ProtocolError, also for none at all, and for two of one name.
    """
    given = [protocol] if isinstance(protocol, PairedProtocol | str | os.PathLike) else protocol
    if not given:
        raise ProtocolError("no paired protocol is given")
    loaded = tuple(dict.fromkeys(map(load, given)))
    called = [one.name for one in loaded]
    if len(set(called)) < len(called):
        raise ProtocolError(f"two of the paired protocols {', '.join(called)} have one name and differ: rename one")
    return loaded


def text(name_or_path: str) -> str:
    """Return the TOML text of a paired protocol. Raises as `load` does."""
    if is_path(name_or_path):
        try:
            return read_text(name_or_path)
        except (OSError, UnicodeDecodeError) as error:
            raise ProtocolError(
                f"paired protocol file {name_or_path} cannot be read: {cause(error)}; expected TOML, as "
                "`fvd-bench protocols show NAME` prints it"
            ) from error
    if name_or_path not in names():
        close = difflib.get_close_matches(name_or_path, names(), n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UnknownProtocolError(
            f"no paired protocol is named {name_or_path!r}; {hint}there are {', '.join(names())}; to use a file of "
            "your own pass its path, ending in .toml"
        )
    return _SHIPPED.joinpath(f"{name_or_path}.toml").read_text("utf-8")


def parse(table: Mapping[str, Any], *, where: str) -> PairedProtocol:
    """Build a paired protocol from a parsed TOML table. where: names the table in messages. Raises ProtocolError."""
    fields = {f.name: f for f in dataclasses.fields(PairedProtocol) if f.name != "flickering"}
    refuse_unknown(table, tuple(fields), where)
    for key in ("name", "version", "summary", "source", "lengths"):
        if key not in table:
            raise ProtocolError(f"{where}: the key {key!r} is missing")
    for key in _RULES:
        if not isinstance(table.get(key, {}), dict):
            raise ProtocolError(f"{where}: {key} is a table, [{key}]")
    rules = {key: rule_of(rule, table[key], f"{where}: [{key}]") for key, rule in _RULES.items() if key in table}
    protocol = PairedProtocol(
        name=checked_name(table["name"], where),
        version=value_of(int, table["version"], {"least": 1}, f"{where}: version"),
        summary=value_of(str, table["summary"], {}, f"{where}: summary"),
        source=value_of(str, table["source"], {}, f"{where}: source"),
        assumptions=value_of(tuple[str, ...], table.get("assumptions", []), {}, f"{where}: assumptions"),
        lengths=value_of(Literal["equal", "shorter"], table["lengths"], {}, f"{where}: lengths"),
        rfvd=value_of(str, table.get("rfvd", ""), {}, f"{where}: rfvd"),
        **rules,  # type: ignore[arg-type]  # each is of its key's type
    )
    if protocol.ssim is not None and protocol.ssim.size % 2 == 0:
        raise ProtocolError(f"{where}: [ssim]: size = {protocol.ssim.size}: expected an odd number of pixels")
    if protocol.ssim is not None and protocol.ssim.sigma == 0:
        raise ProtocolError(f"{where}: [ssim]: sigma = 0: expected more than 0, in pixels")
    return protocol


def _read(name_or_path: str) -> PairedProtocol:
    try:
        table = tomllib.loads(text(name_or_path))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{name_or_path}: not valid TOML: {error}") from error
    return parse(table, where=name_or_path)

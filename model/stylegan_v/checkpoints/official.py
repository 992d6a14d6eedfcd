"""Checkpoints of the official StyleGAN-V code, from plain exports of their tensors.

The official files are pickles, that is, programs. Their tensors are exported once, where that code runs:

    import pickle, numpy
    with open("network-snapshot.pkl", "rb") as file:
        networks = pickle.load(file)
    states = {part: networks[part].state_dict() for part in ("G_ema", "G", "D")}
    numpy.savez("export.npz", **{f"{p}.{n}": t.cpu().numpy() for p, state in states.items() for n, t in state.items()})

Names are those of the official state dicts after G_ema., G. or D., or without such a beginning in the export of one
generator. The shapes tell what the model is like. All of them are checked before any tensor is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fvd_bench.words import listed
from stylegan_v.checkpoints.checkpoint import Checkpoint
from stylegan_v.checkpoints.exports import open_export
from stylegan_v.checkpoints.official_names import DISCRIMINATOR, GENERATOR, IGNORED, official_names
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.networks.config import ModelConfig, read_model_config
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator

_PREFIXES = ("G_ema", "G", "D")
_MOTION = "synthesis.motion_encoder."
_FREQUENCIES = _MOTION + "time_encoder.freqs"
_WIDEST = 1 << 16
"""No model has widths larger than this. A network of such widths would be laid out but not allocated; it is refused all
the same."""

Shapes = Mapping[str, tuple[int, ...]]


def import_official(
    file: Path, *, fps: float = 25.0, frames: int | None = None, min_period: int | None = None
) -> Checkpoint:
    """Make a checkpoint from an .npz or .safetensors file: `ema`, and `generator` and `discriminator` if present.

    fps: frames per second of the training videos.
    frames: number of frames that the discriminator looks at. It is needed only where the file has no discriminator;
    None then stands for 3.
    min_period: in frames. It is needed only where the file has no buffer of frequencies; None then stands for 16.
    Raises CheckpointError, and ConfigError where no model has frames or min_period, or where they contradict the file.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps = {fps}: expected frames per second, more than 0")
    if frames is not None:
        read_model_config({"frames": frames})  # raises ConfigError where no model has it
    export = open_export(file)
    parts = _parts(file, export.shapes)
    ema = parts.get("G_ema") or parts.get("G")
    if ema is None:
        raise CheckpointError(f"{file} holds no generator: expected tensors named G_ema.mapping.fc0.weight and so on")
    discriminator = parts.get("D")
    reader = _Reader(file, ema.shapes, None if discriminator is None else discriminator.shapes)
    few = math.prod(ema.shapes.get(_FREQUENCIES, ())) <= _WIDEST
    frequencies = export.read(ema.prefix + _FREQUENCIES).flatten() if few and _FREQUENCIES in ema.shapes else None
    model = reader.model(frames=frames, min_period=min_period, frequencies=frequencies)
    with torch.device("meta"):
        generator, opponent = Generator(model), Discriminator(model)
    kinds: list[tuple[str, _Part | None, nn.Module, Sequence[tuple[str, str]]]] = [
        ("ema", ema, generator, GENERATOR),
        ("generator", parts.get("G"), generator, GENERATOR),
        ("discriminator", discriminator, opponent, DISCRIMINATOR),
    ]
    wanted: dict[str, str] = {}  # name in the checkpoint -> name in the file
    for name, part, network, table in kinds:
        if part is not None:
            wanted |= {f"{name}.{ours}": part.prefix + theirs for theirs, ours in _match(file, part, network, table)}
    tensors = {ours: export.read(theirs) for ours, theirs in wanted.items()}
    return Checkpoint(model, tensors, fps)


@dataclass(frozen=True, slots=True)
class _Part:
    """The tensors of one network. Their names in the file are `prefix` and a key of `shapes`."""

    prefix: str
    shapes: Shapes


def _parts(file: Path, shapes: Shapes) -> dict[str, _Part]:
    if not any(name.startswith(tuple(f"{part}." for part in _PREFIXES)) for name in shapes):
        return {"G_ema": _Part("", shapes)} if any(name.startswith("synthesis.") for name in shapes) else {}
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    unknown = []
    for name, shape in shapes.items():
        part, _, rest = name.partition(".")
        if part in _PREFIXES:
            parts.setdefault(part, {})[rest] = shape
        else:
            unknown.append(name)
    if unknown:
        raise CheckpointError(
            f"{file} holds {_some(unknown)}: expected names that begin with G_ema., G. or D., or none that do"
        )
    return {part: _Part(f"{part}.", found) for part, found in parts.items()}


def _match(file: Path, part: _Part, network: nn.Module, table: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (official, our) names of all tensors of a network. Raises CheckpointError when names or shapes differ."""
    ours = official_names(network, table)
    expected = network.state_dict()
    found = {name for name in part.shapes if not IGNORED.fullmatch(name)}
    what = part.prefix.rstrip(".") or "the generator"
    if missing := sorted(ours.keys() - found):
        raise CheckpointError(f"{file}: {what} has no {_some(missing)}, which a model of its other shapes has")
    if unknown := sorted(found - ours.keys()):
        raise CheckpointError(f"{file}: {what} has {_some(unknown)}, which no StyleGAN-V of its other shapes has")
    for theirs, mine in ours.items():
        if part.shapes[theirs] != tuple(expected[mine].shape):
            raise CheckpointError(
                f"{file}: {part.prefix}{theirs} has shape {list(part.shapes[theirs])}, expected "
                f"{list(expected[mine].shape)} beside the other shapes"
            )
    return list(ours.items())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Tells what a model is like from the shapes of its official generator, and of a discriminator if there is one."""

    file: Path
    g: Shapes
    d: Shapes | None

    def model(self, *, frames: int | None, min_period: int | None, frequencies: Tensor | None) -> ModelConfig:
        """Return the config of the model. Raises CheckpointError, ConfigError."""
        w_dim = self._of(self.g, "mapping.w_avg", 1)[0]
        classes = self._of(self.g, "mapping.embed.weight", 2)[1] if "mapping.embed.weight" in self.g else 0
        u_dim, noise_and_label, kernel = self._of(self.g, _MOTION + "conv.0.weight", 3)
        widths = self._widths()
        values: dict[str, Any] = {
            "resolution": max(widths),
            "num_classes": classes,
            "w_dim": w_dim,
            "z_dim": self._of(self.g, "mapping.fc0.weight", 2)[1] - (w_dim if classes else 0),
            "mapping_layers": sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in self.g),
            "u_dim": u_dim,
            "noise_dim": noise_and_label - classes,
            "motion_kernel": kernel,
            "v_dim": self._of(self.g, _MOTION + "time_encoder.aligners_predictor.weight", 2)[0],
            **channels(widths),
            **self._clip(widths, frames),
            **self._periods(frequencies, min_period),
        }
        wrong = [f"{name} = {v}" for name, v in values.items() if v < 1 and name not in ("num_classes", "channel_base")]
        if wrong:
            raise CheckpointError(f"{self.file} holds a model that cannot be built: {', '.join(wrong)}")
        try:
            return read_model_config(values)
        except ConfigError as error:
            raise CheckpointError(f"{self.file} holds a model that cannot be built: {error}") from error

    def _widths(self) -> dict[int, int]:
        """Return the generator's number of channels at each resolution."""
        found = (re.fullmatch(r"synthesis\.b(\d{1,4})\.torgb\.weight", name) for name in self.g)
        resolutions = sorted(int(match[1]) for match in found if match)
        if not resolutions:
            raise CheckpointError(f"{self.file} holds no generator of StyleGAN-V: no synthesis.b4.torgb.weight")
        return {r: self._of(self.g, f"synthesis.b{r}.torgb.weight", 4)[1] for r in resolutions}

    def _clip(self, widths: Mapping[int, int], frames: int | None) -> dict[str, int]:
        """Return the values that only the discriminator shows."""
        if self.d is None:
            return {} if frames is None else {"frames": frames}
        ins = {r: self._of(self.d, f"b{r}.conv0.weight", 4)[1] for r in widths if r > 4}
        outs = {r: self._of(self.d, f"b{r}.conv1.weight", 4)[0] for r in widths if r > 4}
        joined = [r for r in ins if 2 * r in outs and ins[r] != outs[2 * r]]
        at = joined[0] if joined else 16
        if at not in ins or 2 * at not in outs or outs[2 * at] == 0:
            raise CheckpointError(f"{self.file}: no block of the discriminator takes the features of several frames")
        found = ins[at] // outs[2 * at]
        if frames is not None and frames != found:
            raise ConfigError(f"frames = {frames} is asked for, but the discriminator in {self.file} sees {found}")
        values = {"frames": found, "concat_resolution": at, "frame_divisor": widths[at] // outs[2 * at]}
        if "time_encoder.const_embed.weight" in self.d:
            rows, dim = self._of(self.d, "time_encoder.const_embed.weight", 2)
            values |= {"max_frames": rows, "time_dim": dim}
        return values

    def _periods(self, frequencies: Tensor | None, min_period: int | None) -> dict[str, int]:
        """Return the periods. In the official code, motion codes are as far apart as the shortest period is long."""
        if frequencies is None:
            shortest = 16 if min_period is None else min_period
            read_model_config({"min_period": shortest})  # raises ConfigError where no model has it
            return {"min_period": shortest, "motion_distance": shortest}
        if len(frequencies) < 2 or not (torch.isfinite(frequencies) & (frequencies > 0)).all():
            raise CheckpointError(f"{self.file}: {_FREQUENCIES} holds no frequencies")
        longest, shortest = (round(2 * math.pi / frequencies[place].item()) for place in (0, -1))
        if min_period is not None and min_period != shortest:
            raise ConfigError(f"min_period = {min_period} is asked for, but that of {self.file} is {shortest}")
        return {"min_period": shortest, "max_period": longest, "motion_distance": shortest}

    def _of(self, shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor that has to be there. Raises CheckpointError."""
        shape = shapes.get(name)
        if shape is None:
            raise CheckpointError(
                f"{self.file} has no {name}: it is of no StyleGAN-V, or of another version of its code"
            )
        if len(shape) != dimensions or not all(0 < length <= _WIDEST for length in shape):
            raise CheckpointError(f"{self.file}: {name} has shape {list(shape)}, expected {dimensions} sizes from 1 on")
        return shape


def channels(widths: Mapping[int, int]) -> dict[str, int]:
    """Return the values of a ModelConfig that give these widths by resolution, or its default where that gives them."""
    largest = max(widths.values())
    needed = max((r * width for r, width in widths.items() if width < largest), default=largest * max(widths))
    usual = 16384 if max(widths) < 512 else 32768
    same = all(min(usual // r, largest) == width for r, width in widths.items())
    return {"channel_max": largest, "channel_base": 0 if same else needed}


def _some(names: Sequence[str]) -> str:
    return listed(repr(name[:80]) for name in names)

"""What a model is: every size and choice that its parameters depend on, and the presets.

`release` is what the public code of the paper trains; it is the default. `paper` is what the paper's text says where
the two disagree. `middle` and `small` are `release` with narrower layers. `image` is StyleGAN2, for single frames.
`PRESETS` is the one place that says how they differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from stylegan_v.errors import ConfigError

RESOLUTIONS = (32, 64, 128, 256, 512, 1024)
"""Sides of frames in pixels that StyleGAN2's networks are built for."""

FRAMES_PER_CLIP = (2, 3, 4, 8, 16)
"""Numbers of frames that the discriminator can look at, besides a single image."""

Kind = TypeVar("Kind")

_MAY_BE_ZERO = ("num_classes", "v_dim", "channel_base", "hyper_modulation", "zero_modulation", "projection")

_UNSAID = {"zero_modulation": False, "projection": True}
"""What models are unless they say otherwise: files of models that are so do not speak of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Sizes and choices of a generator and its discriminator.

    resolution: side of a frame in pixels, a power of two from 32 to 1024.
    frames: k, the number of frames that the discriminator sees at a time.
    num_classes: length of the label vector, 0 for none.

    z_dim, w_dim: size of the content codes before and after their mapping.
    mapping_layers: number of layers of either mapping network.
    noise_dim, u_dim, v_dim: size of the motion noise, of the motion codes, and of their time embedding. A v_dim of 0 is
    no motion at all: the generator has no part for it, and every frame of a video is the same image.
    motion_kernel: taps of both motion convolutions. motion_distance: frames between motion codes.
    encoding: how both networks encode time, `release` or `paper` (see motion.py and discriminator.py).
    min_period, max_period: shortest and longest period of the motion's waves before a code scales it, in frames.
    max_frames: time distances below this many frames are told apart; clips of a longer video come from such a window.

    channel_base, channel_max: a layer at resolution r has min(channel_base / r, channel_max) channels. A base of 0
    stands for 16384 below 512² and for 32768 from there on.
    concat_resolution: resolution at which features of frames are concatenated.
    frame_divisor: by which factor the features of a frame are narrower there.
    hyper_modulation: whether time distances modulate the first convolution of each block of the discriminator.
    zero_modulation: whether zeros take the place of time distances there, so that biases alone modulate.
    projection: whether time distances condition the discriminator's head; without it, it gives a logit as it is.
    time_dim: number of learned values that embed a time distance. std_group: videos per minibatch deviation.
    spans: how spans of training clips are drawn, `powers` of two or `uniform`. max_span: the longest span, in frames.
    """

    method: ClassVar[str] = "stylegan-v"

    preset: str = "release"
    resolution: int = 256
    frames: int = 3
    num_classes: int = 0

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2

    noise_dim: int = 512
    u_dim: int = 512
    v_dim: int = 512
    motion_kernel: int = 11
    motion_distance: int = 16
    encoding: Literal["release", "paper"] = "release"
    min_period: int = 16
    max_period: int = 1024
    max_frames: int = 1024

    channel_base: int = 0
    channel_max: int = 512
    concat_resolution: int = 16
    frame_divisor: int = 2
    hyper_modulation: bool = False
    zero_modulation: bool = False
    projection: bool = True
    time_dim: int = 256
    std_group: int = 4
    spans: Literal["powers", "uniform"] = "powers"
    max_span: int = 32

    def __post_init__(self) -> None:
        check_resolution(self.resolution)
        if self.frames != 1 and self.frames not in FRAMES_PER_CLIP:
            raise ConfigError(f"frames = {self.frames}: allowed are 1, {', '.join(map(str, FRAMES_PER_CLIP))}")
        sizes = [f.name for f in dataclasses.fields(self) if isinstance(f.default, int) and f.name not in _MAY_BE_ZERO]
        for name in (*sizes, *_MAY_BE_ZERO):
            if getattr(self, name) < (name in sizes):
                raise ConfigError(f"{name} = {getattr(self, name)}: expected {int(name in sizes)} or more")
        if self.max_period <= self.min_period:
            raise ConfigError(f"max_period = {self.max_period} is not above min_period = {self.min_period}")
        for name, allowed in (("encoding", ("release", "paper")), ("spans", ("powers", "uniform"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} = {getattr(self, name)!r}: allowed are {', '.join(allowed)}")
        if self.v_dim == 0 and self.frames > 1:
            raise ConfigError(f"v_dim = 0 is a model without motion, which learns from frames = 1, not {self.frames}")
        if self.zero_modulation and not self.hyper_modulation:
            raise ConfigError("zero_modulation = true needs hyper_modulation = true: without it nothing is modulated")
        if not self.projection and (self.zero_modulation or not self.hyper_modulation):
            raise ConfigError(
                "projection = false needs hyper_modulation = true and zero_modulation = false: else the discriminator "
                "knows no time distances"
            )
        if self.v_dim % 2 and self.encoding == "release":
            raise ConfigError(f"v_dim = {self.v_dim}: sines and cosines are half of it each, so it must be even")
        if self.concat_resolution not in self.resolutions[1:-1]:
            between = ", ".join(map(str, self.resolutions[1:-1]))
            raise ConfigError(f"concat_resolution = {self.concat_resolution}: allowed are {between}")
        if self.channels(self.resolution) < 1:
            raise ConfigError(f"channel_base = {self.channel_base}: no channel is left at {self.resolution}²")
        if (widest := self.channels(self.concat_resolution)) < self.frame_divisor:
            raise ConfigError(
                f"frame_divisor = {self.frame_divisor}: expected {widest} or less, the channels at "
                f"{self.concat_resolution}²"
            )
        if self.max_frames < self.frames:
            raise ConfigError(f"max_frames = {self.max_frames}: expected {self.frames} or more, the frames of a clip")
        if self.frames - 1 > self.max_span:
            raise ConfigError(f"{self.frames} frames do not fit a span of {self.max_span}")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The resolutions 4, 8, … up to that of frames."""
        return tuple(2**power for power in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """The number of layers of the synthesis network that take a style: 2 log2(resolution) - 2."""
        return 2 * len(self.resolutions)

    def channels(self, resolution: int) -> int:
        """Return the number of channels of a layer at a resolution."""
        base = self.channel_base or (16384 if self.resolution < 512 else 32768)
        return min(base // resolution, self.channel_max)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as checkpoints store them; those of StyleGAN-V do not name the method."""
        named = {} if self.method == ModelConfig.method else {"method": self.method}
        values = {name: value for name, value in dataclasses.asdict(self).items() if value != _UNSAID.get(name)}
        return {**named, **values}


def check_resolution(resolution: int) -> None:
    """Raise ConfigError for a side of frames that is not among RESOLUTIONS."""
    if resolution not in RESOLUTIONS:
        raise ConfigError(f"resolution = {resolution}: allowed are {', '.join(map(str, RESOLUTIONS))}")


def _narrow(width: int) -> dict[str, Any]:
    """Return settings with codes of this width and at most as many channels."""
    return dict.fromkeys(("z_dim", "w_dim", "noise_dim", "u_dim", "v_dim", "channel_max"), width)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # The released code: sines and cosines of 256 geometrically spaced periods, no amplitudes, clip spans that are
    # powers of two, 256 features per frame, time only in the projection head of the discriminator.
    "release": {},
    # The paper's text: eq. 1 to 6 with amplitudes and 512 linearly spaced periods from 2^3 on, spans drawn from
    # U[k - 1, 32] (section 3.3), 512 features per frame, time distances through two layers each, and hyper-modulation
    # besides the projection head (section 3.2).
    "paper": {
        "encoding": "paper",
        "min_period": 8,
        "spans": "uniform",
        "frame_divisor": 1,
        "hyper_modulation": True,
        "time_dim": 512,
    },
    # The released code at half its widths: at 64², a quarter of the parameters, 7.8 M and 6.5 M.
    "middle": {**_narrow(256), "channel_base": 8192},
    # The released code made narrower, until the generator has at most 4.5 M parameters.
    "small": {**_narrow(224), "channel_base": 2048, "time_dim": 64},
    # StyleGAN2 as the released code builds on it, without noise inputs: no motion, and a discriminator for single
    # frames, all of whose layers have their full width. What a video model costs is measured against it.
    "image": {"frames": 1, "v_dim": 0, "frame_divisor": 1},
}


def model_config(preset: str = "release", **changes: Any) -> ModelConfig:
    """Return a preset with some values changed. Raises ConfigError for names and values that do not exist."""
    return configured(ModelConfig, PRESETS, preset, changes)


_IMAGE_SIZES = ("resolution", "z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max", "std_group")


def image_config(sizes: object) -> ModelConfig:
    """Return an image StyleGAN2 with those of its sizes that the config of a method has too."""
    shared = {name: getattr(sizes, name) for name in _IMAGE_SIZES if hasattr(sizes, name)}
    return ModelConfig(**PRESETS["image"], **shared)


def configured(
    kind: type[Kind], presets: Mapping[str, Mapping[str, Any]], preset: str, changes: Mapping[str, Any]
) -> Kind:
    """Return a dataclass of settings that begins from a preset. Raises ConfigError as `read_config` does."""
    if not isinstance(preset, str) or preset not in presets:
        raise ConfigError(f"preset = {preset!r}: allowed are {', '.join(presets)}")
    return read_config(kind, {**presets[preset], **changes, "preset": preset})


def read_model_config(values: Mapping[str, Any]) -> ModelConfig:
    """Return the config for plain values as of `as_dict`. Raises ConfigError for unknown keys and wrong types."""
    return read_config(ModelConfig, values)


def read_config(kind: type[Kind], values: Mapping[str, Any], *, owner: str = "a model", prefix: str = "") -> Kind:
    """Return a dataclass of settings, all of which have defaults, from plain values.

    Raises ConfigError for unknown keys and wrong types. owner: what has the settings. prefix: of their names in errors.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # of dataclasses alone
    typed = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"{owner} has no {name!r}; its values are {', '.join(fields)}")
        expected = type(fields[name].default)
        try:
            typed[name] = float(value) if (type(value), expected) == (int, float) else value
        except OverflowError as error:
            raise ConfigError(f"{prefix}{name} is above 10^308: no setting is so large") from error
        if type(typed[name]) is not expected:
            raise ConfigError(f"{prefix}{name} = {value!r}: expected a value of type {expected.__name__}")
    return kind(**typed)

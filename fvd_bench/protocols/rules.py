"""The rules that a protocol is made of: which frames are taken, how they become features, and how these become
scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Side = Literal["real", "fake"]
SIDES: tuple[Side, Side] = ("real", "fake")
OTHER_SIDE: Mapping[Side, Side] = {"real": "fake", "fake": "real"}

FRECHET = ("fvd", "fid", "fd")
"""Metrics that are a Fréchet distance."""

OF_FRECHET = ("ddof", "root", "epsilon")
"""Fields of a `MetricRule` that affect these metrics alone."""

_MOST = 10**9
"""The most frames or videos that a protocol may name. The product of two such numbers fits into 64 bits."""

_MOST_PIXELS = 2**16 - 1
"""The longest side of a JPEG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """A resize to a square.

    size: side of the result in pixels.
    geometry: `stretch` resizes both sides to `size`; `short-side-crop` resizes the shorter side to it and crops the
        centre; `short-side-floor-crop` does the same, but rounds the length of the longer side down; `square-crop`
        crops the largest square in the centre, and resizes that.
    kernel: `bilinear` (half-pixel centres), `bilinear-tf1` (source = target · in / out), `bilinear-align-corners`
        (source = target · (in - 1) / (out - 1)), or `bicubic`. `bilinear-pillow` and `bicubic-pillow` are Pillow's own,
        which always widen the kernel when shrinking, and round to uint8.
    antialias: whether the kernel is widened when shrinking.
    short_side: the length that the shorter side is resized to before the centre is cropped; None for `size`.
    """

    size: int = field(metadata={"least": 1, "most": _MOST_PIXELS})
    geometry: Literal["stretch", "short-side-crop", "short-side-floor-crop", "square-crop"] = "stretch"
    kernel: Literal[
        "bilinear", "bilinear-tf1", "bilinear-align-corners", "bicubic", "bilinear-pillow", "bicubic-pillow"
    ] = "bilinear"
    antialias: bool = False
    short_side: int | None = field(default=None, metadata={"least": 1, "most": _MOST_PIXELS})

    def __str__(self) -> str:
        before_crop = "" if self.short_side is None else f"-of-{self.short_side}"
        return f"{self.size}{before_crop}-{self.geometry}-{self.kernel}{'-antialias' if self.antialias else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRule:
    """How the videos of one side become uint8 clips.

    frames: the length of a clip in frames. `all` takes every frame of the video (for networks that see single frames),
        `whole` makes one clip of all frames of the video (for networks that see clips of any length).
    most_frames: a whole clip ends after this many frames; 0 for no such end.
    given_frames: the first frames of each video, which do not count since the generator was given them, as in
        prediction: clips are taken from what follows them. 0 where all frames count.
    stride: how many frames of the video neighbouring frames of a clip are apart.
    start: `random` takes one clip at a random place, `first` one from the first frame on, `all` all non-overlapping
        clips, `every` the clip at every place where it fits, and `spread` one clip whose frames are spread evenly over
        the whole video. `first-repeated` takes the first clip as many times as `all` takes clips. A number takes one
        clip from that frame on, counted from 0 at the first frame that counts.
    length_rule: how many frames a video must have: the clip's `span`, (frames - 1) · stride + 1, or
        `frames-times-stride`.
    min_frames: videos with fewer frames than this count as too short as well.
    short_videos: what happens to a video that is too short: `skip` leaves it out, names it and counts it; `error` ends
        the run.
    content: `video` takes the video as it is. `still` repeats one random frame of the video, or of each clip where all
        clips are taken. `still-real`, `shuffled-real` and `reversed-real` put the *real* videos in the place of the
        fake ones: stilled, with the frames of each clip in random order, or backwards.
    frame_order: the order of the images in a folder. `natural` reads runs of digits as numbers; `text` compares names
        as text, where 10.png comes before 9.png.
    count: the number of videos used, None for all.
    selection: which videos are used when there are more than `count`: `seeded` takes a random subset, `first-sorted`
        the first ones. `repeated` is seeded, and where there are fewer it takes videos again, each time with a new
        draw, until there are `count`.
    resize: a resize of the frames as uint8 images, before that of the network; None for no such resize.
    rounding: how resized values become uint8. `truncate-unit` resizes values of 0 to 1 by torch's own interpolation,
        multiplies them by 255 and truncates.
    jpeg: a round trip through Pillow's JPEG: `never`, `always`, or `unless-jpeg` (frames that already are JPEG files
        stay as they are). jpeg_quality, jpeg_subsampling: its settings.
    order: whether resize or JPEG comes first.
    """

    frames: int | Literal["all", "whole"] = field(metadata={"least": 1, "most": _MOST})
    stride: int = field(default=1, metadata={"least": 1, "most": _MOST})
    start: Literal["random", "first", "all", "every", "first-repeated", "spread"] | int = field(
        default="first", metadata={"least": 0, "most": _MOST}
    )
    length_rule: Literal["span", "frames-times-stride"] = "span"
    min_frames: int = field(default=0, metadata={"least": 0, "most": _MOST})
    short_videos: Literal["skip", "error"] = "skip"
    content: Literal["video", "still", "still-real", "shuffled-real", "reversed-real"] = "video"
    frame_order: Literal["natural", "text"] = "natural"
    count: int | None = field(default=None, metadata={"least": 2, "most": _MOST})
    selection: Literal["seeded", "first-sorted", "repeated"] = "seeded"
    resize: Resize | None = None
    rounding: Literal["nearest", "truncate", "truncate-unit"] = "nearest"
    order: Literal["resize-then-jpeg", "jpeg-then-resize"] = "resize-then-jpeg"
    jpeg: Literal["never", "unless-jpeg", "always"] = "never"
    jpeg_quality: int = field(default=95, metadata={"least": 1, "most": 100})
    jpeg_subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0"
    most_frames: int = field(default=0, metadata={"least": 0, "most": _MOST})
    given_frames: int = field(default=0, metadata={"least": 0, "most": _MOST})

    @property
    def is_random(self) -> bool:
        """Whether the frames that are taken from a video depend on the seed."""
        return self.start == "random" or self.content not in ("video", "reversed-real")

    @property
    def takes_real(self) -> bool:
        """Whether changed copies of the real videos stand in for fake ones."""
        return self.content.endswith("-real")

    @property
    def processing(self) -> tuple[object, ...]:
        """What is done to the frames of a clip. Rules in which it is equal make equal images of equal frames."""
        return self.resize, self.rounding, self.jpeg, self.jpeg_quality, self.jpeg_subsampling, self.order

    @property
    def frames_needed(self) -> int:
        """Number of frames that must decode for a video to be used."""
        if isinstance(self.frames, str):
            return max(self.given_frames + 1, self.min_frames)
        if self.start == "spread":
            return max(self.given_frames + self.frames, self.min_frames)
        needed = self.span if self.length_rule == "span" else self.frames * self.stride
        return max(self.first_frame + needed, self.min_frames)

    @property
    def first_frame(self) -> int:
        """The first frame that a clip can begin at; clips with a fixed start begin there."""
        return self.given_frames + (self.start if isinstance(self.start, int) else 0)

    @property
    def span(self) -> int:
        """How many frames of the video a clip of a fixed length reaches over."""
        assert not isinstance(self.frames, str)
        return (self.frames - 1) * self.stride + 1

    @property
    def clips_by_length(self) -> bool:
        """Whether a longer video gives more clips, or more single frames."""
        return self.frames == "all" or self.start in ("all", "every", "first-repeated")

    def effective(self) -> ClipRule:
        """Return the same rule, with fields that have no effect in it at their defaults."""
        idle = {"selection"} if self.count is None else set()
        if self.resize is None:
            idle |= {"rounding", "order"}
        if self.start == "spread":
            idle |= {"stride", "length_rule"}
        if self.jpeg == "never":
            idle |= {"order", "jpeg_quality", "jpeg_subsampling"}
        if self.start == 0:
            idle.add("start")
        if self.frames != "whole":
            idle.add("most_frames")
        defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(self) if f.name in idle}
        return dataclasses.replace(self, **defaults)

    def signature(self) -> str:
        """Return a short text that names every choice of this rule."""
        parts = ["all" if self.count is None else f"{self.count}-{self.selection}"]
        parts += [f"from{self.start}" if isinstance(self.start, int) else self.start, f"{self.frames}x{self.stride}"]
        if self.frames == "whole" and self.most_frames:
            parts.append(f"most{self.most_frames}")
        if self.given_frames:
            parts.append(f"after{self.given_frames}")
        if self.length_rule != "span":
            parts.append(self.length_rule)
        if self.min_frames:
            parts.append(f"min{self.min_frames}")
        if self.short_videos != "skip":
            parts.append("short-is-error")
        if self.content != "video":
            parts.append(self.content)
        if self.frame_order != "natural":
            parts.append(f"{self.frame_order}-order")
        images = [f"{self.resize}-{self.rounding}"] if self.resize else []
        if self.jpeg != "never":
            images.append(f"jpeg{self.jpeg_quality}-{self.jpeg_subsampling}-{self.jpeg}")
        return ",".join(parts + (images if self.order == "resize-then-jpeg" else images[::-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRule:
    """How uint8 clips become features.

    extractor: the network, one of `networks.NETWORKS`: a name, or module:object.
    layer: which output of the network.
    resize: resize to the network's input size. None passes the frames as they are.
    rounding: rounding of the resized values.
    range: the values that 0 and 255 become.
    precision: arithmetic of the network; `tf32` exists on CUDA devices only.
    network: name, version and weights of a network that is not of this package, see `networks.identity`. Empty for
        others, and in a file that takes any.
    channels: the order of the colours that the network gets.
    """

    extractor: str
    layer: str = "logits"
    resize: Resize | None = None
    rounding: Literal["none", "nearest", "truncate"] = "none"
    range: tuple[float, float] = (-1.0, 1.0)
    precision: Literal["float32", "tf32"] = "float32"
    network: str = ""
    channels: Literal["rgb", "bgr"] = "rgb"

    def signature(self) -> str:
        """Return a short text that names every choice of this rule."""
        size = "as-is" if self.resize is None else str(self.resize)
        rounding = "" if self.rounding == "none" else f"-{self.rounding}"
        low, high = self.range
        channels = "" if self.channels == "rgb" else f",{self.channels}"
        network = self.network or self.extractor
        return f"{network}:{self.layer},{size}{rounding},[{low:g},{high:g}],{self.precision}{channels}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """How features become scores.

    names: the metrics, as in `metrics.METRICS`.
    ddof: 0 divides covariances by N, 1 by N - 1.
    root: the trace of √(Σr Σf) is `exact`, or computed from singular values in single precision (`float32-svd`). The
        errors of the latter do not cancel; it is kept for protocols that used it.
    epsilon: added to the diagonals of both covariances.
    aggregation: one score of `all` features, or the mean over consecutive batches (`batch-mean`).
    batch: number of features in a batch of `batch-mean`. 0 for `all`.
    versions: for each metric that is not of this package, NAME@VERSION. Empty in a file that takes any.
    """

    names: tuple[str, ...]
    ddof: int = field(default=0, metadata={"least": 0, "most": 1})
    root: Literal["exact", "float32-svd"] = "exact"
    epsilon: float = field(default=0.0, metadata={"least": 0.0, "most": 1.0})
    aggregation: Literal["all", "batch-mean"] = "all"
    batch: int = field(default=0, metadata={"least": 0, "most": _MOST})
    versions: tuple[str, ...] = ()

    def alone(self, name: str) -> MetricRule:
        """Return the rule for one of the metrics, with fields that do not affect it at their defaults."""
        idle = () if name in FRECHET else OF_FRECHET
        defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(self) if f.name in idle}
        own = tuple(version for version in self.versions if version.rpartition("@")[0] == name)
        return dataclasses.replace(self, **(defaults | {"names": (name,), "versions": own}))

    def signature(self) -> str:
        """Return a short text that names every choice of this rule except the names of the metrics."""
        parts = [f"ddof:{self.ddof}"]
        if self.root != "exact":
            parts.append(self.root)
        if self.epsilon:
            parts.append(f"eps:{self.epsilon:g}")
        if self.aggregation != "all":
            parts.append(f"batch-mean:{self.batch}")
        parts += self.versions
        return ",".join(parts)

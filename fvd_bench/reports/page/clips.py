"""Clips as small animations inside a page, within a budget of bytes for all of them together."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from PIL import Image

from fvd_bench.evaluation.details.shown_clips import ShownClip
from fvd_bench.videos.video import Pixels
from fvd_bench.words import counted

_LOOKS = ((80, 1, 1), (60, 1, 1), (40, 1, 1), (40, 2, 1), (20, 4, 1), (20, 4, 2), (5, 8, 2))
"""(quality of WebP, every how many frames, by what heights and widths are divided), from the best to the smallest."""

_AROUND = 400
"""More bytes than a page has around an animation."""

_MILLISECONDS = 110
"""How long a frame is shown."""


@dataclass(frozen=True, slots=True)
class Film:
    """A clip on a page. name: of its class in the style sheet. moving, still: data addresses of WebP images."""

    name: str
    moving: Markup
    still: Markup

    @property
    def size(self) -> int:
        """The most bytes that it takes of a page."""
        return len(self.moving) + len(self.still) + _AROUND


@dataclass(frozen=True, slots=True)
class Films:
    """The animations of a page. of: `id` of a clip -> its film; clips of the same frames share one. note: what was
    given up so that they are small enough, empty for nothing."""

    of: Mapping[int, Film] = field(default_factory=dict)
    note: str = ""

    def each(self) -> list[Film]:
        """Return each film once."""
        return list({film.name: film for film in self.of.values()}.values())


def films(clips: Sequence[ShownClip], most_bytes: int) -> Films:
    """Return the animations of the clips that have frames, which take at most so many bytes of a page.

    All have the best quality at which all fit together, then fewer frames, then half the size. Where not even that will
    do, the last clips have none.
    """
    alike: dict[bytes, list[ShownClip]] = {}
    for clip in clips:
        if clip.frames is not None:
            shape = str(clip.frames.shape).encode()
            alike.setdefault(hashlib.sha256(shape + clip.frames.tobytes()).digest(), []).append(clip)
    for look in _LOOKS:
        kept: dict[int, Film] = {}
        free = most_bytes
        left_out = 0
        for place, (first, *others) in enumerate(alike.values()):
            film = _film(f"film{place}", first, look)
            free -= film.size + _AROUND * len(others)
            if free < 0:
                left_out = sum(map(len, list(alike.values())[place:]))
                break
            kept |= dict.fromkeys(map(id, (first, *others)), film)
        if not left_out:
            break
    return Films(kept, _note(look, left_out, len(kept) + left_out)) if alike else Films()


def _note(look: tuple[int, int, int], left_out: int, total: int) -> str:
    quality, step, part = look
    if quality == _LOOKS[0][0]:
        return ""
    said = f"To keep this page small, its clips have a lower quality{f', one frame in {step}' if step > 1 else ''}"
    said += " and half the size" if part > 1 else ""
    return f"{said}; the last {counted(left_out, 'clip', 'are', of=total)} left out." if left_out else f"{said}."


def _film(name: str, clip: ShownClip, look: tuple[int, int, int]) -> Film:
    quality, step, part = look
    assert clip.frames is not None
    moving = _webp(clip.frames[::step], quality, part, _MILLISECONDS * step)
    return Film(name, _address(moving), _address(_webp(clip.frames[:1], quality, part, 0)))


def _webp(frames: Pixels, quality: int, part: int, milliseconds: int) -> bytes:
    """Return frames, each of which is shown for some milliseconds, as an animation; one frame as an image."""
    first, *rest = (Image.fromarray(frame).reduce(part) for frame in frames)
    out, times = io.BytesIO(), {"duration": milliseconds, "loop": 0} if rest else {}
    first.save(out, "WEBP", save_all=bool(rest), append_images=rest, quality=quality, method=4, **times)
    return out.getvalue()


def _address(data: bytes) -> Markup:
    return Markup(f"data:image/webp;base64,{base64.b64encode(data).decode()}")  # base64 has no markup

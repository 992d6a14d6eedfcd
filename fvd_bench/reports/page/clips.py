"""Clips as small animations inside a page, within a budget of bytes for all of them together."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from PIL import Image

from fvd_bench.evaluation.shown_clips import ShownClip
from fvd_bench.videos.video import Pixels

_MOST_BYTES = 1_500_000
"""Bytes of all animations of a page before they become text, which takes a third more."""

_QUALITIES = ((80, 1), (60, 1), (40, 1), (40, 2), (20, 4), (5, 8))
"""(quality of WebP, every how many frames), from the best to what fits almost anything."""

_MILLISECONDS = 110
"""How long a frame is shown."""


@dataclass(frozen=True, slots=True)
class Film:
    """A clip on a page. name: of its class in the style sheet. moving, still: data addresses of WebP images."""

    name: str
    moving: Markup
    still: Markup


def films(clips: Sequence[ShownClip]) -> dict[int, Film]:
    """Return the animation of each clip that has frames, by the `id` of the clip.

    All have the best quality at which all fit the budget together. If none is low enough, the lowest is taken.
    """
    each = {id(clip): clip.frames for clip in clips if clip.frames is not None}
    moving: dict[int, bytes] = {}
    for quality, step in _QUALITIES:
        moving = {key: _webp(frames[::step], quality, _MILLISECONDS * step) for key, frames in each.items()}
        if sum(map(len, moving.values())) <= _MOST_BYTES:
            break
    still = {key: _webp(frames[:1], quality, 0) for key, frames in each.items()}
    return {key: Film(f"film{n}", _address(moving[key]), _address(still[key])) for n, key in enumerate(each)}


def _webp(frames: Pixels, quality: int, milliseconds: int) -> bytes:
    """Return frames, each of which is shown for some milliseconds, as an animation; one frame as an image."""
    first, *rest = map(Image.fromarray, frames)
    out, times = io.BytesIO(), {"duration": milliseconds, "loop": 0} if rest else {}
    first.save(out, "WEBP", save_all=bool(rest), append_images=rest, quality=quality, method=4, **times)
    return out.getvalue()


def _address(data: bytes) -> Markup:
    return Markup(f"data:image/webp;base64,{base64.b64encode(data).decode()}")  # base64 has no markup

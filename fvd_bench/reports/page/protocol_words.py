"""A protocol in words, from the choices that a result keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fvd_bench.protocols.rules import FRECHET
from fvd_bench.words import ordinal

_STARTS = {
    "random": "one clip of each video, from a random place",
    "first": "the first clip of each video",
    "all": "all clips of each video, one after the other",
    "every": "the clips at every place of each video",
    "first-repeated": "the first clip of each video as many times as it has clips",
    "spread": "one clip of each video, its frames spread evenly over the whole",
}
_CONTENTS = {
    "still": ", each a single frame repeated",
    "still-real": ", each a single frame of a real video repeated",
    "shuffled-real": " of the real videos, with their frames in random order",
    "reversed-real": " of the real videos, played backwards",
}
_SELECTIONS = {
    "seeded": "a random choice of {} videos, drawn by the seed",
    "first-sorted": "the first {} videos in sorted order",
    "repeated": "{} videos, drawn by the seed and taken again where there are fewer",
}


def protocol_words(choices: Mapping[str, Any]) -> list[str]:
    """Return sentences about both sides, the network and the metric. choices: those of a result's `protocols`."""
    return [_side("Real", "real", choices), _side("Fake", "fake", choices), _network(choices), _metric(choices)]


def _side(name: str, side: str, choices: Mapping[str, Any]) -> str:
    def choice(key: str) -> Any:
        return choices.get(f"{side}.{key}")

    if choice("frames") == "all":
        what = f"every {_nth(choice('stride'))}frame of each video"
    elif choice("frames") == "whole":
        most = choice("most_frames")
        up_to = f", up to {most} frames" if most else ""
        what = f"each video as one clip of every {_nth(choice('stride'))}frame{up_to}"
    else:
        length = f"{choice('frames')} frames"
        stride = f", every {_nth(choice('stride'))}one" if choice("stride") not in (None, 1) else " in a row"
        start = str(choice("start"))
        what = f"{_STARTS.get(start, start)}, {length}{'' if start == 'spread' else stride}"
    if choice("given_frames"):
        what += f", after the first {choice('given_frames')}, which the generator was given"
    count = choice("count")
    videos = "all videos" if count is None else _SELECTIONS.get(str(choice("selection")), "{} videos").format(count)
    made = []
    if choice("resize") is not None:
        made.append(f"resized to {choice('resize')}")
    if choice("jpeg") not in (None, "never"):
        but = ", unless they are JPEG already" if choice("jpeg") == "unless-jpeg" else ""
        made.append(f"coded as JPEG of quality {choice('jpeg_quality')}{but}")
    if choice("order") == "jpeg-then-resize":
        made.reverse()
    done = f"; frames are {' and then '.join(made)}" if made else "; frames are taken as they are"
    return f"{name}: {videos}; {what}{_CONTENTS.get(str(choice('content')), '')}{done}."


def _network(choices: Mapping[str, Any]) -> str:
    low, high = choices.get("features.range") or (None, None)
    size = choices.get("features.resize")
    order = " and with blue before green before red" if choices.get("features.channels") == "bgr" else ""
    resized = "at their own size" if size is None else f"resized to {size}"
    return (
        f"Features: {choices.get('features.layer')} of {choices.get('features.extractor')}, on frames {resized}, with "
        f"black as {low} and white as {high}{order}, in {choices.get('features.precision')}."
    )


def _metric(choices: Mapping[str, Any]) -> str:
    names = ", ".join(str(name).upper() for name in choices.get("metric.names") or ())
    if choices.get("metric.aggregation") == "batch-mean":
        of = f"the mean over batches of {choices.get('metric.batch')} features"
    else:
        of = "of all features at once"
    divisor = "N - 1" if choices.get("metric.ddof") == 1 else "N"
    is_frechet = any(str(name) in FRECHET for name in choices.get("metric.names") or ())
    return f"Score: {names}, {of}{f'; covariances are divided by {divisor}' if is_frechet else ''}."


def _nth(stride: Any) -> str:
    if stride in (None, 1):
        return ""
    return f"{ordinal(stride) if isinstance(stride, int) else stride} "  # a result may hold anything

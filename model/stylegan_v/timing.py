"""Which frames of a video make a training clip, and at which times a generated clip is looked at.

Times are frames of the video, or of the window of at most `max_frames` that was chosen in it. A clip has k times: its
first and last are `span` frames apart, the others lie between them, without repetition.

Source: paper section 3.3 (k frames at random, at most 32 apart); the released code for what it does not say: spans are
powers of two, and times of generated clips have a fractional offset.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Spans = Literal["powers", "uniform"]


def possible_spans(length: int, frames: int, *, max_span: int, rule: Spans) -> list[int]:
    """Spans that a clip of some frames can have in a video of some length, each as likely as the others.

    `powers`: the powers of two among them, as the released code draws. `uniform`: all integers of
    [frames - 1, max_span], as the paper says.
    """
    longest = min(length - 1, max_span)
    spans = range(frames - 1, longest + 1)
    if rule == "uniform":
        return list(spans)
    powers = [span for span in spans if span > 0 and span & (span - 1) == 0]
    # With no power of two in reach (a short video, many frames) the shortest span is taken, and nothing is refused
    # that the frames of the video allow.
    return powers or list(spans[:1])


def real_times(rng: np.random.Generator, length: int, frames: int, *, max_span: int, rule: Spans) -> NDArray[np.int64]:
    """Frame numbers of a real clip: ascending int64 [frames]. length: of the video or window, at least `frames`."""
    inside, span = _clip(rng, length, frames, max_span=max_span, rule=rule)
    return inside + rng.integers(0, length - span)


def fake_times(rng: np.random.Generator, length: int, frames: int, *, max_span: int, rule: Spans) -> Times:
    """Times of a generated clip: as of a real one, from an offset that is any real number: float64 [frames]."""
    inside, span = _clip(rng, length, frames, max_span=max_span, rule=rule)
    offset = np.float64(rng.uniform(0, length - span - 1))
    return (inside + offset).astype(np.float64)


def _clip(
    rng: np.random.Generator, length: int, frames: int, *, max_span: int, rule: Spans
) -> tuple[NDArray[np.int64], int]:
    """Times from 0 on, and their span."""
    assert length >= frames, f"a video of {length} frames holds no clip of {frames}"
    if frames == 1:
        return np.zeros(1, dtype=np.int64), 0
    spans = possible_spans(length, frames, max_span=max_span, rule=rule)
    span = spans[rng.integers(len(spans))]
    between = np.sort(rng.choice(np.arange(1, span), frames - 2, replace=False))
    return np.concatenate([[0], between, [span]]).astype(np.int64), span

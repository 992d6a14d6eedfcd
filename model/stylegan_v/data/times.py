"""Which frames of a video make a training clip, and at which times a generated clip is looked at.

Times are frames of the video, or of the window of at most `max_frames` that is chosen in it. A clip has k times: its
first and last are `span` frames apart, the others lie between them, without repetition.

Source: paper section 3.3 (k frames at random); the released code for what it does not say: spans are powers of two,
and times of generated clips have a fractional offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stylegan_v.networks.noise import Purpose, uniform

Spans = Literal["powers", "uniform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRule:
    """frames: k, of a clip. max_frames, max_span, spans: as of `ModelConfig`."""

    frames: int
    max_frames: int = 1024
    max_span: int = 32
    spans: Spans = "powers"

    def possible_spans(self, length: int) -> list[int]:
        """Spans that a clip can have in a video of some length, each as likely as the others.

        `powers`: the powers of two among them, as the released code draws. `uniform`: all integers of
        [frames - 1, max_span], as the paper says.
        """
        assert length >= self.frames, f"a video of {length} frames holds no clip of {self.frames}"
        if self.frames == 1:
            return [0]
        longest = min(length - 1, self.max_span)
        spans = range(self.frames - 1, longest + 1)
        if self.spans == "uniform":
            return list(spans)
        # With no power of two in reach (a short video, many frames) the shortest span is taken, and nothing is refused
        # that the frames of the video allow.
        return [span for span in spans if span & (span - 1) == 0] or list(spans[:1])


class ClipTimes:
    """Draws the times of clips of some videos, for many training samples in one call, on any device alike.

    A draw depends on the seed and the number of its sample, on the lengths of the videos and on the rule.
    """

    def __init__(self, lengths: Sequence[int], rule: ClipRule, device: torch.device | str = "cpu") -> None:
        """lengths: of all videos, in frames, at least those of a clip each."""
        windows = [min(length, rule.max_frames) for length in lengths]
        spans = {window: rule.possible_spans(window) for window in set(windows)}
        most = max(map(len, spans.values()))
        self.rule = rule
        self.device = torch.device(device)
        self._lengths = torch.tensor(lengths, device=device)
        self._windows = torch.tensor(windows, device=device)
        self._num_spans = torch.tensor([len(spans[window]) for window in windows], device=device)
        self._spans = torch.tensor([spans[w] + [0] * (most - len(spans[w])) for w in windows], device=device)
        self._inner = torch.arange(1, max(max(map(max, spans.values())), 2), device=device)

    def to(self, device: torch.device) -> ClipTimes:
        """The same on another device."""
        return ClipTimes(self._lengths.tolist(), self.rule, device)

    def real(self, seed: int, samples: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of real clips in their videos, and their times in the windows: ascending int64 [B, k] each.

        samples, videos: int64 [B], numbers of the training samples and the places of their videos.
        """
        where, between = self._uniform(seed, Purpose.REAL_TIMES, samples)
        windows = self._windows[videos]
        inside, span = self._clips(videos, where[1], between)
        times = inside + _below(windows - span, where[2])[:, None]
        return times + _below(self._lengths[videos] - windows + 1, where[0])[:, None], times

    def fake(self, seed: int, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Times of generated clips, float64 [B, k], as in videos drawn at random, and the places of these: int64 [B].

        They are as of real clips, from an offset that is any real number. samples: int64 [B].
        """
        where, between = self._uniform(seed, Purpose.FAKE_TIMES, samples)
        videos = _below(torch.full_like(samples, len(self._lengths)), where[0])
        inside, span = self._clips(videos, where[1], between)
        return inside + (where[2] * (self._windows[videos] - span - 1))[:, None], videos

    def _uniform(self, seed: int, purpose: Purpose, samples: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Three numbers of each sample, and one for each frame that may lie between the ends of a clip."""
        numbers = uniform(seed, purpose, samples, 0, 3 + len(self._inner))
        return numbers[:, :3].unbind(1), numbers[:, 3:]

    def _clips(self, videos: Tensor, which: Tensor, between: Tensor) -> tuple[Tensor, Tensor]:
        """Times from 0 on, [B, k], and their spans, [B]."""
        span = self._spans[videos, _below(self._num_spans[videos], which)]
        first, last = torch.zeros_like(span)[:, None], span[:, None]
        if self.rule.frames == 1:
            return first, span
        keys = torch.where(self._inner < last, between, 2.0)  # the smallest k - 2 are drawn: without repetition
        inner = self._inner[keys.topk(self.rule.frames - 2, largest=False).indices].sort(dim=1).values
        return torch.cat([first, inner, last], dim=1), span


def _below(count: Tensor, number: Tensor) -> Tensor:
    """An integer from 0 to count - 1 from a uniform number."""
    return (number * count).floor().long()

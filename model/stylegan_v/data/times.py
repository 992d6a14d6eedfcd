"""Which frames of a video make a training clip, and at which times a generated clip is looked at.

Times are frames of the video, or of the window of at most `max_frames` that is chosen in it. A clip has k times. Its
first and last time are `span` frames apart; the others lie between them, without repetition.

Source: paper section 3.3 (k frames at random). The released code gives what the paper does not say: spans are powers of
two, and times of generated clips have a fractional offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stylegan_v.networks.noise import Purpose, uniform

Spans = Literal["powers", "uniform", "consecutive", "beta"]

WHOLE_VIDEO = 2**31
"""More frames than any video has: a window of so many is all of it, and clips begin anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRule:
    """How clips are drawn. frames: k, the frames of a clip. max_frames, max_span, spans: as in `ModelConfig`.

    Other methods have two more kinds of spans. `consecutive`: frames that are `stride` apart, from any place on.
    `beta`: two frames of a window of max_frames, at Beta(2, 1) and Beta(1, 2) of its length, in their order, as DIGAN
    has them; they may be the same one. Generated clips are at such places too: at whole times, and at any of [0,
    max_frames - 1].
    """

    frames: int
    max_frames: int = 1024
    max_span: int = 32
    spans: Spans = "powers"
    stride: int = 1

    @property
    def needed(self) -> int:
        """The number of frames of the shortest video that has such clips."""
        if self.spans == "beta":
            return self.max_frames
        return (self.frames - 1) * self.stride + 1

    def possible_spans(self, length: int) -> list[int]:
        """List the spans that a clip can have in a video of some length, each as likely as the others.

        `uniform`: all integers of [frames - 1, max_span] that the length allows, as the paper says. `powers`: the
        powers of two among them, as the released code draws.
        """
        assert length >= self.needed, f"a video of {length} frames holds no clip of {self.frames}"
        if self.frames == 1 or self.spans == "beta":
            return [0]
        if self.spans == "consecutive":
            return [self.needed - 1]
        longest = min(length - 1, self.max_span)
        spans = range(self.frames - 1, longest + 1)
        if self.spans == "uniform":
            return list(spans)
        # With no power of two in reach (a short video, many frames), the shortest span is taken. So nothing is refused
        # that the frames of the video allow.
        return [span for span in spans if span & (span - 1) == 0] or list(spans[:1])


class ClipTimes:
    """Draws the times of clips of some videos, for many training samples in one call, in the same way on any device.

    A draw depends on the seed and the number of its sample, on the lengths of the videos and on the rule.
    """

    def __init__(self, lengths: Sequence[int], rule: ClipRule, device: torch.device | str = "cpu") -> None:
        """lengths: of all videos, in frames. Each is at least that of a clip."""
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
        """Return the same on another device."""
        return ClipTimes(self._lengths.tolist(), self.rule, device)

    def real(self, seed: int, samples: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames of real clips in their videos, and their times in the windows: ascending int64 [B, k] each.

        samples, videos: int64 [B], the numbers of the training samples and the places of their videos.
        """
        where, between = self._uniform(seed, Purpose.REAL_TIMES, samples)
        windows = self._windows[videos]
        if self.rule.spans == "beta":
            times = (_pairs(where[1], where[2]) * windows[:, None]).long()
        else:
            inside, span = self._clips(videos, where[1], between)
            times = inside + _below(windows - span, where[2])[:, None]
        return times + _below(self._lengths[videos] - windows + 1, where[0])[:, None], times

    def fake(self, seed: int, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return times of generated clips, float64 [B, k], and the places of the videos they are drawn for, int64 [B].

        The videos are drawn at random. The times are like those of real clips, from an offset that is any real number.
        samples: int64 [B].
        """
        where, between = self._uniform(seed, Purpose.FAKE_TIMES, samples)
        videos = _below(torch.full_like(samples, len(self._lengths)), where[0])
        windows = self._windows[videos]
        if self.rule.spans == "beta":
            return _pairs(where[1], where[2]) * (windows - 1)[:, None], videos
        inside, span = self._clips(videos, where[1], between)
        if self.rule.spans == "consecutive":
            return (inside + _below(windows - span, where[2])[:, None]).double(), videos
        return inside + (where[2] * (windows - span - 1))[:, None], videos

    def _uniform(self, seed: int, purpose: Purpose, samples: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Draw three numbers for each sample, and one for each frame that may lie between the ends of a clip."""
        numbers = uniform(seed, purpose, samples, 0, 3 + len(self._inner))
        return numbers[:, :3].unbind(1), numbers[:, 3:]

    def _clips(self, videos: Tensor, which: Tensor, between: Tensor) -> tuple[Tensor, Tensor]:
        """Return times from 0 on, [B, k], and their spans, [B]."""
        span = self._spans[videos, _below(self._num_spans[videos], which)]
        first, last = torch.zeros_like(span)[:, None], span[:, None]
        if self.rule.frames == 1:
            return first, span
        if self.rule.spans == "consecutive":
            return first + self.rule.stride * torch.arange(self.rule.frames, device=self.device), span
        keys = torch.where(self._inner < last, between, 2.0)  # the k - 2 smallest are drawn, so none is drawn twice
        inner = self._inner[keys.topk(self.rule.frames - 2, largest=False).indices].sort(dim=1).values
        return torch.cat([first, inner, last], dim=1), span


def _below(count: Tensor, number: Tensor) -> Tensor:
    """Turn a uniform number into an integer from 0 to count - 1."""
    return (number * count).floor().long()


def _pairs(first: Tensor, second: Tensor) -> Tensor:
    """Turn two uniform numbers, [B] each, into draws of Beta(2, 1) and Beta(1, 2), the smaller first: [B, 2]."""
    return torch.stack([first.sqrt(), 1 - second.sqrt()], dim=1).sort(dim=1).values

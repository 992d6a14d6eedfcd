"""Encodings of time by sines: how often each repeats itself, and how the stitched waves of the paper do not.

Figure 9 of the paper compares three spacings of periods, and shows waves of motion codes raw (eq. 2) and stitched
(eq. 4). An encoding repeats after its cycle: the least common multiple of its periods (appendix B.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from stylegan_v.networks.motion import AcyclicEncoding
from stylegan_v.sampling.sheets import whole_or_nothing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_PERIOD, MAX_PERIOD = 8, 1024
"""The paper's, in frames: 2^3 and 2^10."""

FRAMES_PER_SECOND = 25

_SVG: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "stylegan-v"}
"""Settings of Matplotlib: text stays text, and the same drawing has the same ids each time."""

_DISTANCE = 256
_CODES = 4
_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Spacing:
    """Periods of an encoding's waves, in frames.

    periods: exact where they are known to be rational. cycle: frames after which all of them start again, None where
    the waves never do.
    """

    name: str
    periods: Sequence[Fraction | float]
    cycle: Fraction | None

    def waves(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sin(2π t / period): [waves, times]."""
        periods = np.array([float(period) for period in self.periods])
        waves: NDArray[np.float64] = np.sin(2 * math.pi * times / periods[:, None])
        return waves


def exponential() -> Spacing:
    """Octaves, as usual positional encodings have them: σ = 2π / 2^d."""
    periods = [Fraction(2**power) for power in range(MIN_PERIOD.bit_length() - 1, MAX_PERIOD.bit_length())]
    return Spacing("exponential", periods, cycle(periods))


def linear(count: int) -> Spacing:
    """The paper's spacing, eq. 6: periods at equal distances, both ends included."""
    periods = [MIN_PERIOD + Fraction(i, count - 1) * (MAX_PERIOD - MIN_PERIOD) for i in range(count)]
    return Spacing("linear", periods, cycle(periods))


def random(count: int, seed: int = 0) -> Spacing:
    """Frequencies from a normal distribution, as random Fourier features have them: σ ~ N(0, ξ²).

    Two thirds of them are below ξ = 2π / MIN_PERIOD, the highest frequency of the other spacings. Their ratios are
    irrational with probability one, so the waves never start again together.
    """
    frequencies = np.abs(np.random.default_rng(seed).normal(0, 2 * math.pi / MIN_PERIOD, count))
    return Spacing("random", sorted((2 * math.pi / frequencies).tolist()), None)


def cycle(periods: Sequence[Fraction]) -> Fraction:
    """Return the least common multiple of rational periods, exactly."""
    return Fraction(math.lcm(*(p.numerator for p in periods)), math.gcd(*(p.denominator for p in periods)))


def motion_waves(times: NDArray[np.float64], *, stitched: bool, seed: int = 0) -> NDArray[np.float64]:
    """Return motion codes of an untrained encoder of the `paper` kind: [waves, times], from drawn codes.

    stitched: eq. 4, waves that meet at the codes; else eq. 2, those of the code on the left alone. Codes lie 256
    frames apart. times: from 0 to below 1,024.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        encoding = AcyclicEncoding(
            "paper", u_dim=_WIDTH, v_dim=_WIDTH, min_period=MIN_PERIOD, max_period=MAX_PERIOD
        ).double()
        codes = torch.randn(_CODES + 1, _WIDTH, dtype=torch.float64)
        at = torch.from_numpy(times)
        first = torch.div(at, _DISTANCE, rounding_mode="floor").long()
        left, right = codes[first], codes[first + 1]
        values = encoding(at, left, right, _DISTANCE) if stitched else encoding.waves(left)(at[:, None])
    return np.asarray(values.T)


def spacings(seed: int = 0) -> tuple[Spacing, Spacing, Spacing]:
    """Return the three spacings, of as many waves as there are octaves."""
    octaves = exponential()
    count = len(octaves.periods)
    return octaves, random(count, seed), linear(count)


def write_figure(file: Path, seed: int) -> None:
    """Draw all of it into a .png or .svg file. The same seed gives the same bytes. Raises ModelError."""
    import matplotlib

    form = file.suffix.lower().removeprefix(".")
    undated = {"Date": None} if form == "svg" else None
    with matplotlib.rc_context(_SVG), whole_or_nothing(file) as partial:
        figure(seed).savefig(partial, format=form, metadata=undated)


def figure(seed: int) -> Figure:
    """Draw a panel for each spacing, with its cycle, and one each for raw and stitched waves."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 9), layout="constrained")
    axes = drawn.subplots(5, 1)
    times = np.arange(0, 2 * MAX_PERIOD, 1.0)
    for panel, spacing in zip(axes[:3], spacings(seed), strict=True):
        panel.imshow(spacing.waves(times), aspect="auto", cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
        panel.set(title=f"{spacing.name}: {cycle_in_words(spacing)}", yticks=[], ylabel="waves")
    times = np.arange(0, _CODES * _DISTANCE, 0.5)
    for panel, stitched in zip(axes[3:], (False, True), strict=True):
        panel.plot(times, motion_waves(times, stitched=stitched, seed=seed)[:3].T, linewidth=0.8)
        for place in range(1, _CODES):
            panel.axvline(place * _DISTANCE, color="0.7", linewidth=0.8, linestyle=":")
        title = "stitched waves, eq. 4: no jumps at the codes" if stitched else "raw waves, eq. 2: jumps at the codes"
        panel.set(title=title, xlim=(0, times[-1]), ylabel="value")
    axes[-1].set_xlabel("frames")
    return drawn


def cycle_in_words(spacing: Spacing) -> str:
    """Say after how many frames, and after how long at 25 frames a second, a spacing's waves start again."""
    if spacing.cycle is None:
        return "never starts again"
    frames = float(spacing.cycle)
    seconds = frames / FRAMES_PER_SECOND
    for unit, length in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"starts again after {frames:,.0f} frames, {seconds / length:,.0f} {unit}"
    return f"starts again after {frames:,.0f} frames, {seconds:.0f} seconds"

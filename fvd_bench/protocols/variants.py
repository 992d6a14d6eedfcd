"""How a metric scores broken motion: the real videos against themselves, shuffled, frozen and reversed.

The three scores are a scale to read other scores by: a metric that hardly rises when the frames of real clips are put
in random order says little about motion (Ge et al. 2024, On the Content Bias in Fréchet Video Distance). Both sides are
the same videos, so chance adds less to these scores than to others: compare them with a score less its floor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from fvd_bench.protocols.protocol import Protocol

SCALE = "scale-"
"""How the rows of these scores begin."""

_Content = Literal["shuffled-real", "still-real", "reversed-real"]

_BROKEN: dict[str, tuple[_Content, str]] = {
    "shuffled": ("shuffled-real", "with the frames of each clip in random order"),
    "frozen": ("still-real", "with one frame of each video repeated"),
    "reversed": ("reversed-real", "with each clip played backwards"),
}


def scale_protocols(protocol: Protocol, *, sees: Literal["clips", "frames"] = "clips") -> dict[str, Protocol]:
    """Return the protocols whose scores are the scale of this one, by name: `shuffled`, `frozen` and `reversed`.

    Their fake clips are those of the real side, processed like the real side's, so that nothing differs but the motion.
    sees: what the protocol's network sees.
    The result is empty where features are of single frames, which have no motion, and where the real side takes whole
    videos or frames spread over them, which are not clips.
    """
    whole = isinstance(protocol.real.frames, str) or protocol.real.start == "spread"
    if sees == "frames" or whole:
        return {}
    return {
        name: replace(
            protocol,
            name=f"{protocol.name}-{SCALE}{name}",
            summary=f"{protocol.name} on the real videos against themselves {how}",
            fake=replace(protocol.real, content=content),
        )
        for name, (content, how) in _BROKEN.items()
    }

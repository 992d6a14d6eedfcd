"""How a score drifts over time: the same protocol on frames 0 to 15 of the fake videos, on 16 to 31, and so on.

A side that starts at the first frame moves on with the windows. A side that starts anywhere stays, since its clips
stand for every time already: under `stylegan-v-fvd16` each window of the fake videos meets the same random clips of the
real ones, so that nothing but the generator moves along the curve. Under a protocol that takes the first frames of both
sides, as for prediction, each window meets the same window of the real videos.
"""

from __future__ import annotations

from dataclasses import replace

from fvd_bench.errors import ProtocolError
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import ClipRule

WINDOW = "window-"
"""How the rows of these scores begin."""


def window_protocols(protocol: Protocol, count: int) -> dict[str, Protocol]:
    """Return the protocols of the first windows by row, such as `window-16-31`: windows follow without a gap.

    They are as long as the fake clips of the protocol. Raises ProtocolError where these are none of videos, or take all
    frames or frames spread over the whole video.
    """
    rule = protocol.fake
    if rule.content != "video" or isinstance(rule.frames, str) or rule.start == "spread":
        raise ProtocolError(
            f"{protocol.name} takes its fake clips from whole videos or from real ones: there are no windows of it"
        )
    found = {}
    for first in range(0, count * rule.span, rule.span):
        frames = f"{rule.given_frames + first}-{rule.given_frames + first + rule.span - 1}"
        found[f"{WINDOW}{frames}"] = replace(
            protocol,
            name=f"{protocol.name}-{WINDOW}{frames}",
            summary=f"{protocol.name} on frames {frames.replace('-', ' to ')} of the fake videos",
            real=_moved(protocol.real, first) if protocol.real.effective().start == "first" else protocol.real,
            fake=_moved(rule, first),
        )
    return found


def first_frame(row: str) -> int:
    """Return the first frame of the window that a row is about."""
    return int(row.removeprefix(WINDOW).partition("-")[0])


def _moved(rule: ClipRule, first: int) -> ClipRule:
    """Return a rule with clips that start at a frame; those of the real side that take every frame stay."""
    return rule if isinstance(rule.frames, str) else replace(rule, start=first or "first")

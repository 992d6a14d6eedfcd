"""What the decoding process says of headers is checked on arrival."""

import json
import math
from dataclasses import asdict
from typing import Any

import pytest

from fvd_bench.videos.header import MOST_PACKETS, Probe, Track

PROBE = Probe("h264", "yuv420p", (64, 48), 30000 / 1001)
UNCOMMON = Probe("prores", "yuv422p10le", (720, 576), 25.0, True, (16, 11), "PQ", (2, 2))
TRACK = Track(40, 41, 0.1, (33.3, 66.7), 1.7, 23.5)


@pytest.mark.parametrize("found", [PROBE, UNCOMMON, Probe("gif", "unknown", None, None)])
def test_probes_arrive_as_they_were_sent(found: Probe) -> None:
    assert Probe.from_head(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("found", [TRACK, Track(MOST_PACKETS, 0, 0.0, None, None)])
def test_tracks_arrive_as_they_were_sent(found: Track) -> None:
    assert Track.from_head(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec": "\x1b[31mh264"},
        {"codec": "h" * 65},
        {"codec": ""},
        {"codec": 264},
        {"pixel_format": None},
        {"size": [64]},
        {"size": [64, 48, 3]},
        {"size": [64, -48]},
        {"size": [64.0, 48.0]},
        {"size": [True, True]},
        {"size": 64},
        {"rate": math.nan},
        {"rate": math.inf},
        {"rate": -25.0},
        {"rate": 10**400},
        {"rate": "25"},
        {"pixel_aspect": [16]},
        {"pixel_aspect": [16, 1.5]},
        {"pixel_aspect": 1},
        {"transfer": "\x1b[31m"},
        {"transfer": 16},
        {"stream": None},
        {"stream": [1, -1]},
    ],
)
def test_a_probe_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Probe.from_head({**asdict(PROBE), **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"packets": MOST_PACKETS + 1},
        {"packets": -1},
        {"packets": 1.0},
        {"frames": 2**63},
        {"missing_seconds": None},
        {"missing_seconds": math.nan},
        {"intervals": [1.0]},
        {"intervals": [1.0, math.inf]},
        {"intervals": 1.0},
        {"seconds": -1.0},
        {"seconds": "1"},
        {"rate": math.nan},
    ],
)
def test_a_track_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Track.from_head({**asdict(TRACK), **wrong})


@pytest.mark.parametrize(("kind", "whole"), [(Probe, PROBE), (Track, TRACK)])
def test_what_lacks_a_field_is_refused(kind, whole) -> None:
    for name in asdict(whole):
        head = asdict(whole)
        del head[name]
        with pytest.raises(KeyError):
            kind.from_head(head)

"""Table 4 of the StyleGAN-V paper on other videos: the same evaluation with one mistake in its protocol at a time."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.scorable_protocols import check, load, only_metric
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.scoring import served
from fvd_bench.metrics.uncertainty import quantile
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.differences import with_choices
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, Resize, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import ClipSource, SourceLike, open_source
from fvd_bench.videos.video import Frame
from fvd_bench.words import percent

PROPER = "proper"
"""The row that the other rows are compared with."""

SAME = "the score is the same to the last digit"
"""How the reason of a row begins that changes nothing."""


@dataclass(frozen=True, slots=True)
class Pitfall:
    """A row of Table 4.

    what: what the row does. choices: the choices that it changes. suffix: the end of its protocol's name.
    face_forensics, sky_timelapse: the paper's FVD16 at 256 x 256.
    """

    what: str
    choices: Mapping[str, Any]
    suffix: str
    face_forensics: str
    sky_timelapse: str


_SMALL = Resize(size=128)

PITFALLS: Mapping[str, Pitfall] = {
    PROPER: Pitfall("as the protocol says", {}, "", "76.82 ± 1.57", "61.95 ± 0.92"),
    "resize-128": Pitfall(
        "all videos are resized to 128 x 128 first",
        {"real.resize": _SMALL, "fake.resize": _SMALL},
        "resize128",
        "38.92",
        "59.86",
    ),
    "jpeg-75": Pitfall("fake frames are JPEG of 75, not 95", {"fake.jpeg_quality": 75}, "jpeg75", "80.17", "71.40"),
    "all-clips": Pitfall("all clips of a real video, not one", {"real.start": "all"}, "all-clips", "84.59", "72.03"),
    "first-frames": Pitfall(
        "the first clip of a real video, not a random one", {"real.start": "first"}, "first-frames", "91.64", "59.74"
    ),
    "stride-8": Pitfall(
        "every 8th frame on both sides", {"real.stride": 8, "fake.stride": 8}, "stride8", "82.88", "90.21"
    ),
    "still-images": Pitfall(
        "still images of the real videos as fake ones", {"fake.content": "still-real"}, "still", "342.5", "166.8"
    ),
}
"""Row -> its pitfall, in the order of the paper. Source: StyleGAN-V, CVPR 2022, Table 4."""


def rows(base: Protocol) -> dict[str, Protocol]:
    """Return row -> protocol, the proper one first. Raises ProtocolError when the base makes a row impossible."""
    only_metric(base)
    listed: dict[str, Protocol] = {}
    for row, pitfall in PITFALLS.items():
        changed = with_choices(base, pitfall.choices)
        listed[row] = dataclasses.replace(changed, name="-".join(filter(None, (base.name, pitfall.suffix))))
        check(listed[row], f"{base.name}, row {row}")
    return listed


def table4(
    real: SourceLike,
    fake: SourceLike,
    base: ProtocolLike = "stylegan-v-fvd16",
    *,
    repeats: int = 5,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Result:
    """Compute the rows of Table 4 on other data: scores with their `row` set, the proper one first.

    A row that the data cannot serve, or that changes nothing in the data, has the value None and a reason. The
    arguments are those of `evaluate`. Raises as `evaluate` does, and MetricError when the proper score cannot be
    computed.
    """
    listed = rows(load(base))
    sides: dict[Side, ClipSource] = {  # an iterable opens once
        "real": open_source(real, progress),
        "fake": open_source(fake, progress),
    }
    first, *_ = protocols = list(listed.values())
    with open_evaluation(
        sides["real"],
        sides["fake"],
        protocols,
        repeats=repeats,
        seed=seed,
        settings=dataclasses.replace(settings or Settings(), motion=False, windows=0),
        progress=progress,
        required=[first],
    ) as evaluation:
        result = result_of(collect(evaluation))
    named = [dataclasses.replace(score, row=row) for row, score in zip(listed, result.scores, strict=True)]
    proper = served(named[0])
    scores = [_without_value(s, sides) if s is not proper and s.values == proper.values else s for s in named]
    return dataclasses.replace(result, scores=tuple(scores))


def change_percent(score: Score, proper: Score) -> float | None:
    """Return how far a row's score lies above the proper one, in percent of |that|; None where that is not known."""
    if score.value is None or not proper.value:
        return None
    return 100 * (score.value - proper.value) / abs(proper.value)


def verdict(score: Score, proper: Score) -> str:
    """Write a sentence on what a row that has a value does to the score."""
    assert score.value is not None and proper.value is not None
    change = change_percent(score, proper)
    size = f"by {abs(change):.1f} %" if change is not None else "from 0"
    moves = f"{'raises' if score.value > proper.value else 'lowers'} the score {size}"
    gaps = [after - before for after, before in zip(score.values, proper.values, strict=True)]
    if len(gaps) > 1:
        error = statistics.stdev(gaps) / math.sqrt(len(gaps))  # paired, since each draw has the same seed in both rows
        if abs(statistics.fmean(gaps)) <= quantile(len(gaps)) * error:
            return "cannot be told from chance"
    if proper.interval is not None and proper.value:
        uncertain = (proper.interval[1] - proper.interval[0]) / 2
        if abs(score.value - proper.value) < uncertain:
            return f"no verdict, since the score itself is uncertain by ± {percent(uncertain / abs(proper.value))}"
    return moves if len(gaps) > 1 else f"{moves} in this one draw; --repeats 5 tells change from chance"


def _without_value(score: Score, sides: Mapping[Side, ClipSource]) -> Score:
    """Return the score of a row that changed nothing."""
    return dataclasses.replace(
        score,
        value=None,
        reason=_why_unchanged(score.row, sides),
        values=(),
        std=None,
        interval=None,
        error_real=None,
        error_fake=None,
        units_fake=None,
        floor=None,
        infinite=None,
        unknown={},
        splits=None,
    )


def _why_unchanged(row: str | None, sides: Mapping[Side, ClipSource]) -> str:
    if row == "resize-128" and all(
        frame.pixels.shape[:2] == (_SMALL.size, _SMALL.size) for side in SIDES for frame in _first_frames(sides[side])
    ):
        return f"{SAME}: all frames are {_SMALL.size} x {_SMALL.size} already"
    if row == "jpeg-75" and all(frame.jpeg_quality is not None for frame in _first_frames(sides["fake"])):
        return f"{SAME}: all fake frames are JPEG files already, which the protocol leaves as they are"
    return f"{SAME}: nothing in this data is changed by it"


def _first_frames(source: ClipSource) -> Iterator[Frame]:
    """Yield the first frame of each video that has one."""
    for index in range(len(source.names)):
        try:
            yield next(iter(source.video(index).frames(np.zeros(1, dtype=np.int64))))
        except VideoError:
            continue  # the evaluation left it out as well, and named it

"""Values of arrays that use little of the range that is stated of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvd_bench import Arrays, GeneratorSource
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.manifest import evaluate_and_record
from fvd_bench.evaluation.replay import replay
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.inspection.checkup import inspect
from fvd_bench.inspection.faults import little_used
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels


@pytest.fixture
def videos(moving_frames) -> Pixels:
    return np.stack([moving_frames(12, seed=20 + n) for n in range(4)])


def _warnings(real: Any, fake: Any, protocol: str, cache: Path | None = None) -> list[str]:
    result = evaluate(real, fake, protocol, settings=Settings(cache=cache))
    return [w.message for w in result.warnings if w.code == "value-range"]


@pytest.mark.parametrize(
    ("levels", "stated", "what"),
    [
        ((128, 255), (-1, 1), "hardly any of its lower half"),
        ((115, 255), (-1, 1), "hardly any of its lower half"),
        ((0, 127), (-1, 1), "less than half of it"),
        ((0, 1), (0, 255), "lie between 0 and 1, of the stated range 0 to 255: less than half of it is used"),
        ((0, 1), None, "are 0 and 1 alone, which is black: expected uint8 from 0 to 255"),
        ((0, 0), None, "are 0 alone, which is black"),
    ],
)
def test_what_can_hardly_be_meant_is_told(levels: tuple[int, int], stated: Any, what: str) -> None:
    (fault,) = little_used("videos", levels, stated=stated)

    assert what in fault.message


@pytest.mark.parametrize(
    ("levels", "stated"), [((0, 128), (0, 1)), ((100, 255), (-1, 1)), ((30, 90), None), ((0, 2), None), (None, (0, 1))]
)
def test_the_rest_is_not(levels: Any, stated: Any) -> None:
    assert not list(little_used("videos", levels, stated=stated))


@pytest.mark.parametrize(
    "side",
    [
        lambda floats: Arrays(floats, value_range=(-1, 1)),
        lambda floats: Arrays(list(floats), value_range=(-1, 1)),
        lambda floats: Arrays(iter(floats), value_range=(-1, 1)),
        lambda floats: GeneratorSource(lambda n: floats[n], videos=4, value_range=(-1, 1)),
    ],
    ids=["array", "list", "iterable", "generator"],
)
def test_data_from_0_to_1_declared_as_from_minus_1_is_told(
    videos: Pixels, side: Callable[[Any], Any], two_sides, pixels_protocol
) -> None:
    (message,) = _warnings(two_sides[0], side(videos / 255), pixels_protocol())
    right = _warnings(two_sides[0], side(videos / 127.5 - 1), pixels_protocol())

    assert message.startswith("the values of the fake videos lie between 0.")
    assert (
        "of the stated range -1 to 1: hardly any of its lower half is used; state the values of black and white"
        in message
    )
    assert right == []


def test_the_frames_that_were_used_count_and_the_store_remembers_them(
    videos: Pixels, two_sides, pixels_protocol, tmp_path: Path
) -> None:
    floats = videos / 255
    floats[:, 9:] = -1  # behind the clips
    np.save(tmp_path / "fake.npy", floats)
    side = Arrays(tmp_path / "fake.npy", axes="NTHWC", value_range=(-1, 1))

    first, again = (_warnings(two_sides[0], side, pixels_protocol(), tmp_path / "store") for _ in range(2))

    assert len(first) == 1 and first == again
    assert not [f for f in inspect(side).findings if f.code == "value-range"]


def test_a_replay_tells_what_was_told(videos: Pixels, two_sides, pixels_protocol) -> None:
    settings = Settings(cache=None)
    side = Arrays(videos / 255, value_range=(-1, 1))

    result, used = evaluate_and_record(two_sides[0], side, pixels_protocol(), settings=settings)
    again = replay(used, two_sides[0], side, settings=settings)

    told = [[w.message for w in r.warnings if w.code == "value-range"] for r in (result, again)]
    assert len(told[0]) == 1 and told[0] == told[1]


def test_inspect_looks_at_all_frames(videos: Pixels) -> None:
    found = inspect(Arrays(videos / 255, value_range=(-1, 1))).findings

    assert [f.code for f in found].count("value-range") == 1


def test_features_of_a_file_bring_their_levels(videos: Pixels, two_sides, pixels_protocol, tmp_path: Path) -> None:
    protocol = pixels_protocol()
    for n, side in enumerate((videos // 255, Arrays(videos / 255, value_range=(-1, 1)))):
        make(side, "fake", protocol, settings=Settings(cache=None)).write(tmp_path / f"{n}.npz")

    found = [_warnings(two_sides[0], tmp_path / f"{n}.npz", protocol) for n in range(2)]

    assert ["are 0 and 1 alone" in found[0][0], "of the stated range -1 to 1: hardly" in found[1][0]] == [True, True]

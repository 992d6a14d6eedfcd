"""Sides that hold too little for a score are refused before any network is loaded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import MetricError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.feasibility import Look, too_few
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.features.opening import open_side
from fvd_bench.protocols.protocol import Protocol, load
from fvd_bench.protocols.rules import SIDES
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels

NO_STORE = Settings(cache=None)


@pytest.fixture
def videos(moving_frames: Callable[..., Pixels]) -> Callable[..., list[Pixels]]:
    """Videos of these lengths, in memory."""

    def make(*lengths: int) -> list[Pixels]:
        return [moving_frames(length, 16, 16, seed=seed) for seed, length in enumerate(lengths)]

    return make


@pytest.fixture
def refusal(videos) -> Callable[..., str]:
    """What the check says of fake videos of these lengths beside three of nine frames, empty where these pass."""

    def find(protocol: str | Protocol, *lengths: int, strict: bool = False) -> str:
        sides = {"real": videos(9, 9, 9), "fake": videos(*lengths)}
        looks = {side: Look(open_side(source, side), side, workers=2) for side, source in sides.items()}
        try:
            assert too_few(looks, [load(protocol)], strict=strict) == {}
        except MetricError as error:
            return str(error)
        return ""

    return find


def test_it_says_what_was_found_and_what_is_needed(refusal, pixels_protocol) -> None:
    protocol = pixels_protocol(frames=9)

    assert refusal(protocol, 9, 9) == ""
    assert refusal(protocol, 9) == (
        "pixels: fvd needs at least 2 fake clips and gets 1: list of arrays in memory holds 1 video"
    )
    assert refusal(protocol, 9, 8, 3) == (
        "pixels: fvd needs at least 2 fake clips and gets 1: list of arrays in memory holds 3 videos; 2 fake videos "
        "are skipped; a clip needs 9 frames and the longest of the short videos has 8"
    )
    assert refusal(protocol, 8, 8, 8, 9, 8, 8, 9) == ""  # it looks until it has found enough


@pytest.mark.parametrize(
    ("clip", "count", "lengths"),
    [
        ('start = "all"', "", (18,)),
        ('start = "all"\ngiven_frames = 2', "", (20,)),
        ('start = "spread"', "", (9, 9)),
        ("stride = 3", "", (25, 25)),
        ("", 'real = 3\nfake = 2\nselection = "repeated"', (9,)),
    ],
)
def test_whatever_can_be_scored_passes_and_nothing_less(
    tmp_path: Path, videos, write_pixels_protocol, clip: str, count: str, lengths: tuple[int, ...]
) -> None:
    """The protocol is written anew, as its fixture says random starts on the real side."""
    text = Path(write_pixels_protocol(tmp_path, clip=clip, count=count)).read_text()
    if clip.startswith("start"):
        text = text.replace('start = { real = "random", fake = "first" }\n', "")
    (tmp_path / "mine.toml").write_text(text)
    real, less = videos(27, 27, 27), (*lengths[:-1], lengths[-1] - 1)

    scored = evaluate(real, videos(*lengths), str(tmp_path / "mine.toml"), settings=NO_STORE)

    assert scored.value is not None
    with pytest.raises(MetricError, match="needs at least 2 fake clips and gets"):
        evaluate(real, videos(*less), str(tmp_path / "mine.toml"), settings=NO_STORE)


def test_frames_count_where_the_network_sees_frames(refusal) -> None:
    assert refusal("stylegan-v-fid", 16) == ""
    assert "inception score" not in refusal("stylegan-v-fid", 16)
    assert refusal("stylegan-v-fid", 15).startswith("stylegan-v-fid: fid needs at least 2 fake frames and gets 0")


def test_no_network_is_loaded_for_a_protocol_that_cannot_be_scored(videos, pixels_protocol, monkeypatch) -> None:
    """Networks are looked for where there is nothing, so that loading one would be an error of its own."""
    monkeypatch.setenv("FVD_BENCH_I3D", "/nowhere")
    short = videos(12, 12, 12)

    result = evaluate(short, short, [pixels_protocol(frames=9), "stylegan-v-fvd16"], settings=NO_STORE)

    assert result.scores[0].value is not None and result.scores[1].value is None
    assert "a clip needs 16 frames and the longest of the short videos has 12" in (result.scores[1].reason or "")
    with pytest.raises(MetricError, match="fvd needs at least 2 real clips and gets 0"):
        evaluate(short, short, "stylegan-v-fvd16", settings=NO_STORE)


def test_strictness_outlives_the_check(pixels_protocol, videos) -> None:
    long, short = pixels_protocol(name="long", frames=20), pixels_protocol(frames=9)
    looks = {side: Look(open_side(videos(9, 9, 9), side), side, workers=1) for side in SIDES}
    both = [load(long), load(short)]

    assert list(too_few(looks, both, strict=False)) == both[:1]
    with pytest.raises(MetricError, match="long: fvd needs at least 2 real clips"):
        too_few(looks, both, strict=True)
    with pytest.raises(MetricError, match="long: fvd needs at least 2 real clips"):
        too_few(looks, both, required=both[:1], strict=False)


def test_an_iterable_is_gone_through_once(videos, pixels_protocol) -> None:
    result = evaluate(iter(videos(9, 9, 9)), iter(videos(9, 9)), pixels_protocol(), settings=NO_STORE)

    assert (result.real.videos, result.fake.videos) == (3, 2)
    with pytest.raises(MetricError, match="gets 1: an iterable of type list_iterator holds 1 video"):
        evaluate(iter(videos(9, 9, 9)), iter(videos(9)), pixels_protocol(), settings=NO_STORE)


def test_features_need_no_second_video(tmp_path: Path, pixels_protocol) -> None:
    """A side alone is not scored yet: shards may hold one video each."""
    np.save(tmp_path / "one.npy", np.zeros((1, 9, 8, 8, 3), dtype=np.uint8))

    made = make(tmp_path / "one.npy", "fake", pixels_protocol(), settings=NO_STORE)

    assert len(made.contents) == 1
    with pytest.raises(MetricError, match="gets 1"):
        made.write(tmp_path / "one.npz")
        evaluate(np.zeros((2, 9, 8, 8, 3), np.uint8), tmp_path / "one.npz", pixels_protocol(), settings=NO_STORE)

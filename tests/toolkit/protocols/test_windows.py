"""Protocols of windows: which frames they take, and what their digests are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import ProtocolError, ShortVideoError
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.rules import ClipRule
from fvd_bench.protocols.windows import first_frame, window_protocols
from fvd_bench.videos.sampling import clip_indices


def test_the_first_window_of_the_paper_is_its_own_score() -> None:
    base = load("stylegan-v-fvd16")

    windows = window_protocols(base, 3)

    assert list(windows) == ["window-0-15", "window-16-31", "window-32-47"]
    assert [first_frame(row) for row in windows] == [0, 16, 32]
    assert windows["window-0-15"].digest() == base.digest()
    assert len({p.digest() for p in windows.values()}) == 3
    assert "|real:all,random,16x1|fake:2048-seeded,from32,16x1," in windows["window-32-47"].signature()


def test_random_real_clips_stay_and_first_ones_move_on(pixels_protocol) -> None:
    file = Path(pixels_protocol(name="both"))
    file.write_text(file.read_text().replace('real = "random"', 'real = "first"'))
    both = load(str(file))

    assert [p.real.start for p in window_protocols(load("stylegan-v-fvd16"), 2).values()] == ["random", "random"]
    assert [p.real.start for p in window_protocols(both, 3).values()] == ["first", 9, 18]
    assert [p.fake.start for p in window_protocols(both, 3).values()] == ["first", 9, 18]
    at_zero = replace(both, real=replace(both.real, start=0))
    assert at_zero.digest() == both.digest()
    assert [p.real.start for p in window_protocols(at_zero, 3).values()] == ["first", 9, 18]


def test_windows_with_a_stride_follow_without_a_gap() -> None:
    assert list(window_protocols(load("stylegan-v-fvd16-stride8"), 2)) == ["window-0-120", "window-121-241"]


def test_windows_of_single_frames_are_of_the_fake_side_alone() -> None:
    window = window_protocols(load("stylegan-v-fid"), 2)["window-16-31"]

    assert (window.real.frames, window.real.start, window.fake.start) == ("all", "first", 16)


@pytest.mark.parametrize("name", ["stylegan-v-fvd16-still", "videvalkit"])
def test_what_takes_no_clips_of_fake_videos_has_no_windows(name: str) -> None:
    with pytest.raises(ProtocolError, match="there are no windows of it"):
        window_protocols(load(name), 2)


def test_clips_start_at_a_frame_on_either_side() -> None:
    rule = ClipRule(frames=4, stride=2, start=5)

    for side in ("real", "fake"):
        (clip,) = clip_indices(12, rule, side=side, seed=0, place=0)
        np.testing.assert_array_equal(clip, [5, 7, 9, 11])
    with pytest.raises(ShortVideoError, match="12"):
        clip_indices(11, rule, side="fake", seed=0, place=0)
    assert ClipRule(frames=4, start=5, length_rule="frames-times-stride", stride=2).frames_needed == 13
    assert ClipRule(frames=4, start=0).effective() == ClipRule(frames=4)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("-1", "start = -1: expected 0 to 1000000000"),
        ('"frist"', "allowed are 'random', 'first', 'all', 'every', 'first-repeated', 'spread', and whole"),
    ],
)
def test_a_start_that_is_none_is_refused(tmp_path: Path, write_pixels_protocol, start: str, message: str) -> None:
    file = Path(write_pixels_protocol(tmp_path))
    file.write_text(file.read_text().replace('fake = "first"', f"fake = {start}"))

    with pytest.raises(ProtocolError, match=message):
        load(str(file))


def test_a_start_is_read_from_a_file(tmp_path: Path, write_pixels_protocol) -> None:
    file = Path(write_pixels_protocol(tmp_path))
    file.write_text(file.read_text().replace('fake = "first"', "fake = 20"))

    assert load(str(file)).fake.start == 20

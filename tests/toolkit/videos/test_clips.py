from pathlib import Path

import numpy as np

from fvd_bench.protocols.rules import ClipRule
from fvd_bench.videos.array_layout import PLAIN
from fvd_bench.videos.arrays import ArrayVideo
from fvd_bench.videos.clips import Draw, DrawEnd, DrawnClip, drawn_length, read_draws
from fvd_bench.videos.images import FrameFolder


def test_a_draw_ends_as_it_would_alone(tmp_path: Path, moving_frames, write_frames) -> None:
    """One draw needs a frame that does not decode, another only frames behind it, a third more than there are."""
    frames = moving_frames(40, 96, 128)
    folder = write_frames(tmp_path / "a", frames, suffix=".jpg")
    (folder / "12.jpg").write_bytes((folder / "12.jpg").read_bytes()[:-200])
    late = next(seed for seed in range(99) if np.random.default_rng([seed, 0]).integers(0, 32) > 12)
    draws = [
        Draw(ClipRule(frames=16), "fake", 0),
        Draw(ClipRule(frames=9, start="random"), "real", late),
        Draw(ClipRule(frames=50), "fake", 0),
    ]

    items = list(read_draws(FrameFolder(folder, [f.name for f in folder.iterdir()]), draws, 0))

    ends = {item.draw: item for item in items if isinstance(item, DrawEnd)}
    clips = [item for item in items if isinstance(item, DrawnClip)]
    assert "12.jpg" in str(ends[draws[0]].skipped)
    assert ends[draws[0]].found is None
    assert ends[draws[1]].skipped is None
    assert [clip.draw for clip in clips] == [draws[1]]
    assert ends[draws[2]].skipped == "too short: 40 frames decode, the clip needs 50"
    assert ends[draws[2]].found == 40
    assert len(items) == 4


def test_a_frame_that_is_too_wide_for_jpeg_is_told_of_where_a_rule_wants_jpeg() -> None:
    video = ArrayVideo("wide", np.zeros((1, 1, 65_501, 3), np.uint8), PLAIN)
    draws = [Draw(ClipRule(frames=1, jpeg=jpeg), "fake", 0) for jpeg in ("always", "never")]

    for asked in (draws, draws[:1]):
        ends = {item.draw: item.skipped for item in read_draws(video, asked, 0) if isinstance(item, DrawEnd)}
        assert "65501×1 cannot be coded as JPEG" in str(ends[draws[0]])
        assert ends.get(draws[1]) is None


def test_frames_are_counted_by_their_names_as_text_where_a_rule_says_so(
    tmp_path: Path, moving_frames, write_frames
) -> None:
    """Both orders of one folder in one pass: 0, 1, 10, 11, 2, … and 0, 1, 2, …"""
    frames = moving_frames(12)
    folder = FrameFolder(write_frames(tmp_path / "a", frames), [f"{t}.png" for t in range(12)])
    as_text, natural = (ClipRule(frames=9, frame_order=order) for order in ("text", "natural"))  # type: ignore[arg-type]

    items = list(read_draws(folder, [Draw(as_text, "fake", 0), Draw(natural, "fake", 0)], 0))

    clips = {item.draw.rule: item.images for item in items if isinstance(item, DrawnClip)}
    np.testing.assert_array_equal(clips[as_text], frames[[0, 1, 10, 11, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(clips[natural], frames[:9])


def test_a_folder_is_too_short_in_either_order(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = FrameFolder(write_frames(tmp_path / "a", moving_frames(7)), [f"{t}.png" for t in range(7)])
    rules = [ClipRule(frames=9, frame_order=order) for order in ("text", "natural")]  # type: ignore[arg-type]

    ends = list(read_draws(folder, [Draw(rule, "fake", 0) for rule in rules], 0))

    assert [(end.skipped, end.found) for end in ends] == [("too short: 7 frames decode, the clip needs 9", 7)] * 2


def test_a_still_frame_may_be_any_of_its_video(tmp_path: Path, moving_frames, write_frames) -> None:
    """Where the first frames alone are wanted, the others need not be counted, unless so many have to be there."""
    folder = FrameFolder(write_frames(tmp_path / "a", moving_frames(12)), [f"{t}.png" for t in range(12)])
    video, still = (ClipRule(frames=9, content=content) for content in ("video", "still"))  # type: ignore[arg-type]
    long = ClipRule(frames=9, min_frames=20)

    assert [drawn_length(folder, rule) for rule in (video, still, long)] == [9, 12, 12]

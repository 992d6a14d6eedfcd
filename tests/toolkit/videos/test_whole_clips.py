"""Which frames rules take that follow codebases of animation, try-on, inpainting, tokenizers and prediction."""

from dataclasses import replace

import numpy as np
import pytest

from fvd_bench.errors import ProtocolError, ShortVideoError
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.protocol import load as read
from fvd_bench.protocols.rules import ClipRule
from fvd_bench.protocols.windows import window_protocols
from fvd_bench.videos.clips import drawn_length
from fvd_bench.videos.sampling import clip_indices


def _clips(num_frames: int, rule: ClipRule, **of: object) -> list[list[int]]:
    values = {"side": "fake", "seed": 0, "place": 0} | of
    return [clip.tolist() for clip in clip_indices(num_frames, rule, **values)]  # type: ignore[arg-type]


def test_a_whole_video_is_one_clip_whatever_its_length() -> None:
    rule = ClipRule(frames="whole", min_frames=9)

    assert _clips(150, rule) == [list(range(150))]
    assert _clips(150, replace(rule, stride=2)) == [list(range(0, 150, 2))]
    with pytest.raises(ShortVideoError, match="8 frames decode, the clip needs 9"):
        _clips(8, rule)


def test_a_whole_clip_ends_where_it_is_said_to() -> None:
    rule = ClipRule(frames="whole", most_frames=300)

    assert _clips(301, rule) == [list(range(300))]
    assert _clips(299, rule) == [list(range(299))]


def test_a_clip_begins_at_every_place_where_it_fits() -> None:
    rule = ClipRule(frames=16, start="every")

    assert _clips(18, rule) == [list(range(start, start + 16)) for start in range(3)]
    assert _clips(16, rule) == [list(range(16))]
    strided = _clips(20, replace(rule, frames=9, stride=2))
    assert [(clip[0], clip[-1]) for clip in strided] == [(0, 16), (1, 17), (2, 18), (3, 19)]


def test_the_first_clip_stands_for_all_that_fit() -> None:
    rule = ClipRule(frames=10, start="first-repeated")

    assert _clips(39, rule) == [list(range(10))] * 3
    assert len(_clips(39, replace(rule, start="all"))) == 3


def test_opencv_reads_the_first_frame_where_the_original_looks(tmp_path, moving_frames, write_video) -> None:
    """The try-on code looks frames up at places of 0 and less: this is what `first-repeated` rests on."""
    cv2 = pytest.importorskip("cv2")
    file = write_video(tmp_path / "v.mp4", moving_frames(40), gop=12)

    def read(place: int) -> list[np.ndarray]:
        video = cv2.VideoCapture(str(file))
        video.set(cv2.CAP_PROP_POS_FRAMES, place)
        return [video.read()[1] for _ in range(10)]

    first = read(0)
    for place in (-1, -10, -30):
        np.testing.assert_array_equal(read(place), first)
    assert not np.array_equal(read(10), first)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ClipRule(frames=9), [list(range(3, 12))]),
        (ClipRule(frames=9, start=2), [list(range(5, 14))]),
        (ClipRule(frames=9, start="all"), [list(range(3, 12)), list(range(12, 21))]),
        (ClipRule(frames=16, start="every"), [list(range(s, s + 16)) for s in range(3, 6)]),
        (ClipRule(frames="whole"), [list(range(3, 21))]),
        (ClipRule(frames="all"), [list(range(3, 21))]),
        (ClipRule(frames=3, start="spread"), [[3, 11, 20]]),
        (ClipRule(frames=9, content="reversed-real"), [list(range(11, 2, -1))]),
    ],
    ids=lambda value: value.signature() if isinstance(value, ClipRule) else "",
)
def test_given_frames_do_not_count_whatever_is_taken(rule: ClipRule, expected: list[list[int]]) -> None:
    after = replace(rule, given_frames=3)

    assert _clips(21, after) == expected
    assert after.frames_needed == rule.frames_needed + 3
    with pytest.raises(ShortVideoError):
        _clips(after.frames_needed - 1, after)


def test_a_random_clip_is_as_likely_at_each_place_after_the_given_frames() -> None:
    rule = ClipRule(frames=9, start="random", given_frames=5)

    starts = {_clips(17, rule, seed=seed)[0][0] for seed in range(60)}

    assert starts == {5, 6, 7, 8}


def test_only_the_frames_that_are_needed_are_decoded() -> None:
    class Endless:
        @property
        def num_frames(self) -> int:
            raise AssertionError("the length plays no part")

    assert drawn_length(Endless(), ClipRule(frames=16, given_frames=1)) == 17  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        drawn_length(Endless(), ClipRule(frames=16, start="every"))  # type: ignore[arg-type]


def test_one_protocol_counts_the_given_frame_and_one_does_not() -> None:
    counted, not_counted = read("prediction-fvd16"), read("prediction-fvd16-without-given")

    assert _clips(20, counted.fake) == [list(range(16))]
    assert _clips(20, not_counted.fake) == _clips(20, not_counted.real, side="real") == [list(range(1, 17))]
    assert replace(not_counted, real=counted.real, fake=counted.fake).digest() == counted.digest()
    assert "|fake:all,first,16x1,after1|" in not_counted.signature()


def test_windows_begin_after_the_given_frames() -> None:
    windows = window_protocols(read("prediction-fvd16-without-given"), 2)

    assert list(windows) == ["window-1-16", "window-17-32"]
    assert _clips(40, windows["window-17-32"].fake) == [list(range(17, 33))]


def _changed(**clip: object) -> Protocol:
    base = read("tokenbench-rfvd")
    return replace(base, name="mine", real=replace(base.real, **clip))


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (_changed(min_frames=0), "i3d needs at least 9 frames a clip: min_frames must be 9 or more, and"),
        (_changed(given_frames=3), "min_frames must be 12 or more"),
        (_changed(most_frames=8), "most_frames no fewer than 9"),
        (_changed(stride=2), "min_frames must be 17 or more"),
        (_changed(start="random"), 'frames = "whole" takes whole videos: start must be "first"'),
        (_changed(frames="all", most_frames=0), "i3d sees clips; whole makes one clip of each video"),
        (_changed(frames=16), 'most_frames = 300 goes with frames = "whole" only'),
    ],
)
def test_what_a_network_cannot_see_is_refused(protocol: Protocol, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        load(protocol)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("stylegan-v-fid", "inception sees single frames: all takes them"),
        ("ucf101-c3d-is", "real frames = whole, but c3d sees clips of 16 frames alone"),
    ],
)
def test_other_networks_see_no_whole_videos(name: str, why: str) -> None:
    base = read(name)

    with pytest.raises(ProtocolError, match=why):
        load(replace(base, name="mine", real=replace(base.real, frames="whole")))

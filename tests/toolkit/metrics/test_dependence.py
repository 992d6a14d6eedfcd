"""Windows of one video: found, and counted as one where people say so."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import fvd_bench
from fvd_bench.errors import FvdBenchError
from fvd_bench.evaluation.comparisons.comparability import notes
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.dependence import findings, groups
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.variants import scale_protocols
from fvd_bench.settings import Settings
from fvd_bench.videos.sampling import clip_indices


def _windows(rng: np.random.Generator, videos: int, each: int, alike: float = 0.9) -> np.ndarray:
    shared = np.repeat(rng.standard_normal((videos, 30)), each, axis=0)
    own = rng.standard_normal((videos * each, 30))
    return (np.sqrt(alike) * shared + np.sqrt(1 - alike) * own).astype(np.float32)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("folder", [0, 0, 2, 3]),
        ("folder:1", [0, 0, 2, 2]),
        (r"clip(\d)", [0, 1, 0, 1]),
        (r"clip\d", [0, 1, 0, 1]),
        (r"^(.).*clip(\d)", [0, 1, 2, 3]),
    ],
)
def test_names_are_grouped(by: str | None, expected: list[int]) -> None:
    assert groups(["a/x/clip1", "a/x/clip2", "b/x/clip1", "b/y/clip2"], by) == expected


@pytest.mark.parametrize(("by", "message"), [("(", "no regular expression"), ("q", "3 of 3 names"), ("folder", "1 of")])
def test_what_groups_nothing_is_refused(by: str, message: str) -> None:
    with pytest.raises(FvdBenchError, match=message):
        groups(["a/1", "a/2", "3"], by)


class TestTable:
    names = ("a/1.mp4", "a/2.mp4", "b/1.mp4")

    def write(self, folder: Path, text: str) -> str:
        (folder / "groups.csv").write_text(text, "utf-8")
        return f"{folder / 'groups.csv'}:scene"

    def test_a_column_groups_videos_of_any_order_with_or_without_suffix(self, tmp_path: Path) -> None:
        by = self.write(tmp_path, 'scene,video,fps\n"a, b",b/1.mp4,25\nc,a/2,25\n"a, b",a/1,30\nd,other,1\n')

        assert groups(self.names, by) == [0, 1, 0]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name,scene\na/1,x\n", "has no column video: its first line is 'name,scene'"),
            ("video,place\na/1,x\n", "has no column scene: its first line is 'video,place'"),
            ("", "has no column video"),
            ("video,scene\na/1,x\na/2,\n", "2 of 3 names have no group, such as 'a/2.mp4'; write a row for every"),
            ("video,scene\na/1,x\na/1,y\n", "puts 'a/1' into two groups, 'x' and 'y'"),
            ('video,scene\na/1,"x\n', "cannot be read as a table of groups"),
        ],
    )
    def test_a_table_that_does_not_serve_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FvdBenchError, match=message):
            groups(self.names, self.write(tmp_path, text))

    @pytest.mark.parametrize(
        ("by", "advice"), [("folder", "these videos lie in no folder"), ("shot_", "or folder for the folder")]
    )
    def test_what_was_asked_for_is_not_advised(self, by: str, advice: str) -> None:
        with pytest.raises(FvdBenchError, match=advice):
            groups(["a.mp4", "b.mp4"], by)

    def test_a_table_that_is_not_there_is_named(self) -> None:
        with pytest.raises(FvdBenchError, match=r"nowhere\.csv cannot be read as a table of groups"):
            groups(self.names, "nowhere.csv:scene")


class TestFindings:
    names = tuple(f"video{v}_window{w}" for v in range(8) for w in range(6))

    def test_windows_of_one_video_are_found_by_names_and_features(self) -> None:
        stats = FeatureSet.of(_windows(np.random.default_rng(0), 8, 6, alike=0.7))

        (warned,) = findings("real", self.names, stats)

        assert warned.code == "not-independent"
        assert warned.message.startswith("the names of 48 real videos have 8 stems, video0, video1, video2")
        assert "--group-by" in warned.message

    def test_windows_without_such_names_are_found_where_they_are_near(self) -> None:
        names = [f"{i:04d}" for i in range(48)]

        near, far = (
            list(findings("fake", names, FeatureSet.of(_windows(np.random.default_rng(0), 8, 6, alike=alike))))
            for alike in (0.9, 0.5)
        )

        assert near[0].message.startswith("neighbouring fake videos are much more alike than others") and far == []

    @pytest.mark.parametrize(("alike", "told"), [(0.82, True), (0.65, False)])
    def test_neighbours_are_near_at_a_quarter_of_the_distance(self, alike: float, told: bool) -> None:
        """Squared distances within a video are 1 - alike of those between videos."""
        stats = FeatureSet.of(_windows(np.random.default_rng(0), 8, 6, alike))

        assert bool(list(findings("real", [f"{i:04d}" for i in range(48)], stats))) is told

    @pytest.mark.parametrize(("single", "told"), [(0, True), (1, False)])
    def test_two_windows_to_a_stem_are_enough_and_fewer_are_not(self, single: int, told: bool) -> None:
        names = [f"video{v:02d}_window{w}" for v in range(24) for w in range(2)]
        names += [f"video{99 - v}_window0" for v in range(single)]
        features = np.concatenate(
            [_windows(np.random.default_rng(0), 24, 2, 0.6), _windows(np.random.default_rng(1), single, 1)]
        )

        assert bool(list(findings("real", names, FeatureSet.of(features)))) is told

    @pytest.mark.parametrize(("videos", "told"), [(8, True), (7, False)])
    def test_fewer_than_eight_videos_tell_nothing(self, videos: int, told: bool) -> None:
        features = _windows(np.random.default_rng(0), 2, 4, 0.95)[:videos]

        assert bool(list(findings("real", self.names[:4] + self.names[6:10], FeatureSet.of(features)))) is told

    def test_a_video_of_many_clips_is_their_mean(self) -> None:
        windows, clips = _windows(np.random.default_rng(0), 8, 6, 0.95), np.resize([1, 40], 48)
        owners = np.repeat(np.arange(48), clips)

        assert list(findings("real", self.names, FeatureSet.of(windows[owners], owners)))

    def test_names_alone_say_nothing(self) -> None:
        assert not list(findings("real", self.names, FeatureSet.of(_windows(np.random.default_rng(0), 48, 1))))


def test_groups_count_as_one_and_move_no_score(tmp_path, moving_frames, pixels_protocol) -> None:
    """Windows of 10 videos, of which each is nearly the others of its video."""
    rng, sides = np.random.default_rng(0), {}
    for side in ("real", "fake"):
        sides[side] = tmp_path / side
        for video in range(10):
            folder = sides[side] / f"video{video}"
            folder.mkdir(parents=True)
            frames = moving_frames(9, seed=int(rng.integers(1000)))
            for window in range(4):
                np.save(folder / f"{window}.npy", np.roll(frames, window, axis=1))
    rows = [f"video{video}/{window},{video}" for video in range(10) for window in range(4)]
    (tmp_path / "groups.csv").write_text("\n".join(["video,of", *rows]), "utf-8")
    apart, together, by_name, by_table = (
        fvd_bench.evaluate(
            sides["real"], sides["fake"], pixels_protocol(), settings=Settings(cache=tmp_path / "s", group_by=group_by)
        )
        for group_by in (None, "folder", r"(video\d+)/", f"{tmp_path / 'groups.csv'}:of")
    )

    assert together.value == apart.value and together.scores == by_name.scores == by_table.scores
    assert (apart.group_by, together.group_by) == (None, "folder")
    assert notes(apart, together, [])[0].startswith("videos are grouped by folder and were not at all")
    assert not any("grouped" in note for note in notes(together, together, []))
    assert together.scores[0].error_fake > 1.5 * apart.scores[0].error_fake
    assert (apart.scores[0].units_fake, together.scores[0].units_fake) == (40, 10)
    assert "not-independent" in {warned.code for warned in apart.warnings}
    assert "not-independent" not in {warned.code for warned in together.warnings}


def test_the_frozen_scale_has_as_many_clips_as_the_others() -> None:
    protocol = load("stylegan-v-fvd16")
    frozen, reversed_clips = (scale_protocols(protocol)[name].fake for name in ("frozen", "reversed"))

    counts = [
        len(clip_indices(100, dataclasses.replace(rule, start="all"), side="fake", seed=0, place=0))
        for rule in (frozen, reversed_clips)
    ]

    assert counts == [6, 6]

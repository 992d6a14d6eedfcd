"""What a run keeps: never stale, never damaged, enough to resume."""

import hashlib
import json
import os
import shutil
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.features import extraction, keys
from fvd_bench.features.store import FeatureStore
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.rules import ClipRule, FeatureRule
from fvd_bench.settings import Settings
from fvd_bench.videos.file import VideoFile
from tests.forked import Program
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None)


def _key(*, content: str, place: int, **rest: Any) -> str:
    return keys.feature_keys(**rest)(content, place)


def test_a_video_that_changes_while_it_is_read_is_skipped_and_not_stored(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol, monkeypatch
) -> None:
    fake = shutil.copytree(two_sides[1], tmp_path / "fake")
    settings = Settings(cache=tmp_path / "store", workers=1)
    original = extraction.read_draws

    def disturbed(video: VideoFile, *arguments: object, **options: object):
        if video.path == fake / "1.mkv":
            write_video(video.path, moving_frames(30, seed=777), codec="rawvideo", pix_fmt="bgr24")
        yield from original(video, *arguments, **options)

    monkeypatch.setattr(extraction, "read_draws", disturbed)
    first = evaluate(two_sides[0], fake, pixels_protocol(), settings=settings)
    monkeypatch.undo()
    shutil.copy2(two_sides[1] / "1.mkv", fake / "1.mkv")

    assert [s.video for s in first.scores[0].fake.skipped] == ["1.mkv"]
    assert "changed while" in first.scores[0].fake.skipped[0].reason
    restored = evaluate(two_sides[0], fake, pixels_protocol(), settings=settings)
    assert restored.value == evaluate(*two_sides, pixels_protocol(), settings=NO_CACHE).value


def test_equal_names_sizes_and_times_of_other_videos_are_no_match(
    tmp_path: Path, moving_frames, write_video, pixels_protocol, monkeypatch
) -> None:
    """Two datasets of the same relative paths, sizes and modification times on one store."""
    for place, first in (("a", 0), ("b", 50)):
        for side, offset in (("real", 0), ("fake", 10)):
            for seed in range(4):
                frames = moving_frames(12, seed=first + offset + seed)
                file = write_video(tmp_path / place / side / f"{seed}.avi", frames, codec="rawvideo", pix_fmt="yuv420p")
                os.utime(file, (1_000_000_000, 1_000_000_000))
    protocol, found = pixels_protocol(), []
    for place in ("a", "b"):
        monkeypatch.chdir(tmp_path / place)
        found.append(evaluate("real", "fake", protocol, settings=Settings(cache=tmp_path / "store")).value)

    assert found[1] != found[0]
    assert found[1] == evaluate("real", "fake", protocol, settings=NO_CACHE).value


class TestStore:
    def test_a_second_run_reads_no_video_and_gives_the_same(
        self, tmp_path: Path, two_sides, pixels_protocol, monkeypatch
    ) -> None:
        settings = Settings(cache=tmp_path / "store")
        first = evaluate(*two_sides, pixels_protocol(), repeats=2, settings=settings)

        def read(video: VideoFile, *_: object, **__: object) -> None:
            raise AssertionError(f"{video.path} is read")

        monkeypatch.setattr(VideoFile, "content", read)
        monkeypatch.setattr(VideoFile, "num_frames", property(read))
        monkeypatch.setattr(extraction, "read_draws", read)

        second = evaluate(*two_sides, pixels_protocol(), repeats=2, settings=settings)

        assert second.scores == first.scores

    def test_other_content_under_the_same_name_is_noticed(
        self, tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
    ) -> None:
        fake = shutil.copytree(two_sides[1], tmp_path / "fake")
        settings = Settings(cache=tmp_path / "store")
        first = evaluate(two_sides[0], fake, pixels_protocol(), settings=settings)

        write_video(fake / "2.mkv", moving_frames(30, seed=999), codec="rawvideo", pix_fmt="bgr24")

        second = evaluate(two_sides[0], fake, pixels_protocol(), settings=settings)
        assert second.value != first.value
        assert second.value == evaluate(two_sides[0], fake, pixels_protocol(), settings=NO_CACHE).value

    def test_a_file_that_could_not_be_read_is_tried_again(
        self, tmp_path: Path, two_sides, pixels_protocol, monkeypatch
    ) -> None:
        fake = shutil.copytree(two_sides[1], tmp_path / "fake")
        settings = Settings(cache=tmp_path / "store")
        whole = (fake / "1.mkv").read_bytes()
        (fake / "1.mkv").write_bytes(b"nothing that decodes")
        monkeypatch.setattr(VideoFile, "content", lambda video: video.path.name)  # the same digest before and after
        assert evaluate(two_sides[0], fake, pixels_protocol(), settings=settings).scores[0].fake.skipped

        (fake / "1.mkv").write_bytes(whole)

        assert not evaluate(two_sides[0], fake, pixels_protocol(), settings=settings).scores[0].fake.skipped

    @pytest.mark.parametrize("name", ["content", "rule", "seed", "place", "side", "features", "weights", "versions"])
    def test_each_thing_that_moves_a_feature_changes_the_key(self, name: str) -> None:
        """And a subset of videos, or a seed where nothing is drawn, does not."""
        values = {
            "content": "one", "rule": ClipRule(frames=9, start="random"), "seed": 0, "place": 0, "side": "real",
            "features": FeatureRule(extractor="pixels"), "weights": {"w": "1"}, "versions": {"torch": "1"},
        }  # fmt: skip
        others = {
            "content": "two", "rule": ClipRule(frames=10, start="random"), "seed": 1, "place": 1, "side": "fake",
            "features": FeatureRule(extractor="pixels", range=(0.0, 1.0)), "weights": {"w": "2"},
            "versions": {"torch": "2"},
        }  # fmt: skip

        assert _key(**values) != _key(**{**values, name: others[name]})
        subset = {**values, "rule": ClipRule(frames=9, start="random", count=5, selection="first-sorted")}
        assert _key(**subset) == _key(**values)
        still = {**values, "rule": ClipRule(frames=9)}
        same = name in ("seed", "place", "side")
        assert (_key(**still) == _key(**{**still, name: others[name]})) is same

    def test_a_key_is_the_digest_of_everything_and_what_older_stores_have(self) -> None:
        rule, features = ClipRule(frames=9, start="random"), FeatureRule(extractor="pixels")
        values = {"rule": rule, "side": "real", "features": features, "weights": {"wéights": "1"}}

        key = _key(content='"ä', seed=3, place=7, versions={"torch": "2", "av": "1"}, **values)

        listed = ("count", "selection", "short_videos", *keys._YOUNGER)
        everything = {
            "content": '"ä', "draw": ["real", 3, 7], "weights": {"wéights": "1"},
            "features": {name: value for name, value in asdict(features).items() if name not in keys._YOUNGER},
            "rule": {name: value for name, value in asdict(rule.effective()).items() if name not in listed},
            "versions": {"torch": "2", "av": "1"}, "engine": keys.ENGINE,
        }  # fmt: skip
        assert key == hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
        assert key == "ebaf5b33e5dc65fdb78068cc08db6c88f033031d91639e6d0c5322321b7ee96e"

    @pytest.mark.parametrize("content", ["still", "still-real", "shuffled-real", "reversed-real"])
    def test_whatever_is_drawn_has_a_key_for_each_seed(self, content: str) -> None:
        """Of clips that begin with the first frame too, where their frames are drawn or put in random order."""
        rule = ClipRule(frames=9, content=content)

        one, other = (
            _key(
                content="c", rule=rule, side="fake", seed=seed, place=0, features=FeatureRule(extractor="pixels"),
                weights={}, versions={},
            )
            for seed in (0, 1)
        )  # fmt: skip

        assert (one == other) is (content == "reversed-real")

    def test_other_content_of_the_same_size_and_time_is_noticed(
        self, tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
    ) -> None:
        fake = shutil.copytree(two_sides[1], tmp_path / "fake")
        settings = Settings(cache=tmp_path / "store")
        for seed in (1, 2):  # raw video: every file has the same size
            file = write_video(fake / "x.avi", moving_frames(12, seed=seed), codec="rawvideo", pix_fmt="yuv420p")
            os.utime(file, (1_000_000_000, 1_000_000_000))
            found = evaluate(two_sides[0], fake, pixels_protocol(), settings=settings).value

        assert found == evaluate(two_sides[0], fake, pixels_protocol(), settings=NO_CACHE).value

    def test_damaged_entries_are_computed_again(self, tmp_path: Path, two_sides, pixels_protocol) -> None:
        settings = Settings(cache=tmp_path)
        first = evaluate(*two_sides, pixels_protocol(), settings=settings)
        import sqlite3

        with sqlite3.connect(tmp_path / "features.sqlite") as connection:
            connection.execute("UPDATE features SET data = zeroblob(length(data)) WHERE key < '8'")
        connection.close()

        second = evaluate(*two_sides, pixels_protocol(), settings=settings)

        assert second.scores == first.scores
        assert any(w.code == "store-damaged" for w in second.warnings)
        assert FeatureStore(tmp_path).damaged == 0

    def test_what_does_not_reach_the_features_does_not_compute_them_again(
        self,
        tmp_path: Path,
        two_sides,
        pixels_protocol,
        stored_entries,
    ) -> None:
        settings = Settings(cache=tmp_path / "store")
        evaluate(*two_sides, pixels_protocol(name="a"), settings=settings)
        entries = stored_entries(tmp_path / "store")

        evaluate(*two_sides, pixels_protocol(name="b", count="fake = 4"), settings=settings)

        assert stored_entries(tmp_path / "store") == entries
        evaluate(*two_sides, pixels_protocol(name="c", frames=10), settings=settings)
        assert stored_entries(tmp_path / "store") > entries

    def test_a_killed_run_resumes_to_the_same_digits(
        self,
        tmp_path: Path,
        two_sides,
        moving_frames,
        write_video,
        pixels_protocol,
        stored_entries,
    ) -> None:
        """SIGKILL half way, by a process that is really killed; the second run computes only what is missing."""
        real = tmp_path / "real"
        for seed in range(25):
            write_video(real / f"{seed}.mkv", moving_frames(40, 96, 128, seed=seed), codec="ffv1", pix_fmt="bgr0")
        protocol, store = pixels_protocol(), tmp_path / "store"
        command = ["compute", "--real", real, "--fake", two_sides[1]]
        command += ["--protocol", protocol, "--cache", store, "--workers", "1", "--json", "-"]
        running = Program("-m", "fvd_bench", *command)
        while running.is_running() and stored_entries(store) < 8:
            time.sleep(0.002)
        running.send(signal.SIGKILL)

        assert running.end().returncode == -signal.SIGKILL
        assert 8 <= stored_entries(store) < 2 * 30
        resumed = fvd_bench(*command)
        assert (
            json.loads(resumed.stdout)["scores"][0]["value"]
            == evaluate(real, two_sides[1], protocol, settings=NO_CACHE).value
        )
        assert stored_entries(store) == 2 * 30  # features and motion of each video

    def test_features_that_were_made_before_there_were_younger_fields_are_still_found(self) -> None:
        """Keys of stylegan-v-fvd16 as they were then; a field that is not at its default makes others."""
        values = {"seed": 0, "weights": {"w": "d"}, "versions": {"v": "1"}}
        fvd16 = load("stylegan-v-fvd16")
        found = {
            side: keys.feature_keys(**values, rule=fvd16.clip_rule(side), side=side, features=fvd16.features)("c", 3)
            for side in ("real", "fake")
        }

        assert found["fake"] == "fd81fa808c4e08f80b0b4184b1d6a4e1acd60a3a5377445f2be83b78dae45f67"
        assert found["real"] == "f0eb06a136eb899b4479b349dab8dc15ddd399c7bf10287da36733c5c1f31472"
        blue = replace(fvd16.features, channels="bgr")
        assert keys.feature_keys(**values, rule=fvd16.fake, side="fake", features=blue)("c", 3) != found["fake"]
        after = replace(fvd16.fake, given_frames=1)
        assert keys.feature_keys(**values, rule=after, side="fake", features=fvd16.features)("c", 3) != found["fake"]

    def test_features_of_another_order_of_frames_or_of_an_older_engine_are_others(self, monkeypatch) -> None:
        values = {
            "content": "c", "side": "real", "seed": 1, "place": 2, "features": FeatureRule(extractor="pixels"),
            "weights": {}, "versions": {"torch": "2"},
        }  # fmt: skip

        key = _key(**values, rule=ClipRule(frames=9, start="random"))
        as_text = _key(**values, rule=ClipRule(frames=9, start="random", frame_order="text"))
        monkeypatch.setattr(keys, "ENGINE", keys.ENGINE - 1)
        older = _key(**values, rule=ClipRule(frames=9, start="random"))

        assert len({key, as_text, older}) == 3

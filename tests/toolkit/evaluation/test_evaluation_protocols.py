"""The pipeline under protocols that ask for something special."""

from dataclasses import replace
from pathlib import Path

import pytest

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.networks import NETWORKS
from fvd_bench.settings import Settings
from fvd_bench.videos import preprocess
from fvd_bench.videos.file import VideoFile

NO_CACHE = Settings(cache=None)


def test_a_network_that_does_not_take_the_frames_leaves_the_other_protocols_alone(two_sides, pixels_protocol) -> None:
    """fvd-comparison feeds frames as they are, and I3D takes none of 64 x 48."""
    result = evaluate(*two_sides, ["fvd-comparison", pixels_protocol()], repeats=2, settings=NO_CACHE)

    refused, served = result.scores
    assert (refused.value, refused.real.clips) == (None, 0)
    assert "I3D takes frames of 193 to 224 pixels a side, found 48x64" in refused.reason
    assert len(refused.real.skipped) == 6
    assert served.value == evaluate(*two_sides, pixels_protocol(), repeats=2, settings=NO_CACHE).value
    assert "not-comparable" not in [warned.code for warned in result.warnings]


def test_several_networks_share_one_decode_and_one_jpeg_round_trip(
    two_sides, pixels_protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their protocols count videos in other ways, and take the same clips of each."""
    monkeypatch.setitem(NETWORKS.built_in, "coarse", replace(NETWORKS["pixels"], name="coarse"))
    jpeg = 'jpeg = { fake = "always" }'
    first = pixels_protocol(images=jpeg)
    second = Path(pixels_protocol(name="second", images=jpeg, count="fake = 2048"))
    second.write_text(second.read_text().replace('extractor = "pixels"', 'extractor = "coarse"'))
    done: list[str] = []
    read, coded = VideoFile.frames, preprocess.jpeg_round_trip
    monkeypatch.setattr(VideoFile, "frames", lambda self, at: done.extend(["read"] * len(at)) or read(self, at))
    monkeypatch.setattr(preprocess, "jpeg_round_trip", lambda *frame: done.append("coded") or coded(*frame))
    counts = []
    for protocols in ([first], [second], [first, second]):
        done.clear()
        found = evaluate(*two_sides, protocols, settings=NO_CACHE)
        counts.append((done.count("read"), done.count("coded")))

    assert counts[0] == counts[1] == counts[2] and counts[0][1] == 5 * 9
    assert len(found.scores) == 2 and found.scores[0].digest != found.scores[1].digest


def test_scores_that_are_not_the_originals_say_so(two_sides, pixels_protocol) -> None:
    file = Path(pixels_protocol())
    file.write_text('not_comparable = "made on other weights"\n' + file.read_text())

    (warned,) = [w for w in evaluate(*two_sides, file, settings=NO_CACHE).warnings if w.code == "not-comparable"]

    assert warned.message == "pixels: made on other weights"


def test_videos_are_taken_again_until_there_are_enough(two_sides, pixels_protocol) -> None:
    """Each time with a draw of its own, and skipped ones not at all."""
    repeated = pixels_protocol(
        name="repeated", frames=20, clip="", count='real = 11\nselection = { real = "repeated" }'
    )

    result = evaluate(*two_sides, repeated, settings=NO_CACHE)

    (score,) = result.scores
    assert (score.real.clips, len(score.real.skipped)) == (11, 3)  # three of six have 20 frames or more


def test_the_scale_is_scored_beside_the_protocol(two_sides, pixels_protocol) -> None:
    with_scale = evaluate(*two_sides, pixels_protocol(), settings=Settings(cache=None, motion=True))

    plain = evaluate(*two_sides, pixels_protocol(), settings=NO_CACHE)
    assert [score.row for score in with_scale.scores] == [None, "scale-shuffled", "scale-frozen", "scale-reversed"]
    assert with_scale.value == plain.value
    assert with_scale.scores[2].value > 0
    assert plain.motion is not None and plain.motion == with_scale.motion


def test_the_scale_adds_no_warning_of_fake_videos(
    tmp_path: Path, moving_frames, write_frames, two_sides, pixels_protocol
) -> None:
    """Its fake side is the real videos: here JPEG files, and more than the fake videos, which are none."""
    for seed in range(9):
        write_frames(tmp_path / "jpg" / f"{seed}", moving_frames(17, seed=seed), suffix=".jpg", quality=86)
    sides = tmp_path / "jpg", two_sides[1]
    protocol = pixels_protocol(count="fake = 2048", images='jpeg = { fake = "unless-jpeg" }')

    with_scale = evaluate(*sides, protocol, settings=Settings(cache=None, motion=True))

    assert with_scale.warnings == evaluate(*sides, protocol, settings=NO_CACHE).warnings


def test_a_metric_that_cannot_be_computed_leaves_the_others_alone(two_sides, pixels_protocol) -> None:
    file = Path(pixels_protocol(count="real = 5"))
    file.write_text(file.read_text().replace('["fvd"]', '["density", "fvd"]'))

    density, fvd = evaluate(*two_sides, file, repeats=2, settings=NO_CACHE).scores

    assert density.value is None and "at least 6 real ones are needed" in density.reason
    assert fvd.value is not None and fvd.reason is None


def test_frames_sorted_as_text_are_those_of_a_folder_that_is_named_so(
    tmp_path: Path, moving_frames, write_frames, pixels_protocol
) -> None:
    """As where the original sorts the names of frames that are not padded with zeros."""
    for seed in range(6):
        side = "real" if seed < 3 else "fake"
        folder = write_frames(tmp_path / side / f"{seed}", moving_frames(24, seed=seed))
        renamed = tmp_path / "renamed" / side / f"{seed}"
        renamed.mkdir(parents=True)
        for place, name in enumerate(sorted(file.name for file in folder.iterdir())):
            (renamed / f"{place:06d}.png").write_bytes((folder / name).read_bytes())
    as_text = pixels_protocol(name="text", clip='frame_order = "text"')

    result = evaluate(tmp_path / "real", tmp_path / "fake", [as_text, pixels_protocol()], settings=NO_CACHE)

    expected = evaluate(*(tmp_path / "renamed" / s for s in ("real", "fake")), pixels_protocol(), settings=NO_CACHE)
    assert result.scores[0].value == expected.value
    assert result.scores[1].value != expected.value
    assert "|real:all,random,9x1,text-order|" in result.scores[0].signature

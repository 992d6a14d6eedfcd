"""The whole pipeline on real files, with features that need no network."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import fvd_bench
from fvd_bench.errors import ArgumentError, MetricError, ProtocolError, SourceError, WeightsError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.networks import create
from fvd_bench.networks.pixels import PixelsExtractor
from fvd_bench.protocols.protocol import load
from fvd_bench.settings import Settings
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.jpeg import jpeg_round_trip

NO_CACHE = Settings(cache=None)


def _features_by_hand(folder: Path, protocol: str, *, side: str, seed: int = 0) -> np.ndarray:
    """The documented pipeline, written a second time and without anything clever."""
    rule = load(protocol)
    extractor = create(rule.features, device="cpu", weights={}, progress=lambda done, total: None)
    features = []
    for index, file in enumerate(sorted(folder.iterdir())):
        video = VideoFile(file)
        frames = np.stack([f.pixels for f in video.frames(np.arange(video.num_frames))])
        if len(frames) < 9:
            continue
        start = int(np.random.default_rng([seed, index]).integers(0, len(frames) - 9 + 1)) if side == "real" else 0
        clip = frames[start : start + 9]
        if side == "fake":
            clip = np.stack([jpeg_round_trip(f, 95, "4:2:0") for f in clip])
        features.append(extractor([clip])[0])
    return np.concatenate(features)


def test_the_score_is_that_of_the_documented_pipeline(two_sides, pixels_protocol) -> None:
    real, fake = two_sides
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')

    result = evaluate(real, fake, protocol, seed=7, settings=NO_CACHE)

    by_hand = frechet_distance(
        _features_by_hand(real, protocol, side="real", seed=7), _features_by_hand(fake, protocol, side="fake"), ddof=0
    )
    assert result.value == pytest.approx(by_hand, rel=1e-12)
    assert (result.scores[0].real.clips, result.scores[0].fake.clips) == (6, 5)


def test_the_public_name_is_the_function(two_sides, pixels_protocol) -> None:
    assert fvd_bench.evaluate is evaluate
    assert fvd_bench.evaluate(*two_sides, pixels_protocol(), settings=NO_CACHE).value is not None


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_no_digit(two_sides, pixels_protocol, workers: int) -> None:
    one, many = (
        evaluate(*two_sides, pixels_protocol(), repeats=3, settings=Settings(cache=None, workers=n))
        for n in (1, workers)
    )

    assert many.scores[0].values == one.scores[0].values


def test_a_shuffled_copy_changes_no_digit(tmp_path: Path, two_sides, pixels_protocol) -> None:
    real, fake = two_sides
    files = list(real.iterdir())
    random.Random(1).shuffle(files)
    (tmp_path / "copy").mkdir()
    for file in files:
        shutil.copy(file, tmp_path / "copy" / file.name)

    original, copy = (evaluate(r, fake, pixels_protocol(), settings=NO_CACHE) for r in (real, tmp_path / "copy"))

    assert copy.value == original.value
    assert copy.real.fingerprint == original.real.fingerprint


def test_repeats_are_the_single_runs_of_their_seeds(two_sides, pixels_protocol) -> None:
    protocol = pixels_protocol()
    together = evaluate(*two_sides, protocol, repeats=3, seed=4, settings=NO_CACHE).scores[0]

    alone = tuple(evaluate(*two_sides, protocol, seed=seed, settings=NO_CACHE).value for seed in (4, 5, 6))

    assert together.values == alone
    assert len(set(alone)) == 3
    assert together.value == pytest.approx(np.mean(alone))
    assert together.std == pytest.approx(np.std(alone))


def test_protocols_together_score_as_each_alone(two_sides, pixels_protocol) -> None:
    """With lengths, starts, strides and pools that differ: what is read for one must not touch another."""
    protocols = [
        pixels_protocol(name="a"),
        pixels_protocol(name="b", frames=12),
        pixels_protocol(name="c", clip="stride = 2"),
        pixels_protocol(name="d", clip='content = { fake = "still-real" }'),
        pixels_protocol(name="e", clip="min_frames = 20"),
        pixels_protocol(name="f", images="resize = { size = 20 }"),
    ]

    together = evaluate(*two_sides, protocols, settings=NO_CACHE)
    alone = [evaluate(*two_sides, p, settings=NO_CACHE) for p in protocols]

    assert [s.values for s in together.scores] == [r.scores[0].values for r in alone]
    assert [s.real for s in together.scores] == [r.scores[0].real for r in alone]
    assert len({s.value for s in together.scores}) == len(protocols)


def test_a_corrupt_frame_spoils_only_the_clips_that_want_it(
    tmp_path: Path, two_sides, moving_frames, write_frames, pixels_protocol
) -> None:
    for seed in range(3):
        write_frames(tmp_path / "fake" / str(seed), moving_frames(20, seed=seed), suffix=".jpg")
    broken = tmp_path / "fake" / "1" / "15.jpg"
    broken.write_bytes(broken.read_bytes()[:-300])
    short, long = pixels_protocol(name="short"), pixels_protocol(name="long", frames=16)

    together = evaluate(two_sides[0], tmp_path / "fake", [short, long], settings=NO_CACHE)

    assert [len(s.fake.skipped) for s in together.scores] == [0, 1]
    assert together.scores[1].fake.skipped[0].video == "1"
    assert "15.jpg" in together.scores[1].fake.skipped[0].reason
    assert (
        together.scores[0].values
        == evaluate(two_sides[0], tmp_path / "fake", short, settings=NO_CACHE).scores[0].values
    )


def test_still_images_are_drawn_from_the_real_videos(two_sides, pixels_protocol) -> None:
    real, _ = two_sides
    protocol = pixels_protocol(clip='content = { fake = "still-real" }')

    score = evaluate(real, real, protocol, settings=NO_CACHE).scores[0]

    extractor = create(load(protocol).features, device="cpu", weights={}, progress=lambda done, total: None)
    stills = []
    for index, file in enumerate(sorted(real.iterdir())):
        video = VideoFile(file)
        place = np.random.default_rng([0, index, 2]).integers(0, video.num_frames)
        frame = next(video.frames(np.array([place]))).pixels
        stills.append(extractor([np.repeat(frame[None], 9, axis=0)])[0])
    by_hand = frechet_distance(_features_by_hand(real, protocol, side="real"), np.concatenate(stills), ddof=0)
    assert score.value == pytest.approx(by_hand, rel=1e-12)


def test_a_subset_is_seeded_and_skipped_videos_are_replaced(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
) -> None:
    fake = tmp_path / "fake"
    for seed in range(8):
        frames = moving_frames(4 if seed % 3 == 0 else 12, seed=seed)
        write_video(fake / f"{seed}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    protocol = pixels_protocol(count="fake = 4")

    score = evaluate(two_sides[0], fake, protocol, settings=NO_CACHE).scores[0]

    order = np.random.default_rng([0, 0, 3]).permutation(8).tolist()
    good = [i for i in order if i % 3]
    tried = order[: order.index(good[3]) + 1]
    assert score.fake.clips == 4
    assert {s.video for s in score.fake.skipped} == {f"{i}.mkv" for i in tried if i % 3 == 0}
    assert evaluate(two_sides[0], fake, protocol, settings=NO_CACHE).value == score.value


def test_first_sorted_takes_the_first_that_can_be_used(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
) -> None:
    fake = tmp_path / "fake"
    for seed in range(6):
        write_video(
            fake / f"{seed}.mkv", moving_frames(4 if seed == 1 else 12, seed=seed), codec="rawvideo", pix_fmt="bgr24"
        )
    protocol = pixels_protocol(count='fake = 3\nselection = "first-sorted"')
    first = tmp_path / "first"
    first.mkdir()
    for name in ("0.mkv", "1.mkv", "2.mkv", "3.mkv"):
        shutil.copy(fake / name, first / name)

    found = evaluate(two_sides[0], fake, protocol, settings=NO_CACHE).value

    assert found == evaluate(two_sides[0], first, pixels_protocol(name="all"), settings=NO_CACHE).value


@pytest.mark.parametrize(("rule", "used"), [("span", 4), ("frames-times-stride", 3)])
def test_the_length_rule_decides_in_a_run(two_sides, pixels_protocol, rule: str, used: int) -> None:
    """Of videos of 18 frames, where clips span 17 and take 20."""
    protocol = pixels_protocol(frames=5, clip=f'stride = 4\nlength_rule = "{rule}"')

    score = evaluate(*two_sides, protocol, settings=NO_CACHE).scores[0]

    assert (score.real.clips, score.fake.clips) == (used, used)


def test_short_videos_are_skipped_named_and_counted(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
) -> None:
    fake = tmp_path / "fake"
    shutil.copytree(two_sides[1], fake)
    write_video(fake / "short.mkv", moving_frames(8), codec="rawvideo", pix_fmt="bgr24")
    (fake / "text.mp4").write_text("no video")
    (fake / "empty.mp4").write_bytes(b"")

    result = evaluate(two_sides[0], fake, pixels_protocol(), settings=NO_CACHE)

    skipped = {s.video: s.reason for s in result.scores[0].fake.skipped}
    assert set(skipped) == {"short.mkv", "text.mp4", "empty.mp4"}
    assert skipped["short.mkv"] == "too short: 8 frames decode, the clip needs 9"
    (warned,) = (w for w in result.warnings if w.code == "videos-skipped")
    assert warned.message.startswith("3 fake videos are skipped: ")
    assert (warned.videos, warned.side) == (skipped, "fake")
    assert result.value == evaluate(*two_sides, pixels_protocol(), settings=NO_CACHE).value
    with pytest.raises(SourceError, match=r"--strict"):
        evaluate(two_sides[0], fake, pixels_protocol(), settings=Settings(cache=None, strict=True))


def test_a_protocol_may_forbid_short_videos(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
) -> None:
    fake = tmp_path / "fake"
    shutil.copytree(two_sides[1], fake)
    write_video(fake / "short.mkv", moving_frames(8), codec="rawvideo", pix_fmt="bgr24")

    strict, lenient = pixels_protocol(name="strict", clip='short_videos = "error"'), pixels_protocol(name="lenient")

    with pytest.raises(MetricError, match=r"short\.mkv: too short.*allows no video"):
        evaluate(two_sides[0], fake, strict, settings=NO_CACHE)
    together = evaluate(two_sides[0], fake, [strict, lenient], settings=NO_CACHE).scores
    assert [score.value is None for score in together] == [True, False]


def test_damaged_frames_are_reported_whatever_else_is_scored(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol
) -> None:
    """The first clip lies before the damage, others at it; alone and in company each says the same."""
    fake = shutil.copytree(two_sides[1], tmp_path / "fake")
    file = write_video(fake / "x.mp4", moving_frames(60, 64, 96, seed=3))
    data = bytearray(file.read_bytes())
    data[len(data) * 9 // 10 : len(data) * 9 // 10 + 200] = b"\xa5" * 200
    file.write_bytes(data)
    first, every = pixels_protocol(name="first"), pixels_protocol(name="every", clip='start = { fake = "all" }')
    Path(every).write_text(Path(every).read_text().replace('start = { real = "random", fake = "first" }\n', ""))

    def damaged(*protocols: str) -> list[str]:
        result = evaluate(two_sides[0], fake, protocols, settings=NO_CACHE)
        return [w.message for w in result.warnings if w.code == "videos-damaged"]

    assert damaged(first) == []
    assert len(damaged(every)) == 1
    assert damaged(first, every) == damaged(every)


def test_repeats_do_not_compute_the_same_features_again(two_sides, pixels_protocol, monkeypatch) -> None:
    seen: list[int] = []
    original = PixelsExtractor.__call__

    def counting(extractor: PixelsExtractor, clips: list[np.ndarray]) -> list[np.ndarray]:
        seen.append(len(clips))
        return original(extractor, clips)

    monkeypatch.setattr(PixelsExtractor, "__call__", counting)
    protocols = [pixels_protocol(name="a"), pixels_protocol(name="b", count="fake = 4")]

    evaluate(*two_sides, protocols, repeats=4, settings=NO_CACHE)

    starts = {(i, int(np.random.default_rng([s, i]).integers(0, 3 * i + 4))) for s in range(4) for i in range(6)}
    assert sum(seen) == len(starts) + 5  # the clips that four draws take of six real videos, the first of each fake
    assert len(starts) < 4 * 6  # equal clips of a video are seen once


def test_protocols_of_one_name_are_told_apart(tmp_path: Path, two_sides, pixels_protocol) -> None:
    """Copying a file keeps its name; the one that cannot be served must not take the other with it."""
    good = Path(pixels_protocol())
    bad = tmp_path / "copy.toml"
    bad.write_text(good.read_text().replace('"pixels"\n\n[metric]', '"pixels"\nprecision = "tf32"\n\n[metric]'))

    scores = evaluate(*two_sides, [bad, good], settings=Settings(cache=None, device="cpu")).scores

    assert [score.value is None for score in scores] == [True, False]


def test_a_side_of_jpeg_and_other_frames_is_pointed_out(
    tmp_path: Path, two_sides, moving_frames, write_frames, pixels_protocol
) -> None:
    for seed in range(4):
        suffix = ".jpg" if seed % 2 else ".png"
        write_frames(tmp_path / "fake" / str(seed), moving_frames(12, seed=seed), suffix=suffix)

    result = evaluate(two_sides[0], tmp_path / "fake", pixels_protocol(), settings=NO_CACHE)

    assert any(w.code == "mixed-codecs" for w in result.warnings)


def test_a_side_against_itself_is_said_to_be(two_sides, pixels_protocol) -> None:
    result = evaluate(two_sides[0], two_sides[0], pixels_protocol(), settings=NO_CACHE)

    assert any(w.code == "same-videos" for w in result.warnings)


def test_more_repeats_than_memory_holds_are_refused(two_sides, pixels_protocol) -> None:
    with pytest.raises(ArgumentError, match="expected 1 to 1,000,000"):
        evaluate(*two_sides, pixels_protocol(), repeats=2**31, settings=NO_CACHE)


def test_repeats_that_cannot_differ_are_said_to(two_sides, pixels_protocol) -> None:
    file = Path(pixels_protocol())
    file.write_text(file.read_text().replace('"random"', '"first"'))

    result = evaluate(*two_sides, file, repeats=3, settings=NO_CACHE)

    assert result.scores[0].std == 0.0
    assert any(w.code == "repeats-equal" for w in result.warnings)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"weights": {"i3d": "x"}}, WeightsError, "no weights are called 'i3d'"),
        ({"workers": 0}, ArgumentError, "workers = 0: expected at least 1"),
        ({"device": "gpu"}, ArgumentError, "device = 'gpu': allowed are"),
        ({"engine": "slurm"}, ArgumentError, "engine = 'slurm': allowed are"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    two_sides, pixels_protocol, settings: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate(*two_sides, pixels_protocol(), settings=Settings(**settings, cache=None))  # type: ignore[arg-type]


def test_no_protocol_at_all_is_refused(two_sides) -> None:
    with pytest.raises(ProtocolError, match="no protocol"):
        evaluate(*two_sides, [], settings=NO_CACHE)


def test_all_too_short_says_what_was_needed_and_what_there_is(two_sides, pixels_protocol) -> None:
    with pytest.raises(MetricError, match=r"6 real videos are skipped; a clip needs 64 frames.*longest.* has 27"):
        evaluate(*two_sides, pixels_protocol(frames=64), settings=NO_CACHE)


def test_one_video_is_too_few(tmp_path: Path, two_sides, pixels_protocol) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(two_sides[1] / "0.mkv", tmp_path / "one")

    with pytest.raises(MetricError, match=r"pixels: fvd needs at least 2 fake clips and gets 1: \S+/one holds 1 video"):
        evaluate(two_sides[0], tmp_path / "one", pixels_protocol(), settings=NO_CACHE)


def test_nothing_that_decodes_is_told_before_any_work(tmp_path: Path, two_sides, pixels_protocol) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    (tmp_path / "b.mp4").write_bytes(b"")

    with pytest.raises(SourceError, match=r"none of its 2 videos can be decoded; the first is a\.mp4"):
        evaluate(two_sides[0], tmp_path, pixels_protocol(), settings=NO_CACHE)


def test_fewer_fakes_than_the_protocol_asks_for_is_a_warning(two_sides, pixels_protocol) -> None:
    result = evaluate(*two_sides, pixels_protocol(count="fake = 2048"), settings=NO_CACHE)

    assert any("2048 fake videos are asked for and 5 are used" in w.message for w in result.warnings)
    assert "|n:6+5|" in result.scores[0].signature


def test_tf32_is_refused_without_cuda(two_sides, pixels_protocol) -> None:
    file = Path(pixels_protocol())
    file.write_text(file.read_text().replace('"pixels"\n\n[metric]', '"pixels"\nprecision = "tf32"\n\n[metric]'))

    with pytest.raises(ProtocolError, match="CUDA devices only"):
        evaluate(*two_sides, str(file), settings=Settings(cache=None, device="cpu"))

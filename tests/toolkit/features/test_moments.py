"""Moments of very many clips in pieces: the digits of kept features, in whatever shards."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import FrechetVideoDistance, Settings, evaluate
from fvd_bench.errors import FvdBenchError, MetricError, NotComparableError, SourceError
from fvd_bench.evaluation.statistics.making import make_moments
from fvd_bench.features import headed_arrays, moments_file, moments_in_pieces
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments_file import MomentsFile, joined
from fvd_bench.features.moments_in_pieces import Pieces
from fvd_bench.metrics import compute
from fvd_bench.metrics.measurement import measure
from fvd_bench.metrics.uncertainty import Spread
from fvd_bench.protocols.rules import MetricRule
from tests.program import fvd_bench

DIM = 6
RULE = MetricRule(names=("fvd", "kvd"))


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, DIM)) @ np.random.default_rng(9).normal(size=(DIM, DIM)) + shift
    return np.asarray(mixed, dtype=np.float32)


def pieces_of(rows: np.ndarray, part: int = 0, parts: int = 1, pieces: int = 20) -> Pieces:
    """Each row a video, of the shard of every parts-th one."""
    found = Pieces.of(((f"{n:x}", row[None]) for n, row in enumerate(rows) if n % parts == part), seed=0, pieces=pieces)
    assert found is not None
    return found


def measured(real: FeatureSet, fake: FeatureSet):
    return measure([{"real": real, "fake": fake}], RULE, seed=0)


@pytest.mark.parametrize("shards", [1, 3])
def test_scores_are_those_of_kept_features(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments_in_pieces, "_FOLD_ROWS", 4)  # so that each piece is made of several
    real, fake = features(500, 1), features(400, 2, shift=0.4)
    kept = measured(FeatureSet.of(real), FeatureSet.of(fake))
    many = pieces_of(real, 0, shards)
    for shard in range(1, shards):
        many = many.joined(pieces_of(real, shard, shards))

    found = measured(FeatureSet.of_pieces(many), FeatureSet.of(fake))

    assert found["fvd"].values[0] == pytest.approx(kept["fvd"].values[0], rel=1e-9)
    assert found["kvd"].values[0] == pytest.approx(kept["kvd"].values[0], rel=1e-9)
    assert many.whole().cov == pytest.approx(np.cov(real.T.astype(np.float64), ddof=0), rel=1e-9)


def error(real: FeatureSet, fake: FeatureSet) -> float:
    """The standard error of FVD."""
    spread = Spread("fvd", RULE)
    spread.add({"real": real, "fake": fake})
    found = [spread.error("real"), spread.error("fake")]
    assert None not in found
    return float(np.hypot(*found))


def test_leaving_out_pieces_says_what_kept_features_say_of_the_error() -> None:
    """On average: an error of 40 pieces is itself known to a tenth or so."""
    ratios = []
    for seed in range(12):
        real, fake = features(800, 10 + seed), features(800, 50 + seed, shift=0.4)
        pieces = [FeatureSet.of_pieces(pieces_of(side, pieces=40)) for side in (real, fake)]
        ratios.append(error(*pieces) / error(FeatureSet.of(real), FeatureSet.of(fake)))

    assert np.mean(ratios) == pytest.approx(1, abs=0.12)


def test_the_error_of_pieces_is_that_of_the_jackknife() -> None:
    """Of g pieces: the root of (g - 1) / g times the squares of how far scores without one are from their mean."""
    real, pieces = FeatureSet.of(features(200, 1)), pieces_of(features(200, 2, shift=0.4), pieces=5)
    spread = Spread("fvd", RULE)
    spread.add({"real": real, "fake": FeatureSet.of_pieces(pieces)})

    scores = np.array([compute("fvd", real, FeatureSet.of_known(pieces.without(k)), RULE) for k in range(5)])

    assert spread.error("fake") == pytest.approx(np.sqrt(4 / 5 * np.sum((scores - scores.mean()) ** 2)), rel=1e-9)


@pytest.mark.parametrize("ddof", [0, 1])
def test_moments_of_one_feature_have_no_distance(ddof: int) -> None:
    one, fake = FeatureSet.of_pieces(pieces_of(features(1, 1))), FeatureSet.of(features(50, 2))

    with pytest.raises(MetricError, match="1 real and 50 fake features: at least 2 of each"):
        compute("fvd", one, fake, dataclasses.replace(RULE, ddof=ddof))


def test_the_error_of_a_metric_of_all_features_is_that_of_the_sample() -> None:
    pieces, fake = pieces_of(features(60, 1)), FeatureSet.of(features(50, 2, shift=0.4))
    errors = []
    for real in (FeatureSet.of_pieces(pieces), FeatureSet.of(pieces.sample)):
        spread = Spread("kvd", RULE.alone("kvd"))
        spread.add({"real": real, "fake": fake})
        errors.append([spread.error("real"), spread.error("fake")])

    assert errors[0] == errors[1] and None not in errors[0]
    batches = dataclasses.replace(RULE, names=("fvd",), aggregation="batch-mean", batch=20)
    sides = [{"real": real, "fake": fake} for real in (FeatureSet.of_pieces(pieces), FeatureSet.of(pieces.sample))]
    found = [measure([each], batches, seed=0)["fvd"].values for each in sides]
    assert found[0] == found[1]


def test_clips_of_one_video_count_as_one_in_a_sample() -> None:
    """As they do where all features are kept: of videos of ten clips that are alike the error is three times that of
    clips by themselves."""
    rows, fake = features(30, 1), FeatureSet.of(features(50, 2, shift=0.4))
    clips = np.repeat(rows[:, None], 10, axis=1) + 0.01 * features(300, 3).reshape(30, 10, DIM)
    shards = [Pieces.of(((f"{n:x}", clips[n]) for n in range(30) if n % 2 == part), seed=0) for part in (0, 1)]
    errors = []
    for real in (
        FeatureSet.of_pieces(shards[0].joined(shards[1])),
        FeatureSet.of(clips.reshape(-1, DIM), np.repeat(np.arange(30), 10)),
        FeatureSet.of(clips.reshape(-1, DIM)),
    ):
        spread = Spread("kvd", RULE.alone("kvd"))
        spread.add({"real": real, "fake": fake})
        errors.append(spread.error("real"))

    assert errors[0] == pytest.approx(errors[1], rel=1e-9)
    assert errors[1] > 2.5 * errors[2]


def test_a_sample_does_not_depend_on_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments_in_pieces, "SAMPLE", 50)
    rows = features(400, 3)
    whole = pieces_of(rows)
    shards = [pieces_of(rows, part, 4) for part in (2, 0, 3, 1)]
    many = shards[0].joined(shards[1]).joined(shards[2]).joined(shards[3])

    assert (many.sample == whole.sample).all() and len(whole.sample) == 50
    assert whole.sample.mean() == pytest.approx(rows.mean(), abs=0.5)
    other = Pieces.of(((f"{n:x}", row[None]) for n, row in enumerate(rows)), seed=1)
    assert other is not None and not (other.sample == whole.sample).all()
    assert not np.allclose(other.moments[0].mean, whole.moments[0].mean)
    assert [moments.count for moments in many.fewer(7).moments] != [] and many.fewer(7).count == 400


@pytest.fixture
def files(two_sides, pixels_protocol, tmp_path: Path):
    """Moments of the real videos, whole and in two shards."""

    def make(out: str, *options: object):
        given = ["stats", two_sides[0], "--side", "real", "--protocol", pixels_protocol(), "--cache", tmp_path / "c"]
        done = fvd_bench(*given, "--moments", "--out", tmp_path / out, *options)
        assert done.returncode == 0, done.stderr
        return tmp_path / out

    return make


def score(real: object, fake: object, protocol: str, *options: object):
    return fvd_bench("compute", "--real", real, "--fake", fake, "--protocol", protocol, "--no-cache", *options)


def test_a_file_scores_as_its_videos(files, two_sides, pixels_protocol, tmp_path: Path) -> None:
    whole, shards = files("whole.npz"), [files(f"{n}.npz", "--shard", f"{n}/2") for n in (1, 2)]
    done = fvd_bench("merge", *reversed(shards), "--out", tmp_path / "merged.npz")
    assert done.returncode == 0 and "moments of 6 real features" in done.stdout, done.stderr

    expected = json.loads(score(*two_sides, pixels_protocol(), "--json", "-").stdout)
    few = [each for each in expected["warnings"] if each["code"] == "few-videos"]
    for file in (whole, tmp_path / "merged.npz"):
        found = json.loads(score(file, two_sides[1], pixels_protocol(), "--json", "-").stdout)
        assert found["scores"][0]["value"] == pytest.approx(expected["scores"][0]["value"], rel=1e-9)
        assert [each for each in found["warnings"] if each["code"] == "few-videos"] == few != []
    assert "shard-alone" in score(shards[0], two_sides[1], pixels_protocol(), "--json", "-").stdout
    grouped = score(whole, two_sides[1], pixels_protocol(), "--group-by", ".", "--json", "-").stdout
    assert "the real side is moments, in which each video counts by itself" in grouped


def test_what_a_file_was_not_made_for_is_refused(files, two_sides, pixels_protocol, tmp_path: Path) -> None:
    whole, shard = files("whole.npz"), files("1.npz", "--shard", "1/3")

    for options in (["--seed", 1], ["--repeats", 2]):
        refused = score(whole, two_sides[1], pixels_protocol(), *options)
        assert refused.returncode == 3 and "holds moments for pixels with the seed 0" in refused.stderr
    other = score(whole, two_sides[1], pixels_protocol(name="longer", frames=11))
    assert other.returncode == 3 and "other clips or features are asked for" in other.stderr
    assert score(two_sides[0], whole, pixels_protocol()).returncode == NotComparableError.exit_code
    alone = fvd_bench("merge", shard, "--out", tmp_path / "x.npz")
    assert alone.returncode == 3 and "without shard 2/3" in alone.stderr and not (tmp_path / "x.npz").exists()


def test_what_was_skipped_is_skipped_in_the_score(files, two_sides, pixels_protocol, tmp_path: Path) -> None:
    moments, file = MomentsFile.read(files("whole.npz")), tmp_path / "some.npz"
    dataclasses.replace(moments, skipped={"a.mkv": "too short: 3 frames"}).write(file)

    found = json.loads(score(file, two_sides[1], pixels_protocol(), "--json", "-").stdout)
    strict = score(file, two_sides[1], pixels_protocol(), "--strict")

    (finding,) = [each for each in found["warnings"] if each["code"] == "videos-skipped"]
    assert finding["message"].startswith("1 real video was skipped when the moments were made: a.mkv (too short")
    assert found["scores"][0]["real"]["skipped"] == [{"video": "a.mkv", "reason": "too short: 3 frames"}]
    assert strict.returncode == 3 and "real video a.mkv: too short: 3 frames; --strict allows no" in strict.stderr
    metric = FrechetVideoDistance(pixels_protocol(), real=file, settings=Settings(cache=None, strict=True))
    metric.update(fake=np.zeros((2, 16, 32, 32, 3), np.uint8))
    with pytest.raises(FvdBenchError, match=r"real video a\.mkv: too short: 3 frames"):
        metric.compute()


def test_a_training_loop_scores_against_a_file_as_evaluate_does(files, two_sides, pixels_protocol) -> None:
    """Also by means over batches, which the sample is for."""
    file = files("whole.npz")
    protocol = Path(pixels_protocol())
    protocol.write_text(protocol.read_text("utf-8") + 'aggregation = "batch-mean"\nbatch = 2\n')
    fakes = np.random.default_rng(0).integers(0, 256, (4, 12, 32, 32, 3), np.uint8)

    metric = FrechetVideoDistance(protocol, real=file, settings=Settings(cache=None))
    metric.update(fake=fakes)

    assert metric.compute() == metric.scores()[0].value
    assert metric.compute() == evaluate(file, fakes, protocol, settings=Settings(cache=None), progress=False).value


def test_moments_of_another_engine_are_refused(files, two_sides, pixels_protocol, tmp_path: Path) -> None:
    """Older files do not name theirs, which was the second."""
    moments, file = MomentsFile.read(files("whole.npz")), tmp_path / "old.npz"
    dataclasses.replace(moments, engine=1).write(file)
    refused = score(file, two_sides[1], pixels_protocol())
    assert refused.returncode == 3 and "(engine 1, here it is 2): make it again with" in refused.stderr

    head, arrays = headed_arrays.read(tmp_path / "whole.npz", "fvd_bench_moments")
    del head["engine"], head["checksum"]
    head["checksum"] = moments_file._checksum(head, arrays)
    headed_arrays.write(file, "fvd_bench_moments", head, arrays)
    assert MomentsFile.read(file).engine == 2


def test_moments_without_videos_that_a_protocol_asks_for_are_refused(pixels_protocol) -> None:
    """As their score is, where no video may be too short."""
    frames = [np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8) for n in (12, 12, 3)]
    strict = pixels_protocol(name="strict", clip='short_videos = "error"')

    with pytest.raises(SourceError, match=r"000002: too short: 3 frames decode.* allows no video to be too short"):
        make_moments(frames, "real", strict, settings=Settings(cache=None))
    assert make_moments(frames, "real", pixels_protocol(), settings=Settings(cache=None)).pieces.count == 2


def test_many_shards_are_joined_to_one_file_of_no_more_pieces(files) -> None:
    made = MomentsFile.read(files("whole.npz"))
    shards = {
        str(n): dataclasses.replace(made, shards=((n, 3),), pieces=pieces_of(features(200, n)), contents=f"{n:x}" * 64)
        for n in (1, 2, 3)
    }

    whole = joined(shards)

    assert (len(whole.pieces.moments), whole.pieces.count, whole.shards) == (40, 600, ((1, 1),))
    assert whole.contents == "6" * 64 and moments_file.added("f" * 64, "1" * 64) == "1" * 63 + "0"


def test_the_order_of_a_listing_is_part_of_its_fingerprint(pixels_protocol) -> None:
    """It decides where clips begin where that is random; shards do not."""
    frames = np.random.default_rng(0).integers(0, 256, (4, 12, 32, 32, 3), np.uint8)

    def made(videos: np.ndarray, part: int = 1, parts: int = 1) -> MomentsFile:
        return make_moments(videos, "real", pixels_protocol(), shard=(part, parts), settings=Settings(cache=None))

    whole, turned = made(frames), made(frames[::-1].copy())

    assert whole.contents != turned.contents
    assert joined({str(part): made(frames, part, 2) for part in (1, 2)}).contents == whole.contents


def test_files_of_versions_without_owners_are_read(files) -> None:
    file = files("whole.npz")
    whole = MomentsFile.read(file)
    head, arrays = headed_arrays.read(file, moments_file._HEAD)
    del head["checksum"], arrays["owners"]
    head["checksum"] = moments_file._checksum(head, arrays)
    headed_arrays.write(file, moments_file._HEAD, head, arrays)

    older = MomentsFile.read(file)

    assert (older.pieces.sample == whole.pieces.sample).all()
    assert len(set(older.pieces.owners)) == len(older.pieces.sample) > 1


def test_damage_and_other_kinds_are_told_of(files) -> None:
    file = files("whole.npz")
    moments = MomentsFile.read(file)
    with pytest.raises(SourceError, match="holds shard 1/1, which another file holds too"):
        joined({"a": moments, "b": moments})
    with pytest.raises(SourceError, match="their seeds differ"):
        joined({"a": moments, "b": dataclasses.replace(moments, seed=1)})
    with pytest.raises(SourceError, match="their engines differ"):
        joined({"a": moments, "b": dataclasses.replace(moments, engine=1)})
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(SourceError, match="cannot be read as a file of moments"):
        MomentsFile.read(file)


def test_a_shard_without_a_video_says_so(two_sides, pixels_protocol) -> None:
    with pytest.raises(SourceError, match=r"shard 7/7 of .*real has 0 videos, none .* cut the side into fewer shards"):
        make_moments(two_sides[0], "real", pixels_protocol(), shard=(7, 7), settings=Settings(cache=None))

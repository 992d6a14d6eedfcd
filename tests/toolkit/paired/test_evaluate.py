"""Sides of every form against each other: the same digits, and all that is left out is named."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import ArgumentError, FvdBenchError, MetricError, SourceError, UnknownProtocolError
from fvd_bench.paired.evaluate import evaluate_paired
from fvd_bench.paired.result import PairedResult, PairedScore
from fvd_bench.protocols.paired import PsnrRule, load
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Frame, Pixels
from fvd_bench.words import number, percent
from tests.program import fvd_bench

NO_NETWORK = ("psnr", "ssim", "flickering")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, originals, copies, write_video, write_frames) -> Path:
    """Lossless files of the originals, and of the copies files, frame folders, a zip of these, and an .npz."""
    root = tmp_path_factory.mktemp("pairs")
    for k, (real, fake) in enumerate(zip(originals, copies, strict=True)):
        write_video(root / "real" / f"v{k}.mkv", real, codec="rawvideo", pix_fmt="bgr24")
        write_video(root / "fake" / f"v{k}.mkv", fake, codec="rawvideo", pix_fmt="bgr24")
        write_frames(root / "frames" / f"v{k}", fake)
    with zipfile.ZipFile(root / "frames.zip", "w") as archive:
        for file in sorted((root / "frames").rglob("*.png")):
            archive.write(file, file.relative_to(root / "frames"))
    np.savez(root / "fake.npz", **{f"v{k}": fake for k, fake in enumerate(copies)})
    return root


def score(real: object, fake: object, protocol: object = "common-metrics", **more: object) -> PairedResult:
    given = {"metrics": NO_NETWORK, "settings": Settings(cache=None), "progress": False, **more}
    return evaluate_paired(real, fake, protocol, **given)  # type: ignore[arg-type]


def of(result: PairedResult, name: str) -> PairedScore:
    return next(score for score in result.scores if score.name == name)


def numbers(result: PairedResult) -> list[object]:
    """All that was computed, without what names the sides."""
    return [*(replace(s, signature="") for s in result.scores), *(pair.values for pair in result.pairs)]


@pytest.fixture(scope="module")
def files(sides: Path) -> PairedResult:
    """The score of video files against video files."""
    return score(sides / "real", sides / "fake")


@pytest.mark.parametrize("form", ["frames", "frames.zip", "fake.npz"])
def test_every_form_has_the_same_digits(sides: Path, files: PairedResult, form: str) -> None:
    other = score(sides / "real", sides / form)

    assert numbers(files) == [
        replace(found, skipped=()) if isinstance(found, PairedScore) else found for found in numbers(other)
    ]
    assert [pair.real for pair in other.pairs] == ["v0.mkv", "v1.mkv", "v2.mkv", "v3.mkv"]
    assert files.fake.fingerprint != other.fake.fingerprint != files.real.fingerprint


def test_workers_do_not_matter(sides: Path, seeded_backbone: Callable[[str], Path]) -> None:
    """With LPIPS, whose frames go through one thread."""
    weights = {"alexnet-imagenet": seeded_backbone("alex")}
    found = [
        score(
            sides / "real",
            sides / "fake",
            ["common-metrics", "fastvideo"],
            metrics=("psnr", "lpips"),
            settings=Settings(cache=None, workers=workers, weights=weights, device="cpu"),
        )
        for workers in (1, 3)
    ]

    one, three = (replace(result, seconds=0) for result in found)
    assert one == three
    spatial, mean = of(one, "common-metrics/lpips"), of(one, "fastvideo/lpips")
    assert spatial.value is not None and mean.value is not None and spatial.value != mean.value > 0
    assert spatial.curve is not None and spatial.curve.values[0] == 0  # the copies begin as their originals
    assert set(one.weights) == {"alexnet-imagenet", "lpips-heads-alex"}
    assert f"|weights:{one.weights['alexnet-imagenet'][:8]}|" in spatial.signature
    assert [finding.code for finding in one.warnings] == ["weights-unverified"]


def test_predictions_of_one_original_count_as_one(originals, copies, tmp_path: Path) -> None:
    """Each copy given twice says as much as once."""
    table, count = tmp_path / "pairs.csv", len(copies)
    rows = [f"{place % count:06d},{place:06d}" for place in range(2 * count)]
    table.write_text("\n".join(["real,fake", *rows]))

    once, twice = score(originals, copies), score(originals, [*copies, *copies], pairs=table)

    for name in ("common-metrics/psnr", "common-metrics/ssim"):
        assert of(twice, name).interval == pytest.approx(of(once, name).interval, rel=1e-12)
        assert of(twice, name).pairs == 2 * of(once, name).pairs


def test_scores_are_the_means_of_their_frames(originals: list[Pixels], copies: list[Pixels]) -> None:
    result = score(originals, copies, ["common-metrics", "torchmetrics"])
    errors = [((a / 255 - b / 255) ** 2).mean(axis=(1, 2, 3)) for a, b in zip(originals, copies, strict=True)]
    decibels = [-10 * np.log10(np.maximum(video, 1e-10)) for video in errors]
    sums = sum(video.sum() for video in errors) / sum(map(len, errors))

    psnr = of(result, "common-metrics/psnr")
    assert psnr.value == pytest.approx(np.mean([video.mean() for video in decibels]), rel=1e-12)
    assert of(result, "torchmetrics/psnr").value == pytest.approx(-10 * np.log10(sums), rel=1e-12)
    assert [pair.values["common-metrics/psnr"] for pair in result.pairs] == pytest.approx(
        [video.mean() for video in decibels], rel=1e-12
    )
    assert psnr.curve is not None and psnr.curve.videos == (4,) * 6 + (3, 2, 1)
    assert psnr.curve.values[5] == pytest.approx(np.mean([video[5] for video in decibels]), rel=1e-12)
    low, high = psnr.interval or (0, 0)
    assert low < psnr.value < high and (psnr.pairs, psnr.frames) == (4, 30)
    flickering = of(result, "common-metrics/flickering")
    changes = [np.abs(np.diff(video.astype(int), axis=0)).mean() for video in originals]
    assert flickering.of_real == pytest.approx(1 - np.mean(changes) / 255, rel=1e-12)
    assert flickering.curve is not None and flickering.curve.start == 1


def test_what_has_no_partner_is_named(originals: list[Pixels], copies: list[Pixels]) -> None:
    real = {"a": originals[0], "b": originals[1], "c": originals[2]}

    result = score(real, {"b": copies[1], "d": copies[0], "a": copies[0]})

    assert [(pair.real, pair.fake) for pair in result.pairs] == [("a", "a"), ("b", "b")]
    assert result.unpaired == {"real": ("c",), "fake": ("d",)}
    assert [f.message for f in result.warnings if f.code == "unpaired"] == [
        "1 of 3 real videos has no partner and is left out: c",
        "1 of 3 fake videos has no partner and is left out: d",
    ]
    with pytest.raises(SourceError, match="the real videos b, c have no partner, and --strict"):
        score(real, {"a": copies[0]}, settings=Settings(cache=None, strict=True))


def test_a_video_against_itself_is_told(originals: list[Pixels], copies: list[Pixels]) -> None:
    some, all_of_them = (score(originals, fakes) for fakes in ([originals[0], *copies[1:]], originals))

    (finding,) = [finding for finding in some.warnings if finding.code == "shared-files"]
    assert finding.message.startswith(f"1 of {len(copies)} pairs is one video twice")
    assert list(finding.videos) == [some.pairs[0].fake]
    assert "same-videos" in {finding.code for finding in all_of_them.warnings}


def test_unequal_lengths_are_cut_or_left_out_as_the_protocol_says(originals, copies) -> None:
    shorter = [copies[0][:4], *copies[1:]]

    result = score(originals, shorter, ["common-metrics", "fastvideo"])

    equal, cut = of(result, "common-metrics/psnr"), of(result, "fastvideo/psnr")
    assert (equal.pairs, cut.pairs, cut.frames) == (3, 4, 28)
    assert [left.video for left in equal.skipped] == ["000000"] and cut.skipped == ()
    assert "the real video has 6 frames, the fake one 4" in equal.skipped[0].reason
    (finding,) = [finding for finding in result.warnings if finding.code == "unequal-lengths"]
    assert finding.message == "1 of 4 pairs differs in length: 000000 (6 real frames, 4 fake ones)"
    assert result.pairs[0].values["common-metrics/psnr"] is None
    with pytest.raises(MetricError, match="no pair can be compared: the real video has 6 frames"):
        score(originals[:1], shorter[:1])


def test_pairs_of_unequal_size_are_left_out(originals: list[Pixels], copies: list[Pixels]) -> None:
    result = score(originals, [copies[0][:, ::2], *copies[1:]])

    assert of(result, "common-metrics/ssim").pairs == 3
    (finding,) = [finding for finding in result.warnings if finding.code == "pairs-skipped"]
    assert finding.videos == {"000000": "frame 0 is 48×40 in the real video and 48×20 in the fake one"}
    with pytest.raises(SourceError, match="frame 0 is 48×40"):
        score(originals, [copies[0][:, ::2], *copies[1:]], settings=Settings(cache=None, strict=True))
    for metrics in (NO_NETWORK, ("rfvd",)):
        with pytest.raises(MetricError, match="no pair can be compared: frame 0 is 48×40"):
            score(originals[:1], [copies[0][:, ::2]], metrics=metrics)


def test_each_pair_of_one_fake_video_is_counted_and_named(
    originals: list[Pixels], copies: list[Pixels], tmp_path: Path
) -> None:
    rows = ["000000,000000", "000001,000000", "000002,000000", "000002,000003", "000003,000003"]
    (tmp_path / "pairs.csv").write_text("\n".join(["real,fake", *rows]))

    result = score(originals, [*copies[:3], copies[3][:, ::2]], pairs=tmp_path / "pairs.csv")

    found = {finding.code: finding for finding in result.warnings}
    assert list(found["pairs-skipped"].videos) == ["000003 with 000002", "000003 with 000003"]
    assert found["pairs-skipped"].message.startswith("2 of 5 pairs are not compared: ")
    assert list(found["unequal-lengths"].videos) == ["000000 with 000001", "000000 with 000002"]


def test_a_video_that_cannot_be_read_is_left_out(sides: Path, tmp_path: Path, write_video, copies) -> None:
    for k, video in enumerate(copies):
        write_video(tmp_path / "fake" / f"v{k}.mkv", video, codec="rawvideo", pix_fmt="bgr24")
    (tmp_path / "fake" / "v1.mkv").write_bytes(b"no video")

    result = score(sides / "real", tmp_path / "fake")

    assert [pair.real for pair in result.pairs] == ["v0.mkv", "v2.mkv", "v3.mkv"]
    (left,) = of(result, "common-metrics/psnr").skipped
    assert left.video == "v1.mkv" and left.reason.startswith("the fake video: ")


def test_without_weights_lpips_says_what_to_do_and_the_others_are_scored(
    originals, copies, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    result = score(originals, copies, "tokenbench", metrics=("psnr", "lpips"))

    lpips = of(result, "tokenbench/lpips")
    assert lpips.value is None and lpips.reason is not None and "\n" not in lpips.reason and lpips.skipped == ()
    assert "`fvd-bench weights import vgg16-imagenet FILE`" in lpips.reason
    assert of(result, "tokenbench/psnr").value is not None
    with pytest.raises(MetricError, match="vgg16-imagenet are not here"):
        score(originals, copies, "tokenbench", metrics=("lpips",))


def test_what_cannot_be_scored_ends_as_in_compute(sides: Path, store: Path, pixels_protocol) -> None:
    """0 where another score has a value, with the reason in a sentence, and 3 where none has."""
    given = ["--real", sides / "real", "--fake", sides / "fake", "--json", "-", "--no-cache"]
    commands = [
        (["paired", *given, "--metric", "lpips"], ["--metric", "psnr"], "alexnet-imagenet"),
        (
            ["compute", *given, "--protocol", "torch-fidelity-fid"],
            ["--protocol", pixels_protocol(frames=4)],
            "inception",
        ),
    ]
    for command, more, weights in commands:
        alone, beside = (fvd_bench(*command, *extra, FVD_BENCH_OFFLINE="1") for extra in ([], more))

        assert (alone.returncode, alone.stdout) == (3, "") and f"the weights {weights}" in alone.stderr
        scores = json.loads(beside.stdout)["scores"]
        assert beside.returncode == 0 and {score["value"] is None for score in scores} == {True, False}
        (reason,) = {score["reason"] for score in scores} - {None}
        assert f"the weights {weights}" in reason and "`fvd-bench weights import" in reason and "\n" not in reason


def test_frames_too_small_for_a_window_have_no_score_of_it(originals, copies) -> None:
    result = score(originals, copies, "e2fgvi")

    reason = of(result, "e2fgvi/ssim").reason
    assert reason == (
        "no pair can be compared; the first of 4: frames of 48×40 are too small for SSIM's window of 65 pixels"
    )
    assert of(result, "e2fgvi/psnr").reason == "it is infinite, since some frames are equal to the last bit"
    assert of(result, "e2fgvi/flickering").value is not None


def test_strict_allows_no_score_to_leave_out_a_video(originals, copies, tmp_path: Path, pixels_protocol) -> None:
    """Neither one whose frames are too small for a window, nor one that is too short for rFVD."""
    settings, file = Settings(cache=None, strict=True), tmp_path / "mine.toml"
    pixels = pixels_protocol(frames=7)
    file.write_text(f'name = "mine"\nversion = 1\nsummary = "s"\nsource = "s"\nlengths = "equal"\nrfvd = "{pixels}"\n')

    with pytest.raises(SourceError, match=r"^e2fgvi/ssim: .*frames of 48×40 are too small .*, and --strict"):
        score(originals, copies, "e2fgvi", settings=settings)
    with pytest.raises(SourceError, match=r"^pixels/rfvd: 000000 \(too short: 6 frames .*, and --strict"):
        score(originals, copies, file, metrics=("flickering", "rfvd"), settings=settings)
    kept = score(originals[1:], copies[1:], file, metrics=("flickering", "rfvd"), settings=settings)
    assert kept.rfvd is not None and kept.rfvd.value is not None


def test_wrapped_arithmetic_is_told(originals: list[Pixels], copies: list[Pixels]) -> None:
    wrapped, quiet = (score(originals, fakes, "tokenbench") for fakes in (copies, originals))

    (finding,) = [finding for finding in wrapped.warnings if finding.code == "psnr-wraps"]
    pairs = [*zip(originals, copies, strict=True)]
    exact = [((a.astype(np.float64) - b) ** 2).mean(axis=(1, 2, 3)) for a, b in pairs]
    dropped = 1 - sum(((a - b) ** 2).mean(axis=(1, 2, 3)).sum() for a, b in pairs) / sum(map(np.sum, exact))
    higher = np.mean([10 * np.log10(255**2 / video.mean()) for video in exact])
    told = f"drops {percent(dropped)} of the squared error; computed exactly it is {number(higher)}"
    assert f"its uint8 arithmetic, which is kept, {told}" in finding.message
    assert "psnr-wraps" not in {finding.code for finding in quiet.warnings}


def test_what_wrapped_arithmetic_is_held_against_is_pooled_alike(originals: list[Pixels], copies: list[Pixels]) -> None:
    psnr = PsnrRule(pool="frame", average="frames", most=30)
    wrapping, exact = (
        replace(load("tokenbench"), name=arithmetic, psnr=replace(psnr, arithmetic=arithmetic))
        for arithmetic in ("uint8", "exact")
    )

    result = score(originals, copies, [wrapping, exact])

    (finding,) = [finding for finding in result.warnings if finding.code == "psnr-wraps"]
    assert finding.message.endswith(f"computed exactly it is {number(of(result, 'exact/psnr').value)}")


def test_rfvd_scores_the_same_pairs_as_sets(sides: Path, tmp_path: Path, pixels_protocol) -> None:
    """Under a protocol on means of pixels, named in a paired protocol of one's own."""
    file = tmp_path / "mine.toml"
    pixels = pixels_protocol(frames=4)
    file.write_text(
        f'name = "mine"\nversion = 1\nsummary = "s"\nsource = "s"\nlengths = "equal"\nrfvd = "{pixels}"\n'
        '[psnr]\npool = "frame"\nmost = 100\n'
    )
    result, bare = (score(sides / "real", sides / "fake", file, metrics=m) for m in (None, ("psnr",)))
    from fvd_bench.evaluation.evaluate import evaluate

    alone = evaluate(sides / "real", sides / "fake", pixels, settings=Settings(cache=None), progress=False)

    assert result.rfvd is not None and bare.rfvd is None and bare.rfvd_reason is None
    assert result.rfvd.value == alone.value and result.rfvd.real.videos == 4
    assert result.metrics["pixels/fvd"] == alone.value
    assert PairedResult.from_json(result.to_json()) == result


def test_predictions_of_one_original_count_as_one_in_rfvd(originals, copies, tmp_path: Path, pixels_protocol) -> None:
    pixels, file, table = Path(pixels_protocol(frames=4)), tmp_path / "mine.toml", tmp_path / "pairs.csv"
    pixels.write_text(pixels.read_text().replace('{ real = "random", fake = "first" }', '"first"'))
    file.write_text(f'name = "mine"\nversion = 1\nsummary = "s"\nsource = "s"\nlengths = "equal"\nrfvd = "{pixels}"\n')
    table.write_text("\n".join(["real,fake", *(f"{place % 4:06d},{place:06d}" for place in range(8))]))

    once = score(originals, copies, file, metrics=("rfvd",)).rfvd
    twice = score(originals, [*copies, *copies], file, metrics=("rfvd",), pairs=table).rfvd

    assert once is not None and twice is not None
    assert twice.scores[0].value == pytest.approx(once.scores[0].value, rel=1e-9)
    assert twice.scores[0].interval == pytest.approx(once.scores[0].interval, rel=1e-9)
    assert twice.scores[0].fake.clips == 8


def test_a_result_comes_back_from_json_and_other_texts_do_not(originals, copies) -> None:
    result = score(originals, copies, ["common-metrics", "tokenbench"])
    table = json.loads(result.to_json())
    broken = [
        "{", "[]", "null", json.dumps(table | {"schema": 2}), json.dumps(table | {"kind": "ranking"}),
        json.dumps(table | {"scores": [{"metric": 1}]}), json.dumps(table | {"pairs": None}),
    ]  # fmt: skip

    assert PairedResult.from_json(result.to_json()) == result
    assert PairedResult.from_json(json.dumps(table | {"later": 1})) == result
    for text in broken:
        with pytest.raises(FvdBenchError, match="not a paired result"):
            PairedResult.from_json(text)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"metrics": ("fvd",)}, ArgumentError, "expected some of psnr, ssim, lpips, flickering, rfvd"),
        ({"metrics": ()}, ArgumentError, "expected some of"),
        (
            {"metrics": ("rfvd",), "protocol": "torchmetrics"},
            ArgumentError,
            "rfvd cannot be scored: torchmetrics has psnr, ssim,",
        ),
        ({"seed": -1}, ArgumentError, "seed = -1"),
        ({"protocol": "common-metric"}, UnknownProtocolError, "did you mean common-metrics"),
        (
            {"settings": Settings(cache=None, weights={"alexnet": "x"})},
            FvdBenchError,
            "no weights are called",
        ),
    ],
)
def test_what_is_typed_wrong_is_refused(originals, copies, given, error, says: str) -> None:
    with pytest.raises(error, match=says):
        score(originals, copies, **given)


class Damaged:
    """A side of one video whose third frame decodes with errors."""

    name, kind, notes, names = "damaged", "frames in memory", (), ("000000",)
    num_frames = 6

    def __init__(self, frames: Pixels) -> None:
        self._frames = frames

    def video(self, index: int) -> Damaged:
        return self

    def frames(self, indices: np.ndarray) -> Iterator[Frame]:
        for index in indices.tolist():
            yield Frame(self._frames[index], damaged=index == 2)

    def content(self) -> str:
        return "0" * 64

    state = content


def test_damaged_frames_are_told(originals: list[Pixels], copies: list[Pixels]) -> None:
    result = score(originals[:1], Damaged(copies[0]))

    (finding,) = [finding for finding in result.findings if finding.code == "damaged"]
    assert (finding.side, finding.videos) == ("fake", {"000000": "1 of 6"})
    assert of(result, "common-metrics/psnr").pairs == 1

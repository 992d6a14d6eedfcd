"""Videos against their originals on the command line and in reports: tables, files, curves, pages, exit codes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.paired.evaluate import evaluate_paired
from fvd_bench.paired.result import PairedResult
from fvd_bench.reports.page import paired_page
from fvd_bench.reports.page.page import Items, Table
from fvd_bench.reports.paired import frame_panels, paired_report, pairs_csv
from fvd_bench.settings import Settings
from tests.program import fvd_bench

EVIL = "=cmd()\x1b[2J<script>"


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory, moving_frames) -> Path:
    """Three originals and copies with noise that grows, as .npz files; and copies of another size."""
    root = tmp_path_factory.mktemp("arrays")
    videos = {f"v{k}": moving_frames(5, 24, 28, seed=k) for k in range(3)}
    random = np.random.default_rng(0)
    noise = np.stack([random.integers(-9 * t - 9, 9 * t + 10, (24, 28, 3)) for t in range(5)])
    copies = {name: (video + noise).clip(0, 255).astype(np.uint8) for name, video in videos.items()}
    np.savez(root / "real.npz", **videos)
    np.savez(root / "fake.npz", **{k: v for k, v in copies.items() if k != "v2"}, more=copies["v2"])
    np.savez(root / "small.npz", **{name: video[:, ::2] for name, video in copies.items()})
    return root


@pytest.fixture(scope="module")
def result(moving_frames) -> PairedResult:
    """Two pairs, one of them with a hostile name."""
    real = {name: moving_frames(4, 24, 28, seed=k) for k, name in enumerate(("a", EVIL))}
    fake = {name: video // 2 for name, video in real.items()}
    return evaluate_paired(real, fake, metrics=["psnr", "ssim"], settings=Settings(cache=None), progress=False)


def sides(arrays: Path, fake: str = "fake.npz") -> list[object]:
    return ["paired", "--real", arrays / "real.npz", "--fake", arrays / fake, "--no-cache", "--metric", "psnr"]


def test_one_command_writes_all_that_is_asked_for(arrays: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("a.json", "a.csv", "a.svg", "a.html")}
    options = zip(("--json", "--per-video", "--plot", "--html"), files.values(), strict=True)

    done = fvd_bench(*sides(arrays), "--metric", "ssim", *(word for pair in options for word in pair))

    assert done.returncode == 0, done.stderr
    table, found = json.loads(files["a.json"].read_text()), PairedResult.from_json(files["a.json"].read_text())
    assert (table["schema"], table["kind"]) == (1, "paired")
    assert "PSNR ↑" in done.stdout and "common-metrics@1" in done.stdout
    assert done.stdout.splitlines()[-2:] == [score.signature for score in found.scores]
    assert "some videos have no partner" in done.stdout
    assert "1 of 3 fake videos has no partner and is left out: more" in done.stderr
    rows = list(csv.DictReader(io.StringIO(files["a.csv"].read_text())))
    assert [(row["real"], row["frames"]) for row in rows] == [("v0", "5"), ("v1", "5")]
    assert [float(row["common-metrics/psnr"]) for row in rows] == [
        pair.values["common-metrics/psnr"] for pair in found.pairs
    ]
    assert files["a.svg"].read_bytes().startswith(b"<?xml")
    page = files["a.html"].read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Scores", "PSNR of common-metrics by frame", "SSIM of common-metrics by frame", "The worst pairs", "Findings",
        "How it was made",
    ]  # fmt: skip
    psnr = found.scores[0].curve
    assert psnr is not None and list(psnr.values) == sorted(psnr.values, key=lambda v: -(v or 0))


def test_programs_get_one_form_alone(arrays: Path) -> None:
    score, as_csv = (fvd_bench(*sides(arrays), "--quiet", "--format", form) for form in ("score", "csv"))

    (row,) = csv.DictReader(io.StringIO(as_csv.stdout))
    assert score.stdout == f"{row['value']}\n" and score.stderr == ""
    assert (row["metric"], row["pairs"], row["skipped"]) == ("psnr", "2", "0")


def test_report_draws_several_results_on_the_same_axes(tmp_path: Path, result: PairedResult) -> None:
    for name in ("one", "two"):
        result.write(tmp_path / f"{name}.json")

    done = fvd_bench("report", tmp_path / "one.json", tmp_path / "two.json", "--out", tmp_path / "c.svg")
    compared = fvd_bench("compare", tmp_path / "one.json", tmp_path / "two.json")
    points = fvd_bench("report", tmp_path / "one.json", "--format", "csv")

    assert done.returncode == points.returncode == 0, done.stderr
    assert "one.json" in done.stdout and "two.json" in done.stdout
    assert compared.returncode == 3 and "not a result of schema 1, but of the kind 'paired'" in compared.stderr
    drawn = (tmp_path / "c.svg").read_text()
    assert "one.json" in drawn and "PSNR, common-metrics" in drawn
    rows = list(csv.DictReader(io.StringIO(points.stdout)))
    assert [(row["metric"], row["frame"]) for row in rows] == [(m, str(t)) for m in ("psnr", "ssim") for t in range(4)]
    curve = result.scores[0].curve
    assert curve is not None and float(rows[2]["value"]) == curve.values[2] and rows[2]["videos"] == "2"


def test_better_is_up_and_no_axis_is_stretched_to_zero(result: PairedResult) -> None:
    panels = frame_panels({"": result})

    assert [(p.metric, p.lower_is_better, p.from_zero) for p in panels] == [
        ("psnr", False, False),
        ("ssim", False, False),
    ]


def test_a_score_of_nought_shows_how_it_goes_along_the_video(result: PairedResult) -> None:
    first = result.scores[0]
    assert first.curve is not None
    curve = dataclasses.replace(first.curve, values=(1.5, 0.0, 0.0, -1.5))
    nought = dataclasses.replace(result, scores=[dataclasses.replace(first, value=0.0, curve=curve)])

    assert "1.50 0.00 0.00 -1.50" in paired_report(nought).in_form("markdown")


def test_names_are_shown_and_not_obeyed(result: PairedResult) -> None:
    page, table = paired_page(result).html(), pairs_csv(result)

    assert "<script>" not in page.split("</style>")[-1] and "\x1b" not in page + table
    assert table.splitlines()[1].startswith("./=cmd()")
    assert paired_report(result).in_form("markdown").count("\n| PSNR") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--pairs", "none.csv"], 3, "expected name, order, or a CSV file"),
        (["--protocol", "common-metric"], 2, "did you mean common-metrics"),
        (["--plot", "a.txt"], 2, "ends in .png or .svg"),
        (["--metric", "fvd"], 2, "is not one of"),
        (["--strict"], 3, "have no partner"),
        (["--weights", "alexnet=x"], 2, "no weights are called"),
        (["--metric", "lpips", "--weights", "alexnet-imagenet=none.pth"], 3, "cannot read none.pth"),
    ],
)
def test_mistakes_have_their_exit_codes(arrays: Path, arguments: list[str], code: int, says: str) -> None:
    done = fvd_bench(*sides(arrays), *arguments)

    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr


def test_sides_of_unequal_size_are_one_sentence(arrays: Path) -> None:
    done = fvd_bench(*sides(arrays, "small.npz"), "--quiet")

    assert done.returncode == 3
    assert done.stderr == (
        "fvd-bench: error: no pair can be compared; the first of 3: frame 0 is 28×24 in the real video and 28×12 in "
        "the fake one\n"
    )


def test_a_page_says_below_its_table_why_a_score_is_missing(result: PairedResult) -> None:
    """In the table the reason would make a column that is out of the window."""
    reason = "no pair has 11 frames, and that many are needed for its window"
    broken = dataclasses.replace(result.scores[1], value=None, interval=None, curve=None, reason=reason)

    page = paired_page(dataclasses.replace(result, scores=(result.scores[0], broken)))

    (scores,) = (section for section in page.sections if section.title == "Scores")
    table, items = scores.blocks
    assert isinstance(table, Table) and reason not in {cell for row in table.rows for cell in row}
    assert items == Items([f"common-metrics@1: no SSIM: {reason}"])

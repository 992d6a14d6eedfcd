"""The command line with several generators: a ranking, its JSON, comparisons of many, and curves."""

import csv
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.evaluation.comparisons.result_files import ranking_from_json
from tests.program import fvd_bench


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """Arrays of 16 videos of coloured blocks: real, runs/good/samples.npy and so on; dark and darker lose light."""
    root = tmp_path_factory.mktemp("several")
    for number, (name, light) in enumerate({"real": 1, "good": 1, "dark": 0.5, "darker": 0.25}.items()):
        rng = np.random.default_rng(number)
        blocks = np.kron(light * rng.uniform(40, 250, (16, 1, 3, 3, 3)), np.ones((1, 20, 8, 8, 1)))
        file = root / "real.npy" if name == "real" else root / "runs" / name / "samples.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, (blocks + rng.normal(0, 2, blocks.shape)).clip(0, 255).astype(np.uint8))
    return root


@pytest.fixture(scope="module")
def compute(sets: Path, write_pixels_protocol):
    """Run `compute` with one store for all tests, so that each video is read once."""
    protocol = write_pixels_protocol(sets)

    def run(
        *names: str, more: tuple[object, ...] = (), store: Path = sets / "store"
    ) -> subprocess.CompletedProcess[str]:
        fakes = [part for name in names for part in ("--fake", sets / "runs" / name / "samples.npy")]
        place = ("--protocol", protocol, "--cache", store, "--device", "cpu")
        return fvd_bench("compute", "--real", sets / "real.npy", *fakes, *place, *more, COLUMNS="80")

    return run


def test_several_fakes_are_one_ranked_table(compute, tmp_path: Path) -> None:
    done = compute("dark", "good", "darker", more=("--json", tmp_path / "r.json", "--keep-features"))

    assert done.returncode == 0, done.stderr
    title, _, _, *rows = done.stdout.split("\n")
    assert title == "FVD pixels@1"
    assert [row.split()[:2] for row in rows[:3]] == [
        ["1", "good"], ["2", "dark"], ["3", "darker"]
    ]  # fmt: skip
    assert rows[0].endswith("  2-3") and rows[1].endswith("  1, 3")
    assert "Holm's correction for 3 comparisons" in done.stdout
    assert done.stdout.count("fvd|pixels@1|") == 1
    assert max(len(line) for line in done.stdout.split("\n") if "|" not in line) <= 80
    ranked = ranking_from_json((tmp_path / "r.json").read_text())
    assert list(ranked.results) == ["dark", "good", "darker"]
    assert {f"r.{place}.npz" for place in range(3)} <= {file.name for file in tmp_path.iterdir()}

    again = fvd_bench("compare", tmp_path / "r.json", COLUMNS="80")
    assert again.stdout == done.stdout


def test_each_finding_is_told_once_and_says_of_whom_it_is(compute, tmp_path: Path) -> None:
    done = compute("dark", "good", more=("--json", tmp_path / "r.json"))
    again = fvd_bench("compare", tmp_path / "r.json")

    assert again.stderr == done.stderr.replace(f"wrote {tmp_path / 'r.json'}\n", "")
    about_real = [line for line in done.stderr.split("\n") if "16 real videos for 54 features" in line]
    assert len(about_real) == 1
    assert "warning: good: FVD of pixels: " in done.stderr
    assert "warning: dark: the real and" not in done.stderr


def test_the_forms_of_a_ranking(compute) -> None:
    forms = {
        form: compute("dark", "good", more=("--format", form)).stdout for form in ("json", "csv", "markdown", "score")
    }

    assert json.loads(forms["json"])["kind"] == "ranking"
    assert forms["csv"].split("\n")[1].startswith("1,good,dark,pixels,1,fvd,")
    assert "| 1 | good |" in forms["markdown"]
    assert len(forms["score"].split()) == 2


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        (("good", "good"), (), "is given twice: give each generator once"),
        (("good", "dark"), ("--dry-run", "--html", "-"), "--dry-run scores nothing"),
        (("good",), ("--dry-run", "--format", "json"), "--dry-run scores nothing, so there is no --format"),
        (("good", "dark"), ("--manifest", "m.json"), "are of one --fake: give one at a time"),
    ],
)
def test_what_is_of_one_generator_is_refused(compute, names: tuple[str, ...], more: tuple[str, ...], message) -> None:
    done = compute(*names, more=more)

    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_compare_ranks_more_than_two_results(compute, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.json" for name in ("darker", "good", "dark")]
    for file in files:
        assert compute(file.stem, more=("--json", file)).returncode == 0

    done, shown = fvd_bench("compare", *files), fvd_bench("compare", *files, "--html", "-")
    alone, twice = fvd_bench("compare", files[0]), fvd_bench("compare", *files, files[0])

    assert [line.split()[1] for line in done.stdout.split("\n")[3:6]] == ["good", "dark", "darker"]
    assert (alone.returncode, twice.returncode) == (2, 2)
    assert "better" in fvd_bench("compare", *files[:2]).stdout  # of two, as ever
    assert shown.returncode == 0, shown.stderr
    assert re.findall(r"<h2>(.*?)</h2>", shown.stdout) == [*SECTIONS[:2], *SECTIONS[4:]]
    assert "good is best, by more than chance explains." in shown.stdout


SECTIONS = [
    "In order", "Which differences are real", "What the network saw", "The fakes that hurt most, of each generator",
    "Findings", "Motion", "How it was made",
]  # fmt: skip


def test_a_ranking_has_a_page_and_a_table_of_videos(compute, tmp_path: Path) -> None:
    page, videos, result = tmp_path / "r.html", tmp_path / "v.csv", tmp_path / "r.json"

    done = compute("dark", "good", more=("--html", page, "--per-video", videos, "--json", result))

    assert done.returncode == 0, done.stderr
    text = page.read_text("utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", text) == SECTIONS
    assert re.findall(r"<h3 [^>]*>(.*?)</h3>", text) == ["real", "dark", "good"]
    assert '<p class="sentence">good is best, by more than chance explains. FVD ' in text
    assert re.search(r"<summary>dark</summary>.*?<article>.*?<summary>good</summary>.*?<article>", text, re.DOTALL)
    assert text.count("16 real videos for 54 features") == 1
    ranked = ranking_from_json(result.read_text())
    for name, found in ranked.results.items():
        assert f"<td>{name}</td>" in text and found.fake.path in text and found.scores[0].signature in text
    with videos.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["generator"] for row in rows[::32]] == ["dark", "good"] and len(rows) == 64
    alone = compute("good", more=("--per-video", "-")).stdout.splitlines()
    assert [",".join(["good", line]) for line in alone[1:]] == videos.read_text().splitlines()[33:]


def test_a_dry_run_of_several_plans_the_real_side_once(compute, tmp_path: Path) -> None:
    done = compute("dark", "good", more=("--dry-run",), store=tmp_path / "empty")

    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.split("\n")[3:6]]
    assert rows == [
        ["pixels", "real", "16", "0", "0"], ["dark", "pixels", "fake", "16", "0", "0"],
        ["good", "pixels", "fake", "16", "0", "0"],
    ]  # fmt: skip
    assert done.stdout.count("the whole run needs about") == 1


def test_windows_are_scored_shown_and_drawn(compute, tmp_path: Path) -> None:
    done = compute("dark", more=("--windows", 2, "--json", tmp_path / "w.json"))
    drawn = fvd_bench("report", tmp_path / "w.json", "--out", tmp_path / "w.svg", COLUMNS="80")

    assert (done.returncode, drawn.returncode) == (0, 0), drawn.stderr
    rows = [line.split() for line in done.stdout.split("\n") if line.startswith("frames ")]
    assert [" ".join(row[:4]) for row in rows] == ["frames 0 to 8", "frames 9 to 17"]
    scores = json.loads((tmp_path / "w.json").read_text())["scores"]
    assert [score["row"] for score in scores] == [None, "window-0-8", "window-9-17"]
    assert "|fake:all,from9,9x1|" in scores[2]["signature"]
    page = fvd_bench("report", tmp_path / "w.json", "--out", tmp_path / "w.html")
    text = (tmp_path / "w.html").read_text("utf-8")
    assert page.returncode == 0 and "frames 9 to 17" in text and "frame at which a window begins</text>" in text
    assert "frames 9 to 17" in drawn.stdout and f"wrote {tmp_path / 'w.svg'}" in drawn.stderr
    assert (tmp_path / "w.svg").read_text().startswith("<?xml")


def test_a_picture_of_another_form_is_refused(tmp_path: Path) -> None:
    done = fvd_bench("report", tmp_path / "r.json", "--out", tmp_path / "r.pdf")

    assert done.returncode == 2
    assert "expected a file that ends in .png, .svg or .html" in done.stderr


def test_the_name_of_an_address_holds_no_secret() -> None:
    address = "https://me:secret@127.0.0.1:1/a.zip?token=secret"

    done = fvd_bench("compute", "--real", "real/", "--fake", address, "--fake", address)

    assert done.returncode == 2
    assert "is given twice" in " ".join(done.stderr.split()) and "secret" not in done.stderr


def test_addresses_that_differ_in_their_query_are_numbered(server, sets: Path, pixels_protocol, tmp_path: Path) -> None:
    address = server.put("/samples.npy", (sets / "runs" / "good" / "samples.npy").read_bytes())
    fakes = [part for run in (1, 2) for part in ("--fake", f"{address}?run={run}&token=secret")]
    place = ("--protocol", pixels_protocol(), "--no-cache", "--device", "cpu", "--json", tmp_path / "r.json")

    done = fvd_bench("compute", "--real", sets / "real.npy", *fakes, *place)

    assert done.returncode == 0, done.stderr
    assert "secret" not in (text := (tmp_path / "r.json").read_text())
    assert list(ranking_from_json(text).results) == ["samples.npy?***", "samples (2).npy?***"]

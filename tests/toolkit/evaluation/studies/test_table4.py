"""Table 4 of the paper on other videos: each row alone gives its digits, and what it does is told in words."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.studies import table4
from fvd_bench.protocols import protocol
from fvd_bench.reports.page import of_table4, table4_page
from fvd_bench.reports.table4 import table4_report
from fvd_bench.settings import Settings
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None)
ROWS = ["proper", "resize-128", "jpeg-75", "all-clips", "first-frames", "stride-8", "still-images"]
JPEG = 'jpeg = { fake = "unless-jpeg" }\norder = { fake = "jpeg-then-resize" }'


@pytest.fixture(scope="module")
def base(write_pixels_protocol, tmp_path_factory) -> str:
    return write_pixels_protocol(tmp_path_factory.mktemp("base"), name="base", images=JPEG, count="fake = 2048")


def test_the_rows_of_the_shipped_base_are_the_shipped_files() -> None:
    shipped = ["", "-resize128", "-jpeg75", "-all-clips", "-first-frames", "-stride8", "-still"]

    derived = table4.rows(protocol.load("stylegan-v-fvd16"))

    assert list(derived) == ROWS
    for suffix, row in zip(shipped, derived.values(), strict=True):
        file = protocol.load(f"stylegan-v-fvd16{suffix}")
        assert (row.name, row.version, row.digest()) == (file.name, file.version, file.digest())


@pytest.fixture(scope="module")
def found(two_sides, base: str) -> Result:
    """Of whole videos as they are, whatever else is asked for."""
    settings = dataclasses.replace(NO_CACHE, motion=True, windows=2)
    return table4.table4(*two_sides, base, repeats=2, seed=2, settings=settings)


def test_each_row_gives_the_digits_of_its_protocol_alone(found: Result, two_sides, base: str) -> None:
    derived = table4.rows(protocol.load(base))

    assert [score.row for score in found.scores] == ROWS
    for score in found.scores:
        if score.row == "stride-8":
            continue
        alone = evaluate(*two_sides, derived[score.row], repeats=2, seed=2, settings=NO_CACHE).scores[0]
        assert dataclasses.replace(score, row=None) == alone
    assert len({score.values for score in found.scores}) == len(ROWS)


def test_a_row_that_the_data_cannot_serve_says_so(found: Result) -> None:
    score = found.scores[ROWS.index("stride-8")]

    assert score.value is None
    assert "a clip needs 65 frames and the longest of the short videos has 27" in str(score.reason)


def test_jpeg_fakes_and_small_frames_have_no_such_row(tmp_path: Path, moving_frames, write_frames, base: str) -> None:
    """Frames of 128 x 128, the fake ones JPEG files: two mistakes that cannot be made on them."""
    for seed in range(4):
        write_frames(tmp_path / "real" / str(seed), moving_frames(12, 128, 128, seed=seed))
        write_frames(tmp_path / "fake" / str(seed), moving_frames(12, 128, 128, seed=9 + seed), suffix=".jpg")

    scores = {s.row: s for s in table4.table4(tmp_path / "real", tmp_path / "fake", base, settings=NO_CACHE).scores}

    assert "all frames are 128 x 128 already" in str(scores["resize-128"].reason)
    assert "all fake frames are JPEG files already" in str(scores["jpeg-75"].reason)
    for row in ("resize-128", "jpeg-75"):
        score = scores[row]
        assert (score.value, score.values, score.std, score.interval, score.floor) == (None, (), None, None, None)
    assert scores["first-frames"].value is not None


def test_a_clip_that_fills_the_video_leaves_no_choice(
    tmp_path: Path, two_sides, moving_frames, write_video, base: str
) -> None:
    for seed in range(4):
        write_video(tmp_path / f"{seed}.mkv", moving_frames(9, seed=seed), codec="rawvideo", pix_fmt="bgr24")

    scores = {s.row: s for s in table4.table4(tmp_path, two_sides[1], base, settings=NO_CACHE).scores}

    for row in ("all-clips", "first-frames"):
        assert scores[row].value is None
        assert "nothing in this data is changed by it" in str(scores[row].reason)
    assert scores["jpeg-75"].value is not None


def test_without_the_proper_score_there_is_no_table(two_sides, pixels_protocol) -> None:
    """One fake video is long enough; still images of the six real ones would still make a row."""
    file = Path(pixels_protocol(name="long"))
    file.write_text(file.read_text().replace("frames = 9", "frames = { real = 9, fake = 28 }\nlength_rule = 'span'"))

    with pytest.raises(MetricError, match=r"^long: fvd needs at least 2 fake clips and gets 1"):
        table4.table4(*two_sides, str(file), settings=NO_CACHE)


def test_a_base_of_two_metrics_is_refused(base: str) -> None:
    loaded = protocol.load(base)
    two = dataclasses.replace(loaded, metric=dataclasses.replace(loaded.metric, names=("fvd", "kvd")))

    with pytest.raises(ProtocolError, match="fvd, kvd: expected one"):
        table4.rows(two)


def _scores(proper: tuple[float, ...], row: tuple[float, ...], like: Score) -> tuple[Score, Score]:
    made = [
        dataclasses.replace(
            like,
            values=values,
            value=float(np.mean(values)),
            std=float(np.std(values)) if len(values) > 1 else None,
            interval=None,
            reason=None,
        )
        for values in (proper, row)
    ]
    return made[0], made[1]


@pytest.mark.parametrize(
    ("proper", "row", "words"),
    [
        ((100.0,), (150.0,), "raises the score by 50.0 % in this one draw; --repeats 5 tells change from chance"),
        ((99.0, 101.0), (149.0, 151.0), "raises the score by 50.0 %"),  # by 50 in each draw
        ((99.0, 101.0), (79.0, 81.0), "lowers the score by 20.0 %"),
        ((98.0, 100.0, 102.0), (102.0, 104.0, 106.0), "raises the score by 4.0 %"),  # 4 in each, whatever their spread
        ((99.0, 100.0, 101.0), (103.0, 104.0, 108.0), "raises the score by 5.0 %"),  # 5 > 4.30 · √(3 / 3)
        ((99.0, 100.0, 101.0), (100.0, 104.0, 108.0), "cannot be told from chance"),  # 4 <= 4.30 · 3 / √3
        ((99.0, 100.0, 101.0), (102.0, 103.0, 107.0), "cannot be told from chance"),  # 4 <= 4.30 · √(3 / 3)
        ((0.0, 0.0), (1.0, 1.0), "raises the score from 0"),
    ],
)
def test_a_verdict_weighs_the_change_against_the_draws(found: Result, proper, row, words: str) -> None:
    before, after = _scores(proper, row, found.scores[0])

    assert table4.verdict(after, before) == words


def test_a_rise_from_below_zero_is_a_rise(found: Result) -> None:
    """As unbiased distances of sets that are alike may be."""
    before, after = _scores((-1.0, -1.0), (-0.5, -0.5), found.scores[0])
    unsure = dataclasses.replace(before, interval=(-1.6, -0.4))

    page = table4_page(dataclasses.replace(found, scores=(before, dataclasses.replace(after, row="all-clips")))).html()

    assert table4.change_percent(after, before) == pytest.approx(50)
    assert table4.verdict(after, unsure) == "no verdict, since the score itself is uncertain by ± 60 %"
    assert "The largest effect: all-clips raises FVD by 50.0 %" in page and "+50.0 %" in page
    wide = _scores((-1.2, -0.8), (-0.6, -0.4), found.scores[0])
    assert of_table4._error_percent(wide[1], wide[0]) == pytest.approx(12.706 * 10, rel=1e-4)  # √(0.02 / 2) of 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((100.7, 100.7), "no verdict, since the score itself is uncertain by ± 40 %"),
        ((100.7,), "no verdict, since the score itself is uncertain by ± 40 %"),
        ((150.0, 150.0), "raises the score by 50.0 %"),
    ],
)
def test_a_change_within_the_interval_of_the_score_has_no_verdict(found: Result, row, words: str) -> None:
    before, after = _scores((100.0,) * len(row), row, found.scores[0])

    assert table4.verdict(after, dataclasses.replace(before, interval=(60.0, 140.0))) == words


def test_the_table_stands_beside_the_papers(found: Result, text_of) -> None:
    text = text_of(table4_report(found).text)

    rows = {row: line for line in text.splitlines() for row in ROWS if line.startswith(row)}
    assert list(rows) == ROWS
    assert f"{found.value:.3g}" in rows["proper"] and "76.82 ± 1.57 on Face Forensics" in text
    percent = 100 * (found.scores[-1].value / found.value - 1)
    assert all(words in rows["still-images"] for words in ("+345.8 %", "+169.2 %", f"{percent:+.1f} %"))
    assert "fvd needs at least 2 real clips and gets 0" in " ".join(text.split())


def test_a_row_that_changes_nothing_is_known_to_change_nothing(found: Result) -> None:
    same = dataclasses.replace(found.scores[1], value=None, reason=f"{table4.SAME}: all frames are 128 x 128 already")
    result = dataclasses.replace(found, scores=(found.scores[0], same))

    report = table4_report(result)

    assert "| +0.0 % |" in report.in_form("markdown")
    assert report.records[1]["change_percent"] == 0
    assert len(report.signatures) == 1 and report.signatures[0] == found.scores[0].signature


@pytest.mark.slow  # the rows are tested above, the network in many places
def test_the_command_makes_the_table_with_the_network(two_sides, tmp_path: Path) -> None:
    command = ["table4", "--real", two_sides[0], "--fake", two_sides[1], "--cache", tmp_path / "s", "--repeats", 1]

    for_machines, for_people = (fvd_bench(*command, *more) for more in (["--json", "-"], []))

    scores = Result.from_json(for_machines.stdout).scores
    assert [score.row for score in scores] == ROWS
    assert [score.row for score in scores if score.value is None] == ["stride-8"]
    assert f"{scores[6].value:.2f}" in for_people.stdout
    assert "Timelapse" in for_people.stdout
    assert scores[0].signature in for_people.stdout  # the other rows differ from it in one field each
    assert "warning" in for_people.stderr


def test_the_command_draws_five_times_unless_told() -> None:
    assert "[default: 5;" in fvd_bench("table4", "--help").stdout

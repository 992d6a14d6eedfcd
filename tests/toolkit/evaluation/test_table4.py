import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.evaluation import table4
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result, Score
from fvd_bench.protocols import protocol
from fvd_bench.reports.table4 import table4_table, waterfall_table
from fvd_bench.settings import Settings
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None)
ROWS = ["proper", "resize-128", "jpeg-75", "all-clips", "first-frames", "stride-8", "still-images"]
JPEG = 'jpeg = { fake = "unless-jpeg" }\norder = { fake = "jpeg-then-resize" }'


def _text(renderable: object) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.fixture
def base(pixels_protocol) -> str:
    return pixels_protocol(name="base", images=JPEG, count="fake = 2048")


def test_the_rows_of_the_shipped_base_are_the_shipped_files() -> None:
    shipped = ["", "-resize128", "-jpeg75", "-all-clips", "-first-frames", "-stride8", "-still"]

    derived = table4.rows(protocol.load("stylegan-v-fvd16"))

    assert list(derived) == ROWS
    for suffix, row in zip(shipped, derived.values(), strict=True):
        file = protocol.load(f"stylegan-v-fvd16{suffix}")
        assert (row.name, row.version, row.digest()) == (file.name, file.version, file.digest())


@pytest.fixture
def found(two_sides, base: str) -> Result:
    return table4.table4(*two_sides, base, repeats=3, seed=2, settings=NO_CACHE)


def test_each_row_gives_the_digits_of_its_protocol_alone(found: Result, two_sides, base: str) -> None:
    derived = table4.rows(protocol.load(base))

    assert [score.row for score in found.scores] == ROWS
    for score in found.scores:
        if score.row == "stride-8":
            continue
        alone = evaluate(*two_sides, derived[score.row], repeats=3, seed=2, settings=NO_CACHE).scores[0]
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
        write_video(tmp_path / f"{seed}.mkv", moving_frames(9, seed=seed), codec="ffv1", pix_fmt="bgr0")

    scores = {s.row: s for s in table4.table4(tmp_path, two_sides[1], base, settings=NO_CACHE).scores}

    for row in ("all-clips", "first-frames"):
        assert scores[row].value is None
        assert "nothing in this data is changed by it" in str(scores[row].reason)
    assert scores["jpeg-75"].value is not None


def test_without_the_proper_score_there_is_no_table(two_sides, pixels_protocol) -> None:
    """One fake video is long enough; still images of the six real ones would still make a row."""
    file = Path(pixels_protocol(name="long"))
    file.write_text(file.read_text().replace("frames = 9", "frames = { real = 9, fake = 28 }\nlength_rule = 'span'"))

    with pytest.raises(MetricError, match=r"^long: 6 real and 1 fake features"):
        table4.table4(*two_sides, str(file), settings=NO_CACHE)


def test_a_base_of_two_metrics_is_refused(two_sides, base: str) -> None:
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
        ((0.0, 0.0), (1.0, 1.0), "raises the score from 0"),
    ],
)
def test_a_verdict_weighs_the_change_against_the_draws(found: Result, proper, row, words: str) -> None:
    before, after = _scores(proper, row, found.scores[0])

    assert table4.verdict(after, before) == words


def test_the_table_stands_beside_the_papers(found: Result) -> None:
    text = _text(table4_table(found))

    rows = {line.split("│")[1].strip(): line for line in text.splitlines() if line.count("│") == 10}
    rows.pop("", None)  # lines that go on with a verdict
    assert list(rows) == ROWS
    assert all(words in rows["proper"] for words in ("76.82 ± 1.57", "61.95 ± 0.92", f"{found.value:.3g}"))
    percent = 100 * (found.scores[-1].value / found.value - 1)
    assert all(words in rows["still-images"] for words in ("342.5", "166.8", f"{percent:+.1f} %"))
    assert "see below" in rows["stride-8"]
    assert "stride-8: 0 real and 0 fake features" in text


@pytest.mark.slow  # the rows are tested above, the network in many places
def test_the_command_makes_the_table_with_the_network(two_sides, tmp_path: Path, i3d_tensors) -> None:
    command = [sys.executable, "-m", "fvd_bench", "table4", "--real", two_sides[0], "--fake", two_sides[1]]
    command += ["--cache", tmp_path / "s", "--repeats", "1"]

    for_machines, for_people = (
        subprocess.run([*map(str, command), *more], capture_output=True, text=True, check=True)
        for more in (["--json", "-"], [])
    )

    scores = Result.from_json(for_machines.stdout).scores
    assert [score.row for score in scores] == ROWS
    assert [score.row for score in scores if score.value is None] == ["stride-8"]
    assert f"{scores[6].value:.2f}" in for_people.stdout
    assert "Timelapse" in for_people.stdout
    assert scores[6].signature in for_people.stdout
    assert "warning" in for_people.stderr


def test_the_command_draws_five_times_unless_told() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "fvd_bench", "table4", "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert "[default: 5;" in shown


@pytest.fixture
def two_protocols(pixels_protocol) -> tuple[str, str]:
    """Far apart: lengths, strides, starts, images, network input, divisor."""
    a = pixels_protocol(name="a", images=JPEG)
    b = Path(
        pixels_protocol(
            name="b",
            frames=10,
            clip="stride = { real = 2 }",
            count='fake = 4\nselection = "first-sorted"',
            images='resize = { size = 20 }\njpeg = { fake = "always" }\njpeg_quality = 40',
        )
    )
    b.write_text(b.read_text().replace('["fvd"]', '["fvd"]\nddof = 1').replace('"random"', '"first"'))
    return a, str(b)


def test_the_steps_add_up_to_the_whole_difference(two_sides, two_protocols) -> None:
    waterfall = table4.explain(*two_protocols, *two_sides, repeats=2, settings=NO_CACHE)

    before, after = (evaluate(*two_sides, p, repeats=2, settings=NO_CACHE).value for p in two_protocols)
    assert (waterfall.start.value, waterfall.end.value) == (before, after)
    assert sum(step.change for step in waterfall.steps) == pytest.approx(after - before, rel=1e-9)
    assert [[c.name for c in step.changes if c.idle_in is None] for step in waterfall.steps] == [
        ["frames"], ["real.stride"], ["real.start"], ["resize"], ["fake.count"], ["fake.jpeg"], ["fake.jpeg_quality"],
        ["metric.ddof"],
    ]  # fmt: skip
    assert len({step.score.value for step in waterfall.steps}) > 5


def test_each_step_is_the_score_of_its_own_protocol(two_sides, two_protocols) -> None:
    first, second = table4.explain(*two_protocols, *two_sides, settings=NO_CACHE).steps[:2]
    loaded = protocol.load(two_protocols[0])
    longer = dataclasses.replace(
        loaded, real=dataclasses.replace(loaded.real, frames=10), fake=dataclasses.replace(loaded.fake, frames=10)
    )

    alone = evaluate(*two_sides, longer, settings=NO_CACHE).value

    assert first.score.value == alone
    assert second.change == second.score.value - alone


def test_what_the_other_protocol_never_uses_is_no_step(two_sides, pixels_protocol) -> None:
    """A quality that JPEG brings with it is told with that step."""
    plain = pixels_protocol(name="plain")
    coded = pixels_protocol(name="coded", images='jpeg = { fake = "always" }\njpeg_quality = 30')

    (step,) = table4.explain(plain, coded, *two_sides, settings=NO_CACHE).steps
    (back,) = table4.explain(coded, plain, *two_sides, settings=NO_CACHE).steps

    assert [(c.name, *c.texts) for c in step.changes] == [
        ("fake.jpeg", "never", "always"),
        ("fake.jpeg_quality", "–", "30"),
    ]
    assert back.change == -step.change


def test_an_impossible_step_is_joined_with_the_next(two_sides, pixels_protocol) -> None:
    """Whole videos have no random start, so that frames and start change at once."""
    clips = pixels_protocol(name="clips")
    whole = Path(pixels_protocol(name="whole"))
    whole.write_text(
        whole.read_text().replace("frames = 9", 'frames = { real = "all", fake = 9 }').replace('"random"', '"first"')
    )

    steps = table4.explain(clips, whole, *two_sides, settings=NO_CACHE).steps

    assert [[c.name for c in step.changes] for step in steps] == [["real.frames", "real.start"]]


def test_a_step_that_the_data_cannot_serve_is_joined_with_the_next(two_sides, pixels_protocol) -> None:
    """14 frames at stride 2 span 27: a single video a side is that long."""
    a, b = pixels_protocol(name="a", clip="stride = 2"), pixels_protocol(name="b", frames=14)

    waterfall = table4.explain(a, b, *two_sides, settings=NO_CACHE)

    (step,) = waterfall.steps
    assert [c.name for c in step.changes] == ["frames", "stride"]
    assert [score.value is None for score in waterfall.result.scores] == [False, True, False]
    assert step.change == waterfall.end.value - waterfall.start.value


def test_the_waterfall_in_words_and_as_json(two_sides, two_protocols) -> None:
    waterfall = table4.explain(*two_protocols, *two_sides, settings=NO_CACHE)

    text, table = _text(waterfall_table(waterfall)), json.loads(waterfall.to_json())

    assert "depends on the order" in text
    assert "random → first" in text
    longest = max(waterfall.steps, key=lambda step: abs(step.change))
    bars = {
        line.split("│")[1].strip(): line.split("│")[6].strip()
        for line in text.splitlines()
        if "→" in line and "│" in line
    }
    assert bars[longest.changes[0].name] == ("+" if longest.change > 0 else "-") * 16
    assert table["from"]["value"] + sum(s["change"] for s in table["steps"]) == pytest.approx(table["to"]["value"])
    assert {"field": "real.start", "from": "random", "to": "first"} in [f for s in table["steps"] for f in s["fields"]]
    assert table["schema"] == table["result"]["schema"] == 1


def test_things_that_have_no_common_scale_are_not_explained(two_sides, pixels_protocol) -> None:
    pixels = pixels_protocol()

    with pytest.raises(ProtocolError, match=r"pixels computes fvd on pixels, stylegan-v-fvd16 fvd on i3d"):
        table4.explain(pixels, "stylegan-v-fvd16", *two_sides, settings=NO_CACHE)
    with pytest.raises(ProtocolError, match="fvd on i3d, stylegan-v-fid fid on inception"):
        table4.explain("stylegan-v-fvd16", "stylegan-v-fid", *two_sides, settings=NO_CACHE)
    with pytest.raises(ProtocolError, match="nothing to explain"):
        table4.explain(pixels, pixels, *two_sides, settings=NO_CACHE)


def test_an_end_without_a_score_cannot_be_explained(two_sides, pixels_protocol) -> None:
    good, bad = pixels_protocol(name="good"), pixels_protocol(name="bad", frames=40, clip="min_frames = 1")

    with pytest.raises(MetricError, match=r"^bad: "):
        table4.explain(good, bad, *two_sides, settings=NO_CACHE)
    with pytest.raises(MetricError, match=r"^bad: "):
        table4.explain(bad, good, *two_sides, settings=NO_CACHE)


def test_explain_on_the_command_line(two_sides, two_protocols) -> None:
    sides = ["--real", two_sides[0], "--fake", two_sides[1], "--no-cache"]

    shown = fvd_bench("protocols", "explain", *two_protocols, *sides)
    told = fvd_bench("protocols", "explain", *two_protocols, *sides, "--json", "-")
    refused = fvd_bench("protocols", "explain", two_protocols[0], two_protocols[0], *sides)

    assert "depends on the order" in shown.stdout
    assert "fvd|b@1|features:pixels" in shown.stdout
    assert len(json.loads(told.stdout)["steps"]) == 8
    assert (refused.returncode, refused.stdout) == (3, "")


def test_diff_and_list_on_the_command_line() -> None:
    shown = fvd_bench("protocols", "diff", "stylegan-v-fvd16", "stylegan-v-fvd16-code").stdout
    same = fvd_bench("protocols", "diff", "stylegan-v-fvd16", "stylegan-v-fvd16").stdout
    listed = fvd_bench("protocols", "list").stdout

    assert "frames-times-stride" in shown
    assert "does not matter there" in shown
    assert "compute the same: both have the digest 2ede59eac204" in same
    assert "V-JEPA" in listed
    (line,) = (line for line in listed.splitlines() if "tats-on-tfhub-weights" in line)
    assert "not comparable" in line

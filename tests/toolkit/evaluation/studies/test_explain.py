"""From one protocol to another: the steps add up, and each is the score of a protocol of its own."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.studies.explain import explain
from fvd_bench.protocols import protocol
from fvd_bench.reports.explain import waterfall_report
from fvd_bench.settings import Settings
from tests.program import fvd_bench

JPEG = 'jpeg = { fake = "unless-jpeg" }\norder = { fake = "jpeg-then-resize" }'


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """With one store for all tests, so that each clip is seen once."""
    return Settings(cache=tmp_path_factory.mktemp("store"))


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


def test_the_steps_add_up_to_the_whole_difference(two_sides, two_protocols, settings: Settings) -> None:
    waterfall = explain(*two_protocols, *two_sides, repeats=2, settings=settings)

    before, after = (evaluate(*two_sides, p, repeats=2, settings=settings).value for p in two_protocols)
    assert (waterfall.start.value, waterfall.end.value) == (before, after)
    assert sum(step.change for step in waterfall.steps) == pytest.approx(after - before, rel=1e-9)
    assert [[c.name for c in step.changes if c.idle_in is None] for step in waterfall.steps] == [
        ["frames"], ["real.stride"], ["real.start"], ["resize"], ["fake.count"], ["fake.jpeg"], ["fake.jpeg_quality"],
        ["metric.ddof"],
    ]  # fmt: skip
    assert len({step.score.value for step in waterfall.steps}) > 5


def test_each_step_is_the_score_of_its_own_protocol(two_sides, two_protocols, settings: Settings) -> None:
    first, second = explain(*two_protocols, *two_sides, settings=settings).steps[:2]
    loaded = protocol.load(two_protocols[0])
    longer = dataclasses.replace(
        loaded, real=dataclasses.replace(loaded.real, frames=10), fake=dataclasses.replace(loaded.fake, frames=10)
    )

    alone = evaluate(*two_sides, longer, settings=settings).value

    assert first.score.value == alone
    assert second.change == second.score.value - alone


def test_what_the_other_protocol_never_uses_is_no_step(two_sides, pixels_protocol, settings: Settings) -> None:
    """A quality that JPEG brings with it is told with that step."""
    plain = pixels_protocol(name="plain")
    coded = pixels_protocol(name="coded", images='jpeg = { fake = "always" }\njpeg_quality = 30')

    (step,) = explain(plain, coded, *two_sides, settings=settings).steps
    (back,) = explain(coded, plain, *two_sides, settings=settings).steps

    assert [(c.name, *c.texts) for c in step.changes] == [
        ("fake.jpeg", "never", "always"),
        ("fake.jpeg_quality", "–", "30"),
    ]
    assert back.change == -step.change


def test_an_impossible_step_is_joined_with_the_next(two_sides, pixels_protocol, settings: Settings) -> None:
    """Whole videos have no random start, so that frames and start change at once."""
    clips = pixels_protocol(name="clips")
    whole = Path(pixels_protocol(name="whole"))
    whole.write_text(
        whole.read_text().replace("frames = 9", 'frames = { real = "all", fake = 9 }').replace('"random"', '"first"')
    )

    steps = explain(clips, whole, *two_sides, settings=settings).steps

    assert [[c.name for c in step.changes] for step in steps] == [["real.frames", "real.start"]]


def test_a_step_that_the_data_cannot_serve_is_joined_with_the_next(
    two_sides, pixels_protocol, settings: Settings
) -> None:
    """14 frames at stride 2 span 27: a single video a side is that long."""
    a, b = pixels_protocol(name="a", clip="stride = 2"), pixels_protocol(name="b", frames=14)

    waterfall = explain(a, b, *two_sides, settings=settings)

    (step,) = waterfall.steps
    assert [c.name for c in step.changes] == ["frames", "stride"]
    assert [score.value is None for score in waterfall.result.scores] == [False, True, False]
    assert step.change == waterfall.end.value - waterfall.start.value


def test_the_waterfall_in_words_and_as_json(two_sides, two_protocols, text_of, settings: Settings) -> None:
    waterfall = explain(*two_protocols, *two_sides, settings=settings)

    text, table = text_of(waterfall_report(waterfall).text), json.loads(waterfall.to_json())

    assert "depends on the order" in text
    assert "random → first" in text
    longest = max(waterfall.steps, key=lambda step: abs(step.change))
    (line,) = (line for line in text.splitlines() if f"  {longest.changes[0].name}: " in line)
    assert f" {('+' if longest.change > 0 else '-') * 8}  " in line
    assert table["from"]["value"] + sum(s["change"] for s in table["steps"]) == pytest.approx(table["to"]["value"])
    assert {"field": "real.start", "from": "random", "to": "first"} in [f for s in table["steps"] for f in s["fields"]]
    assert table["schema"] == table["result"]["schema"] == 1


def test_things_that_have_no_common_scale_are_not_explained(two_sides, pixels_protocol, settings: Settings) -> None:
    pixels = pixels_protocol()

    with pytest.raises(ProtocolError, match=r"pixels computes fvd on pixels, stylegan-v-fvd16 fvd on i3d"):
        explain(pixels, "stylegan-v-fvd16", *two_sides, settings=settings)
    with pytest.raises(ProtocolError, match="fvd on i3d, stylegan-v-fid fid on inception"):
        explain("stylegan-v-fvd16", "stylegan-v-fid", *two_sides, settings=settings)
    with pytest.raises(ProtocolError, match="nothing to explain"):
        explain(pixels, pixels, *two_sides, settings=settings)


def test_an_end_without_a_score_cannot_be_explained(two_sides, pixels_protocol, settings: Settings) -> None:
    good, bad = pixels_protocol(name="good"), pixels_protocol(name="bad", frames=40, clip="min_frames = 1")

    with pytest.raises(MetricError, match=r"^bad: "):
        explain(good, bad, *two_sides, settings=settings)
    with pytest.raises(MetricError, match=r"^bad: "):
        explain(bad, good, *two_sides, settings=settings)


def test_explain_on_the_command_line(two_sides, two_protocols, settings: Settings) -> None:
    sides = ["--real", two_sides[0], "--fake", two_sides[1], "--cache", settings.cache]

    shown = fvd_bench("protocols", "explain", *two_protocols, *sides)
    told = fvd_bench("protocols", "explain", *two_protocols, *sides, "--json", "-")
    refused = fvd_bench("protocols", "explain", two_protocols[0], two_protocols[0], *sides)

    assert "depends on the order" in " ".join(shown.stdout.split())
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
    assert re.search(r"tats-on-tfhub-weights@1 +\w+\s+not comparable:", listed)

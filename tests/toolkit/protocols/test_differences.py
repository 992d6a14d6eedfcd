import tomllib
from typing import Any

import pytest

from fvd_bench.protocols import protocol
from fvd_bench.protocols.differences import ABSENT, aligned, differences, with_choices
from fvd_bench.protocols.rules import Resize

SHIPPED = [protocol.load(name) for name in protocol.names()]
TABLE4 = ("resize128", "jpeg75", "all-clips", "first-frames", "stride8", "still")

BUGS = {
    "cd-fvd-on-tfhub-weights": "taken again until there are 2048",
    "cd-fvd-videomae": "taken again until there are 2048",
    "common-metrics-videogpt-on-tfhub-weights": "single precision",
    "drivinggen": "JPEG quality 75",
    "fastvideo": "1e-6 is added",
    "fastvideo-eval": "1e-6 is added",
    "fastvideo-eval-clip": "1e-6 is added",
    "fastvideo-eval-videomae": "1e-6 is added",
    "fvd-comparison": "values in [0, 1]",
    "latte": "every 3rd frame of the real videos",
    "lvdm-on-tfhub-weights": "single precision",
    "open-sora": "batches of 2",
    "pvdm-on-tfhub-weights": "single precision",
    "stylegan-v-fid-code": "JPEG quality 75",
    "stylegan-v-fvd128-code": "JPEG quality 75",
    "stylegan-v-fvd128-subsample8-code": "JPEG quality 75",
    "stylegan-v-fvd16-code": "JPEG quality 75",
    "stylegan-v-fvd16-code-direct": "not JPEG at all",
    "tats-on-tfhub-weights": "single precision",
    "videogpt-on-tfhub-weights": "[-0.5, 0.5]",
    "videvalkit": "0 to 255",
    "vfid-inpainting-on-tfhub-weights": "values in [0, 1]",
    "vfid-tryon-on-tfhub-weights": "blue where it was trained on red",
}


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda p: p.name)
def test_each_protocol_of_the_zoo_tells_where_it_comes_from(shipped: protocol.Protocol) -> None:
    assert protocol.load(shipped.name).name == shipped.name
    assert len(shipped.source) > 10
    assert shipped.assumptions


def test_bugs_that_were_kept_are_named() -> None:
    named = {p.name: p.summary for p in SHIPPED if "bug" in p.summary}

    assert set(named) == set(BUGS)
    for name, words in BUGS.items():
        assert words in named[name].partition("kept: ")[2]


def test_recipes_on_other_weights_are_marked() -> None:
    marked = {p.name for p in SHIPPED if p.not_comparable}

    assert marked == {p.name for p in SHIPPED if p.name.endswith("-on-tfhub-weights")}
    assert len(marked) == 11
    assert not {name.removesuffix("-on-tfhub-weights") for name in marked} & {p.name for p in SHIPPED}


def test_what_is_absent_is_not_there() -> None:
    assert not set(ABSENT) & {p.name for p in SHIPPED}


def test_no_two_protocols_of_the_zoo_compute_the_same() -> None:
    assert len({p.digest() for p in SHIPPED}) == len(SHIPPED)


def test_the_choices_that_the_zoo_is_known_for() -> None:
    zoo = {p.name: p for p in SHIPPED}

    assert zoo["google-2018"].features.resize == Resize(size=224, kernel="bilinear-tf1")
    assert (zoo["google-2018"].metric.ddof, zoo["fastvideo"].metric.epsilon) == (1, 1e-6)
    assert (zoo["latte"].real.stride, zoo["latte"].fake.stride) == (3, 1)
    assert (zoo["open-sora"].metric.aggregation, zoo["open-sora"].metric.batch) == ("batch-mean", 2)
    assert (zoo["videvalkit"].real.start, zoo["videvalkit"].features.range) == ("spread", (0.0, 255.0))
    assert zoo["long-video-gan"].real.selection == "repeated"
    assert (zoo["cd-fvd-on-tfhub-weights"].fake.selection, zoo["cd-fvd-on-tfhub-weights"].real.count) == (
        "repeated",
        None,
    )
    code = zoo["stylegan-v-fvd16-code"]
    assert (code.real.count, code.real.selection, code.real.length_rule) == (
        2048,
        "first-sorted",
        "frames-times-stride",
    )
    assert (code.fake.short_videos, code.real.short_videos, code.fake.jpeg_quality) == ("error", "skip", 75)
    subsampled = zoo["stylegan-v-fvd128-subsample8-code"]
    assert (subsampled.real.frames_needed, subsampled.real.stride, subsampled.fake.frames) == (128, 8, 16)
    assert (zoo["stylegan-v-fvd16-code-as-stored"].real.jpeg, zoo["stylegan-v-fvd16-code-as-stored"].fake.jpeg) == (
        "never",
        "never",
    )
    as_text = {name: (p.real.frame_order, p.fake.frame_order) for name, p in zoo.items()}
    codes = ("fvd16-code", "fvd128-code", "fvd128-subsample8-code", "fvd16-code-as-stored")
    both = {"latte", "fastvideo", "drivinggen", *(f"stylegan-v-{code}" for code in codes)}
    assert {name for name, orders in as_text.items() if orders == ("text", "text")} == both
    assert {name for name, orders in as_text.items() if orders == ("text", "natural")} == {
        "stylegan-v-fvd16-code-direct",
        "digan-on-tfhub-weights",
    }
    cdfvd = zoo["cd-fvd-on-tfhub-weights"].real
    assert (cdfvd.resize, cdfvd.rounding) == (
        Resize(size=256, geometry="short-side-crop", antialias=True),
        "truncate-unit",
    )
    assert (zoo["stylegan-v-fid-code"].fake.count, zoo["stylegan-v-fid-code"].real.count) == (3125, None)
    svd = {name for name, p in zoo.items() if p.metric.root == "float32-svd"}
    whole = {name: p.real.most_frames for name, p in zoo.items() if p.real.frames == p.fake.frames == "whole"}
    assert whole == {
        "disco-fvd-on-tfhub-weights": 0,
        "fastvideo-eval": 0,
        "fastvideo-eval-clip": 0,
        "tokenbench-rfvd": 300,
        "vfid-inpainting-on-tfhub-weights": 0,
    }
    tryon = zoo["vfid-tryon-on-tfhub-weights"]
    assert (tryon.real.start, tryon.features.channels, tryon.features.layer) == ("first-repeated", "bgr", "pool")
    assert zoo["disco-fvd-windows-on-tfhub-weights"].fake.start == "every"
    assert svd == {f"{n}-on-tfhub-weights" for n in ("videogpt", "pvdm", "tats", "common-metrics-videogpt", "lvdm")}


def _flat(name: str) -> dict[str, Any]:
    table = tomllib.loads(protocol.text(name))
    sections = ("clip", "count", "frames", "features", "metric")
    return {f"{s}.{key}": value for s in sections for key, value in table.get(s, {}).items()}


@pytest.mark.parametrize("suffix", TABLE4)
def test_each_row_of_table4_differs_in_one_field(suffix: str) -> None:
    """Once by the rules, once by the text of the files."""
    base, row = (protocol.load(name) for name in ("stylegan-v-fvd16", f"stylegan-v-fvd16-{suffix}"))
    written, changed = _flat(base.name), _flat(row.name)

    assert len({d.name.rpartition(".")[2] for d in differences(base, row) if d.idle_in is None}) == 1
    assert len([key for key in {*written, *changed} if written.get(key) != changed.get(key)]) == 1


def test_a_difference_of_both_sides_is_one() -> None:
    found = differences(protocol.load("stylegan-v-fvd16"), protocol.load("stylegan-v-fvd16-stride8"))

    assert [(d.name, d.fields, d.texts) for d in found] == [("stride", ("real.stride", "fake.stride"), ("1", "8"))]


def test_what_matters_on_one_side_of_a_difference_is_told() -> None:
    """The real frames of the paper's protocol see no JPEG, so that it has no quality for them."""
    a, b = protocol.load("stylegan-v-fvd16"), protocol.load("stylegan-v-fvd16-code-direct")

    found = {d.name: (*d.texts, d.idle_in) for d in differences(a, b)}

    assert found["real.jpeg"] == ("never", "unless-jpeg", None)
    assert found["real.jpeg_quality"] == ("–", "75", "a")
    assert found["fake.jpeg"] == ("unless-jpeg", "never", None)
    assert found["real.count"] == ("all", "2048", None)
    assert found["real.selection"] == ("–", "first-sorted", "a")
    assert {(*d.texts, d.idle_in) for d in differences(b, a) if d.name == "real.selection"} == {
        ("first-sorted", "–", "b")
    }


@pytest.mark.parametrize("apart", [1, 7, 20])
def test_differences_lead_from_any_protocol_of_the_zoo_to_another(apart: int) -> None:
    """They are complete: changed one by one, the first becomes the second."""
    for a, b in zip(SHIPPED, SHIPPED[apart:] + SHIPPED[:apart], strict=True):
        even_a, even_b = aligned(a, b)
        assert (even_a.digest(), even_b.digest()) == (a.digest(), b.digest())
        for d in differences(even_a, even_b):
            if d.idle_in is None:
                even_a = with_choices(even_a, dict.fromkeys(d.fields, d.b))
        assert even_a.digest() == b.digest(), (a.name, b.name)


def test_protocols_of_one_digest_have_no_difference() -> None:
    assert all(differences(p, p) == [] for p in SHIPPED)

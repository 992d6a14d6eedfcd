"""Protocols that can be scored by: networks and metrics say what they allow."""

from pathlib import Path

import pytest

from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.online.metric import FrechetVideoDistance
from fvd_bench.evaluation.scorable_protocols import check, load, load_all
from fvd_bench.protocols import protocol as protocols


@pytest.mark.parametrize("name", protocols.names())
def test_every_protocol_that_ships_can_be_scored_by(name: str) -> None:
    for version in protocols.versions(name):
        check(load(f"{name}@{version}"), name)


@pytest.mark.parametrize(
    ("base", "old", "new", "message"),
    [
        ("stylegan-v-fvd16", "frames = 16", "frames = 8", "frames = 8, but i3d needs at least 9"),
        (
            "stylegan-v-fid",
            '"inception"',
            '"i3d"',
            "by themselves, but i3d sees clips; whole",
        ),
        ("stylegan-v-fvd16", '"i3d"', '"i4d"', "extractor = 'i4d': allowed are 'i3d', 'inception', 'c3d'"),
        ("stylegan-v-fvd16", '["fvd"]', '["fdv"]', "names = 'fdv': allowed are 'fvd', 'kvd'"),
        ("stylegan-v-fvd16", '["fvd"]', '["fid"]', "fid is computed on features of inception, not of i3d"),
        (
            "stylegan-v-fid",
            '["fid"]',
            '["fvd"]',
            "fvd is computed on features of i3d or c3d or videomae-base",
        ),
        ("stylegan-v-fid", '["fid"]', '["fid", "is"]', "is is computed on the layer 'logits_unbiased', not on '2048'"),
        ("ucf101-c3d-is", "frames = 16", "frames = 32", "real frames = 32, but c3d sees clips of 16 frames alone"),
        ("ucf101-c3d-is", "frames = 16", 'frames = "all"', "real frames = all, but c3d sees clips of 16 frames alone"),
        ("ucf101-c3d-is", '"logits"', '"prob"', "c3d has the layer \"logits\", not 'prob'"),
        ("ucf101-c3d-is", '"c3d"', '"i3d"', "is is computed on features of inception or c3d, not of i3d"),
    ],
)
def test_what_a_network_or_a_metric_does_not_allow_is_named(
    tmp_path: Path, base: str, old: str, new: str, message: str
) -> None:
    text = protocols.text(base)
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new).replace(f'name = "{base}"', 'name = "mine"'))

    for use in (load, lambda p: load_all(["stylegan-v-fvd16", p]), lambda p: evaluate("real", "fake", p)):
        with pytest.raises(ProtocolError, match="mine.toml: .*" + message):
            use(str(file))
    with pytest.raises(ProtocolError, match="mine: .*" + message):
        load(protocols.load(str(file)))
    with pytest.raises(ProtocolError, match=message):
        FrechetVideoDistance(str(file))


def test_no_protocol_is_one_too_few() -> None:
    with pytest.raises(ProtocolError, match="no protocol is given"):
        load_all([])


def test_a_protocol_that_is_given_twice_is_one() -> None:
    assert [p.name for p in load_all(["fvd", "stylegan-v-fvd128", "stylegan-v-fvd16"])] == [
        "stylegan-v-fvd16", "stylegan-v-fvd128"
    ]  # fmt: skip

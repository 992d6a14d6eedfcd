"""Audits of metrics: closed forms of what they see, the same numbers again, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fvd_bench import allow_code
from fvd_bench.cli import cli
from fvd_bench.errors import ArgumentError, ProtocolError, SourceError
from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.studies.audit import audit
from fvd_bench.evaluation.studies.every_network import protocols_at_hand
from fvd_bench.evaluation.studies.sensitivity import Scored, content_bias, seen_of
from fvd_bench.protocols.protocol import load
from fvd_bench.settings import Settings


def scored(value: float | None) -> Scored:
    return Scored(value, None, None if value is not None else "none", 4)


def test_scales_and_content_bias_in_closed_form() -> None:
    values = {("elastic-per-video", 1): 3.0, ("elastic-per-video", 2): 9.0, ("elastic-per-frame", 1): 5.0,
              ("elastic-per-frame", 2): 33.0, ("freeze", 1): 0.5}  # fmt: skip
    scores = {rung: scored(value) for rung, value in values.items()}
    seen = seen_of(scores, scored(1.0), Estimate(2.0, (1.0, 4.0)), lower_is_better=True)

    assert [s.damage for s in seen] == [2, 8, 4, 32, -0.5]
    assert [s.floors for s in seen] == [1, 4, 2, 16, -0.25]
    assert [s.share for s in seen] == [2 / 32, 8 / 32, 4 / 32, 1, -0.5 / 32]
    assert content_bias(seen) == pytest.approx(math.sqrt(2 / 4 * 8 / 32), rel=1e-12)


def test_of_a_metric_where_higher_is_better_damage_is_what_is_lost() -> None:
    scores = {("elastic-per-video", 1): scored(0.75), ("elastic-per-frame", 1): scored(0.5)}
    seen = seen_of(scores, scored(1.0), None, lower_is_better=False)

    assert [s.damage for s in seen] == [0.25, 0.5] and [s.floors for s in seen] == [None, None]
    assert content_bias(seen) == pytest.approx(0.5)


def test_without_damage_there_is_no_content_bias() -> None:
    for still, moving in ((0.0, 1.0), (1.0, -1.0), (None, 1.0)):
        scores = {("elastic-per-video", 1): scored(still), ("elastic-per-frame", 1): scored(moving)}
        assert content_bias(seen_of(scores, scored(0.0), None, lower_is_better=True)) is None
    assert content_bias(()) is None


@pytest.fixture(scope="module")
def real(tmp_path_factory, moving_frames) -> Path:
    file = tmp_path_factory.mktemp("audit") / "real.npy"
    np.save(file, np.stack([moving_frames(24, 16, 16, seed=k) for k in range(9)]))
    return file


@pytest.fixture(scope="module")
def protocol(write_pixels_protocol, tmp_path_factory) -> str:
    file = Path(write_pixels_protocol(tmp_path_factory.mktemp("protocol"), frames=9))
    file.write_text(file.read_text().replace('["fvd"]', '["fvd", "precision"]'))
    return str(file)


CHOSEN = ["elastic-per-video", "elastic-per-frame", "speed"]


def run(real: Path, protocol: str, *more: object, store: Path) -> str:
    names = [part for name in CHOSEN for part in ("--distortion", name)]
    line = ["audit", "--real", real, "--protocol", protocol, "--cache", store, "--device", "cpu", *names, *more]
    done = CliRunner().invoke(cli, list(map(str, line)))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_audit_from_the_command_line(real: Path, protocol: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    text = run(real, protocol, "--json", tmp_path / "a.json", "--plot", tmp_path / "a.svg", store=store)
    found = json.loads((tmp_path / "a.json").read_text())

    fvd, precision = found["sensitivities"]
    assert "content bias" in text and "elastic-per-frame" in text and fvd["signature"] in text
    assert fvd["undistorted"] == pytest.approx(0, abs=1e-9) and precision["undistorted"] == 1
    assert fvd["floor"]["value"] > 0 and precision["floor"] is None
    assert len(fvd["seen"]) == len(found["ladder"]) == 9
    assert max(seen["share"] for seen in fvd["seen"] if seen["share"]) == 1
    assert fvd["content_bias"] > 0
    last = fvd["seen"][-1]  # four times as fast, 24 frames are 6, and a clip takes 9
    assert (last["distortion"], last["score"]["value"], last["damage"]) == ("speed", None, None)
    assert last["score"]["reason"]
    assert "elastic-per-video" in (tmp_path / "a.svg").read_text()

    rows = run(real, protocol, "--format", "csv", store=store).splitlines()
    assert len(rows) == 1 + 2 * 9 and rows[0].startswith("protocol,metric,distortion,strength,says,changes,psnr,value")
    again = audit(real, protocol, distortions=["elastic-per-frame"], settings=Settings(cache=None), progress=False)
    values = [seen.score.value for seen in again.sensitivities[0].seen]
    assert values == [seen["score"]["value"] for seen in fvd["seen"][3:6]]


def test_the_seed_is_that_of_distortions_too(moving_frames, protocol: str, tmp_path: Path) -> None:
    """Of videos that hold one clip, which every seed takes."""
    np.save(tmp_path / "real.npy", np.stack([moving_frames(9, 16, 16, seed=k) for k in range(5)]))
    settings = Settings(device="cpu", cache=None)

    first, other = (
        audit(
            tmp_path / "real.npy", protocol, distortions=CHOSEN[:1], seed=seed, settings=settings, progress=False
        ).sensitivities[0]
        for seed in (0, 5)
    )

    assert all(a.score.value != b.score.value for a, b in zip(first.seen, other.seen, strict=True))
    assert len(first.seen) == 3 and first.undistorted == other.undistorted


def test_what_is_skipped_or_lost_to_a_distortion_is_told(moving_frames, protocol: str, tmp_path: Path) -> None:
    """Four times as fast, 24 frames are 6 and 48 are 12, and a clip takes 9."""
    lengths = [3, 24, 24, 48, 48, 48]
    np.savez(tmp_path / "real.npz", **{f"v{k}": moving_frames(n, 16, 16, seed=k) for k, n in enumerate(lengths)})
    line = ["audit", "--real", tmp_path / "real.npz", "--protocol", protocol, "--no-cache", "--device", "cpu"]

    done = CliRunner().invoke(cli, list(map(str, [*line, "--distortion", "speed", "--json", "-"])))

    assert done.exit_code == 0, done.output
    said = {finding["code"]: finding["message"] for finding in json.loads(done.stdout)["warnings"]}
    assert said["videos-skipped"].startswith("1 real video is skipped: v0 (too short: 3 frames")
    assert said["too-short"].endswith("fewer score worse for that alone: speed, strong (3 of 5 clips)")
    assert f"warning: {said['too-short']}" in done.stderr


def test_a_metric_that_needs_more_than_parts_of_the_videos_has_no_floor(real: Path, plugins, own_protocol) -> None:
    """Of nine videos halves are four."""
    plugins.module("of_mine", NEEDY)
    allow_code("of_mine:needy")
    protocol = own_protocol("pixels", ("of_mine:needy",))

    (found,) = audit(
        real, protocol, distortions=["freeze"], settings=Settings(device="cpu", cache=None), progress=False
    ).sensitivities

    assert found.undistorted == 0 and found.floor is None
    assert [(seen.damage > 0, seen.floors) for seen in found.seen] == [(True, None)] * 3


NEEDY = """
from fvd_bench.errors import MetricError
from fvd_bench.metrics.metric import Metric, all_features

def compute(real, fake, rule):
    if min(real.count, fake.count) < 6:
        raise MetricError("needs six")
    gap = all_features("needy", "real", real).std(axis=0) - all_features("needy", "fake", fake).std(axis=0)
    return float((gap ** 2).sum())

needy = Metric(name="needy", compute=compute, lower_is_better=True, rises_by_chance=True, fewest=(6, 6), version="1")
"""


def test_it_goes_on_from_what_is_stored(real: Path, protocol: str, tmp_path: Path, stored_entries) -> None:
    settings = Settings(cache=tmp_path / "store", device="cpu")
    audit(real, protocol, distortions=["freeze"], settings=settings, progress=False)
    before = stored_entries(tmp_path / "store")
    audit(real, protocol, distortions=["freeze", "reverse"], settings=settings, progress=False)

    assert before == 9 * (1 + 3)
    assert stored_entries(tmp_path / "store") == before + 9  # reversed videos of all strengths are the same


def test_every_network_at_hand_is_audited(real: Path, plugins, store: Path) -> None:
    """Two of an installed package and its metric; none of fvd-bench has its weights in an empty store."""
    plugins.module("of_others", NETWORKS_OF_OTHERS)
    names = ("clips", "frames")
    plugins.package(
        "of-others",
        extractors={name: f"of_others:{name}" for name in names},
        metrics={"gap": "of_others:gap", "of-i3d": "of_others:of_i3d"},
    )
    line = ["audit", "--real", real, "--every-network", "--distortion", "freeze", "--json", "-", "--no-cache"]
    done = CliRunner().invoke(cli, list(map(str, [*line, "--device", "cpu"])))

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["sensitivities"]
    of_clips = ["fvd", "kvd", "kvd-biased", "mind", "precision", "recall", "density", "coverage", "gap"]
    assert [(s["protocol"], s["metric"]) for s in found] == [
        *(("clips-features", name) for name in of_clips),
        *(("frames-features", name) for name in ("fd", "mind", "gap")),
    ]
    assert all(s["reason"] is None and s["seen"][-1]["score"]["value"] is not None for s in found)
    assert "|real:all,random,16x1|fake:all,random,16x1|" in found[0]["signature"]
    (i3d,) = protocols_at_hand(["i3d-kinetics-400"])[:1]
    assert (i3d.name, i3d.features) == ("i3d-logits", load("stylegan-v-fvd16").features)
    assert {"gap", "of-i3d"} < set(i3d.metric.names)
    both = CliRunner().invoke(cli, list(map(str, [*line, "--protocol", "fvd16"])))
    assert both.exit_code == 2 and "--every-network and --protocol exclude each other" in both.output


def test_where_no_network_is_at_hand_that_is_said(store: Path) -> None:
    with pytest.raises(ProtocolError, match="no network is at hand: `fvd-bench weights list`"):
        protocols_at_hand()


NETWORKS_OF_OTHERS = """
import fvd_bench
from fvd_bench.metrics import Metric

@fvd_bench.network(dim=3, size=None, range=(0, 1), version="1")
def clips():
    return lambda x: x.mean(dim=(2, 3, 4))

@fvd_bench.network(dim=3, size=None, range=(0, 1), version="1", sees="frames")
def frames():
    return lambda x: x.mean(dim=(2, 3))

def gap(real, fake):
    return abs(real.mean() - fake.mean())

of_i3d = Metric(
    name="of-i3d", compute=lambda real, fake, rule: 0.0, lower_is_better=True, layers={"i3d": "logits"}, version="1"
)
"""


def test_what_is_refused(real: Path, protocol: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="there is no distortion 'blurr': expected some of elastic-per-video"):
        audit(real, protocol, distortions=["blurr"], progress=False)
    done = CliRunner().invoke(cli, ["audit", "--real", str(real), "--plot", "a.pdf"])
    assert done.exit_code == 2 and "expected a file that ends in .png or .svg" in done.output
    stats = tmp_path / "stats.npz"
    line = ["stats", str(real), "--side", "real", "--protocol", protocol, "--out", str(stats), "--no-cache"]
    assert CliRunner().invoke(cli, [*line, "--device", "cpu"]).exit_code == 0
    with pytest.raises(SourceError, match=r"stats\.npz holds statistics: expected videos, which are to be distorted"):
        audit(stats, protocol, settings=Settings(device="cpu", cache=None), progress=False)

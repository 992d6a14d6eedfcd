"""Each video by itself, against the score without it and against distances one by one."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.details.exhibits import exhibits
from fvd_bench.evaluation.details.per_video import VideoRecord, per_video, records_csv
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.features import feature_set
from fvd_bench.inspection.motion import measure
from fvd_bench.metrics import METRICS
from fvd_bench.metrics.neighbours import coverage, covered
from fvd_bench.progress import silent
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import open_source
from tests.lazy_module import LazyModule
from tests.program import fvd_bench

distance = LazyModule("scipy.spatial.distance")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, moving_frames) -> dict[str, Path]:
    """40 real and 30 fake videos as arrays; on the fake side 3 is strange, 7 repeats 6, and 29 is too short."""
    root = tmp_path_factory.mktemp("sides")
    for side, count in (("real", 40), ("fake", 30)):
        videos = {f"{n:02d}": moving_frames(12, 24, 24, seed=n + 100 * (side == "fake")) for n in range(count)}
        if side == "fake":
            videos["03"] = 255 - videos["03"]
            videos["07"] = videos["06"].copy()
            videos["29"] = videos["29"][:3]
        np.savez(root / f"{side}.npz", **videos)
    return {side: root / f"{side}.npz" for side in SIDES}


@pytest.fixture(scope="module")
def found(
    sides: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, write_pixels_protocol
) -> Iterator[tuple[Collection, Result, list[VideoRecord]]]:
    protocol = write_pixels_protocol(tmp_path_factory.mktemp("protocol"))
    with open_evaluation(
        sides["real"], sides["fake"], protocol, repeats=2, seed=0, settings=Settings(cache=None), progress=silent
    ) as evaluation:
        collection = collect(evaluation)
        result = result_of(collection)
        motions = {side: evaluation.motions(side, most=None) for side in SIDES}
        yield collection, result, per_video(collection, result, motions)


def test_points_are_made_once_for_the_table_and_the_page(found) -> None:
    collection, result, _ = found
    (protocol,) = collection.evaluation.protocols

    shown = exhibits(collection, result)

    assert shown.points is collection.points(protocol)


def _of(records: list[VideoRecord], side: str) -> list[VideoRecord]:
    return [record for record in records if record.side == side and record.influence is not None]


def test_influence_is_what_the_score_falls_by_without_the_video(found) -> None:
    collection, _, records = found
    (protocol,) = collection.evaluation.protocols
    sets = collection.sides(protocol)
    whole = METRICS["fvd"].compute(sets["real"], sets["fake"], protocol.metric)

    for side in SIDES:
        falls = []
        for place in range(sets[side].count):
            without = {**sets, side: sets[side].selected(np.arange(sets[side].count) != place)}
            falls.append(whole - METRICS["fvd"].compute(without["real"], without["fake"], protocol.metric))
        influences = [record.influence for record in _of(records, side)]
        assert sum(influences) == pytest.approx(0, abs=1e-9 * whole)
        assert np.corrcoef(influences, falls)[0, 1] > 0.97
    assert max(_of(records, "fake"), key=lambda record: record.influence).video == "03"


def test_distances_are_the_smallest_of_all_pairs(found) -> None:
    collection, _, records = found
    (protocol,) = collection.evaluation.protocols
    features = {side: s.features().astype(np.float64) for side, s in collection.sides(protocol).items()}

    for side in SIDES:
        across, within = (
            distance.cdist(features[side], features[OTHER_SIDE[side]]),
            distance.cdist(features[side], features[side]),
        )
        np.fill_diagonal(within, np.inf)
        names = {s: [record.video for record in _of(records, s)] for s in SIDES}
        for place, record in enumerate(_of(records, side)):
            assert record.distance_other == pytest.approx(across[place].min(), rel=1e-9)
            assert record.distance_own == pytest.approx(within[place].min(), rel=1e-9, abs=1e-9)
            assert across[place, names[OTHER_SIDE[side]].index(record.nearest_other)] == pytest.approx(
                across[place].min()
            )
            assert within[place, names[side].index(record.nearest_own)] == pytest.approx(within[place].min(), abs=1e-9)
    twin = next(record for record in records if record.video == "07" and record.side == "fake")
    assert (twin.nearest_own, twin.distance_own) == ("06", 0)


def test_motion_and_findings_are_those_of_the_video(found, sides: dict[str, Path]) -> None:
    _, result, records = found
    source = open_source(sides["fake"])

    by_name = {record.video: record for record in records if record.side == "fake"}

    assert list(by_name) == list(source.names)
    assert by_name["03"].motion == measure(source.video(3)).energy
    assert by_name["29"].influence is None and by_name["29"].findings == ("videos-skipped",)
    assert by_name["05"].findings == ()
    told = {name for warning in result.warnings if warning.side == "fake" for name in warning.videos}
    assert told == {name for name, record in by_name.items() if record.findings}
    assert not any("videos-skipped" in record.findings for record in records if record.side == "real")


def test_a_video_of_several_clips_is_their_mean_and_the_sum_of_their_influences(
    sides: dict[str, Path], write_pixels_protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_set, "_FOLD_ROWS", 10)  # features are gone through some at a time
    protocol = write_pixels_protocol(tmp_path, frames=4, clip='short_videos = "skip"')
    text = Path(protocol).read_text("utf-8").replace('real = "random", fake = "first"', 'real = "all", fake = "all"')
    Path(protocol).write_text(text, "utf-8")
    with open_evaluation(
        sides["real"], sides["fake"], protocol, repeats=1, seed=0, settings=Settings(cache=None), progress=silent
    ) as evaluation:
        collection = collect(evaluation)
        records = per_video(collection, result_of(collection), {side: {} for side in SIDES})
        sets = collection.sides(evaluation.protocols[0])

    means = {s: sets[s].features().astype(np.float64).reshape(-1, 3, sets[s].dim).mean(axis=1) for s in SIDES}
    influence = METRICS["fvd"].influence(sets["real"], sets["fake"])[1].reshape(-1, 3).sum(axis=1) / sets["fake"].count
    of_fake = _of(records, "fake")
    assert [record.distance_other for record in of_fake] == pytest.approx(
        distance.cdist(means["fake"], means["real"]).min(axis=1)
    )
    assert [record.influence for record in of_fake] == pytest.approx(influence)
    assert all(record.motion is None for record in records)


def test_coverage_is_the_share_of_covered_features() -> None:
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(50, 3)), rng.normal(size=(20, 3)) + 1

    radii = np.sort(distance.cdist(real, real), axis=1)[:, 5]
    assert covered(real, fake).tolist() == (distance.cdist(real, fake).min(axis=1) < radii).tolist()
    assert coverage(real, fake) == covered(real, fake).mean()


def test_a_name_in_the_table_is_no_formula_and_one_line() -> None:
    names = ["=HYPERLINK(1)", "+1", "-1", "@a", "a,b", "c\nd\x1b[2J", 'e"f']

    text = records_csv([VideoRecord("p", "fvd", "fake", name, findings=("x", "y")) for name in names])

    shown = [row["video"] for row in csv.DictReader(io.StringIO(text))]
    assert shown == ["./=HYPERLINK(1)", "./+1", "./-1", "./@a", "a,b", r"c\nd\x1b[2J", 'e"f']
    assert len(text.splitlines()) == 8 and ",x y\n" in text


def test_the_command_writes_the_table(sides: dict[str, Path], pixels_protocol, tmp_path: Path) -> None:
    given = ["--real", sides["real"], "--fake", sides["fake"], "--protocol", pixels_protocol(), "--no-cache"]

    done = fvd_bench("compute", *given, "--per-video", tmp_path / "videos.csv")
    dry = fvd_bench("compute", *given, "--per-video", tmp_path / "none.csv", "--dry-run")

    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "videos.csv").read_text("utf-8"))))
    assert len(rows) == 70 and all(row["motion"] for row in rows if not row["findings"])
    assert dry.returncode == 2 and "--per-video" in dry.stderr


def test_the_columns_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[4] / "docs" / "page.md").read_text("utf-8").split("## The videos one by one")[1]

    told = [name for line in re.findall(r"^\| (`.+?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)]

    assert told == records_csv([]).strip().split(",")

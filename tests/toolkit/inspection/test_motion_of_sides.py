"""Motion of whole sides, what is found in it, and the scale of broken copies."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.features import extraction
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.store import FeatureStore
from fvd_bench.inspection import motion_of_sides
from fvd_bench.inspection.motion import Motion, SideMotion, measure, summary
from fvd_bench.inspection.motion_of_sides import evenly_spaced, findings, motions
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.networks import create
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.variants import scale_protocols
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.file import VideoFile

VERSIONS = {"av": "1", "numpy": "1"}


def test_a_side_is_the_mean_median_and_spread_of_its_videos() -> None:
    motions = [
        Motion(75, 1.0, 1.0, 0.9),
        Motion(75, 2.0, 2.0, 0.1),
        Motion(75, 6.0, 0.0, None),
        Motion(9, 3.0, 1.0, None),
    ]

    assert summary(motions) == SideMotion(
        videos=4, mean=3.0, median=2.5, spread=math.sqrt(3.5), still=0.25, asked=2, looping=0.5
    )
    assert summary([]) is None
    assert summary(motions[2:3]) == SideMotion(1, 6.0, 6.0, 0.0, 1.0, asked=0, looping=None)


def _measure_side(folder: Path, store: FeatureStore, *, workers: int = 2, versions=VERSIONS) -> tuple[object, int]:
    """The motion of a side, and how many videos had to be measured for it."""
    steps: list[int] = []
    source = open_source(folder)
    found = motions(
        source,
        store,
        range(len(source.names)),
        versions=versions,
        workers=workers,
        progress=lambda done, total: steps.append(done),
    )
    return summary(list(found.values())), len(steps)


def _read_contents(folder: Path, store: FeatureStore) -> None:
    Extraction(open_source(folder), store, {}, versions={}, workers=1, progress=lambda done, total: None)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_side_is_that_of_its_readable_videos_for_any_number_of_workers(
    tmp_path: Path, write_video, write_frames, workers: int, wandering_frames
) -> None:
    for seed in range(5):
        write_video(
            tmp_path / "side" / f"{seed}.mkv", wandering_frames(30 + seed, seed=seed), codec="rawvideo", pix_fmt="bgr24"
        )
    (tmp_path / "side" / "broken.mp4").write_bytes(b"no video")
    write_frames(tmp_path / "side" / "one", wandering_frames(1))

    side, _ = _measure_side(tmp_path / "side", FeatureStore(tmp_path), workers=workers)

    assert side == summary([measure(VideoFile(tmp_path / "side" / f"{seed}.mkv")) for seed in range(5)])


def test_a_side_without_a_readable_video_has_no_motion(tmp_path: Path) -> None:
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / "broken.mp4").write_bytes(b"no video")

    assert _measure_side(tmp_path / "side", FeatureStore(tmp_path)) == (None, 1)


def test_what_was_measured_is_not_measured_again(tmp_path: Path, write_video, wandering_frames) -> None:
    folder, store = tmp_path / "side", FeatureStore(tmp_path / "store")
    for seed, frames in enumerate((9, 40, 50)):  # repetition is None, and is not
        write_video(folder / f"{seed}.mkv", wandering_frames(frames, seed=seed), codec="rawvideo", pix_fmt="bgr24")
    _read_contents(folder, store)

    first, measured = _measure_side(folder, store)
    again, measured_again = _measure_side(folder, store)
    _, measured_by_others = _measure_side(folder, store, versions={**VERSIONS, "av": "2"})
    write_video(folder / "1.mkv", wandering_frames(41, seed=7), codec="rawvideo", pix_fmt="bgr24")
    _read_contents(folder, store)
    changed, measured_anew = _measure_side(folder, store)

    assert again == first != changed
    assert (measured, measured_again, measured_by_others, measured_anew) == (3, 0, 3, 1)


def test_motion_is_measured_while_the_clips_are_read(tmp_path: Path, two_sides, pixels_protocol, monkeypatch) -> None:
    """Of each video once, of the very object that its clips were read from; what is asked for later is in the store."""
    read: list[VideoFile] = []
    measured: list[VideoFile] = []
    reading = extraction.read_draws
    monkeypatch.setattr(extraction, "read_draws", lambda video, *a, **k: read.append(video) or reading(video, *a, **k))
    monkeypatch.setattr(motion_of_sides, "measure", lambda video: measured.append(video) or measure(video))
    settings = Settings(cache=tmp_path / "store")

    result = evaluate(*two_sides, pixels_protocol(), repeats=2, settings=settings)

    assert len(measured) == 11 and set(map(id, measured)) == set(map(id, read))
    assert result.motion is not None
    for side, found in zip(two_sides, (result.motion.real, result.motion.fake), strict=True):
        assert found == summary([measure(VideoFile(file)) for file in sorted(side.iterdir())])
    assert evaluate(*two_sides, pixels_protocol(), repeats=2, settings=settings).motion == result.motion
    assert len(measured) == 11


def test_the_motion_of_a_video_that_changes_meanwhile_is_not_kept(tmp_path: Path, two_sides) -> None:
    folder, store = shutil.copytree(two_sides[0], tmp_path / "side"), FeatureStore(tmp_path / "store")
    source = open_source(folder)
    contents = Extraction(source, store, {}, versions={}, workers=1, progress=lambda done, total: None).contents
    watch = motion_of_sides.PassingMotion(store, range(6), contents, versions=VERSIONS)

    keep, _ = watch(0, source.video(0)), watch(1, source.video(1))
    keep()
    watch.store()

    kept = [store.get(motion_of_sides.motion_key(contents[i], VERSIONS)) is not None for i in range(6)]
    assert kept == [True, False, False, False, False, False]


def test_files_of_unknown_contents_are_measured_and_not_stored(tmp_path: Path, two_sides) -> None:
    store = FeatureStore(tmp_path)

    assert _measure_side(two_sides[0], store) == _measure_side(two_sides[0], store)
    assert _measure_side(two_sides[0], store)[1] == 6


def test_a_part_of_many_videos_is_spread_evenly() -> None:
    assert set(evenly_spaced(1000, 64)) < set(evenly_spaced(1000, 256))  # what older stores hold
    assert list(evenly_spaced(5, 256)) == [0, 1, 2, 3, 4]
    assert list(evenly_spaced(10, 4)) == [0, 2, 5, 7]
    many = list(evenly_spaced(1000, 256))
    assert len(set(many)) == 256 and set(np.diff(many)) == {3, 4}


REAL = SideMotion(videos=100, mean=1.0, median=1.0, spread=0.3, still=0.0, asked=100, looping=0.0)


def _codes(real: SideMotion, fake: SideMotion) -> list[str]:
    return [warned.code for warned in findings(real, fake)]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"mean": 0.4, "median": 0.34, "spread": 0.1}, []),
        ({"mean": 0.4, "median": 0.33, "spread": 0.1}, ["fake-still"]),
        ({"mean": 0.0, "median": 0.0, "spread": 0.0, "still": 1.0, "asked": 0, "looping": None}, ["fake-still"]),
        ({"still": 0.19}, []),
        ({"still": 0.2}, ["fake-still"]),
        ({"looping": 0.19}, []),
        ({"looping": 0.2}, ["fake-loops"]),
        ({"looping": 1.0, "asked": 3}, ["fake-loops"]),
        ({"looping": 0.25, "asked": 4, "videos": 4}, ["fake-loops"]),
        ({"looping": None, "asked": 0}, []),
        ({"looping": 0.5, "still": 0.5}, ["fake-still", "fake-loops"]),
        ({"spread": 0.076}, []),
        ({"spread": 0.074}, ["fake-alike"]),
        ({"spread": 0.0, "videos": 15}, []),
        ({"spread": 0.0, "looping": 0.5}, ["fake-loops"]),
        ({"mean": 2.0, "median": 2.0, "spread": 0.16}, []),
        ({"mean": 2.0, "median": 2.0, "spread": 0.14}, ["fake-alike"]),
    ],
)
def test_what_is_wrong_with_the_fakes_motion(changes: dict[str, float], codes: list[str]) -> None:
    assert _codes(REAL, replace(REAL, **changes)) == codes


def test_what_the_real_videos_do_as_well_is_no_finding() -> None:
    odd = replace(REAL, still=0.6, looping=0.6, asked=40)

    assert _codes(odd, replace(odd, still=0.7, looping=0.7)) == []


def test_a_difference_of_a_few_videos_is_no_finding() -> None:
    few = replace(REAL, videos=5, asked=5)

    assert _codes(few, replace(few, looping=0.2, still=0.2)) == []
    assert _codes(few, replace(few, looping=1.0)) == ["fake-loops"]
    wide = replace(few, mean=2.0, spread=3.0)
    assert _codes(wide, replace(wide, mean=0.4, median=0.3, spread=0.4)) == []
    ten = replace(REAL, videos=10, asked=10)
    assert _codes(ten, replace(ten, looping=0.3)) == []  # 0.30 < 2 · √(0.15 · 0.85 · (1/10 + 1/10)) = 0.32
    for spread, codes in ((0.72, []), (0.68, ["fake-still"])):  # of either side over the root of 5 - 1
        assert _codes(replace(few, spread=spread), replace(few, mean=0.3, median=0.3, spread=0.1)) == codes


def test_one_video_alone_is_no_slow_side() -> None:
    """Nothing says how far other videos of its side may lie from it."""
    one = replace(REAL, videos=1, spread=0.0)

    assert _codes(one, replace(one, mean=0.1, median=0.1)) == []
    assert _codes(REAL, replace(one, mean=0.1, median=0.1)) == []


def test_a_finding_names_the_numbers() -> None:
    (warned,) = findings(REAL, replace(REAL, looping=0.5, asked=80))

    assert warned.message.startswith(
        "50 % of the fake videos repeat themselves (80 could be asked), against 0 % of the real ones (100)"
    )


def test_looping_videos_are_found_among_files(tmp_path: Path, write_video, wandering_frames) -> None:
    for seed in range(6):
        for side, frames in (
            ("real", wandering_frames(75, seed=seed)),
            ("fake", np.tile(wandering_frames(25, seed=50 + seed), (3, 1, 1, 1))),
        ):
            write_video(tmp_path / side / f"{seed}.mp4", frames)
    store = FeatureStore(tmp_path)
    real, fake = (_measure_side(tmp_path / side, store)[0] for side in ("real", "fake"))

    assert [_codes(real, fake), _codes(fake, real), _codes(real, real)] == [["fake-loops"], [], []]


def _broken_features(folder: Path, name: str, protocol: str, *, seed: int) -> np.ndarray:
    """Features of the documented clips of the real side, broken in the documented way, written a second time."""
    extractor = create(load(protocol).features, device="cpu", weights={}, progress=lambda done, total: None)
    features = []
    for index, file in enumerate(sorted(folder.iterdir())):
        video = VideoFile(file)
        frames = np.stack([f.pixels for f in video.frames(np.arange(video.num_frames))])
        start = int(np.random.default_rng([seed, index]).integers(0, len(frames) - 9 + 1))
        clip = frames[start : start + 9]
        if name == "shuffled":
            clip = np.random.default_rng([seed, index, 4]).permutation(clip)
        elif name == "frozen":
            clip = np.repeat(frames[[np.random.default_rng([seed, index, 2]).integers(0, len(frames))]], 9, axis=0)
        elif name == "reversed":
            clip = clip[::-1].copy()
        features.append(extractor([clip])[0])
    return np.concatenate(features)


@pytest.mark.parametrize("name", ["shuffled", "frozen", "reversed"])
def test_the_scale_is_the_score_of_broken_real_clips(two_sides, pixels_protocol, name: str) -> None:
    protocol = pixels_protocol(images='jpeg = { fake = "always" }', count="fake = 3")

    result = evaluate(*two_sides, scale_protocols(load(protocol))[name], seed=7, settings=Settings(cache=None))

    real, broken = (_broken_features(two_sides[0], how, protocol, seed=7) for how in ("", name))
    assert result.value == pytest.approx(frechet_distance(real, broken, ddof=0), rel=1e-9, abs=1e-9)
    assert (result.scores[0].real.clips, result.scores[0].fake.clips) == (6, 6)
    assert result.value == pytest.approx(0, abs=1e-9) if name == "reversed" else result.value > 0


def test_the_scale_keeps_all_but_the_fake_clips() -> None:
    protocol = load("stylegan-v-fvd16")

    scale = scale_protocols(protocol)

    assert [p.name for p in scale.values()] == [
        f"stylegan-v-fvd16-scale-{n}" for n in ("shuffled", "frozen", "reversed")
    ]
    assert len({p.digest() for p in [protocol, *scale.values()]}) == 4
    for broken in scale.values():
        assert (broken.real, broken.features, broken.metric) == (protocol.real, protocol.features, protocol.metric)
        assert replace(broken.fake, content="video") == protocol.real


def test_single_frames_and_spread_frames_have_no_scale(pixels_protocol) -> None:
    assert scale_protocols(load("stylegan-v-fid"), sees="frames") == {}
    assert scale_protocols(load(pixels_protocol(clip='length_rule = "span"', frames=9))) != {}
    spread = load(pixels_protocol())
    assert scale_protocols(replace(spread, real=replace(spread.real, start="spread"))) == {}
    assert scale_protocols(replace(spread, real=replace(spread.real, frames="all", start="first"))) == {}
    assert scale_protocols(spread, sees="frames") == {} != scale_protocols(spread)

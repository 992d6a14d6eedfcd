"""A score replayed on copies: the same digits, or an error that names the video."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvd_bench.errors import ManifestError
from fvd_bench.evaluation.manifest import Listed, Manifest, evaluate_and_record
from fvd_bench.evaluation.replay import ReplayedSource, replay
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import open_source

NO_CACHE = Settings(cache=None)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """With one store for all scores that are recorded; replays are made without."""
    return Settings(cache=tmp_path_factory.mktemp("store"))


def _moved(side: Path, to: Path) -> Path:
    """The files of a side under other names, in another order and in folders."""
    for number, file in enumerate(sorted(side.iterdir(), reverse=True)):
        (to / f"class{number % 2}").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to / f"class{number % 2}" / f"video{number}{file.suffix}")
    return to


def _changed(made: Manifest, change: Any) -> Manifest:
    table = json.loads(made.to_json())
    change(table)
    return Manifest.from_json(json.dumps(table))


@pytest.fixture
def protocols(pixels_protocol) -> list[str]:
    """Draws of all kinds, and subsets of both sides."""
    return [
        pixels_protocol(name="all", frames=5),
        pixels_protocol(name="subset", count="real = 4\nfake = 3"),
        pixels_protocol(name="again", count='real = 9\nfake = 9\nselection = "repeated"'),
        pixels_protocol(name="shuffled", clip='content = { fake = "shuffled-real" }'),
        pixels_protocol(name="still", clip='content = { fake = "still" }'),
    ]


def test_moved_and_renamed_videos_score_the_same(
    two_sides, protocols, tmp_path: Path, moving_frames, write_video
) -> None:
    result, made = evaluate_and_record(*two_sides, protocols, repeats=2, seed=3, settings=NO_CACHE)
    real, fake = (_moved(side, tmp_path / side.name) for side in two_sides)
    write_video(fake / "aa.mkv", moving_frames(25, seed=77), codec="rawvideo", pix_fmt="bgr24")

    again = replay(made, real, fake, settings=NO_CACHE)

    assert [score.values for score in again.scores] == [score.values for score in result.scores]
    assert [score.interval for score in again.scores] == [score.interval for score in result.scores]
    assert [score.signature for score in again.scores] == [score.signature for score in result.scores]
    assert again.fake.fingerprint == result.fake.fingerprint
    assert "replay-differs" not in {warned.code for warned in again.warnings}


def test_names_are_listed_once_and_not_for_each_video() -> None:
    source = ReplayedSource(
        open_source(np.zeros((1, 2, 4, 4, 3), np.uint8)), (Listed("a", None), Listed("b", None)), {}
    )

    assert list(source.names) == ["a", "b"]
    assert source.names is source.names


def test_columns_of_a_list_go_with_its_videos(two_sides, pixels_protocol, tmp_path: Path) -> None:
    """Whatever the order of the list, and what was not used need not be in it."""
    kinds = {0: "a", 1: "b", 2: "a", 3: "b", 4: "a"}
    lists = []
    for side in two_sides:
        rows = [f"{side / f'{n}.mkv'},{kind}" for n, kind in kinds.items()]
        lists.append(tmp_path / f"{side.name}.csv")
        lists[-1].write_text("\n".join(["video,kind", *rows]))
    settings = Settings(cache=None, group_by="column:kind")
    protocol = pixels_protocol(count="real = 4\nfake = 3", frames=5)
    result, made = evaluate_and_record(*lists, protocol, settings=settings)
    (drawn,) = (drawn for drawn in made.draws if drawn.side == "fake")
    unused = ({0, 1, 2, 3, 4} - {used.place for used in drawn.videos}).pop()
    head, *rows = lists[1].read_text().split("\n")
    lists[1].write_text("\n".join([head, *(row for row in reversed(rows) if f"/{unused}.mkv" not in row)]))

    again = replay(made, *lists, settings=settings)

    assert [score.error_fake for score in again.scores] == [score.error_fake for score in result.scores]
    assert again.scores[0].values == result.scores[0].values and again.group_by == "column:kind"


def test_videos_that_were_not_used_may_be_absent(two_sides, pixels_protocol, tmp_path: Path, stored: Settings) -> None:
    protocol = pixels_protocol(count="real = 3\nfake = 3")
    result, made = evaluate_and_record(*two_sides, protocol, settings=stored)
    used = {side.side: {video.place for video in side.videos} for side in made.draws}
    for side in two_sides:
        _moved(side, tmp_path / side.name)
    for name in ("real", "fake"):
        files = sorted((tmp_path / name).rglob("*.mkv"), key=lambda f: -int(f.stem.removeprefix("video")))
        for place, file in enumerate(files):
            if place not in used[name]:
                file.unlink()

    again = replay(made, tmp_path / "real", tmp_path / "fake", settings=NO_CACHE)

    assert len(list((tmp_path / "real").rglob("*.mkv"))) == 3
    assert again.scores[0].values == result.scores[0].values


def test_archives_will_do(two_sides, pixels_protocol, tmp_path: Path, stored: Settings) -> None:
    result, made = evaluate_and_record(*two_sides, pixels_protocol(), settings=stored)
    with zipfile.ZipFile(tmp_path / "fake.zip", "w") as archive:
        for number, file in enumerate(sorted(two_sides[1].iterdir())):
            archive.write(file, f"{9 - number}.mkv")

    assert replay(made, two_sides[0], tmp_path / "fake.zip", settings=NO_CACHE).value == result.value


def test_skipped_videos_are_skipped_again(two_sides, pixels_protocol, tmp_path: Path) -> None:
    shutil.copytree(two_sides[1], tmp_path / "fake")
    (tmp_path / "fake" / "00.mp4").write_bytes(b"no video" * 99)
    result, made = evaluate_and_record(two_sides[0], tmp_path / "fake", pixels_protocol(frames=16), settings=NO_CACHE)
    (tmp_path / "fake" / "00.mp4").unlink()

    again = replay(made, two_sides[0], tmp_path / "fake", settings=NO_CACHE)

    assert again.scores[0].values == result.scores[0].values
    assert [s.video for s in again.scores[0].fake.skipped] == [s.video for s in result.scores[0].fake.skipped]


def test_a_missing_video_is_named(two_sides, pixels_protocol, tmp_path: Path, stored: Settings) -> None:
    _, made = evaluate_and_record(*two_sides, pixels_protocol(), settings=stored)
    shutil.copytree(two_sides[1], tmp_path / "fake")
    (tmp_path / "fake" / "2.mkv").write_bytes((two_sides[1] / "3.mkv").read_bytes())

    with pytest.raises(
        ManifestError, match=r"of the fake videos .* 1 is not there.*: 2\.mkv \(sha256 [0-9a-f]{64}; the video"
    ):
        replay(made, two_sides[0], tmp_path / "fake", settings=NO_CACHE)


def test_other_frames_are_an_error(two_sides, pixels_protocol, stored: Settings) -> None:
    """As where another decoder finds another length, and with it another start."""
    _, made = evaluate_and_record(*two_sides, pixels_protocol(), settings=stored)

    def move(table: dict[str, Any]) -> None:
        start, stop, step = table["draws"][0]["videos"][4][1][0]["range"]
        table["draws"][0]["videos"][4][1][0]["range"] = [start + 1, stop + 1, step]

    def drop(table: dict[str, Any]) -> None:
        del table["draws"][0]["videos"][4]

    with pytest.raises(ManifestError, match=r"real video 4\.mkv: frames range \[\d+, \d+, 1\] of it were used, and"):
        replay(_changed(made, move), *two_sides, settings=NO_CACHE)
    with pytest.raises(ManifestError, match=r"real video 4\.mkv: no frames of it were used"):
        replay(_changed(made, drop), *two_sides, settings=NO_CACHE)


def test_an_edited_clip_is_not_put_down_to_the_decoder(two_sides, pixels_protocol, stored: Settings) -> None:
    """Contents and software are the recorded ones: what else can differ is the manifest."""
    _, made = evaluate_and_record(*two_sides, pixels_protocol(), settings=stored)

    def edit(table: dict[str, Any]) -> None:
        table["draws"][0]["videos"][4][1][0]["range"] = [0, 18, 2]

    def edit_the_seed(table: dict[str, Any]) -> None:
        table["draws"][0]["seed"] = 7

    def edit_with_another_decoder(table: dict[str, Any]) -> None:
        edit(table)
        table["environment"]["av"] = "3.1"

    with pytest.raises(ManifestError, match=r"range \[0, 18, 2\] .* although its contents are .* manifest was changed"):
        replay(_changed(made, edit), *two_sides, settings=NO_CACHE)
    with pytest.raises(ManifestError, match=r"a draw of .*'real', 7\) is recorded where .*'real', 0\) is made here"):
        replay(_changed(made, edit_the_seed), *two_sides, settings=NO_CACHE)
    with pytest.raises(ManifestError, match=r"may decode to another number of frames, and av is .* and was 3\.1$"):
        replay(_changed(made, edit_with_another_decoder), *two_sides, settings=NO_CACHE)


def test_other_digits_are_warned_of(two_sides, pixels_protocol, stored: Settings) -> None:
    _, made = evaluate_and_record(*two_sides, pixels_protocol(), settings=stored)

    def change(table: dict[str, Any]) -> None:
        table["scores"][0]["values"] = [1.5]
        table["environment"]["torch"] = "0.1"

    found = replay(_changed(made, change), *two_sides, settings=NO_CACHE)

    (message,) = (warned.message for warned in found.warnings if warned.code == "replay-differs")
    assert "[1.5] is recorded" in message and "what differs: torch" in message

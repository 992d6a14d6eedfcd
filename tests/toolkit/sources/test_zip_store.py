"""A zip archive whose features are kept: found again, and not taken for another in its place."""

import io
from pathlib import Path

from fvd_bench.evaluation.comparisons.comparison import check
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import open_source
from fvd_bench.sources.zips import Archive

NO_CACHE = Settings(cache=None)


def test_another_archive_in_the_place_of_one_is_noticed(
    tmp_path: Path, zip_folder, two_sides, frame_sides, moving_frames, write_frames, pixels_protocol
) -> None:
    settings, protocol = Settings(cache=tmp_path / "store"), pixels_protocol()
    file = zip_folder(frame_sides[1], tmp_path / "fake.zip")
    first = evaluate(two_sides[0], file, protocol, settings=settings)
    for number, name in enumerate(open_source(file).names):
        write_frames(tmp_path / "other" / name, moving_frames(11, seed=90 + number), suffix=".jpg", quality=95)
    zip_folder(tmp_path / "other", file)

    second = evaluate(two_sides[0], file, protocol, settings=settings)

    assert second.value == evaluate(two_sides[0], tmp_path / "other", protocol, settings=NO_CACHE).value
    assert second.value != first.value


def test_a_second_run_looks_at_the_first_two_videos_alone(
    tmp_path: Path, zip_folder, two_sides, frame_sides, pixels_protocol, monkeypatch
) -> None:
    settings, protocol = Settings(cache=tmp_path / "store"), pixels_protocol()
    file = zip_folder(frame_sides[1], tmp_path / "fake.zip")
    first = evaluate(two_sides[0], file, protocol, settings=settings)
    read: list[str] = []
    source = Archive.source

    def counted(archive: Archive, path: Path) -> io.BytesIO:
        read.append(path.as_posix())
        return source(archive, path)

    monkeypatch.setattr(Archive, "source", counted)
    second = evaluate(two_sides[0], file, protocol, settings=settings)

    assert second.scores == first.scores
    assert all(name.startswith(("a/", "b/")) for name in read)  # two are enough for a score


def test_a_gate_finds_the_archive_of_its_baseline_again(
    tmp_path: Path, zip_folder, two_sides, frame_sides, pixels_protocol
) -> None:
    """Then videos of one name are compared with each other, without features kept beside the baseline."""
    settings, protocol = Settings(cache=tmp_path / "store"), pixels_protocol()
    file = zip_folder(frame_sides[1], tmp_path / "fake.zip")
    evaluate(two_sides[0], file, protocol, settings=settings).write(tmp_path / "base.json")

    found = check(two_sides[0], file, tmp_path / "base.json", protocol=[protocol], settings=settings)

    assert found.scores[0].paired

"""What compute warns of from digests and headers."""

import shutil
from pathlib import Path

import pytest

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.inspection import headers
from fvd_bench.inspection.faults import Appearance, mismatched, mixed
from fvd_bench.settings import Settings
from fvd_bench.videos.header import Probe
from fvd_bench.videos.probe import probe


def _warned(real: Path, fake: Path, protocol: str, tmp_path: Path) -> dict[str, str]:
    result = evaluate(real, fake, protocol, settings=Settings(cache=tmp_path / "store"))
    return {warned.code: warned.message for warned in result.warnings}


_CODES = {"duplicate-files", "shared-files", "mixed-sizes", "mixed-rates", "mixed-codecs"} | {
    "size-mismatch",
    "rate-mismatch",
    "codec-mismatch",
}


def test_healthy_sides_have_nothing_to_be_warned_of(two_sides, pixels_protocol, tmp_path: Path) -> None:
    assert not set(_warned(*two_sides, pixels_protocol(), tmp_path)) & _CODES


def test_duplicates_are_found_by_their_digests(two_sides, pixels_protocol, tmp_path: Path) -> None:
    real, fake = two_sides
    shutil.copytree(fake, tmp_path / "fake")
    shutil.copy(fake / "0.mkv", tmp_path / "fake" / "again.mkv")
    shutil.copy(real / "3.mkv", tmp_path / "fake" / "leaked.mkv")

    found = _warned(real, tmp_path / "fake", pixels_protocol(), tmp_path)

    assert found["duplicate-files"] == "1 of 7 fake videos has the same bytes as another of them: again.mkv (as 0.mkv)"
    assert (
        found["shared-files"]
        == "1 of 7 fake videos has the same bytes as one of the real videos: leaked.mkv (as 3.mkv)"
    )


def test_a_side_against_itself_is_told_once(two_sides, pixels_protocol, tmp_path: Path) -> None:
    found = _warned(two_sides[0], two_sides[0], pixels_protocol(), tmp_path)

    assert "same-videos" in found and "shared-files" not in found


def test_sides_that_do_not_match_are_told(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames, write_video
) -> None:
    for seed in range(3):
        write_video(tmp_path / "fake" / f"{seed}.mp4", moving_frames(20, height=32, seed=seed), rate=10)
    write_video(tmp_path / "fake" / "odd.mkv", moving_frames(20), codec="ffv1", pix_fmt="bgr0")

    found = _warned(two_sides[0], tmp_path / "fake", pixels_protocol(images="resize = { size = 20 }"), tmp_path)

    assert set(found) & _CODES == {
        "mixed-sizes", "mixed-rates", "mixed-codecs", "size-mismatch", "rate-mismatch", "codec-mismatch",
    }  # fmt: skip
    assert found["mixed-codecs"] == "fake videos differ in codec, most are h264: odd.mkv (ffv1)"
    assert found["size-mismatch"].endswith("64×48 for most real videos, 64×32 for most fake videos")


def test_a_sample_says_that_it_is_one(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames, write_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "MOST_VIDEOS", 4)
    shutil.copytree(two_sides[0], tmp_path / "real")
    write_video(tmp_path / "real" / "1.mkv", moving_frames(20, height=32), codec="ffv1", pix_fmt="bgr0")

    found = _warned(tmp_path / "real", two_sides[1], pixels_protocol(images="resize = { size = 20 }"), tmp_path)

    assert found["mixed-sizes"].startswith("real videos, of which 4 of 6 were looked at, differ in size")


def test_headers_are_read_once(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames, write_video, monkeypatch
) -> None:
    fake = shutil.copytree(two_sides[1], tmp_path / "fake")
    read: list[str] = []
    monkeypatch.setattr(headers, "probe", lambda video: read.append(video.path.name) or probe(video))

    for seed in range(3):
        write_video(
            fake / f"{seed}.mkv", moving_frames(20, height=32, seed=seed), codec="ffv1", pix_fmt="bgr0", rate=10
        )
    first, again = (
        _warned(two_sides[0], fake, pixels_protocol(images="resize = { size = 20 }"), tmp_path) for _ in "12"
    )

    assert "size-mismatch" in first and again == first
    assert len(read) == 11
    write_video(fake / "0.mkv", moving_frames(20, seed=9), codec="ffv1", pix_fmt="bgr0")
    _warned(two_sides[0], fake, pixels_protocol(images="resize = { size = 20 }"), tmp_path)
    assert read[11:] == ["0.mkv"]


@pytest.mark.parametrize(("large", "told"), [(2, False), (3, True)])
def test_sides_differ_where_more_than_half_of_each_do(large: int, told: bool) -> None:
    real = [Appearance(str(i), (64, 64), None) for i in range(4)]
    fake = [Appearance(str(i), (128, 128) if i < large else (64 + i, 64), None) for i in range(4)]

    assert bool(list(mismatched(real, fake, who=("real videos", "fake videos")))) is told


def test_rates_that_all_count_as_the_usual_one_are_no_finding() -> None:
    """Telephones write such; the fastest and the slowest differ by more than each does from most."""
    rates = (24.8, 25.0, 25.0, 25.2)
    seen = [Appearance(f"{n}.mp4", None, Probe("h264", "yuv420p", (64, 48), rate)) for n, rate in enumerate(rates)]

    assert list(mixed("videos", seen)) == []

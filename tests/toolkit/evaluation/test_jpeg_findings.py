"""What is said of the qualities of JPEG frames, of either side and of both."""

from pathlib import Path

from fvd_bench import Settings
from fvd_bench.evaluation.evaluate import evaluate

NO_CACHE = Settings(cache=None)


def test_jpeg_frames_of_another_quality_are_reported(
    tmp_path: Path, moving_frames, write_frames, pixels_protocol
) -> None:
    for side, quality in (("real", 90), ("fake", 75)):
        for seed in range(3):
            write_frames(tmp_path / side / str(seed), moving_frames(12, seed=seed), suffix=".jpg", quality=quality)
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')

    warned = {
        w.code: w.message for w in evaluate(tmp_path / "real", tmp_path / "fake", protocol, settings=NO_CACHE).warnings
    }

    assert "quality 75" in warned["jpeg-quality"]
    assert "the protocol says 95" in warned["jpeg-quality"]
    assert "quality 90, the fake frames are JPEG of 75" in warned["jpeg-mismatch"]


def test_jpeg_frames_against_fakes_that_the_protocol_codes_are_compared_too(
    tmp_path: Path, two_sides, moving_frames, write_frames, pixels_protocol
) -> None:
    for seed in range(3):
        write_frames(tmp_path / "real" / str(seed), moving_frames(12, seed=seed), suffix=".jpg", quality=50)
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')
    sides = tmp_path / "real", two_sides[1]

    result = evaluate(*sides, protocol, settings=NO_CACHE)
    uncoded = evaluate(*sides, pixels_protocol(), settings=NO_CACHE)

    assert any("quality 50, the fake frames are JPEG of 95" in w.message for w in result.warnings)
    assert not any(w.code == "jpeg-mismatch" for w in uncoded.warnings)

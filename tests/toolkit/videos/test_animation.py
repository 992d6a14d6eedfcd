"""Image files that hold several images: videos of their own, and never a frame."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fvd_bench.errors import VideoError
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Pixels, Video

FORMS = {
    ".webp": {"lossless": True, "duration": 40},
    ".png": {"duration": 40},
    ".apng": {"format": "PNG", "duration": 40},
    ".tif": {},
}


def _write(file: Path, frames: Pixels, **save: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Image.fromarray, frames)
    first.save(file, save_all=True, append_images=others, **{**FORMS[file.suffix], **save})
    return file


def _pixels(video: Video) -> Pixels:
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("above", ["", "one/", "each/{n}/"])
def test_each_file_is_a_video(tmp_path: Path, moving_frames, suffix: str, above: str) -> None:
    videos = [moving_frames(5 + n, seed=n) for n in range(3)]
    for n, frames in enumerate(videos):
        _write(tmp_path / "a" / above.format(n=n) / f"{n}{suffix}", frames)

    source = open_source(tmp_path / "a")

    assert source.kind == "video files"
    assert source.names == tuple(above.format(n=n) + f"{n}{suffix}" for n in range(3))
    for n, frames in enumerate(videos):
        np.testing.assert_array_equal(_pixels(source.video(n)), frames)


def test_they_are_videos_in_archives_too(tmp_path: Path, moving_frames) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for n in range(2):
            archive.write(_write(tmp_path / f"{n}.webp", moving_frames(5, seed=n)), f"{n}.webp")

    source = open_source(tmp_path / "a.zip")

    assert source.kind == "video files in a zip archive"
    np.testing.assert_array_equal(_pixels(source.video(1)), moving_frames(5, seed=1))


def test_their_order_is_that_of_video_files(tmp_path: Path, moving_frames, write_video) -> None:
    """Draws follow it: the bytes of names without suffix."""
    for name in ("a", "a-1", "b"):
        _write(tmp_path / "images" / f"{name}.webp", moving_frames(3))
        write_video(tmp_path / "videos" / f"{name}.mp4", moving_frames(3))

    images, videos = (open_source(tmp_path / side).names for side in ("images", "videos"))

    assert [Path(name).stem for name in images] == [Path(name).stem for name in videos]


@pytest.mark.parametrize("suffix", FORMS)
def test_a_frame_that_holds_several_is_named(tmp_path: Path, moving_frames, write_frames, suffix: str) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(3))
    _write(folder / f"3{suffix}", moving_frames(4))
    video = open_source(tmp_path).video(0)

    with pytest.raises(VideoError, match=rf"frame 3\{suffix} holds 4 images, and a frame is one: write one file for"):
        _pixels(video)


def test_a_photo_with_a_second_image_is_no_first_image(tmp_path: Path, moving_frames) -> None:
    """As telephones write them, under the ending of a plain JPEG."""
    first, *others = map(Image.fromarray, moving_frames(2))
    first.save(tmp_path / "0.jpg", "MPO", save_all=True, append_images=others)

    with pytest.raises(VideoError, match=r"frame 0\.jpg holds 2 images"):
        _pixels(FrameFolder(tmp_path, ["0.jpg"]))


def test_each_of_several_still_images_is_one_frame(tmp_path: Path, moving_frames, write_frames) -> None:
    write_frames(tmp_path / "a", moving_frames(3), suffix=".webp")

    source = open_source(tmp_path / "a")

    assert (source.kind, [source.video(n).num_frames for n in range(3)]) == ("single images", [1, 1, 1])


def test_a_still_image_among_animations_is_a_video_of_one_frame(tmp_path: Path, moving_frames) -> None:
    for name in "ab":
        _write(tmp_path / f"{name}.webp", moving_frames(4))
    Image.fromarray(moving_frames(1)[0]).save(tmp_path / "cover.jpg")

    source = open_source(tmp_path)

    assert [source.video(n).num_frames for n in range(3)] == [4, 4, 1]


def test_texts_in_a_png_are_no_facts_about_it(tmp_path: Path, moving_frames) -> None:
    texts = PngImagePlugin.PngInfo()
    for name in ("duration", "default_image"):
        texts.add_text(name, "long")
    _write(tmp_path / "a.webp", moving_frames(4))
    Image.fromarray(moving_frames(1)[0]).save(tmp_path / "b.png", pnginfo=texts)

    video = open_source(tmp_path).video(1)

    np.testing.assert_array_equal(_pixels(video), moving_frames(1))


def test_an_image_that_cannot_be_read_hides_no_animation(tmp_path: Path, moving_frames) -> None:
    for n in range(5):
        _write(tmp_path / f"folder-{n}" / "0.webp", moving_frames(3))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.webp").write_bytes(b"RIFF....WEBP")
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "0.png").symlink_to("nowhere")

    assert open_source(tmp_path).names == ("bad", "dead", *(f"folder-{n}/0.webp" for n in range(5)))


def test_the_picture_for_programs_without_animation_is_no_frame(tmp_path: Path, moving_frames) -> None:
    frames = moving_frames(5)

    np.testing.assert_array_equal(
        _pixels(VideoFile(_write(tmp_path / "a.png", frames, default_image=True))), frames[1:]
    )


def test_a_file_that_breaks_off_has_the_frames_before(tmp_path: Path, moving_frames) -> None:
    file = _write(tmp_path / "a.png", moving_frames(6))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    video = VideoFile(file)

    count = video.num_frames

    assert 1 <= count < 6
    np.testing.assert_array_equal(_pixels(video), moving_frames(6)[:count])
    assert video.track().frames == 6


def test_header_rate_and_times(tmp_path: Path, moving_frames) -> None:
    even = VideoFile(_write(tmp_path / "a.webp", moving_frames(4)))
    uneven = VideoFile(_write(tmp_path / "b.png", moving_frames(4), duration=[40, 80, 40, 40]))
    pages = VideoFile(_write(tmp_path / "c.tif", moving_frames(4)))

    probes = [video.probe() for video in (even, uneven, pages)]

    assert [(p.codec, p.size, p.rate) for p in probes] == [
        ("webp", (64, 48), 25.0), ("apng", (64, 48), 25.0), ("tiff", (64, 48), None)
    ]  # fmt: skip
    assert [video.track().intervals for video in (even, uneven, pages)] == [None, (40.0, 80.0), None]
    assert even.decoded == 0


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30), Fraction(60)], ids=float)
def test_a_png_has_fractions_of_a_millisecond(tmp_path: Path, moving_frames, write_video, rate: Fraction) -> None:
    """Frames of 33.333 ms that count as 33 ms make 30.3 frames a second of 30.

    FFmpeg writes them, as Pillow before 12.1 rounds to milliseconds.
    """
    written = write_video(tmp_path / "a.apng", moving_frames(7), codec="apng", pix_fmt="rgb24", rate=rate)
    video = VideoFile(written.rename(tmp_path / "a.png"))

    track = video.track()

    expected = tuple(map(float, (rate, rate, 7 / rate)))
    assert (video.probe().rate, track.rate, track.seconds) == pytest.approx(expected, rel=1e-6)
    assert track.intervals is None
    assert [frame.time.ticks * frame.time.tick for frame in video.frames(np.array([0, 6])) if frame.time] == (
        pytest.approx([0, float(6 / rate)], abs=1e-6)
    )


def test_a_page_above_the_limit_is_refused(closing_decoders, tmp_path: Path) -> None:
    small, large = (Image.fromarray(np.zeros((size, size, 3), np.uint8)) for size in (8, 64))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])

    with pytest.raises(VideoError, match=r"frame 1 of a\.tif is too large, 64×64: at most 1,000 pixels"):
        _pixels(VideoFile(tmp_path / "a.tif", decoders=closing_decoders(Limits(pixels=1000))))


def test_pages_of_sixteen_bits_are_refused(tmp_path: Path) -> None:
    deep = [Image.fromarray(np.full((8, 8), 300, np.uint16))] * 2
    deep[0].save(tmp_path / "a.tif", save_all=True, append_images=deep[1:])

    with pytest.raises(VideoError, match="8 bits per channel are expected"):
        _pixels(VideoFile(tmp_path / "a.tif"))

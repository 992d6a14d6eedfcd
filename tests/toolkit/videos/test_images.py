import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.videos import images
from fvd_bench.videos.files import DISK
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Video


def _all(source: Video) -> np.ndarray:
    return np.stack([f.pixels for f in source.frames(np.arange(source.num_frames))])


def _folder(path: Path) -> FrameFolder:
    return FrameFolder(path, [f.name for f in path.iterdir()])


def test_grey_and_opaque_alpha_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    opaque = np.full_like(grey, 255)
    for name, image in {
        "0": Image.fromarray(grey),
        "1": Image.merge("LA", [Image.fromarray(grey), Image.fromarray(opaque)]),
        "2": Image.merge("RGBA", [Image.fromarray(grey)] * 3 + [Image.fromarray(opaque)]),
    }.items():
        image.save(tmp_path / f"{name}.png")

    np.testing.assert_array_equal(_all(_folder(tmp_path)), np.repeat(np.stack([grey] * 3, -1)[None], 3, axis=0))


def test_frames_of_a_folder_are_in_natural_order(tmp_path: Path, moving_frames) -> None:
    frames = moving_frames(12)
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"frame{t}.png")

    assert _folder(tmp_path).names == [f"frame{t}.png" for t in range(12)]


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 86, 95, 100])
def test_the_quality_of_jpeg_frames_is_read_from_their_tables(
    tmp_path: Path, moving_frames, write_frames, quality
) -> None:
    folder = _folder(write_frames(tmp_path / "a", moving_frames(2), suffix=".jpg", quality=quality))

    assert [f.jpeg_quality for f in folder.frames(np.arange(2))] == [quality, quality]


def test_other_tables_and_other_formats_have_no_quality(tmp_path: Path, moving_frames, write_frames) -> None:
    own = _folder(write_frames(tmp_path / "a", moving_frames(1), suffix=".jpg", qtables=[list(range(1, 65))]))
    png = _folder(write_frames(tmp_path / "b", moving_frames(1)))

    assert next(own.frames(np.arange(1))).jpeg_quality == 0
    assert next(png.frames(np.arange(1))).jpeg_quality is None


def test_a_corrupt_frame_is_named(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(12), suffix=".jpg")
    data = (folder / "5.jpg").read_bytes()
    (folder / "5.jpg").write_bytes(data[:-200])

    assert len(list(_folder(folder).frames(np.arange(5)))) == 5
    with pytest.raises(VideoError, match=r"frame 5\.jpg cannot be decoded"):
        list(_folder(folder).frames(np.arange(12)))
    (folder / "5.jpg").write_bytes(b"no image")
    for look in (lambda video: list(video.frames(np.arange(12))), FrameFolder.check_all):
        with pytest.raises(VideoError, match=r"frame 5\.jpg is not an image"):
            look(_folder(folder))


def test_frames_of_unequal_size_are_named(tmp_path: Path, moving_frames, write_frames, monkeypatch) -> None:
    monkeypatch.setattr(images, "_MOST_IMAGES", 5)  # that are asked for at a time
    folder = write_frames(tmp_path / "a", moving_frames(12))
    Image.fromarray(moving_frames(1, 48, 66)[0]).save(folder / "7.png")

    looks = (
        lambda video: list(video.frames(np.arange(12))),
        lambda video: video.first_greys(12),
        FrameFolder.check_all,
    )
    for look in looks:
        with pytest.raises(VideoError, match=r"0\.png is 64×48, 7\.png is 66×48"):
            look(_folder(folder))


def test_only_the_images_that_are_asked_for_are_opened(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(12))
    opened: list[str] = []

    class Watched:
        def source(self, path: Path) -> str:
            opened.append(path.name)
            return DISK.source(path)

        def state(self, path: Path) -> bytes:
            return DISK.state(path)

    video = FrameFolder(folder, [f.name for f in folder.iterdir()], Watched())

    assert (video.num_frames, opened) == (12, [])
    assert len(list(video.frames(np.array([3, 7])))) == 2
    assert opened == ["3.png", "7.png"]
    assert len(video.first_greys(3)) == 3
    assert opened[2:] == ["0.png", "1.png", "2.png"]


def test_a_subset_looks_at_its_own_images_alone(tmp_path: Path, moving_frames, write_frames) -> None:
    frames = moving_frames(6)
    folder = _folder(write_frames(tmp_path / "a", frames))
    Image.fromarray(frames[3, :4]).save(tmp_path / "a" / folder.names[3])
    (tmp_path / "a" / folder.names[4]).write_bytes(b"no image")

    part = folder.subset(np.array([0, 2, 5]))

    np.testing.assert_array_equal(_all(part), frames[[0, 2, 5]])
    np.testing.assert_array_equal(_all(part.subset(np.array([1]))), frames[[2]])
    assert part.names == [folder.names[index] for index in (0, 2, 5)]
    assert part.content() != part.subset(np.array([1])).content()
    with pytest.raises(VideoError, match="differ in size"):
        folder.subset(np.array([2, 3])).check_all()
    with pytest.raises(VideoError, match=folder.names[4]):
        list(folder.subset(np.array([2, 4])).frames(np.array([0, 1])))
    with pytest.raises(ShortVideoError):
        folder.subset(np.array([2, 6]))


def test_16_bit_frames_are_refused_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 40000, dtype=np.uint16)).save(tmp_path / "0.png")

    with pytest.raises(VideoError, match="8 bits per channel"):
        list(_folder(tmp_path).frames(np.arange(1)))


def test_16_bit_colour_is_refused_too(tmp_path: Path) -> None:
    """Pillow opens such a PNG in an 8-bit mode and drops the low bytes."""
    rows = b"".join(b"\0" + bytes([0x12, 0xFF] * 3 * 4) for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    (tmp_path / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)

    with pytest.raises(VideoError, match="8 bits per channel"):
        list(_folder(tmp_path).frames(np.arange(1)))


def test_uncommon_colours_are_those_of_their_formulas(tmp_path: Path) -> None:
    """YCbCr as in JFIF, of BT.601 in full range, and CMYK without a profile; Pillow rounds down in places.

    Before version 13 it does not read what it writes in YCbCr, which is told.
    """
    rng = np.random.default_rng(0)
    luma, blue, red, key = (rng.integers(0, 256, (16, 16)).astype(float) for _ in range(4))
    formulas = {
        "YCbCr": (
            (luma, blue, red),
            (
                luma + 1.402 * (red - 128),
                luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
                luma + 1.772 * (blue - 128),
            ),
        ),
        "CMYK": ((luma, blue, red, key), tuple((255 - ink) * (255 - key) / 255 for ink in (luma, blue, red))),
    }
    for mode, (channels, expected) in formulas.items():
        Image.merge(mode, [Image.fromarray(c.astype(np.uint8)) for c in channels]).save(tmp_path / f"{mode}.tif")

        if mode == "YCbCr" and int(PIL.__version__.partition(".")[0]) < 13:
            with pytest.raises(VideoError, match=r"YCbCr\.tif cannot be decoded"):
                list(FrameFolder(tmp_path, [f"{mode}.tif"]).frames(np.arange(1)))
            continue
        (frame,) = FrameFolder(tmp_path, [f"{mode}.tif"]).frames(np.arange(1))
        np.testing.assert_allclose(frame.pixels, np.stack(expected, axis=2).clip(0, 255), atol=1.01)


def test_cielab_is_refused(tmp_path: Path) -> None:
    """Pillow leaves it to Little CMS, which makes (32, 254, 253) of cyan."""
    Image.new("LAB", (4, 4), (231, 208, 241)).save(tmp_path / "0.tif")

    with pytest.raises(VideoError, match="pixels of mode LAB; expected grey, RGB, CMYK or YCbCr: convert it to RGB"):
        list(_folder(tmp_path).frames(np.arange(1)))


def test_content_follows_bytes_and_state_follows_files(tmp_path: Path, moving_frames, write_frames) -> None:
    a = _folder(write_frames(tmp_path / "a", moving_frames(3)))
    b = _folder(write_frames(tmp_path / "b", moving_frames(3)))
    content, state = a.content(), a.state()

    assert b.content() == content
    (tmp_path / "a" / "1.png").write_bytes((tmp_path / "a" / "2.png").read_bytes() + b" ")
    assert a.content() != content
    assert a.state() != state


def test_names_of_any_number_of_digits_are_in_order(tmp_path: Path) -> None:
    """Python refuses to read numbers of more than 4300 digits; files in archives may have such names."""
    names = ["9" * 5000 + ".png", "1" + "0" * 5000 + ".png", "7.png", "٣.png", "07.png", "a7.png"]

    assert FrameFolder(tmp_path, names).names == ["a7.png", "٣.png", "07.png", "7.png", names[0], names[1]]

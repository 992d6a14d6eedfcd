import struct
import warnings
import weakref
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fvd_bench import video
from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.video import FrameFolder, VideoFile, read_clips


def _all(source: video.Video) -> np.ndarray:
    return np.stack([f.pixels for f in source.frames(np.arange(source.num_frames))])


def _folder(path: Path) -> FrameFolder:
    return FrameFolder(path, [f.name for f in path.iterdir()])


def test_lossless_files_and_folders_give_the_frames_that_were_written(
    tmp_path: Path, moving_frames, write_video, write_frames
) -> None:
    frames = moving_frames(14)

    ffv1 = write_video(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    png = write_frames(tmp_path / "b", frames)
    webp = write_frames(tmp_path / "c", frames, suffix=".webp", lossless=True)

    np.testing.assert_array_equal(_all(VideoFile(ffv1)), frames)
    np.testing.assert_array_equal(_all(_folder(png)), frames)
    np.testing.assert_array_equal(_all(_folder(webp)), frames)


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("gop", [1, 5, 250])
def test_any_frames_are_exact_whatever_the_keyframes(
    tmp_path: Path, monkeypatch, moving_frames, write_video, gop: int, hold: bool
) -> None:
    """H.264 with B-frames, read from what counting held and by a second decode."""
    file = write_video(tmp_path / "a.mp4", moving_frames(40), gop=gop)
    with av.open(str(file)) as container:
        expected = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    monkeypatch.setattr(video, "_HELD_BYTES", 2**26 if hold else 0)
    wanted = [np.arange(3, 12), np.arange(8, 17), np.arange(30, 39), np.array([39])]

    found = dict(read_clips(VideoFile(file), wanted))

    for k, indices in enumerate(wanted):
        np.testing.assert_array_equal(found[k].frames, [expected[i] for i in indices])
    assert VideoFile(file).num_frames == 40


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        (".mp4", "libx264", "yuv420p"),
        (".mov", "libx264", "yuv420p"),
        (".avi", "mpeg4", "yuv420p"),
        (".webm", "libvpx", "yuv420p"),
        (".mkv", "libx265", "yuv420p10le"),
        (".gif", "gif", "rgb8"),
        (".mpg", "mpeg1video", "yuv420p"),
    ],
)
def test_every_container_is_read(tmp_path: Path, moving_frames, write_video, suffix, codec, pix_fmt) -> None:
    frames = moving_frames(11)
    file = tmp_path / f"a{suffix}"
    try:
        write_video(file, frames, codec=codec, pix_fmt=pix_fmt)
    except av.error.FFmpegError as error:
        pytest.fail(f"this FFmpeg cannot write {codec}: {error}")

    read = _all(VideoFile(file))

    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 40  # a gif has 256 fixed colours


def test_grey_and_alpha_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for name, image in {
        "0": Image.fromarray(grey),
        "1": Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)]),
        "2": Image.merge("RGBA", [Image.fromarray(grey)] * 3 + [Image.fromarray(255 - grey)]),
    }.items():
        image.save(tmp_path / f"{name}.png")

    np.testing.assert_array_equal(_all(_folder(tmp_path)), np.repeat(np.stack([grey] * 3, -1)[None], 3, axis=0))


def test_rotation_tags_are_applied(tmp_path: Path, moving_frames, write_video) -> None:
    frames = moving_frames(9, 32, 64)

    flat = _all(VideoFile(write_video(tmp_path / "a.mp4", frames, codec="mpeg4")))
    turned = _all(VideoFile(write_video(tmp_path / "b.mp4", frames, codec="mpeg4", rotation=90)))

    assert turned.shape == (9, 64, 32, 3)
    np.testing.assert_array_equal(turned, np.rot90(flat, axes=(1, 2)))


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


def test_a_truncated_file_gives_the_frames_that_decode(tmp_path: Path, moving_frames, write_video) -> None:
    whole = write_video(tmp_path / "a.mp4", moving_frames(60, 64, 96))
    cut = tmp_path / "b.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])

    found = VideoFile(cut).num_frames

    assert 9 < found < 60
    np.testing.assert_array_equal(_all(VideoFile(cut))[: found - 2], _all(VideoFile(whole))[: found - 2])


def test_damage_inside_a_file_is_noticed(tmp_path: Path, moving_frames, write_video) -> None:
    file = write_video(tmp_path / "a.mp4", moving_frames(60, 64, 96, seed=3))
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xa5" * 200
    file.write_bytes(data)
    damaged = VideoFile(file)

    flags = [frame.damaged for frame in damaged.frames(np.arange(damaged.num_frames))]

    assert any(flags)
    assert not flags[0]
    (clip,) = (clip for _, clip in read_clips(damaged, [np.arange(len(flags))]))
    assert clip.damaged == sum(flags)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "cannot be decoded"),
        ("text.mp4", b"this is not a video\n" * 50, "cannot be decoded"),
        ("missing.mp4", None, "cannot be"),
    ],
)
def test_what_is_no_video_is_a_video_error(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(VideoError, match=message):
        _ = VideoFile(file).num_frames


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "a.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())

    with pytest.raises(VideoError, match="no video stream"):
        _ = VideoFile(file).num_frames


def test_a_corrupt_frame_is_named(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(12), suffix=".jpg")
    data = (folder / "5.jpg").read_bytes()
    (folder / "5.jpg").write_bytes(data[:-200])

    assert len(list(_folder(folder).frames(np.arange(5)))) == 5
    with pytest.raises(VideoError, match=r"frame 5\.jpg cannot be decoded"):
        list(_folder(folder).frames(np.arange(12)))
    (folder / "5.jpg").write_bytes(b"no image")
    with pytest.raises(VideoError, match=r"frame 5\.jpg is not an image"):
        _ = _folder(folder).num_frames


def test_frames_of_unequal_size_are_named(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(12))
    Image.fromarray(moving_frames(1, 48, 66)[0]).save(folder / "7.png")

    with pytest.raises(VideoError, match=r"0\.png is 64×48, 7\.png is 66×48"):
        _ = _folder(folder).num_frames


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


def test_a_container_that_breaks_off_gives_what_came_before(tmp_path: Path, moving_frames, write_video) -> None:
    whole = write_video(tmp_path / "a.avi", moving_frames(40, 64, 96), codec="mpeg4")
    cut, data, found = tmp_path / "b.avi", whole.read_bytes(), []
    for percent in range(70, 100, 3):
        cut.write_bytes(data[: len(data) * percent // 100])
        found.append(VideoFile(cut).num_frames)

    assert all(0 < n <= 40 for n in found)
    assert found == sorted(found)


def test_a_colon_in_a_path_is_no_transport(tmp_path: Path, monkeypatch, moving_frames, write_video) -> None:
    write_video(tmp_path / "odd:dir" / "a.mp4", moving_frames(10))
    monkeypatch.chdir(tmp_path)

    assert VideoFile(Path("odd:dir/a.mp4")).num_frames == 10


def test_running_out_of_frames_says_how_many_there_are(tmp_path: Path, moving_frames, write_video) -> None:
    file = write_video(tmp_path / "a.mp4", moving_frames(10))

    with pytest.raises(ShortVideoError, match="10 frames decode, the clip needs 16"):
        list(VideoFile(file).frames(np.arange(16)))


def test_content_follows_bytes_and_state_follows_files(tmp_path: Path, moving_frames, write_frames) -> None:
    a = _folder(write_frames(tmp_path / "a", moving_frames(3)))
    b = _folder(write_frames(tmp_path / "b", moving_frames(3)))
    content, state = a.content(), a.state()

    assert b.content() == content
    (tmp_path / "a" / "1.png").write_bytes((tmp_path / "a" / "2.png").read_bytes() + b" ")
    assert a.content() != content
    assert a.state() != state


def test_frames_are_let_go_when_no_clip_needs_them(monkeypatch, moving_frames) -> None:
    """Of a long video that is read clip by clip, only one clip's frames are alive at a time."""
    born: list[weakref.ref[np.ndarray]] = []
    most_alive = 0

    class Counted:
        num_frames = 400

        def frames(self, indices: np.ndarray):
            nonlocal most_alive
            for i in indices.tolist():
                pixels = np.full((2, 2, 3), i % 256, dtype=np.uint8)
                born.append(weakref.ref(pixels))
                yield video.Frame(pixels)
                del pixels
                most_alive = max(most_alive, sum(ref() is not None for ref in born))

    wanted = [np.arange(s, s + 10) for s in range(0, 400, 10)]
    clips = [clip.frames[0, 0, 0, 0] for _, clip in read_clips(Counted(), wanted)]  # type: ignore[arg-type]

    assert clips == [s % 256 for s in range(0, 400, 10)]
    assert 9 <= most_alive <= 11


def test_reading_warns_of_nothing(tmp_path: Path, moving_frames, write_video) -> None:
    file = write_video(tmp_path / "a.mp4", moving_frames(10))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _all(VideoFile(file))

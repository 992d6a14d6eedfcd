import itertools
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.decoding.video_frame import Decoded
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.video import Video, read_clips


def _all(source: Video) -> np.ndarray:
    return np.stack([f.pixels for f in source.frames(np.arange(source.num_frames))])


@pytest.fixture(scope="module", params=[2**26, 0], ids=["held", "sought"])
def decoders(request: pytest.FixtureRequest) -> Iterator[Decoders]:
    """With memory for the frames of a video, and without."""
    made = Decoders(Limits(held_bytes=request.param))
    yield made
    made.close()


@pytest.mark.parametrize("gop", [1, 5, 250])
def test_any_frames_are_exact_whatever_the_keyframes(
    tmp_path: Path, decoders: Decoders, moving_frames, write_video, gop: int
) -> None:
    """H.264 with B-frames, read from what counting held and by seeking."""
    file = write_video(tmp_path / "a.mp4", moving_frames(40), gop=gop)
    with av.open(str(file)) as container:
        expected = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    wanted = [np.arange(3, 12), np.arange(8, 17), np.arange(30, 39), np.array([39])]

    video = VideoFile(file, decoders=decoders)
    assert video.num_frames == 40

    found = dict(read_clips(video, wanted))

    for k, indices in enumerate(wanted):
        np.testing.assert_array_equal(found[k].frames, [expected[i] for i in indices])


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


def test_colours_are_those_of_a_frames_own_tags_whatever_came_before(moving_frames) -> None:
    """One converter is kept for the frames of all videos. Tags are BT.709 and BT.601, of limited and full range; two
    frames have palettes of their own."""
    frames = []
    for seed in range(2):
        palette = np.random.default_rng(seed).integers(0, 256, (256, 4), dtype=np.uint8)
        palette[:, 0] = 255  # opaque
        frames.append(av.VideoFrame.from_ndarray((moving_frames(1)[0, :, :, 0].copy(), palette), format="pal8"))
    for side, form, space, span in itertools.product((32, 48), ("yuv420p", "yuv444p10le"), (1, 6), (1, 2)):
        made = av.VideoFrame.from_ndarray(moving_frames(1, side, 64)[0], format="rgb24").reformat(format=form)
        made.colorspace, made.color_range = space, span
        frames.append(made)

    found = [Decoded(frame, damaged=False).frame().pixels for frame in frames]

    assert len({pixels.tobytes() for pixels in found}) == len(frames)
    for frame, pixels in zip(frames, found, strict=True):
        np.testing.assert_array_equal(pixels, frame.to_ndarray(format="rgb24", threads=1))


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_colours_that_swscale_cannot_convert_are_refused(moving_frames, matrix: int) -> None:
    frame = av.VideoFrame.from_ndarray(moving_frames(1)[0], format="rgb24").reformat(format="yuv444p")
    frame.colorspace = matrix

    with pytest.raises(VideoError, match=rf"has colours by matrix {matrix} of ITU-T H\.273 .* encode it again"):
        Decoded(frame, damaged=False).frame()


def test_rotation_tags_are_applied(tmp_path: Path, moving_frames, write_video) -> None:
    frames = moving_frames(9, 32, 64)

    flat = _all(VideoFile(write_video(tmp_path / "a.mp4", frames, codec="mpeg4")))
    turned = _all(VideoFile(write_video(tmp_path / "b.mp4", frames, codec="mpeg4", rotation=90)))

    assert turned.shape == (9, 64, 32, 3)
    np.testing.assert_array_equal(turned, np.rot90(flat, axes=(1, 2)))


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


def test_tags_need_not_be_utf8(tmp_path: Path, moving_frames, write_video) -> None:
    """PyAV decodes them when it opens a file."""
    file = write_video(tmp_path / "a.mkv", moving_frames(10))
    data = file.read_bytes()
    assert b"Lavf" in data

    file.write_bytes(data.replace(b"Lavf", b"L\xe9v\xff"))

    assert VideoFile(file).num_frames == 10


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


def test_reading_warns_of_nothing(tmp_path: Path, moving_frames, write_video) -> None:
    file = write_video(tmp_path / "a.mp4", moving_frames(10))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _all(VideoFile(file))


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile good.mkv\n",
        "#EXTM3U\n#EXTINF:1,\ngood.mkv\n#EXT-X-ENDLIST\n",
        "v=0\nc=IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
    ],
)
@pytest.mark.parametrize("where", ["folder", "archive"])
def test_lists_of_other_files_are_not_followed(
    tmp_path: Path, moving_frames, write_video, text: str, where: str
) -> None:
    """FFmpeg by itself takes the first for the video that stands beside it."""
    write_video(tmp_path / "a" / "good.mkv", moving_frames(5))
    (tmp_path / "a" / "list.mp4").write_text(text)
    if where == "archive":
        shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a")
    side = open_source(tmp_path / ("a" if where == "folder" else "a.zip"))

    with pytest.raises(VideoError, match="it is a text; lists and playlists of other files are not followed"):
        _ = side.video(1).num_frames
    assert side.video(0).num_frames == 5


@pytest.mark.parametrize("name", ["a.mp4", "a%02d.mp4"])
def test_an_image_under_the_name_of_a_video_is_refused(tmp_path: Path, moving_frames, name: str) -> None:
    Image.fromarray(moving_frames(1)[0]).save(tmp_path / name, "PNG")

    with pytest.raises(VideoError, match=r"none of the formats that are read \(AVI, WMV, .*bare H\.265\)"):
        _ = VideoFile(tmp_path / name).num_frames

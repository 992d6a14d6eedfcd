"""What lies in a folder and looks like a video is listed, so that it is skipped by name if it is no file."""

import os
from pathlib import Path

import pytest

from fvd_bench.errors import VideoError
from fvd_bench.sources.listing import walk
from fvd_bench.sources.opening import open_source


def test_links_that_lead_nowhere_are_listed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    (tmp_path / "one.mp4").symlink_to("other.mp4")
    (tmp_path / "other.mp4").symlink_to("one.mp4")
    (tmp_path / "dead.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "through-a-file.mp4").symlink_to("file/a.mp4")
    (tmp_path / "too-long.mp4").symlink_to("a" * 300)

    found = sorted(walk(tmp_path))

    assert found == ["dead.mp4", "file", "itself.mp4", "one.mp4", "other.mp4", "through-a-file.mp4", "too-long.mp4"]


def test_pipes_and_devices_are_listed_where_they_look_like_videos(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.PNG", "pipe", "shard.tar"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "c.mp4").symlink_to("/dev/zero")

    assert sorted(walk(tmp_path)) == ["a.mp4", "b.PNG", "c.mp4"]


def test_what_is_listed_but_no_file_is_a_bad_video(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    os.mkfifo(tmp_path / "frames" / "0.png")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    source = open_source(tmp_path)

    assert list(source.names) == ["device.mp4", "frames", "itself.mp4", "pipe.mp4"]
    for index, reason in enumerate(["is a device", "is a pipe", "symbolic links", "is a pipe"]):
        video = source.video(index)
        length = () if source.names[index] == "frames" else (lambda video=video: video.num_frames,)  # that counts names
        for ask in (video.content, video.state, *length):
            with pytest.raises(VideoError, match=reason):
                ask()

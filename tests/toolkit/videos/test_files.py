"""What is no regular file is never opened."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fvd_bench.errors import VideoError
from fvd_bench.videos.files import DISK, file_state, sha256_of, state_of


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))  # addresses of sockets are short


_ODD = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", _ODD)
@pytest.mark.parametrize("ask", [DISK.source, DISK.state, file_state])
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ask: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    _ODD[kind](tmp_path / "a.mp4")

    with pytest.raises(OSError, match=rf"^a\.mp4 is {kind}: expected a regular file, or a link to one$"):
        ask(tmp_path / "a.mp4")


@pytest.mark.parametrize("ask", [lambda p: sha256_of(DISK, p), lambda p: state_of(DISK, [p])])
def test_a_pipe_is_a_bad_video(tmp_path: Path, ask: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "a.mp4")

    with pytest.raises(VideoError, match=r"cannot be read: a\.mp4 is a pipe: expected"):
        ask(tmp_path / "a.mp4")


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.mp4").symlink_to("a.mp4")

    assert DISK.source(tmp_path / "b.mp4") == str(tmp_path / "b.mp4")
    assert sha256_of(DISK, tmp_path / "b.mp4") == hashlib.sha256(b"x").hexdigest()

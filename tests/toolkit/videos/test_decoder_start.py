"""What a decoding process starts with: a Python, modules and a PyAV that may be broken; no video is to blame."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fvd_bench.errors import DecoderError, VideoError
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.file import VideoFile


def test_a_decoder_that_cannot_start_says_why(
    closing_decoders, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('numpy is broken here')")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(DecoderError, match=r"does not start \(exit code 1: ImportError: numpy is broken here\); exp"):
        _ = VideoFile(file, decoders=closing_decoders(Limits())).num_frames


OTHER_PYAV = """
import importlib, sys
sys.path.remove({folder!r})
del sys.modules["av"]
av = importlib.import_module("av")
{change}
"""


@pytest.fixture
def other_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a PyAV that was changed by some lines before the installed one, for decoding processes that start now."""

    def put(change: str) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        (folder / "av.py").write_text(OTHER_PYAV.format(folder=str(folder), change=change))
        monkeypatch.syspath_prepend(str(folder))

    return put


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("av.open = lambda file: None", r"TypeError: .*unexpected keyword argument 'options'.* in \w+\.py, line "),
        ("del av.open", "AttributeError: module 'av' has no attribute 'open'"),
    ],
)
def test_a_call_that_pyav_does_not_know_is_no_fault_of_the_video(
    closing_decoders, file: Path, other_pyav, change: str, fault: str
) -> None:
    other_pyav(change)
    decoders = closing_decoders(Limits())

    for ask in (lambda v: v.num_frames, lambda v: v.probe(), lambda v: v.track()):
        said = rf"none of them is at fault \({fault}.* with PyAV [\d.]+, at .*a\.mp4\)"
        with pytest.raises(DecoderError, match=said):
            ask(VideoFile(file, decoders=decoders))


def test_where_no_memory_is_left_for_pyav_memory_is_what_is_advised(closing_decoders, file: Path, other_pyav) -> None:
    other_pyav("def lazy(*given, **more): raise ImportError('libav.so: failed to map segment')\nav.open = lazy")

    with pytest.raises(DecoderError, match=r"failed to map segment.*\): no memory is left: end what else uses it"):
        _ = VideoFile(file, decoders=closing_decoders(Limits())).num_frames


def test_what_a_damaged_file_makes_pyav_raise_is_its_own_fault(closing_decoders, file: Path, other_pyav) -> None:
    other_pyav("def refuse(*args, **keywords): raise ValueError('impossible')\nav.open = refuse")

    with pytest.raises(VideoError, match="cannot be decoded: ValueError: impossible"):
        _ = VideoFile(file, decoders=closing_decoders(Limits())).num_frames


def test_inspect_does_not_call_good_files_bad(file: Path, tmp_path: Path, other_pyav) -> None:
    """It ends with exit code 3 and the reason, where it used to find that no frame decodes, with exit code 0."""
    for name in "abc":
        shutil.copy(file, tmp_path / f"{name}.mp4")
    other_pyav("av.open = lambda file: None")
    command = [sys.executable, "-m", "fvd_bench", "inspect", str(tmp_path)]
    paths = os.pathsep.join(sys.path)

    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False)

    assert done.returncode == 3
    assert "none of them is at fault (TypeError" in done.stderr
    assert done.stdout == ""


def test_no_process_is_no_fault_of_the_video(closing_decoders, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(DecoderError, match=r"does not start \(.*No such file or directory: '/no/such/python'\)"):
        _ = VideoFile(file, decoders=closing_decoders(Limits())).num_frames


@pytest.mark.parametrize(("number", "option"), [(errno.EMFILE, "-n"), (errno.EAGAIN, "-u")])
def test_the_limit_that_stands_in_the_way_is_named(
    closing_decoders, file: Path, monkeypatch: pytest.MonkeyPatch, number: int, option: str
) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)

    with pytest.raises(
        DecoderError, match=rf"does not start \(.*\); raise the limit \(ulimit {option}\), or take fewer"
    ):
        _ = VideoFile(file, decoders=closing_decoders(Limits())).num_frames


def test_modules_beside_the_videos_are_not_imported(
    closing_decoders, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('code of strangers')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])

    assert VideoFile(file, decoders=closing_decoders(Limits())).num_frames == 30

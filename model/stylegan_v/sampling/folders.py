"""Generated videos on disk: one folder that many runs may fill. Each video is there whole or not at all.

generated.json beside the videos says what their frames depend on. A run with the same settings goes on where another
ended, or adds videos to its own, also at the same time; a run with other settings is refused, also before the first
video is there. Videos are written under hidden names first, and what killed runs left of those goes when the next run
begins by itself.
"""

from __future__ import annotations

import contextlib
import glob
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from fvd_bench.atomic import write_text
from fvd_bench.errors import cause
from fvd_bench.progress import Progress, silent
from fvd_bench.videos.video import Pixels
from stylegan_v.data.folder import JPEG_QUALITY
from stylegan_v.errors import ModelError
from stylegan_v.folder_lock import locked
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.sheets import check_writable, write_video
from stylegan_v.sampling.videos import video_name

SETTINGS_FILE = "generated.json"

Form = Literal["mp4", "jpg", "png"]

_FORMAT = 1

_CLAIM_SECONDS = 5.0
"""How long a run waits for others that look at the settings of the folder, which takes them a moment."""

_PARTIAL = re.compile(r"\.[0-9]+(\.mp4)?\.[0-9a-f]{16}\.part")
"""The hidden names of videos that are being written."""

_LEAST_BYTES: Mapping[Form, int] = {"jpg": 600, "png": 70, "mp4": 4}
"""Bytes that a frame takes though all its pixels are alike: the tables of a JPEG file, the chunks of a PNG file, and
its size in the index of an mp4 file."""


@dataclass(frozen=True, slots=True)
class Generated:
    """How many videos a run made, and how many it found."""

    made: int
    found: int


def generate(
    out: Path,
    sampler: VideoSampler,
    *,
    videos: int,
    frames: int,
    form: Form,
    first: int = 0,
    label: int | None = None,
    progress: Progress = silent,
) -> Generated:
    """Write videos `first` to `first + videos - 1` of a sampler to a folder, except those that it holds already.

    form: `mp4` for files 000000.mp4; `jpg` or `png` for folders 000000 of frames 000000.jpg, of quality 95, or .png.
    label: the class of all videos, None to draw one for each. Memory does not grow with frames or videos.
    Raises ConfigError, and ModelError when the folder holds videos of other settings, when another run makes such
    videos there at the time, and when it cannot be written.
    """
    check_writable(f".{form}")
    sampler.label(first, label)
    sampler.check(frames)
    sampler.check_numbers(first, videos)
    settings = {**sampler.identity(), "frames": frames, "class": label, "format": form}
    made = 0
    try:
        _check_room(out, videos * frames, form)
        with _claimed(out, settings):
            for done, number in enumerate(range(first, first + videos)):
                progress("videos", done, videos)
                name = video_name(number)
                if (out / (f"{name}.mp4" if form == "mp4" else name)).exists():
                    continue
                stream = sampler.frames(number, range(frames), label=label)
                if form == "mp4":
                    write_video(out / f"{name}.mp4", stream, sampler.rate)
                else:
                    write_frames(out / name, stream, f".{form}")
                made += 1
    except OSError as error:
        raise ModelError(f"{error.filename or out} cannot be written: {cause(error)}") from error
    progress("videos", videos, videos)
    return Generated(made, videos - made)


def write_frames(folder: Path, frames: Iterable[Pixels], suffix: str) -> None:
    """Write frames as images 000000.jpg (of quality 95) or .png in a folder, which is there whole or not at all.

    Raises OSError.
    """
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.part")
    options = {"quality": JPEG_QUALITY} if suffix == ".jpg" else {}
    partial.mkdir()
    try:
        for place, frame in enumerate(frames):
            Image.fromarray(frame).save(partial / f"{place:06d}{suffix}", **options)  # type: ignore[arg-type]
        partial.rename(folder)
    except OSError:
        if not folder.exists():  # if it does, another run made the same video meanwhile
            raise
    finally:
        _remove(partial)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*part"):  # killed runs left it
        _remove(left)


@contextlib.contextmanager
def _claimed(out: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Make sure that the folder is there, with these settings and no videos of other ones, and stays so in the block.

    The folder is locked while its settings are read and written. The file of the settings is locked until the block
    ends, in a way that runs of the same settings share. Raises ModelError.
    """
    out.mkdir(parents=True, exist_ok=True)
    busy = ModelError(f"another process works in {out}: wait for its end, or name another folder")
    with contextlib.ExitStack() as held:
        with locked(out, busy, patience=_CLAIM_SECONDS):
            _claim(out, settings)
            _remove_abandoned(out)
            held.enter_context(locked(out / SETTINGS_FILE, busy, shared=True))
        yield


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Write the settings, unless the folder has them. Those of a run that ended without a video are replaced.

    Raises ModelError where other settings are in use.
    """
    file = out / SETTINGS_FILE
    others = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith(".") and entry != file)
    found = _read_settings(file) if file.exists() else {}
    if found == settings:
        return
    if others and not found:
        raise ModelError(
            f"{out} holds {others[0]} and no {SETTINGS_FILE}: it is of another making; name another folder"
        )
    if found:
        different = [key for key in {**settings, **found} if settings.get(key) != found.get(key)]
        listed = ", ".join(f"{key} was {_said(found, key)} and is {_said(settings, key)}" for key in different)
        instead = f"{listed}; name another folder, or the same settings"
        if others:
            raise ModelError(f"{out} holds videos of other settings: {instead}")
        with locked(file, ModelError(f"another process makes videos of other settings in {out}: {instead}")):
            pass
    write_text(file, json.dumps({"format": _FORMAT, "settings": settings}, indent=2) + "\n")


def _remove_abandoned(out: Path) -> None:
    """Remove what killed runs left of videos, where no other run is at work. The folder is locked meanwhile."""
    with contextlib.suppress(ModelError), locked(out / SETTINGS_FILE, ModelError("at work")) as alone:
        for partial in out.iterdir() if alone else ():
            if _PARTIAL.fullmatch(partial.name):
                _remove(partial)


def _check_room(out: Path, frames: int, form: Form) -> None:
    """Raise ModelError where the disk is too small for so many frames, even if all of it were free."""
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    needed, there = frames * _LEAST_BYTES[form], shutil.disk_usage(place).total
    if 0 < there < needed:  # some file systems do not say how large they are
        raise ModelError(
            f"{frames:,} frames take {needed / 1e9:,.0f} GB at the very least, and the disk of {out} has "
            f"{there / 1e9:,.0f} in all: make fewer or shorter videos"
        )


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != _FORMAT or not isinstance(found.get("settings"), dict):
        raise ModelError(f"{file} says nothing that this version reads of the videos beside it; name another folder")
    settings: dict[str, Any] = found["settings"]
    return settings


def _said(settings: dict[str, Any], key: str) -> str:
    value = settings.get(key)
    if key == "generator" and isinstance(value, str):
        value = value[:8]
    return "not given" if value is None else str(value)


def _remove(partial: Path) -> None:
    """Remove a file, or a folder with all that is in it, as far as that can be done."""
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        partial.unlink()

"""The hostile corpus: healthy material, and everything that is made from it. The same bytes from run to run."""

from __future__ import annotations

import contextlib
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from fvd_bench.videos.video import Pixels
from tests.hostile import addresses, arrays, features, frame_folders, lists, tars, video_files, zips
from tests.hostile.case import Case, Good, Maker
from tests.program import fvd_bench

FRAMES = 10
"""Of each healthy video. The protocol wants nine, so nearly nothing may be missing."""

PROTOCOL = """
name = "pixels"
version = 1
summary = "colours on a coarse grid"
source = "the test suite"
[clip]
frames = 9
start = { real = "random", fake = "first" }
[features]
extractor = "pixels"
[metric]
names = ["fvd"]
"""

MAKERS: dict[str, Maker] = {
    "video": video_files.make,
    "frames": frame_folders.make,
    "zip": zips.make,
    "tar": tars.make,
    "array": arrays.make,
    "features": features.make,
    "list": lists.make,
    "address": addresses.make,
}

_CODECS = {"mp4": "mpeg4", "mkv": "ffv1", "avi": "mpeg4", "gif": "gif", "webm": "libvpx"}
_FORMATS = {"ffv1": "bgr0", "gif": "rgb8"}


def write(root: Path) -> tuple[Good, list[Case]]:
    """Write the corpus to an empty folder."""
    good = _good(root)
    cases: list[Case] = []
    for form, make in MAKERS.items():
        folder = root / form
        folder.mkdir()
        cases += make(good, folder)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases have one name"
    return good, cases


def _good(root: Path) -> Good:
    good = Good(root, root / "videos", root / "images", root / "code-was-run")
    good.videos.mkdir(parents=True)
    frames = {name: _moving(seed) for seed, name in enumerate("abcd")}
    for suffix, codec in _CODECS.items():
        for name in "abc":
            _write_video(good.videos / f"{name}.{suffix}", frames[name], codec)
    for name, video in frames.items():
        (good.frames / name).mkdir(parents=True)
        for t, frame in enumerate(video):
            Image.fromarray(frame).save(good.frames / name / f"{t:04d}.png")
    shutil.copytree(good.frames, root / "real")
    np.save(root / "videos.npy", np.stack(list(frames.values())))
    (root / "pixels.toml").write_text(PROTOCOL)
    compute = ["compute", "--real", "real", "--fake", "images", "--json", "result.json"]
    compute += ["--manifest", "manifest.json"]
    stats = ["stats", "real", "--side", "real", "--out", "real.npz"]
    with contextlib.chdir(root):
        for command in (compute, stats):
            fvd_bench(*command, "--protocol", "./pixels.toml", "--no-cache").check_returncode()
    return good


def _moving(seed: int) -> Pixels:
    """A square that moves over a gradient: uint8 [T, 32, 32, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:32, 0:32]
    frames = np.repeat((np.stack([x * 4, y * 4, x + y], axis=-1) + rng.integers(0, 60, 3))[None], FRAMES, axis=0)
    for t in range(FRAMES):
        left = int(rng.integers(0, 4)) + 2 * t
        frames[t, 8:16, left : left + 8] = rng.integers(150, 256, 3)
    return frames.astype(np.uint8)


def _write_video(file: Path, frames: Pixels, codec: str) -> None:
    with av.open(str(file), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = _FORMATS.get(codec, "yuv420p")
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())

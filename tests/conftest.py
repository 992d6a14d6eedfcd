"""Small real videos, a protocol without a network, and the real weights."""

from __future__ import annotations

import functools
import gc
import os
import signal
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.networks import weights
from fvd_bench.videos.decoding import pool
from fvd_bench.videos.video import Pixels

PIXELS_PROTOCOL = """
name = "{name}"
version = 1
summary = "colours on a coarse grid, for tests"
source = "the test suite"

[clip]
frames = {frames}
start = {{ real = "random", fake = "first" }}
{clip}

[count]
{count}

[frames]
{images}

[features]
extractor = "pixels"

[metric]
names = ["fvd"]
"""


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pool._IDLE_SECONDS = 600.0  # a decoder takes half a second to start, and some files of tests decode nothing for a while


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """GPU tests are skipped with a reason where there is none, and fail where one was promised."""
    import torch  # not at the top: the process that hands the tests out to others needs none

    if torch.cuda.is_available() or os.environ.get("FVD_BENCH_REQUIRE_GPU"):
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device; FVD_BENCH_REQUIRE_GPU=1 makes this fail"))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep the garbage collector from all that is loaded for the tests and stays: each full pass would go through it,
    which takes a third of the collection, and later a twentieth of the time."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    return found


@pytest.fixture(scope="session")
def i3d_tensors() -> dict[str, np.ndarray]:
    """The tensors of the real I3D, fetched once."""
    return weights.load("i3d-kinetics-400").tensors


@pytest.fixture(scope="session")
def moving_frames() -> Callable[..., Pixels]:
    """Frames of a bright square that moves over a coloured gradient: uint8 [T, H, W, 3], told apart by seed."""

    def make(num_frames: int = 20, height: int = 48, width: int = 64, seed: int = 0) -> Pixels:
        rng = np.random.default_rng([9, seed])
        y, x = np.mgrid[0:height, 0:width]
        ground = np.stack([x * 2, y * 3, x + y], axis=-1) % 200 + rng.integers(0, 40, 3)
        frames = np.repeat(ground[None], num_frames, axis=0)
        start, speed = rng.integers(0, width // 2, 2), rng.uniform(0.3, 1.5, 2)
        for t in range(num_frames):
            top, left = (int(s + v * t) % (height - 8) for s, v in zip(start, speed, strict=True))
            frames[t, top : top + 8, left : left + 8] = rng.integers(200, 256, 3)
        return frames.astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Write frames as a video file. rawvideo and ffv1 in mkv are lossless, of which ffv1 takes more than twice as long
    to write and to decode, and libx264 does not give the same bytes each time."""

    def write(
        file: Path,
        frames: Pixels,
        *,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        gop: int = 12,
        rotation: int = 0,
        qp: int | None = None,
        rate: Fraction | int = 25,
    ) -> Path:
        import av  # not at the top: tests that need a GPU run where it is absent

        file.parent.mkdir(parents=True, exist_ok=True)
        options = {".mp4": {"movflags": "+faststart"}, ".mkv": {"allow_raw_vfw": "1"}}.get(file.suffix, {})
        with av.open(str(file), "w", options=options) as container:
            stream = container.add_stream(codec, rate=Fraction(rate))
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pix_fmt
            stream.codec_context.gop_size = gop
            stream.options = {} if qp is None else {"qp": str(qp)}
            if rotation:
                stream.set_display_rotation(rotation)
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        return file

    return write


@pytest.fixture(scope="session")
def write_frames() -> Callable[..., Path]:
    """Write frames as a folder of images named 0.png, 1.png, …; `save` options go to Pillow."""

    def write(folder: Path, frames: Pixels, *, suffix: str = ".png", **save: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"{t}{suffix}", **save)
        return folder

    return write


@pytest.fixture(scope="session")
def write_pixels_protocol() -> Callable[..., str]:
    """Write a protocol on the `pixels` extractor to a folder; clip, count and images are lines of their sections."""

    def write(
        folder: Path, *, name: str = "pixels", frames: int | str = 9, clip: str = "", count: str = "", images: str = ""
    ) -> str:
        file = folder / f"{name}.toml"
        file.write_text(PIXELS_PROTOCOL.format(name=name, frames=frames, clip=clip, count=count, images=images))
        return str(file)

    return write


@pytest.fixture
def pixels_protocol(tmp_path: Path, write_pixels_protocol: Callable[..., str]) -> Callable[..., str]:
    """`write_pixels_protocol` to the folder of the test."""
    return functools.partial(write_pixels_protocol, tmp_path)


@pytest.fixture(scope="session")
def two_sides(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> tuple[Path, Path]:
    """Six real and five fake lossless videos of 12 to 30 frames. Tests must not change them."""
    root = tmp_path_factory.mktemp("sides")
    for seed in range(6):
        write_video(
            root / "real" / f"{seed}.mkv", moving_frames(12 + 3 * seed, seed=seed), codec="rawvideo", pix_fmt="bgr24"
        )
    for seed in range(5):
        frames = moving_frames(30 - 4 * seed, seed=100 + seed)
        write_video(root / "fake" / f"{seed}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    return root / "real", root / "fake"


@pytest.fixture(scope="session")
def seeded_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of torch-fidelity's Inception with seeded random weights."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Blank(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict: object) -> None:  # type: ignore[override]
            """Keeps the random initial weights."""

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Blank("blank", ["2048"], feature_extractor_weights_path=str(folder / "none.pth"))
    torch.save(network.state_dict(), folder / "seeded.pth")
    return folder / "seeded.pth"

"""The same videos in every form in which people have them: one score."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fvd_bench import Arrays, GeneratorSource, Settings, evaluate
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.video import Pixels, Video

NO_CACHE = Settings(cache=None)
VIDEOS, FRAMES, SIZE = 8, 20, 32
ORDERS = ("NTHWC", "NCTHW", "NTCHW")

Make = Callable[[Path], Any]
"""Write the videos of the session below a folder and give what is passed to evaluate."""


@pytest.fixture(scope="session")
def videos(moving_frames) -> Pixels:
    """Fake videos: uint8 [N, T, H, W, 3]."""
    return np.stack([moving_frames(FRAMES, SIZE, SIZE, seed=100 + n) for n in range(VIDEOS)])


@pytest.fixture(scope="session")
def real(tmp_path_factory, moving_frames, write_frames) -> Path:
    folder: Path = tmp_path_factory.mktemp("real")
    for n in range(VIDEOS):
        write_frames(folder / f"{n:06d}", moving_frames(FRAMES + n, SIZE, SIZE, seed=n))
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory, videos, write_frames) -> Path:
    """The fake videos as folders of PNG frames."""
    root: Path = tmp_path_factory.mktemp("fake")
    for n, video in enumerate(videos):
        write_frames(root / f"{n:06d}", video)
    return root


@pytest.fixture
def files(tmp_path: Path, folder: Path, videos: Pixels, write_frames, write_video, monkeypatch) -> Files:
    monkeypatch.chdir(tmp_path)
    return Files(tmp_path, folder, videos, write_video)


class Files:
    """Writes the videos in one form or another below a folder, and gives the side."""

    def __init__(self, root: Path, folder: Path, videos: Pixels, write_video: Callable[..., Path]) -> None:
        self.root, self.folder, self.videos, self.write_video = root, folder, videos, write_video

    def frame_folders(self) -> Path:
        return self.folder

    def frame_folders_two_levels(self) -> Path:
        (self.root / "deep").mkdir()
        (self.root / "deep" / "set").symlink_to(self.folder, target_is_directory=True)
        return self.root / "deep"

    def zip_of_frames(self, *, above: str = "", entries: bool = False) -> Path:
        with zipfile.ZipFile(self.root / "a.zip", "w") as archive:
            for path in sorted(self.folder.rglob("*")):
                if entries or path.is_file():
                    archive.write(path, above + path.relative_to(self.folder).as_posix())
            archive.writestr(f"{above}dataset.json", '{"labels": null}')  # as the StyleGAN-V code's own archives
        return self.root / "a.zip"

    def zip_two_levels(self) -> Path:
        return self.zip_of_frames(above="set/", entries=True)

    def tar(self, suffix: str = ".tar", mode: str = "w") -> Path:
        with tarfile.open(self.root / f"a{suffix}", mode) as archive:  # type: ignore[call-overload]
            archive.add(self.folder, ".")
        return self.root / f"a{suffix}"

    def tar_gz(self) -> Path:
        return self.tar(".tar.gz", "w:gz")

    def tar_xz(self) -> Path:
        return self.tar(".tar.xz", "w:xz")

    def tar_bz2(self) -> Path:
        return self.tar(".tbz2", "w:bz2")

    def shards_of_frames(self) -> Path:
        (self.root / "shards").mkdir()
        for shard in range(4):
            with tarfile.open(self.root / "shards" / f"set-{shard:03d}.tar", "w") as archive:
                for n in range(2 * shard, 2 * shard + 2):
                    archive.add(self.folder / f"{n:06d}", f"{n:06d}")
        return self.root / "shards"

    def shards_of_videos(self) -> str:
        videos = self.lossless_videos()
        (self.root / "labels.json").write_text("{}")
        for shard in range(4):
            with tarfile.open(self.root / f"set-{shard:03d}.tar", "w") as archive:
                for n in range(2 * shard, 2 * shard + 2):
                    archive.add(videos / f"{n:06d}.mkv", f"{n:06d}.mkv")
                    archive.add(self.root / "labels.json", f"{n:06d}.json")
        return str(self.root / "set-{000..003}.tar")

    def lossless_videos(self) -> Path:
        for n, video in enumerate(self.videos):
            self.write_video(self.root / "videos" / f"{n:06d}.mkv", video, codec="rawvideo", pix_fmt="bgr24")
        return self.root / "videos"

    def h264_rgb(self) -> Path:
        for n, video in enumerate(self.videos):
            self.write_video(self.root / "rgb" / f"{n:06d}.mkv", video, codec="libx264rgb", pix_fmt="rgb24", qp=0)
        return self.root / "rgb"

    def array_folder(self) -> Path:
        (self.root / "arrays").mkdir()
        for n, video in enumerate(self.videos):
            np.save(self.root / "arrays" / f"{n:06d}.npy", video)
        return self.root / "arrays"

    def index_set(self) -> Path:
        with h5py.File(self.root / "set.h5", "w") as file:
            file["train_data"] = self.videos.reshape(-1, SIZE, SIZE, 3)
            file["train_idx"] = np.arange(0, VIDEOS * FRAMES, FRAMES)
        return self.root / "set.h5"

    def list_of_arrays(self) -> list[Pixels]:
        return list(self.videos)

    def dict_of_tensors(self) -> dict[str, torch.Tensor]:
        return {f"{n:06d}": torch.from_numpy(video) for n, video in enumerate(self.videos)}

    def iterable(self) -> Iterator[Pixels]:
        return (video for video in self.videos)

    def iterable_of_batches(self) -> Arrays:
        batches = torch.from_numpy(self.videos).permute(0, 1, 4, 2, 3).split(3)
        return Arrays((b / 127.5 - 1 for b in batches), axes="NTCHW", value_range=(-1, 1))

    def function(self) -> str:
        np.save(self.root / "videos.npy", self.videos)
        (self.root / "mine_of_forms.py").write_text(
            "import numpy as np\ndef videos():\n    yield from np.load('videos.npy')\n"
        )
        return "mine_of_forms:videos"

    def generator_function(self) -> GeneratorSource:
        return GeneratorSource(lambda index: self.videos[index], videos=VIDEOS)

    def generator_of_floats(self) -> GeneratorSource:
        channels_first = torch.from_numpy(self.videos).permute(0, 4, 1, 2, 3)
        return GeneratorSource(
            lambda index: channels_first[index].half() / 255,
            videos=VIDEOS,
            axes="CTHW",
            value_range=(0, 1),
            identity="x",
        )


LOSSLESS = [name for name, value in vars(Files).items() if callable(value) and not name.startswith("_")]


def _array(videos: Pixels, order: str) -> Pixels:
    return np.ascontiguousarray(videos.transpose(["NTHWC".index(axis) for axis in order]))


def _write_array(file: Path, array: Pixels) -> Path:
    """One array of five axes."""
    match file.suffix:
        case ".npy":
            np.save(file, array)
        case ".npz":
            np.savez(file, videos=array, labels=np.zeros(VIDEOS))
        case ".pt":
            torch.save(torch.from_numpy(array), file)
        case ".safetensors":
            save_file({"videos": torch.from_numpy(array)}, file)
        case ".h5":
            with h5py.File(file, "w") as opened:
                opened.create_dataset("set/videos", data=array, chunks=True, compression="gzip")
    return file


def _write_many(file: Path, videos: Pixels) -> Path:
    """One array of four axes per video."""
    arrays = {f"{n:06d}": video for n, video in enumerate(videos)}
    match file.suffix:
        case ".npz":
            np.savez_compressed(file, **arrays)
        case ".pt":
            torch.save({name: torch.from_numpy(video) for name, video in arrays.items()}, file)
        case ".safetensors":
            save_file({name: torch.from_numpy(video) for name, video in arrays.items()}, file)
        case ".h5":
            with h5py.File(file, "w") as opened:
                for name, video in arrays.items():
                    opened[name] = video
    return file


@pytest.fixture(scope="session")
def score(real: Path, tmp_path_factory) -> Callable[[Any, str], float]:
    """Score a side against the real videos, whose features are kept."""
    settings = Settings(cache=tmp_path_factory.mktemp("store"))

    def value(fake: Any, protocol: str) -> float:
        found = evaluate(real, fake, protocol, settings=settings)
        assert (found.scores[0].fake.clips, found.scores[0].fake.skipped) == (VIDEOS, ())
        assert found.value is not None
        return found.value

    return value


@pytest.fixture(scope="session")
def expected(score, folder: Path, write_pixels_protocol, tmp_path_factory) -> float:
    value: float = score(folder, write_pixels_protocol(tmp_path_factory.mktemp("protocol"), frames=16))
    assert value > 1e-3
    return value


@pytest.mark.parametrize("form", LOSSLESS)
def test_one_score_for_all_lossless_forms(files: Files, form: str, score, expected, pixels_protocol) -> None:
    side = getattr(files, form)()

    assert score(side, pixels_protocol(frames=16)) == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".safetensors", ".h5"])
def test_one_score_for_all_array_files(tmp_path, videos, suffix, order, score, expected, pixels_protocol) -> None:
    file = _write_array(tmp_path / f"a{suffix}", _array(videos, order))

    assert score(file, pixels_protocol(frames=16)) == pytest.approx(expected, rel=0, abs=1e-9)
    assert score(Arrays(file, axes=order), pixels_protocol(frames=16)) == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors", ".h5"])
def test_one_score_for_files_of_many_arrays(tmp_path, videos, suffix, score, expected, pixels_protocol) -> None:
    file = _write_many(tmp_path / f"a{suffix}", videos)

    assert score(file, pixels_protocol(frames=16)) == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_one_score_for_all_arrays_in_memory(videos, library, order, score, expected, pixels_protocol) -> None:
    array: Any = _array(videos, order)
    given = array if library == "numpy" else torch.from_numpy(array)

    assert score(given, pixels_protocol(frames=16)) == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.slow  # test_sources_docs.py scores more forms on it
def test_one_score_on_the_real_network(files: Files, videos: Pixels) -> None:
    """Of files, decoded videos and arrays. The protocol compresses the frames of each alike."""
    real, few = list(videos[2:4]), videos[:2]
    sides = [_first_two(files.tar_gz()), _first_two(files.lossless_videos()), iter(few)]

    values = [evaluate(real, side, "stylegan-v-fvd16", settings=NO_CACHE).value for side in sides]

    assert values == pytest.approx([values[0]] * len(sides), rel=0, abs=1e-9)


@dataclass(frozen=True)
class _Part:
    """The first two videos of a side."""

    whole: ClipSource
    kind: str = "part"
    name: str = "part"
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> Sequence[str]:
        return self.whole.names[:2]

    def video(self, index: int) -> Video:
        return self.whole.video(index)


def _first_two(side: Any) -> _Part:
    return _Part(open_source(side))


def _write_jpeg_frames(folder: Path, videos: Pixels, write_frames: Callable[..., Path]) -> Path:
    for n, video in enumerate(videos):
        write_frames(folder / f"{n:06d}", video, suffix=".jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def many(moving_frames) -> Pixels:
    """Sixteen videos, since the share that a codec moves is larger in a score of fewer."""
    return np.stack([moving_frames(FRAMES, SIZE, SIZE, seed=100 + n) for n in range(16)])


@pytest.fixture(scope="module")
def change(many, moving_frames, write_pixels_protocol, tmp_path_factory) -> Callable[[Any], float]:
    """The share by which a side that was made of the many videos moves their score."""
    real = [moving_frames(FRAMES + n, SIZE, SIZE, seed=n) for n in range(len(many))]
    protocol = write_pixels_protocol(tmp_path_factory.mktemp("protocol"), frames=16)
    settings = Settings(cache=tmp_path_factory.mktemp("store"))

    def value(fake: Any) -> float:
        found = evaluate(real, fake, protocol, settings=settings)
        assert (found.scores[0].fake.clips, found.scores[0].fake.skipped) == (len(many), ())
        assert found.value is not None
        return found.value

    expected = value(many)
    return lambda fake: value(fake) / expected - 1


class TestLossy:
    """What a codec loses moves a score, here by less than the distance of the videos themselves by far.

    The tolerances are three times what was found: JPEG of quality 95 moves this score by 0.15 %, H.264 at its default
    rate by 0.06 %, MPEG-4 by 1.5 %. Swapped channels move it by far more, which the last test shows.
    """

    def test_jpeg_frames_score_nearly_the_same(self, tmp_path: Path, many, write_frames, change) -> None:
        found = change(_write_jpeg_frames(tmp_path / "jpeg", many, write_frames))

        assert abs(found) <= 0.005
        assert found != 0

    @pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg4", ".avi")])
    def test_videos_score_nearly_the_same(self, tmp_path: Path, many, write_video, codec, suffix, change) -> None:
        for n, video in enumerate(many):
            write_video(tmp_path / "lossy" / f"{n:06d}{suffix}", video, codec=codec)

        assert abs(change(tmp_path / "lossy")) <= 0.05

    def test_swapped_channels_are_no_loss_of_a_codec(self, many, change) -> None:
        assert abs(change(many[..., ::-1])) > 0.5

    def test_jpeg_frames_are_left_alone_where_the_protocol_says_so(
        self, files, write_frames, score, pixels_protocol
    ) -> None:
        """So that JPEG files and the lossless frames that they were made of score the same, whoever compresses."""
        protocol = pixels_protocol(frames=16, images='jpeg = { fake = "unless-jpeg" }\njpeg_quality = { fake = 95 }')
        found = score(_write_jpeg_frames(files.root / "jpeg", files.videos, write_frames), protocol)

        for form in ("frame_folders", "zip_of_frames", "tar_gz", "list_of_arrays", "generator_function"):
            assert score(getattr(files, form)(), protocol) == pytest.approx(found, rel=0, abs=1e-9)


def _contents(source: ClipSource) -> list[str]:
    return [source.video(index).content() for index in range(len(source.names))]


def test_the_same_frames_have_one_content_in_every_array(files: Files, tmp_path: Path, videos: Pixels) -> None:
    """So that features computed of one form are found for the others."""
    sides = [
        videos,
        torch.from_numpy(_array(videos, "NCTHW")),
        Arrays(videos.astype(np.float32), value_range=(0, 255)),
        list(videos),
        files.iterable(),
        files.iterable_of_batches(),
        GeneratorSource(lambda index: videos[index], videos=VIDEOS),
        *(_write_array(tmp_path / f"a{suffix}", _array(videos, "NTCHW")) for suffix in (".npy", ".npz", ".h5", ".pt")),
        *(_write_many(tmp_path / f"b{suffix}", videos) for suffix in (".npz", ".safetensors")),
    ]

    contents = [_contents(open_source(side)) for side in sides]

    assert contents == [contents[0]] * len(sides)
    assert len(set(contents[0])) == VIDEOS

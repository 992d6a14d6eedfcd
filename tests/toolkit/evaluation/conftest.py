"""Results to be compared with others, of features that need no network."""

import functools
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.progress import silent
from fvd_bench.settings import Settings


@pytest.fixture(scope="session")
def sets(tmp_path_factory, moving_frames, write_video) -> Path:
    """Folders of 16 lossless videos: real, good and also_good are of one kind, bad is far off. Tests must not
    change them."""
    root = tmp_path_factory.mktemp("gate")
    for number, name in enumerate(["real", "good", "also_good", "bad"]):
        for video in range(16):
            frames = moving_frames(12, 32, 32, seed=1000 * number + video)
            if name == "bad":
                frames = frames // 3
            write_video(root / name / f"{video:02d}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    return root


@pytest.fixture(scope="session")
def protocol(write_pixels_protocol, tmp_path_factory) -> str:
    return write_pixels_protocol(tmp_path_factory.mktemp("protocol"))


@pytest.fixture(scope="session")
def settings(sets: Path) -> Settings:
    """With one store for all tests, so that each video is read once."""
    return Settings(cache=sets / "store")


@pytest.fixture(scope="session")
def scored(sets: Path, protocol: str, settings: Settings):
    """The file with the result of a set, and its features beside it, made once for all tests."""

    @functools.cache
    def make(name: str, repeats: int) -> Path:
        target = sets / f"{name}-{repeats}.json"
        with open_evaluation(
            sets / "real", sets / name, protocol, repeats=repeats, seed=0, settings=settings, progress=silent
        ) as evaluation:
            collection = collect(evaluation)
            result = result_of(collection)
            result.write(target)
            result_features.save(result_features.beside(target), collection, result)
        return target

    return make


@pytest.fixture
def baseline(tmp_path: Path, scored):
    """Write the result of a set, with its features unless told otherwise."""

    def write(name: str = "good", *, repeats: int = 1, features: bool = True, file: str = "base.json") -> Path:
        made, target = scored(name, repeats), tmp_path / file
        shutil.copy(made, target)
        if features:
            shutil.copy(result_features.beside(made), result_features.beside(target))
        return target

    return write


@pytest.fixture
def check(sets: Path, protocol: str, settings: Settings):
    def run(fake: str, file: Path, *, real: str = "real", **options: object) -> comparison.Comparisons:
        options.setdefault("protocol", [protocol])
        return comparison.check(sets / real, sets / fake, file, settings=settings, **options)

    return run


@pytest.fixture
def text_of():
    """What a table for people looks like on a wide terminal."""

    def text(renderable: object) -> str:
        console = Console(width=300)
        with console.capture() as capture:
            console.print(renderable, crop=False)
        return capture.get()

    return text

"""Frame folders, and zip archives of folders."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def zip_folder() -> Callable[..., Path]:
    """Zip the contents of a folder in an order of chance; entries: with members for the folders themselves."""

    def write(folder: Path, file: Path, *, compression: int = zipfile.ZIP_STORED, entries: bool = False) -> Path:
        paths = [path for path in folder.rglob("*") if entries or path.is_file()]
        random.Random(1).shuffle(paths)
        with zipfile.ZipFile(file, "w", compression) as archive:
            for path in paths:
                archive.write(path, path.relative_to(folder).as_posix())
        return file

    return write


@pytest.fixture(scope="module")
def frame_sides(tmp_path_factory, moving_frames, write_frames) -> tuple[Path, Path]:
    """PNG and JPEG frame folders at two depths, with names that are prefixes of each other."""
    root = tmp_path_factory.mktemp("frames")
    for number, name in enumerate(["x", "x-1", "x 1", "x.1", "deep/x", "deep/x/y"]):
        write_frames(root / "real" / name, moving_frames(12, seed=number))
    for number, name in enumerate(["a", "b", "sub/c", "sub/d", "sub/e"]):
        write_frames(root / "fake" / name, moving_frames(11, seed=50 + number), suffix=".jpg", quality=95)
    return root / "real", root / "fake"

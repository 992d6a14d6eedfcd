"""The real library `datasets`: a column of videos or of paths, in files or in the dataset itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvd_bench.errors import SourceError
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.opening import open_source
from tests.lazy_module import LazyModule

datasets = LazyModule("datasets")


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    root: Path = tmp_path_factory.mktemp("dataset") / "videos"
    for n in range(3):
        write_video(root / f"{n}.mkv", moving_frames(5, seed=n), codec="rawvideo", pix_fmt="bgr24")
    return root


def _files(folder: Path) -> list[str]:
    return [str(folder / f"{n}.mkv") for n in (2, 0, 1)]


def _embedded(folder: Path, *, with_paths: bool = True) -> datasets.Dataset:
    cells = [{"path": Path(f).name if with_paths else None, "bytes": Path(f).read_bytes()} for f in _files(folder)]
    features = datasets.Features(
        {"clip": datasets.Video(decode=False), "who": datasets.Value("int32"), "tags": [datasets.Value("string")]}
    )
    return datasets.Dataset.from_dict({"clip": cells, "who": [2, 0, 1], "tags": [[]] * 3}, features=features)


FORMS: dict[str, Callable[[Path], datasets.Dataset]] = {
    "paths": lambda folder: datasets.Dataset.from_dict({"path": _files(folder), "who": [2, 0, 1]}),
    "videos in files": lambda folder: datasets.Dataset.from_dict(
        {"clip": _files(folder), "who": [2, 0, 1]}
    ).cast_column("clip", datasets.Video()),
    "videos in the dataset": _embedded,
    "in the format of torch": lambda folder: _embedded(folder).with_format("torch"),
}


def _identity(side: Any) -> str:
    source = open_source(side)
    return fingerprint(source.names, (source.video(n).content() for n in range(len(source.names))))


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_is_the_folder_of_its_videos(folder: Path, form: str) -> None:
    source = open_source(FORMS[form](folder))

    assert _identity(FORMS[form](folder)) == _identity(folder)
    assert [source.video(n).num_frames for n in range(3)] == [5, 5, 5]
    assert source.columns == {"who": ["0", "1", "2"]}  # type: ignore[attr-defined]  # of a FileSource


def test_an_entry_that_is_missing_is_empty_as_in_a_list(folder: Path) -> None:
    """So that no videos are of one class for that alone."""
    source = open_source(datasets.Dataset.from_dict({"path": _files(folder), "who": ["b", None, "a"]}))

    assert source.columns == {"who": ["", "a", "b"]}  # type: ignore[attr-defined]  # of a FileSource


def test_without_paths_videos_are_named_by_their_rows(folder: Path) -> None:
    source = open_source(_embedded(folder, with_paths=False).select([2, 0]))

    assert list(source.names) == ["000000", "000001"]
    assert [source.video(n).content() for n in range(2)] == [open_source(folder).video(n).content() for n in (1, 2)]
    assert source.video(0).state() != source.video(1).state()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: datasets.DatasetDict(train=d, test=d), "pass one of its splits, train, test"),
        (lambda d: d.to_iterable_dataset(), "a datasets.IterableDataset is no side: pass a Dataset"),
        (lambda d: d.select_columns(["who"]), "has the columns who: expected one of videos, datasets.Video, or one of"),
        (
            lambda d: d.add_column("two", d["clip"], feature=d.features["clip"]),
            r"one of videos: dataset\.select",
        ),
    ],
)
def test_what_is_not_one_column_of_videos_is_refused(folder: Path, make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(make(_embedded(folder)))

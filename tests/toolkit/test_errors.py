"""What messages say of files that cannot be read."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import fvd_bench
import stylegan_v
from fvd_bench.errors import FvdBenchError, cause
from fvd_bench.evaluation import manifest
from fvd_bench.metrics import dependence
from fvd_bench.paired.pairing import pair
from fvd_bench.protocols import paired, protocol


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("mine.toml", protocol.text),
        ("mine.toml", paired.text),
        ("groups.csv", lambda file: dependence.groups(["0"], f"{file}:scene")),
        ("pairs.csv", lambda file: pair(["0"], ["0"], file)),
        ("score.json", lambda file: manifest.load(Path(file))),
    ],
)
def test_a_file_that_is_not_there_is_named_once_and_without_numbers_of_the_system(
    tmp_path: Path, name: str, read: Callable[[str], object]
) -> None:
    with pytest.raises(FvdBenchError) as caught:
        read(str(tmp_path / name))

    assert "No such file or directory; expected" in str(caught.value)
    assert "Errno" not in str(caught.value) and str(caught.value).count(name) == 1


def test_an_error_of_our_own_says_what_it_says() -> None:
    """Python gives it no `strerror`, so that alone would be None: `cause` is the one place that asks for it."""
    assert cause(OSError("it breaks off")) == "it breaks off"
    folders = [Path(next(iter(package.__path__))) for package in (fvd_bench, stylegan_v)]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    assert not [file.name for file in files if re.search(r"(?<!\bos)\.strerror", file.read_text("utf-8"))]

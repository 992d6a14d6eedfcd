"""Statistics files, of features or of moments, wherever they are: at paths and at addresses."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fvd_bench.errors import SourceError
from fvd_bench.features.moments_file import MomentsFile, is_moments_file
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress, silent
from fvd_bench.sources import addresses
from fvd_bench.sources.fetched import fetch


def write_at(place: Path | str, file: StatsFile | MomentsFile) -> None:
    """Write a file to a path or an address, whole or not at all. Raises SourceError."""
    if not addresses.is_address(place):
        file.write(Path(place))
        return
    with tempfile.TemporaryDirectory(prefix="fvd-bench-") as folder:
        whole = Path(folder) / "statistics.npz"
        file.write(whole)
        addresses.write(str(place), whole.read_bytes())


def read_at(place: Path | str, progress: Progress = silent) -> StatsFile | MomentsFile:
    """Read the file at a path or an address, of which a copy is kept. Raises SourceError."""
    if not addresses.is_address(place):
        return _read(user_path(place))
    fetched = fetch(str(place), progress)
    try:
        return _read(fetched.files[0].place)
    except SourceError as error:
        raise SourceError(fetched.in_words(str(error))) from error


def _read(path: Path) -> StatsFile | MomentsFile:
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    return MomentsFile.read(path) if is_moments_file(path) else StatsFile.read(path)

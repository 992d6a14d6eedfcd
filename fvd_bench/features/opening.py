"""Opening a side in any form: videos, statistics of ours by path, address or name, and those of other programs."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path, PurePosixPath

from fvd_bench.errors import NotComparableError, SourceError
from fvd_bench.features.given import Given, GivenFile, GivenMoments, GivenStats
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.rules import Side
from fvd_bench.sources.addresses import is_address
from fvd_bench.sources.fetched import fetch
from fvd_bench.sources.opening import SourceLike, open_source
from fvd_bench.sources.reference_names import is_reference

_STATISTICS = (".npz", ".pkl", ".pickle")
"""Endings of statistics, our own and those of `foreign`. What reads them is imported only where one is given."""


def open_side(source: SourceLike, side: Side, progress: Progress = silent) -> Given:
    """Open a side: videos, a statistics file or the name of one, `refs:NAME`, or, for the real side alone, statistics
    of other programs.

    progress: see `open_source`. Raises SourceError, and NotComparableError for a statistics file of the other side.
    """
    if isinstance(source, str | os.PathLike) and is_reference(source):
        from fvd_bench.features.references.resolving import resolved

        name, path = resolved(source, progress)
        if given := _statistics(path, name, side):
            return given
        raise SourceError(f"{name} holds no statistics that this version reads: pull another, or update fvd-bench")
    if isinstance(source, str) and is_address(source):
        if PurePosixPath(source.partition("?")[0]).suffix.lower() in _STATISTICS and "*" not in source:
            fetched = fetch(source, progress)
            if not fetched.is_folder and (given := _statistics(fetched.files[0].place, fetched.shown, side)):
                return given
    elif isinstance(source, str | os.PathLike):
        source = user_path(source)
        if given := _statistics(source, str(source), side):
            return given
    return Given(open_source(source, progress))


def _statistics(path: Path, name: str, side: Side) -> Given | None:
    """Open a side of statistics. None if the file is none of them. name: what the side is called."""
    if not (path.suffix and os.path.isfile(path)):  # noqa: PTH113 - no name is too long for it
        return None
    if path.suffix.lower() == ".npz" and (own := _features(path, name, side) or _moments(path, name, side)):
        return own
    return _foreign(path, name, side)


def _features(path: Path, name: str, side: Side) -> Given | None:
    """Open a statistics file of ours, None where it is none."""
    from fvd_bench.features.stats_file import StatsFile, is_stats_file

    if not is_stats_file(path):
        return None
    file = StatsFile.read(path)
    _check_side(name, "features", file.side, side)
    return GivenFile(name, file)


def _moments(path: Path, name: str, side: Side) -> Given | None:
    """Open a file of moments, None where it is none."""
    from fvd_bench.features.moments_file import MomentsFile, is_moments_file

    if not is_moments_file(path):
        return None
    file = MomentsFile.read(path)
    _check_side(name, "moments", file.side, side)
    return GivenMoments(name, file)


def _foreign(path: Path, name: str, side: Side) -> Given | None:
    """Open the statistics of another program, None where it is no file of such."""
    from fvd_bench.features.foreign import ForeignStats, is_foreign_stats

    if not is_foreign_stats(path):
        return None
    if side == "fake":
        raise SourceError(f"{name} holds statistics, which can be the real side only: pass the fake videos")
    return GivenStats(dataclasses.replace(ForeignStats.read(path), name=name))


def _check_side(name: str, what: str, made_for: Side, given_as: Side) -> None:
    if made_for != given_as:
        raise NotComparableError(
            f"{name} holds {what} for the {made_for} side, and is given as the {given_as} one: clips are not drawn "
            f"alike on both; make it with `fvd-bench stats --side {given_as}`"
        )

"""--keep-features: features beside the JSON of a result or of a ranking, for check and compare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.streams import STDOUT, remark, wrote
from fvd_bench.paths import user_path

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.result import Result
    from fvd_bench.evaluation.result_features import Waiting


class KeptFeatures:
    """The features beside a JSON file, if they are wanted: `result_features.Waiting` on the command line.

    json_file: where the JSON goes by itself; None where it is written together with features, by `write`.
    """

    def __init__(self, json_file: str | None, results: int, *, wanted: bool) -> None:
        """results: how many the file holds. Raises UsageError where features are wanted and there is no file, and
        OutputError where something else lies in their place."""
        self.json_file = None if wanted else json_file
        self._file = user_path(json_file) if json_file and json_file != STDOUT else None
        self._places: list[Path] = []
        self._waiting: Waiting | None = None
        self._is_wanted = wanted
        if self._file is not None and (self._file.is_file() or not self._file.exists()):
            from fvd_bench.evaluation.result_features import beside, check_place

            self._places = [beside(self._file, place if results > 1 else None) for place in range(results)]
            for place in self._places if wanted else ():
                check_place(place)
        elif wanted:
            raise click.UsageError("--keep-features puts the features beside the --json FILE, so it needs one")

    @property
    def files(self) -> list[str]:
        """The files of features that will be written."""
        return [str(place) for place in self._places if self._is_wanted]

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Let features wait for the JSON until the block ends, if they are wanted."""
        if not self._is_wanted:
            yield
            return
        from fvd_bench.evaluation.result_features import waiting

        with waiting() as self._waiting:
            yield

    def keep(self, place: int, collection: Collection, result: Result) -> None:
        """Write the features of the result at a place, which wait for the JSON, or warn that those of an older result
        lie there."""
        if self._waiting is not None:
            self._waiting.add(self._places[place], collection, result)
        elif self._places:
            from fvd_bench.evaluation.result_features import is_foreign

            if (file := self._places[place]).exists() and not is_foreign(file):
                remark(f"fvd-bench: warning: {file} holds the features of an older result; delete it")

    def write(self, text: Callable[[], str]) -> None:
        """Write the JSON and give the features their names, if they are wanted."""
        if self._waiting is not None:
            assert self._file is not None, "else they were refused"
            for file in self._waiting.write(self._file, text()):
                wrote(file)

"""--html: what a page shows beside a result, gathered while the videos can still be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.streams import Text, remark
from fvd_bench.errors import FvdBenchError

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.details.exhibits import Exhibits
    from fvd_bench.evaluation.result import Result
    from fvd_bench.reports.page import Made, Page

_Command = Callable[..., None]


def html_option(what: str) -> Callable[[_Command], _Command]:
    """Add the option for a page. what: what is on it."""
    help_text = f"Write a page with {what}; - for stdout alone."
    return click.option("--html", "html_file", metavar="FILE", help=help_text)


CLIPS_AND_CHARTS = "clips and charts"


class Showing:
    """A page that may have been asked for. file: where it goes, None where it was not. of_one: whether it is of one
    evaluation."""

    def __init__(self, file: str | None, *, of_one: bool = True) -> None:
        self._file = file
        self._of_one = of_one
        self._exhibits: list[Exhibits | None] = []
        self._fault: Exception | None = None

    @property
    def onlooker(self) -> Callable[[Collection, Result], None] | None:
        """What looks on while an evaluation is scored, see `Settings`; None where no page was asked for."""
        return self._gather if self._file else None

    def text(self, page: Callable[[Exhibits | None, Made], Page]) -> Text:
        """Return the file and the text of the page, for `deliver`. page: makes it.

        Making the text raises what was raised while the page's things were gathered, so that the score comes first.
        """
        return self.text_of_all(lambda exhibits, made: page(exhibits[0] if exhibits else None, made))

    def text_of_all(self, page: Callable[[Sequence[Exhibits | None], Made], Page]) -> Text:
        """Return the same for a page of several evaluations, which gets the exhibits of each in their order."""

        def html() -> str:
            from fvd_bench.reports.page import Made

            if self._fault is not None:
                raise self._fault
            program = click.get_current_context().find_root().info_name or "fvd-bench"
            return page(self._exhibits, Made.by(program)).html()

        return self._file, html

    def _gather(self, collection: Collection, result: Result) -> None:
        from fvd_bench.evaluation.details.exhibits import exhibits

        found: Exhibits | None = None
        try:
            found = exhibits(collection, result, is_whole=self._of_one)
        except FvdBenchError as error:
            remark(f"fvd-bench: warning: the page has no clips: {error}")
        except Exception as fault:
            self._fault = fault
        self._exhibits.append(found)

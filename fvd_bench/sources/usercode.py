"""Functions of the user's own: found by name, called, and told about where they fail."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from fvd_bench.errors import FvdBenchError, SourceError

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_function_name(text: str) -> bool:
    """Whether a text is module:function, and not the path of a file."""
    return bool(_NAME.fullmatch(text)) and not Path(text).exists()


def find_function(name: str) -> Callable[[], object]:
    """Import module:function, from the working directory too. Raises SourceError."""
    module_name, _, attribute = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:  # for good: the function may import more when it is called
        sys.path.insert(0, here)
    with telling(f"{name}: importing {module_name}"):
        module = importlib.import_module(module_name)
    function: object = getattr(module, attribute, None)
    if not callable(function):
        raise SourceError(
            f"{name}: {module_name} has no function {attribute}: expected one that takes nothing and returns videos"
        )
    return function


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Let an exception of the user's code be a SourceError that names what was done, its type and its place."""
    try:
        yield
    except FvdBenchError:
        raise
    except Exception as error:  # whatever their code raises: it is theirs to mend
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise SourceError(
            f"{what} failed: {type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
        ) from error

"""Pickles of metrics of training loops: read by the version that wrote them, and refused by others in a sentence.

A pickle names classes and attributes of its own version. So the parts of a metric are a pickle within the pickle, which
is not read before its version is known. `state_dict` names none, and is read by later versions too.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from fvd_bench.errors import FvdBenchError
from fvd_bench.version import __version__

_T = TypeVar("_T")


def of_attributes(kind: type[_T], attributes: Mapping[str, Any]) -> _T:
    """Return an object of a class that has these attributes, and was not initialised."""
    found = object.__new__(kind)
    found.__dict__.update(attributes)
    return found


def unpickled(kind: type[Any], version: str, parts: bytes) -> Any:  # an object of that class
    """Return the object that was pickled. parts: the pickle of its attributes. Raises FvdBenchError."""
    if version != __version__:
        raise _of_another_version(f"version {version} of fvd-bench, this is {__version__}")
    try:
        attributes = pickle.loads(parts)
    except (ImportError, AttributeError, TypeError) as error:
        raise _of_another_version("an fvd-bench whose classes were others") from error
    return of_attributes(kind, attributes)


def __getattr__(name: str) -> NoReturn:
    """Refuse the classes that pickles of earlier versions name: their modules lead here."""
    if name.startswith("__"):
        raise AttributeError(name)
    raise _of_another_version("an fvd-bench whose classes were others")


def _of_another_version(made_by: str) -> FvdBenchError:
    return FvdBenchError(
        f"the metric was pickled by {made_by}: unpickle it with that one and save its state_dict(), which a new metric "
        "loads with load_state_dict()"
    )

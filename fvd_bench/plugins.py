"""Objects that protocols name: those of this package, of installed packages, and in modules of the user's own.

A name such as `i3d` is one of this package, or an entry point of an installed one. A name such as `module:object` is
imported, which runs code. A protocol file may come from anywhere, so that happens only for names that the user has
given himself.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from fvd_bench.errors import ArgumentError, FvdBenchError, ProtocolError, is_out_of_device_memory

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_T = TypeVar("_T")

_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_allowed: set[str] = set()

GIVEN = "given:"
"""How the names of objects begin that were handed over in Python. No other thread or process finds them."""


def allow_code(*names: str) -> None:
    """Let protocols of this process use objects of the user's own code, each named as `module:object`.

    Whoever can write these modules decides what runs. Raises ArgumentError for a name of another form.
    """
    for name in names:
        if not is_code(name):
            raise ArgumentError(f"{name!r} names no code: expected module:object, such as my_networks:r3d18")
    _allowed.update(names)


def allowed_code() -> tuple[str, ...]:
    """Return the names that `allow_code` was given, for another process of the same run."""
    return tuple(sorted(_allowed))


def is_code(name: str) -> bool:
    """Return whether a name is one of a module's object, `module:object`."""
    return bool(_CODE.fullmatch(name)) and not name.startswith(GIVEN)


def imported(name: str, *, raising: type[FvdBenchError]) -> object:
    """Import module:object, also from the working directory; None where the module has no such object.

    Raises an error of this type, see `running_user_code`.
    """
    module_name, _, attribute = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:  # it stays there: the object may import more when it is called
        sys.path.insert(0, here)
    with running_user_code(f"{name}: importing {module_name}", raising=raising):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # a package that the module itself imports
            raise raising(
                f"{name}: there is no module {error.name}: run the command in the folder that {error.name}.py lies in, "
                "or install its package"
            ) from error
    found: object = getattr(module, attribute, None)
    return found


@contextlib.contextmanager
def running_user_code(what: str, *, raising: type[FvdBenchError]) -> Iterator[None]:
    """Turn an exception of the user's code into an error that names what was done, its type and its place."""
    try:
        yield
    except FvdBenchError:
        raise
    except Exception as error:  # the user's code may raise anything, and the user has to fix it
        if is_out_of_device_memory(error):  # which says more than its place would
            raise
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
        advice = ": install it" if isinstance(error, ModuleNotFoundError) else ""
        place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        raise raising(f"{what} failed: {type(error).__name__}: {error}{place}{advice}") from error


def _is_theirs(file: str) -> bool:
    """Return whether a line of code is neither of this file nor of what imports modules, `<frozen importlib>` too."""
    return file != __file__ and not file.startswith("<") and "importlib" not in Path(file).parts


def source_version(function: object, name: str) -> str:
    """Return a version that is another whenever the file that a function or a class is written in changes.

    Raises ProtocolError, with the name, where no source can be read.
    """
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))  # type: ignore[arg-type]  # raises TypeError for others
        source = Path(file).read_bytes() if file and Path(file).is_file() else inspect.getsource(function).encode()  # type: ignore[arg-type]
    except (OSError, TypeError) as error:
        raise ProtocolError(f"{name} has no source that can be read, so it has to state a version") from error
    return f"file-{hashlib.sha256(source).hexdigest()[:8]}"


class Registry(Mapping[str, _T]):
    """Objects by the names that protocols have for them.

    what: what they are, for messages, such as `network`. key: the key of a protocol file that names them.
    group: the group of entry points of other packages.
    adopt: makes one of an object that was found under a name, or raises ProtocolError.
    built_in: name -> module:object, or the object. They are imported when they are first asked for.

    As a mapping it has those of this package, and others once `find` found them. It iterates over this package's alone.
    """

    def __init__(
        self, what: str, *, key: str, group: str, adopt: Callable[[str, object], _T], built_in: dict[str, str | _T]
    ) -> None:
        self.what = what
        self.built_in = built_in
        self._key = key
        self._group = group
        self._adopt = adopt
        self._found: dict[str, _T] = {}
        nothing: Mapping[str, _T] = MappingProxyType({})
        self._given = ContextVar(f"{what} that was given", default=nothing)  # each thread has its own

    def __getitem__(self, name: str) -> _T:
        if name not in self.built_in:
            return (self._given.get() if name.startswith(GIVEN) else self._found)[name]
        found = self.built_in[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = self.built_in[name] = getattr(importlib.import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.built_in)

    def __len__(self) -> int:
        return len(self.built_in)

    def find(self, name: str) -> _T:
        """Return the object of a name, and import it where the user allows that.

        Raises ProtocolError where there is none, several, or one that cannot be used.
        """
        if name in self:
            return self[name]
        if is_code(name):
            if name not in _allowed:
                raise ProtocolError(
                    f"{self._key} = {name!r} is code outside fvd-bench, which runs only where you name it yourself: if "
                    f"you trust it, say --allow-code {name}, or fvd_bench.allow_code({name!r}) in Python"
                )
            found = imported(name, raising=ProtocolError)
            if found is None:
                raise ProtocolError(f"{self._key} = {name!r}: {_not_in_module(name)}")
        else:
            found = self._entry_point(name)
        self._found[name] = self._adopt(name, found)
        return self._found[name]

    @contextlib.contextmanager
    def given(self, name: str, found: _T) -> Iterator[str]:
        """Let a name stand for an object that was handed over in Python, and yield what protocols call it.

        It does so in this thread alone: in another, the name may stand for another object at the same time.
        """
        called, before = GIVEN + name, self._given.get()
        self._given.set({**before, called: found})
        try:
            yield called
        finally:
            self._given.set(before)

    def installed(self) -> dict[str, list[str]]:
        """Return what other packages offer: name -> the packages that have an object of this name. Imports nothing."""
        offered: dict[str, list[str]] = {}
        for point in self._entry_points():
            offered.setdefault(point.name, []).append(_package(point))
        return dict(sorted(offered.items()))

    def _entry_point(self, name: str) -> object:
        points = [point for point in self._entry_points() if point.name == name]
        if len(points) > 1:
            packages = " and ".join(sorted(map(_package, points)))
            raise ProtocolError(
                f"{self._key} = {name!r}: {packages} each have a {self.what} of this name: uninstall all but one, or "
                f"name its module, {points[0].value}"
            )
        if name.startswith(GIVEN):
            raise ProtocolError(
                f"{self._key} = {name!r} was handed over in Python as an object, which no name stands for"
            )
        if not points:
            allowed = ", ".join(map(repr, (*self, *self.installed())))
            raise ProtocolError(f"{self._key} = {name!r}: allowed are {allowed}, and module:object")
        with running_user_code(f"{name} of {_package(points[0])}: importing {points[0].value}", raising=ProtocolError):
            return points[0].load()

    def _entry_points(self) -> list[EntryPoint]:
        from importlib.metadata import entry_points  # only where a name is not of this package: it looks at all others

        return list(entry_points(group=self._group))


def _not_in_module(name: str) -> str:
    """Say that a module, which was imported, has no object of a name, and which one may be meant."""
    module, _, attribute = name.partition(":")
    close = difflib.get_close_matches(attribute, vars(sys.modules[module]), n=1)
    return f"the module {module} has no {attribute}" + (f"; did you mean {module}:{close[0]}?" if close else "")


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value

"""Rows of the paper's Tables 2 and 3: what each changes of a run, whatever its preset.

Each is a file of a few lines that ships with the package. Its values are like those that are typed: they replace what
the preset says, and where the two differ, that is an error.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from stylegan_v.errors import ConfigError

NAMES = (
    "default",
    "without-our-generator",
    "without-our-discriminator",
    "without-hyper-modulation",
    "without-projection",
    "lstm-codes-1",
    "lstm-codes-16",
    "frames-2",
    "frames-3",
    "frames-4",
    "frames-8",
    "frames-16",
    "powers-of-two-spans",
)
"""In the order of the paper."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A row. table: its number in the paper. row: what it is called there. what: what is otherwise, in words.

    changes: values of the sections of a run, see `load_run`.
    """

    name: str
    table: int
    row: str
    what: str
    changes: Mapping[str, Mapping[str, Any]]

    def joined(self, typed: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return its changes with values of sections that were typed. Raises ConfigError where the two differ."""
        for section, values in typed.items():
            for name, value in values.items():
                if (own := self.changes.get(section, {}).get(name, value)) != value:
                    raise ConfigError(
                        f"{name} = {value!r} was typed, and the ablation {self.name} says {name} = {own!r}: leave one "
                        "of the two out"
                    )
        sections = {**self.changes, **typed}
        return {section: {**self.changes.get(section, {}), **typed.get(section, {})} for section in sections}


def ablations(table: int | None = None) -> list[Ablation]:
    """Return all ablations, or those of a table, in the order of the paper."""
    return [found for found in map(_read, NAMES) if table in (None, found.table)]


def ablation(name: str) -> Ablation:
    """Return an ablation by name. Raises ConfigError, with what may have been meant."""
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ConfigError(f"there is no ablation {name!r}; {hint}`stylegan-v ablations` lists them")
    return _read(name)


def _read(name: str) -> Ablation:
    content = tomllib.loads((resources.files("stylegan_v") / "ablations" / f"{name}.toml").read_text("utf-8"))
    return Ablation(name, **content.pop("about"), changes=content)

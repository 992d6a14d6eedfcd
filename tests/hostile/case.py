"""One hostile input: what is fed to the command line, and what has to come of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Expected = Literal["refused", "skipped", "used-or-skipped", "used-or-refused"]
"""refused: exit code 3. skipped: scored, and the video `bad` is named as skipped. used-or-skipped: scored, and
every video is accounted for; for damage that may leave all frames readable. used-or-refused: the same of a whole
side in one file."""

SIDE, REAL, PROTOCOL, WEIGHTS, REPLAY, RESULT = "--fake", "--real", "--protocol", "--weights", "--replay", "compare"


@dataclass(frozen=True)
class Case:
    """name: form/mutation. option: of `compute` that takes the file, or the command `compare`."""

    name: str
    path: str
    expected: Expected
    option: str = SIDE
    more: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Good:
    """What hostile inputs are made from. videos, images: folders of healthy ones; sentinel: a file that code which
    must not run would make."""

    root: Path
    videos: Path
    frames: Path
    sentinel: Path


def broken(data: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """The damage that befalls every kind of file, by name."""
    rng = random.Random(seed)
    size = len(data)
    yield "empty", b""
    yield "one-byte", data[:1]
    yield "truncated-header", data[:64]
    yield "truncated-half", data[: size // 2]
    yield "truncated-last-byte", data[:-1]
    yield "zeroed-start", bytes(64) + data[64:]
    yield "zeroed-middle", data[: size // 3] + bytes(size // 3) + data[2 * (size // 3) :]
    yield "zeroes-alone", bytes(size)
    yield "noise-alone", rng.randbytes(size)
    yield "appended-noise", data + rng.randbytes(1000)
    yield "prepended-noise", rng.randbytes(1000) + data
    yield "text", b"this is no such file\n" * 50
    for flips in (1, 20, 500):
        changed = bytearray(data)
        for _ in range(flips):
            changed[rng.randrange(size)] ^= 1 << rng.randrange(8)
        yield f"flipped-{flips}-bits", bytes(changed)
    yield "flipped-in-header", bytes(b ^ 0xFF if i < 40 and i % 5 == 0 else b for i, b in enumerate(data))


Maker = Callable[[Good, Path], Iterator[Case]]
"""Writes inputs of one form into a folder."""

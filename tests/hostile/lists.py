"""Lists of videos and patterns: damaged, or made to lead elsewhere, round in circles, or nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Expected, Good, broken

_PATTERNS = {
    "of-nothing": "*.none",
    "unclosed-bracket": "[a-.mkv",
    "unclosed-brace": "{a,b.mkv",
    "nested-braces": "{a,{b,c}}.mkv",
    "of-many-numbers": "{1..999999999999}.mkv",
    "of-numbers-backwards": "{9..1}.mkv",
    "of-digits": "{1.." + "9" * 5000 + "}.mkv",
    "of-a-million": "{0..9}" * 7 + ".mkv",
    "of-control-characters": "*\x1b[2J\n.mkv",
    "of-5000-characters": "*" * 5000 + ".none",
}


def make(good: Good, folder: Path) -> Iterator[Case]:
    videos = {name: str(good.videos / f"{name}.mkv") for name in "abc"}
    lines = "".join(f"{video}\n" for video in videos.values())
    table = "video,label\n" + "".join(f"{video},{name}\n" for name, video in videos.items())
    for name, changed in broken(table.encode(), 11):
        yield _write(folder, f"damaged-{name}.csv", changed, "used-or-refused")
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "bad.mkv")
    (folder / "circle").mkdir()
    (folder / "circle" / "bad.mkv").symlink_to("bad.mkv")
    for name, line in {
        "of-itself": "of-itself.txt",
        "of-control-characters": "\x1b[2J\x07::error::.mkv",
        "out-of-its-folder": "../../../../../../../../etc/passwd",
        "of-a-file-address": "file:///etc/passwd",
        "of-a-command": f"$(touch {good.sentinel}).mkv",
        "of-an-option": "--no-cache",
        "of-5000-characters": "x" * 5000 + ".mkv",
        "of-deep-folders": "a/" * 2000 + "bad.mkv",
    }.items():
        yield _write(folder, f"{name}.txt", f"{line}\n{lines}".encode("utf-8", "surrogateescape"), "used-or-skipped")
    for name, line in {
        "of-a-missing-file": "bad.mkv",
        "of-a-pipe": "pipe/bad.mkv",
        "of-a-link-to-itself": "circle/bad.mkv",
    }.items():
        yield _write(folder, f"{name}.txt", f"{line}\n{lines}".encode(), "skipped")
    yield _write(folder, "of-100000-lines.txt", (lines * 33_334).encode(), "used-or-skipped")
    first, *others = table.splitlines(keepends=True)
    for name, data in {
        "without-the-column.csv": table.replace("video,", "clip,", 1).encode(),
        "without-entries.csv": first.encode(),
        "open-quote.csv": f'{table}"{videos["a"]},x\n'.encode(),
        "short-row.csv": f"{table}{videos['a']}\n".encode(),
        "long-row.csv": f"{table}{videos['a']},x,y\n".encode(),
        "long-entry.csv": f"{table}{'x' * 200_000},y\n".encode(),
        "latin-1.csv": f"{table}caf\xe9.mkv,x\n".encode("latin-1"),
        "utf-16.csv": table.encode("utf-16"),
        "two-encodings.txt": "caf\xe9.mkv\n".encode() + "caf\xe9.mkv\n".encode("latin-1") + lines.encode(),
        "deep.jsonl": b"[" * 100_000,
        "number.jsonl": b"5\n",
        "of-digits.jsonl": b'{"video": ' + b"9" * 5000 + b"}\n",
        "half-character.jsonl": b'{"video": "\\ud800.mkv"}\n',
        "zero-character.jsonl": b'{"video": "a\\u0000.mkv"}\n',
        "object-for-path.jsonl": json.dumps({"video": videos}).encode(),
    }.items():
        yield _write(folder, name, data, "refused")
    yield _write(folder, "same-column-twice.csv", "".join(["video,video\n", *others]).encode(), "used-or-refused")
    for name, pattern in _PATTERNS.items():
        yield Case(f"list/pattern-{name}", str(good.videos / pattern), "refused")
    repeated = "/".join(["**"] * 60)
    yield Case("list/pattern-of-many-folders", f"{good.frames}/{repeated}/*", "used-or-refused")


def _write(folder: Path, name: str, data: bytes, expected: Expected) -> Case:
    file = folder / name
    file.write_bytes(data)
    return Case(f"list/{name}", str(file), expected)

"""Files that are whole or not there, whenever a process ends."""

from __future__ import annotations

from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Write a file under a hidden name first. Raises OSError."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(text, "utf-8")
    partial.replace(file)

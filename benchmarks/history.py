"""The code as it was at an earlier commit, to compare with. It needs nothing but Python: older code runs beside it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def unpack(commit: str, folder: Path, *packages: str) -> None:
    """Write folders of the repository as they were at a commit."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, *packages], check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")

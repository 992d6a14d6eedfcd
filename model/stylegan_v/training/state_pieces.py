"""The state of a training in pieces: files small enough to be sent, from which training goes on elsewhere.

A folder holds, for example, the pieces 1-of-3.piece, 2-of-3.piece and 3-of-3.piece, and state.json, which has the size
and the sha256 of each. One after the other they are a checkpoint (see `Checkpoint.abridged`), which is read with
`weights_only=True` like any other and can hold no code.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvd_bench.atomic import write_bytes, write_text
from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from fvd_bench.records import json_object
from fvd_bench.version import __version__
from fvd_bench.videos.files import regular_file
from stylegan_v.checkpoints.files import LAST, check_checkpoint
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.training.run import load_run
from stylegan_v.training.run_folder import SETTINGS, held

if TYPE_CHECKING:
    from stylegan_v.checkpoints.checkpoint import Checkpoint

FORMAT = 1
MANIFEST = "state.json"
LARGEST_BYTES = 15 * 2**20


def split(run: Path, folder: Path, *, largest_bytes: int = LARGEST_BYTES) -> int:
    """Write an abridged copy of a run's last state to a new or empty folder, and return the number of its pieces.

    run: the folder of the run. largest_bytes: the largest size of a piece. Raises CheckpointError.
    """
    folder = user_path(folder)
    check_checkpoint(run / LAST)
    from stylegan_v.checkpoints.checkpoint import dump, load  # loads torch

    out = io.BytesIO()
    dump(load(run / LAST).abridged(), out)
    whole = out.getbuffer()
    pieces = [whole[begin : begin + largest_bytes] for begin in range(0, len(whole), largest_bytes)]
    sums = [{"bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest()} for piece in pieces]
    manifest = {"format": FORMAT, "fvd_bench": __version__, "pieces": sums}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CheckpointError(f"{folder} is not empty; name a new folder for the pieces")
        for name, piece in zip(_names(len(pieces)), pieces, strict=True):
            write_bytes(folder / name, bytes(piece))
        write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    except OSError as error:
        raise CheckpointError(f"{error.filename or folder} cannot be written: {cause(error)}") from error
    return len(pieces)


def join(folder: Path, run: Path) -> Checkpoint:
    """Make the folder of a run from its state in pieces, so that `train` goes on from there.

    Raises CheckpointError where pieces are missing, damaged or of another version, or where the run has a state
    already, and ConfigError where a process trains in the folder.
    """
    folder, run = user_path(folder), user_path(run)
    target = run / LAST
    if target.exists():
        raise CheckpointError(f"{run} holds a state already, from which training goes on; name another folder")
    whole = _whole(folder)
    from stylegan_v.checkpoints.checkpoint import read, save  # loads torch

    found = read(io.BytesIO(whole), str(folder))
    try:
        settings = load_run(None, found.run or {})
    except ConfigError as error:
        raise CheckpointError(f"{folder} has settings that this version does not know: {error}") from error
    try:
        run.mkdir(parents=True, exist_ok=True)
        with held(run):
            write_text(run / SETTINGS, settings.to_toml())
            save(found, target)
    except OSError as error:
        raise CheckpointError(f"{run} cannot be written: {cause(error)}") from error
    return found


def _names(count: int) -> list[str]:
    return [f"{number}-of-{count}.piece" for number in range(1, count + 1)]


def _whole(folder: Path) -> bytes:
    """Return the pieces joined together. Raises CheckpointError."""
    sums = _manifest(folder)
    whole = bytearray()
    for name, expected in zip(_names(len(sums)), sums, strict=True):
        file = folder / name
        try:
            piece = file.read_bytes() if regular_file(file).st_size == expected["bytes"] else b""
        except FileNotFoundError as error:
            raise CheckpointError(f"{folder} lacks {name}: copy it from where the state was split") from error
        except OSError as error:
            raise CheckpointError(f"{file} cannot be read: {cause(error)}") from error
        if hashlib.sha256(piece).hexdigest() != expected["sha256"]:
            raise CheckpointError(
                f"{file} is damaged, or of another state: it is not what {MANIFEST} says of it. Copy all files again "
                "from where the state was split"
            )
        whole += piece
    return bytes(whole)


def _manifest(folder: Path) -> list[dict[str, Any]]:
    """Return the size and sha256 of each piece. Raises CheckpointError."""
    file = folder / MANIFEST
    try:
        regular_file(file)
        found = json_object(file.read_bytes()) or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} has no {MANIFEST}: expected a folder that `stylegan-v state split` wrote"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {cause(error)}") from error
    written, sums = found.get("format"), found.get("pieces")
    if isinstance(written, int) and written != FORMAT:
        raise CheckpointError(
            f"{folder} was written in format {written} by fvd-bench {found.get('fvd_bench')}; this version, "
            f"{__version__}, reads {FORMAT}: join it with the version that wrote it"
        )
    if written != FORMAT or not isinstance(sums, list) or not all(map(_is_sum, sums)):
        raise CheckpointError(f"{file} is damaged: copy it again from where the state was split")
    return sums


def _is_sum(value: object) -> bool:
    return isinstance(value, dict) and {k: type(v) for k, v in value.items()} == {"bytes": int, "sha256": str}

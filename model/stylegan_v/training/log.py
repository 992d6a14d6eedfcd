"""The log of a run: a JSON object per line, curves for TensorBoard where it works, and a line for people."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fvd_bench.atomic import append_text, write_text
from fvd_bench.errors import cause
from fvd_bench.escapes import escaped
from fvd_bench.words import agreeing, counted
from stylegan_v.errors import TrainingError
from stylegan_v.training.run_folder import LOG

_SHOWN = {
    "loss/generator": "G {:.3f}",
    "loss/discriminator": "D {:.3f}",
    "loss/r1": "R1 {:.3g}",
    "augment/probability": "augment {:.3f}",
    "fvd": "FVD {:.2f}",
    "seconds_per_kimg": "{:.2f} s/kimg",
    "peak_memory_gib": "{:.2f} GiB",
}


class Journal:
    """Appends to the log in a folder. Lines from after the point where training goes on are dropped first.

    Raises TrainingError where it cannot be written.
    """

    def __init__(self, folder: Path, *, kimg: float) -> None:
        self.file = folder / LOG
        lines = _lines(self.file)
        places = [_kimg(line) for line in lines]
        if broken := places.count(None):
            lines_of = f"{counted(broken, 'damaged line')} of {self.file} {agreeing(broken, 'are')}"
            print(f"stylegan-v: warning: {lines_of} dropped", file=sys.stderr)
        kept = [line for line, at in zip(lines, places, strict=True) if at is not None and at <= round(kimg, 6)]
        self._scored = [at for line, at in zip(lines, places, strict=True) if "score_seconds" in line]
        with _written(self.file):
            write_text(self.file, "".join(f"{line}\n" for line in kept))
            self._curves = _tensorboard(folder, kimg)

    def has_score(self, kimg: float) -> bool:
        """Return whether a score was in the log when it was opened, after so many thousand frames."""
        return round(kimg, 6) in self._scored

    def write(self, kimg: float, values: Mapping[str, float], **of: str | int) -> None:
        """Add a line. kimg: thousands of frames seen so far. of: what the values are of, for the line alone."""
        numbers = {name: float(f"{value:.6g}") for name, value in values.items()}
        line: dict[str, float | str] = {"kimg": round(kimg, 6), **of, **numbers}
        with _written(self.file):
            append_text(self.file, json.dumps(line) + "\n")
            if self._curves is not None:
                for name, value in values.items():
                    self._curves.add_scalar(name, value, global_step=round(kimg * 1000))
                self._curves.flush()
        others = {name: f"{name[5:]} {{:.3f}}" for name in values if name.startswith("loss/") and name not in _SHOWN}
        shown = [form.format(values[name]) for name, form in {**_SHOWN, **others}.items() if name in values]
        print(f"kimg {kimg:.2f}  {'  '.join(shown)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._curves is not None:
            self._curves.close()


@contextlib.contextmanager
def _written(file: Path) -> Iterator[None]:
    """Raise TrainingError where a log, or the curves beside it, cannot be written."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{error.filename or file} cannot be written: {cause(error)}; the same command goes on from the "
            "last checkpoint"
        ) from error


def _lines(file: Path) -> list[str]:
    """Return the whole lines of a log. The last one may have been cut off."""
    if not file.exists():
        return []
    text = file.read_text("utf-8", "replace")
    return text[: text.rfind("\n") + 1].splitlines()


def _kimg(line: str) -> float | None:
    """Return the kimg at which a line of a log stands, None if it is no such line."""
    try:
        at = json.loads(line)["kimg"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return at if isinstance(at, float | int) else None


def _tensorboard(folder: Path, kimg: float) -> Any:  # Any: the package has no types, and may be absent
    """Return the writer of curves, None where TensorBoard is not installed, or is broken, of which it warns."""
    try:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder / "tensorboard"), purge_step=round(kimg * 1000) + 1)
    except OSError:
        raise
    except Exception as error:  # versions that do not go together, of protobuf for one, raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorboard":
            return None
        reason = escaped(str(error).partition("\n")[0])
        print(
            f"stylegan-v: warning: TensorBoard does not load ({type(error).__name__}: {reason}), so no curves are "
            "written for it: pip install -U tensorboard protobuf, or pip uninstall tensorboard",
            file=sys.stderr,
        )
        return None

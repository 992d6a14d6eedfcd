"""How stored pixels are turned and mirrored for display, in the eight ways that EXIF and display matrices name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import VideoError

_SLACK = 0.02
"""Fraction of a pixel's side by which a matrix may be off: one degree, as FFmpeg takes it."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What is done to stored pixels. First rows become columns, then rows and columns are reversed."""

    is_transposed: bool = False
    reverses_rows: bool = False
    reverses_columns: bool = False

    @classmethod
    def of_exif(cls, number: object) -> Orientation:
        """Return the orientation of the EXIF tag Orientation, 1 to 8 (CIPA DC-008, 4.6.5). For any other value it is
        upright."""
        return _EXIF.get(number, UPRIGHT) if isinstance(number, int) else UPRIGHT

    @classmethod
    def of_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """Return the orientation of a display matrix of nine numbers (ISO/IEC 14496-12, 8.3.2).

        A pixel at (x, y) is shown at (a x + c y, b x + d y), where a, b, c, d are the numbers 0, 1, 3, 4. Scale is
        ignored. Raises VideoError for anything but quarter turns and mirror images.
        """
        a, b, u, c, d, v, *_ = matrix
        if not (a or b or c or d):  # some writers leave the matrix empty
            return UPRIGHT
        if not (u or v):
            if a and d and abs(b) <= _SLACK * abs(a) and abs(c) <= _SLACK * abs(d):
                return cls(False, reverses_rows=d < 0, reverses_columns=a < 0)
            if b and c and abs(a) <= _SLACK * abs(b) and abs(d) <= _SLACK * abs(c):
                return cls(True, reverses_rows=b < 0, reverses_columns=c < 0)
        turn = ", ".join(f"{number / 65536:.4g}" for number in (a, b, c, d))
        raise VideoError(
            f"is to be shown turned or sheared by its display matrix ({turn}): quarter turns and mirror images are "
            "applied, nothing else; encode it again as it is to be seen, or take the matrix out"
        )

    @property
    def is_mirrored(self) -> bool:
        """Whether the picture is mirrored, and not merely turned."""
        return (self.is_transposed + self.reverses_rows + self.reverses_columns) % 2 == 1

    def applied(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn stored uint8 [H, W, 3] as it is to be displayed. The result is [W, H, 3] after a quarter turn."""
        if self.is_transposed:
            pixels = pixels.transpose(1, 0, 2)
        rows, columns = (slice(None, None, -1 if r else 1) for r in (self.reverses_rows, self.reverses_columns))
        return np.ascontiguousarray(pixels[rows, columns])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Convert the stored width and height to those that are displayed."""
        return (height, width) if self.is_transposed else (width, height)


UPRIGHT = Orientation()

_EXIF = {
    1: UPRIGHT,
    2: Orientation(False, False, True),
    3: Orientation(False, True, True),
    4: Orientation(False, True, False),
    5: Orientation(True, False, False),
    6: Orientation(True, False, True),
    7: Orientation(True, True, True),
    8: Orientation(True, True, False),
}

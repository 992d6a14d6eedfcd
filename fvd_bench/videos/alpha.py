"""Transparency: pixels that are not opaque are laid over black, whatever form the frames have.

The colour behind full transparency depends on the writer: PNG keeps it, WebP and GIF do not. Over black it has no part
in the result, and a picture that is opaque everywhere stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OPAQUE = 255


def over_black(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bool]:
    """Lay a picture over black, and say whether any of its pixels is not opaque.

    colours: uint8 [H, W, 3], not multiplied by alpha.
    alpha: uint8 [H, W], 0 for transparent and 255 for opaque.
    Each value becomes value · alpha / 255, rounded to the nearest integer. Halves do not occur.
    """
    if (alpha == OPAQUE).all():
        return colours, False
    products = colours.astype(np.uint16) * alpha[..., None]
    return ((products + 127) // 255).astype(np.uint8), True

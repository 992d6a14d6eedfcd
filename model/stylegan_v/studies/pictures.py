"""Pictures of frames in rows and columns, with their names at the edges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fvd_bench.atomic import check_writable
from fvd_bench.errors import cause
from fvd_bench.videos.video import Pixels
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.sampling.sheets import whole_or_nothing

FORMS = {".png": "PNG", ".jpg": "JPEG"}
"""Suffix of a picture's file -> what Pillow calls its format."""

_LEAST_SIDE = 96
"""Frames with fewer pixels a side are shown enlarged, each pixel as a square."""

_LONGEST_JPEG_SIDE = 65_500
"""In pixels, of what libjpeg writes."""

_TEXT = 13
_GAP = 4


def check_picture(file: Path) -> None:
    """Raise ModelError when a file is not named as a picture is, or cannot be written."""
    if file.suffix.lower() not in FORMS:
        raise ModelError(f"{file}: expected a file that ends in {' or '.join(FORMS)}")
    try:
        check_writable(file)
    except OSError as error:
        raise ModelError(
            f"{file} cannot be written: expected a file in a folder that exists ({cause(error)})"
        ) from error


def check_size(file: Path, side: int, *, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Raise ConfigError when a file cannot hold what `labelled` draws of frames of a side in pixels."""
    left, top = _margins(rows)
    width, height = left + len(columns) * _shown(side), top + len(rows) * _shown(side)
    if FORMS.get(file.suffix.lower()) == "JPEG" and max(width, height) > _LONGEST_JPEG_SIDE:
        raise ConfigError(
            f"{file}: the picture has {width} × {height} pixels, and a JPEG file has at most {_LONGEST_JPEG_SIDE} a "
            "side: ask for fewer rows and columns, or name a .png"
        )


def labelled(cells: Sequence[Sequence[Pixels | None]], *, rows: Sequence[str], columns: Sequence[str]) -> Image.Image:
    """Draw a grid of frames, uint8 [R, R, 3] each and None for an empty place, below and beside names.

    rows, columns: one name each. Names are cut nowhere: the margin is as wide as the longest one.
    """
    side = next(cell.shape[0] for row in cells for cell in row if cell is not None)
    shown, font = _shown(side), ImageFont.load_default(_TEXT)
    left, top = _margins(rows)
    picture = Image.new("RGB", (left + len(columns) * shown, top + len(rows) * shown), "white")
    draw = ImageDraw.Draw(picture)
    for place, name in enumerate(columns):
        draw.text((left + place * shown + shown // 2, top // 2), name, fill="black", font=font, anchor="mm")
    for place, (name, row) in enumerate(zip(rows, cells, strict=True)):
        draw.text((_GAP, top + place * shown + shown // 2), name, fill="black", font=font, anchor="lm")
        for column, cell in enumerate(row):
            if cell is not None:
                image = Image.fromarray(np.ascontiguousarray(cell)).resize((shown, shown), Image.Resampling.NEAREST)
                picture.paste(image, (left + column * shown, top + place * shown))
    return picture


def _shown(side: int) -> int:
    """Return the side in pixels that a frame is shown with."""
    return side * -(-_LEAST_SIDE // side)


def _margins(rows: Sequence[str]) -> tuple[int, int]:
    """Return the width of what is left of the frames, the names of the rows, and the height of what is above them."""
    font = ImageFont.load_default(_TEXT)
    left = max((round(font.getlength(name)) for name in rows), default=0) + 2 * _GAP
    return left, _TEXT + 2 * _GAP


def write_picture(file: Path, picture: Image.Image) -> None:
    """Write a picture, as .png or as .jpg of quality 95; it gets its name when it is whole. Raises ModelError."""
    check_picture(file)
    with whole_or_nothing(file) as partial:
        picture.save(partial, FORMS[file.suffix.lower()], quality=95)

"""A photograph for networks that see frames."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


@pytest.fixture(scope="package")
def photograph() -> NDArray[np.uint8]:
    """A portrait of 600 × 512 pixels that comes with Matplotlib."""
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return np.array(Image.open(file).convert("RGB"))

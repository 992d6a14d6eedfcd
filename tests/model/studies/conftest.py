"""Networks that compare images and texts, with seeded weights in files as users have them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylegan_v.studies.perceptual import PerceptualDistance

VGG_WIDTHS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, **dict.fromkeys((17, 19, 21, 24, 26, 28), 512)}
"""Place of a convolution among the layers of VGG16 -> its width."""


@pytest.fixture(scope="session")
def seeded_vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of torchvision's names and shapes for VGG16, with a layer more than LPIPS needs."""
    random = torch.Generator().manual_seed(0)
    state, channels = {"classifier.6.bias": torch.zeros(1000)}, 3
    for place, width in VGG_WIDTHS.items():
        weight = torch.randn(width, channels, 3, 3, generator=random) * (2 / (9 * channels)) ** 0.5
        state |= {
            f"features.{place}.weight": weight,
            f"features.{place}.bias": torch.randn(width, generator=random) / 9,
        }
        channels = width
    file = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, file)
    return file


@pytest.fixture(scope="session")
def lpips_heads() -> Path:
    """The published linear heads, which torchmetrics carries."""
    found = importlib.util.find_spec("torchmetrics")  # which takes seconds to import
    assert found and found.origin
    return Path(found.origin).parent / "functional" / "image" / "lpips_models" / "vgg.pth"


@pytest.fixture(scope="session")
def colours() -> PerceptualDistance:
    """A distance that costs nothing: colours of small images."""

    def layers(images: Tensor) -> list[Tensor]:
        small = torch.nn.functional.avg_pool2d(images, 4)
        return [torch.cat([small, torch.ones_like(small[:, :1])], dim=1)]  # so that the direction tells brightness

    return PerceptualDistance("colours", "colours", {}, layers)

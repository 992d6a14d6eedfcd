"""What protocols do to frames, against the operations of the codebases that they follow, on a photograph."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from fvd_bench.protocols.protocol import load
from fvd_bench.videos.preprocess import network_input
from tests.lazy_module import LazyModule

torchvision = LazyModule("torchvision.transforms.functional")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Two pieces of a photograph that comes with matplotlib: uint8 [2, 240, 432, 3]."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        photograph = np.array(Image.open(file).convert("RGB"))
    return np.stack([photograph[top : top + 240, 40:472] for top in (80, 200)])


def _input(name: str, frames: np.ndarray) -> np.ndarray:
    """As the network gets it: [T, H, W, 3]."""
    return network_input(torch.from_numpy(frames), load(name).features).permute(1, 2, 3, 0).numpy()


def disco(frame: np.ndarray) -> np.ndarray:
    """clean-fid's resizer, which DisCo has a copy of: each channel by itself as floats, and no rounding."""
    channels = [Image.fromarray(frame[:, :, c].astype(np.float32)) for c in range(3)]
    resized = [np.asarray(channel.resize((224, 224), Image.Resampling.BICUBIC)) for channel in channels]
    return np.stack(resized, axis=-1) / 127.5 - 1


def try_on(frame: np.ndarray) -> np.ndarray:
    """A frame as OpenCV reads it, in torchvision's default resize of tensors."""
    tensor = torchvision.to_tensor(frame[:, :, ::-1].copy())
    return (torchvision.resize(tensor, [224, 224]) * 2 - 1).permute(1, 2, 0).numpy()


def tokenbench(frame: np.ndarray) -> np.ndarray:
    video = torch.from_numpy(frame / 255.0).float().permute(2, 0, 1)[:, None]
    scale = 224 / min(frame.shape[:2])
    size = (224, math.ceil(frame.shape[1] * scale))
    video = torch.nn.functional.interpolate(video, size=size, mode="bilinear", align_corners=False)
    left = (size[1] - 224) // 2
    return ((video[:, 0, :, left : left + 224] - 0.5) * 2).permute(1, 2, 0).numpy()


def fastvideo(frame: np.ndarray) -> np.ndarray:
    """Scaled before it is resized."""
    video = torch.from_numpy(frame).float().div(255).permute(2, 0, 1)[None] * 2.0 - 1.0
    return torch.nn.functional.interpolate(video, (224, 224), mode="bilinear")[0].permute(1, 2, 0).numpy()


def lvdm(frame: np.ndarray) -> np.ndarray:
    """Scaled after it is resized."""
    values = torch.nn.functional.interpolate(
        torch.from_numpy(frame).float().permute(2, 0, 1)[None], (224, 224), mode="bilinear", align_corners=False
    )
    return (2.0 * values / 255.0 - 1)[0].permute(1, 2, 0).numpy()


def inpainting(frame: np.ndarray) -> np.ndarray:
    return torchvision.to_tensor(frame).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("disco-fvd-on-tfhub-weights", disco),
        ("disco-fvd-windows-on-tfhub-weights", disco),
        ("vfid-tryon-on-tfhub-weights", try_on),
        ("tokenbench-rfvd", tokenbench),
        ("fastvideo-eval", fastvideo),
        ("lvdm-on-tfhub-weights", lvdm),
        ("vfid-inpainting-on-tfhub-weights", inpainting),
    ],
)
def test_frames_are_what_the_original_makes_of_them(frames: np.ndarray, name: str, original) -> None:
    """Torch has places of pixels in single precision, which moves values by some 1e-5."""
    expected = np.stack([original(frame) for frame in frames])

    np.testing.assert_allclose(_input(name, frames), expected, atol=5e-5, rtol=0)


def test_bicubic_values_are_not_clipped(frames: np.ndarray) -> None:
    found = _input("disco-fvd-on-tfhub-weights", frames)

    assert found.min() < -1 and found.max() > 1


def test_63_grey_levels_fall_on_lvdms_way_through_floats() -> None:
    """As the assumptions of its protocol say: to tensor, normalise, undo that, and truncate."""
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    normalised = torchvision.normalize(torchvision.to_tensor(levels), [0.5], [0.5])

    back = ((normalised + 1) * 255 / 2).int().flatten().numpy()

    assert sorted(np.unique(levels.flatten() - back).tolist()) == [0, 1]
    assert np.count_nonzero(back != levels.flatten()) == 63
    assert any("63 of the 256 grey levels" in sentence for sentence in load("lvdm-on-tfhub-weights").assumptions)

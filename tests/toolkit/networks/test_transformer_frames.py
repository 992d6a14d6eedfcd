"""What networks see of a photograph under their protocols, against the operations of the originals."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fvd_bench.networks.normalisation import IMAGENET, OPENAI_CLIP, Normalisation
from fvd_bench.protocols.protocol import read
from fvd_bench.videos.preprocess import network_input
from tests.lazy_module import LazyModule
from tests.toolkit.networks.transformer_tensors import same

transformers, v2 = LazyModule("transformers"), LazyModule("torchvision.transforms.v2")


@pytest.fixture(params=["tall", "wide", "small"])
def frame(request: pytest.FixtureRequest, photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    views = {"tall": photograph, "wide": photograph[100:371], "small": photograph[:131, :97]}
    return np.ascontiguousarray(views[request.param])


GREY_LEVEL = 1 / 255


def alike(found: Tensor, expected: Tensor) -> None:
    """Torch computes places in single precision, which moves values by thousandths of a grey level, and the deviation
    that they are divided by is about a quarter."""
    torch.testing.assert_close(found, expected, atol=0.05 * GREY_LEVEL, rtol=0)


def seen(protocol: str, frame: NDArray[np.uint8], colours=None) -> Tensor:
    """What a network sees of a frame under a protocol: [3, S, S]."""
    values = network_input(torch.from_numpy(frame[None]), read(protocol).features)[:, 0]
    return values if colours is None else Normalisation(colours)(values[None])[0]


def unit(frame: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1).float() / 255


def test_videomaes_frames_are_stretched_by_torch(frame) -> None:
    expected = F.interpolate(unit(frame)[None], size=(224, 224), mode="bilinear", align_corners=False)[0]

    alike(seen("cd-fvd-videomae", frame), expected)
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
    alike(seen("fastvideo-eval-videomae", frame, IMAGENET), (expected - mean) / deviation)


def test_worldarenas_frames_are_torchvisions(frame) -> None:
    alike(seen("jedi-worldarena", frame), v2.functional.resize(unit(frame), [224, 224], antialias=True))


def test_edm2s_frames_are_torchs(frame) -> None:
    values = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    expected = F.interpolate(values, size=(224, 224), mode="bicubic", antialias=True)[0] / 255

    alike(seen("edm2-dinov2", frame), expected)


def test_dgm_evals_frames_are_torchvisions_of_pillow(frame) -> None:
    import torchvision.transforms as T

    steps = [T.Resize((224, 224), T.InterpolationMode.BICUBIC), T.ToTensor(), T.Normalize(*IMAGENET)]

    same(seen("dgm-eval-dinov2", frame, IMAGENET), T.Compose(steps)(Image.fromarray(frame)))


def test_cmmds_frames_are_pillows_of_the_square_in_the_centre(frame) -> None:
    image = Image.fromarray(frame)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((336, 336), resample=Image.Resampling.BICUBIC)
    processor = transformers.CLIPImageProcessor(do_center_crop=False, do_resize=False, do_rescale=False)

    expected = processor(images=np.asarray(square, np.float32) / 255, return_tensors="pt")["pixel_values"][0]

    same(seen("cmmd-frames", frame, OPENAI_CLIP), expected)


def test_vjepa2s_frames_are_the_processors(frame) -> None:
    """transformers leaves the resize to torchvision, which has one for uint8 on processors with AVX2."""
    short, long = sorted(frame.shape[:2])
    longer = int(292 * long / short)
    is_wide = frame.shape[1] > frame.shape[0]
    image = Image.fromarray(frame).resize((longer, 292) if is_wide else (292, longer), Image.Resampling.BILINEAR)
    left, top = (image.width - 256) // 2, (image.height - 256) // 2
    cropped = unit(np.array(image.crop((left, top, left + 256, top + 256))))
    processor = transformers.VJEPA2VideoProcessor()
    video = torch.from_numpy(frame).permute(2, 0, 1)[None]

    found = seen("vjepa2-l-fd", frame, IMAGENET)

    same(found, v2.functional.normalize(cropped, *map(list, IMAGENET)))
    expected = processor(video, return_tensors="pt")["pixel_values_videos"][0, 0]
    grey_levels = ((found - expected) * torch.tensor(IMAGENET[1]).view(3, 1, 1) * 255).abs()
    assert float(grey_levels.max()) < 1.01
    if "AVX2" in torch.backends.cpu.get_cpu_capability():
        assert float((grey_levels > 0.5).float().mean()) < 0.01


def test_fastvideos_frames_are_those_of_clips_processor(frame) -> None:
    processor = transformers.CLIPImageProcessorPil()

    expected = processor(images=frame, return_tensors="pt")["pixel_values"][0]

    same(seen("fastvideo-eval-clip", frame, OPENAI_CLIP), expected)

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from fvd_bench.videos.resize import resample
from tests.lazy_module import LazyModule

torch_fidelity = LazyModule("torch_fidelity.interpolate_compat_tensorflow")

SIZES = [((48, 64), (224, 224)), ((300, 400), (224, 224)), ((128, 128), (224, 224)), ((37, 501), (64, 20))]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Float32 [2, 600, 600, 3], of which tests take a corner. They must not change it."""
    return torch.rand(2, 600, 600, 3, generator=torch.Generator().manual_seed(0)) * 255


def planes_of(images: torch.Tensor) -> torch.Tensor:
    """Images [N, H, W, C] in the layout of other libraries, [N, C, H, W]."""
    return images.permute(0, 3, 1, 2)


@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_it_is_torchs(images, source, target, kernel, antialias) -> None:
    images = images[:, : source[0], : source[1]]

    ours = resample(images, target, kernel=kernel, antialias=antialias)

    planes = planes_of(images).double()
    theirs = functional.interpolate(planes, target, mode=kernel, align_corners=False, antialias=antialias)
    torch.testing.assert_close(planes_of(ours).double(), theirs, atol=2e-3, rtol=0)  # 1e-5 of the range of values


def test_what_lies_before_the_first_line_is_that_line_to_the_last_bit() -> None:
    """Two weights of it, a third and two thirds, would add up to it but for rounding."""
    levels = torch.arange(256)
    images = levels.to(torch.uint8)[:, None, None, None].expand(256, 7, 7, 3)

    corners = resample(images, (9, 9), kernel="bilinear", antialias=False)[:, 0, 0, 0]

    assert torch.equal(corners, levels.float())


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_the_tf1_kernel_is_torch_fidelitys(images, source, target) -> None:
    images = images[:, : source[0], : source[1]]

    ours = resample(images, target, kernel="bilinear-tf1", antialias=False)

    theirs = torch_fidelity.interpolate_bilinear_2d_like_tensorflow1x(
        planes_of(images), size=target, align_corners=False
    )
    torch.testing.assert_close(
        planes_of(ours), theirs, atol=2e-2, rtol=0
    )  # torch-fidelity has places in float32, as TensorFlow


@pytest.mark.parametrize(("source", "target"), [*SIZES, ((48, 64), (1, 1))])
def test_aligned_corners_are_torchs(images, source, target) -> None:
    images = images[:, : source[0], : source[1]]

    ours = resample(images, target, kernel="bilinear-align-corners", antialias=False)

    theirs = functional.interpolate(planes_of(images).double(), target, mode="bilinear", align_corners=True)
    torch.testing.assert_close(planes_of(ours).double(), theirs, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("source", "target"), [*SIZES, ((300, 400), (150, 224))])
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_pillows_kernels_are_pillows(images, source, target, kernel) -> None:
    frames = images[:, : source[0], : source[1]].floor()

    ours = resample(frames, target, kernel=f"{kernel}-pillow", antialias=False)

    assert ours.dtype == torch.float32
    for frame, found in zip(frames, ours, strict=True):
        image = Image.fromarray(frame.to(torch.uint8).numpy())
        theirs = image.resize(target[::-1], Image.Resampling[kernel.upper()])
        np.testing.assert_array_equal(found.numpy(), np.asarray(theirs))


@pytest.mark.parametrize("kernel", ["bilinear", "bilinear-tf1", "bilinear-align-corners", "bicubic"])
def test_one_and_two_threads_give_the_same_bits(kernel: str) -> None:
    images = torch.rand(9, 48, 64, 3, generator=torch.Generator().manual_seed(0)) * 255
    before = torch.get_num_threads()
    outputs = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outputs.append(resample(images, (224, 224), kernel=kernel, antialias=False))
    finally:
        torch.set_num_threads(before)

    assert torch.equal(*outputs)

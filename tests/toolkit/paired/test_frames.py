"""PSNR, SSIM and flickering of single frames against the libraries that protocols are named after."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from fvd_bench.paired.differences import change, decibels, squared_error, steadiness
from fvd_bench.paired.ssim import fits, ssim
from fvd_bench.protocols.paired import PsnrRule, SsimRule, load
from fvd_bench.videos.video import Pixels
from tests.lazy_module import LazyModule

cv2, skimage = LazyModule("cv2"), LazyModule("skimage.metrics")
torchmetrics = LazyModule("torchmetrics.functional.image")

EXACT = PsnrRule(pool="frame")


def ssim_of(name: str) -> SsimRule:
    rule = load(name).ssim
    assert rule is not None
    return rule


@pytest.fixture(scope="module", params=[(80, 97), (65, 70)], ids=["wide", "smallest"])
def frames(request: pytest.FixtureRequest) -> tuple[Pixels, Pixels]:
    """A picture with smooth and sharp parts, and a noisy copy that differs by up to 40 levels."""
    height, width = request.param
    random = np.random.default_rng([3, height])
    picture = np.kron(random.integers(0, 256, (9, 13, 3)), np.ones((9, 9, 1)))[:height, :width]
    noisy = picture + random.integers(-40, 41, picture.shape)
    return picture.astype(np.uint8), noisy.clip(0, 255).astype(np.uint8)


def tensor(frame: Pixels, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return (torch.from_numpy(frame).to(dtype) / 255).permute(2, 0, 1)[None]


class TestSsim:
    def test_tokenbench_is_scikit_images_default(self, frames) -> None:
        theirs = skimage.structural_similarity(*frames, data_range=255.0, channel_axis=-1)

        assert ssim(*frames, ssim_of("tokenbench")) == pytest.approx(theirs, abs=1e-12)

    def test_e2fgvi_is_scikit_images_at_65_pixels(self, frames) -> None:
        floats = [frame.astype(np.float64) for frame in frames]
        theirs = skimage.structural_similarity(*floats, data_range=255, channel_axis=-1, win_size=65)

        assert ssim(*frames, ssim_of("e2fgvi")) == pytest.approx(theirs, abs=1e-12)

    def test_torchmetrics_is_that(self, frames) -> None:
        theirs = torchmetrics.structural_similarity_index_measure(*map(tensor, frames), data_range=1.0)

        assert ssim(*frames, ssim_of("torchmetrics")) == pytest.approx(theirs.item(), abs=1e-12)

    def test_common_metrics_is_opencvs_filter_without_the_border(self, frames) -> None:
        """The definition in Wang et al. 2004, with the window and the crop that the codebase has."""
        taps = cv2.getGaussianKernel(11, 1.5)
        of_channels = []
        for channel in range(3):
            x, y = (frame[..., channel] / 255.0 for frame in frames)
            maps = [cv2.filter2D(m, -1, taps @ taps.T)[5:-5, 5:-5] for m in (x, y, x * x, y * y, x * y)]
            mean_x, mean_y, xx, yy, xy = maps
            luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
            of_channels.append(
                (luminance * (2 * (xy - mean_x * mean_y) + 9e-4) / (xx - mean_x**2 + yy - mean_y**2 + 9e-4)).mean()
            )

        assert ssim(*frames, ssim_of("common-metrics")) == pytest.approx(np.mean(of_channels), abs=1e-12)

    def test_fastvideo_is_a_convolution_with_black_around(self, frames) -> None:
        at = torch.arange(11, dtype=torch.float64) - 5
        taps = torch.exp(-(at**2) / 4.5)
        taps = taps / taps.sum()
        window = (taps[:, None] * taps).expand(3, 1, 11, 11)
        x, y = map(tensor, frames)
        mean_x, mean_y, xx, yy, xy = (
            torch.nn.functional.conv2d(m, window, padding=5, groups=3) for m in (x, y, x * x, y * y, x * y)
        )
        above = (2 * mean_x * mean_y + 1e-4) * (2 * (xy - mean_x * mean_y) + 9e-4)
        theirs = above / (mean_x**2 + mean_y**2 + 1e-4) / (xx - mean_x**2 + yy - mean_y**2 + 9e-4)

        assert ssim(*frames, ssim_of("fastvideo")) == pytest.approx(theirs.mean().item(), abs=1e-12)

    @pytest.mark.parametrize("name", ["common-metrics", "tokenbench", "fastvideo", "e2fgvi", "torchmetrics"])
    def test_all_differ_and_equal_frames_have_one(self, frames, name: str) -> None:
        others = {ssim(*frames, ssim_of(other)) for other in ("common-metrics", "tokenbench", "fastvideo", "e2fgvi")}

        assert ssim(frames[0], frames[0], ssim_of(name)) == 1
        assert len(others) == 4

    @pytest.mark.parametrize(
        ("name", "smallest"),
        [("common-metrics", 11), ("tokenbench", 7), ("e2fgvi", 65), ("torchmetrics", 6), ("fastvideo", 1)],
    )
    def test_frames_have_to_be_large_enough(self, name: str, smallest: int) -> None:
        rule = ssim_of(name)
        frame = np.zeros((smallest, 90, 3), np.uint8)

        assert fits(smallest, 90, rule) and not fits(smallest - 1, 90, rule) and not fits(90, smallest - 1, rule)
        assert ssim(frame, frame, rule) == 1


class TestPsnr:
    def test_it_is_scikit_images(self, frames) -> None:
        error = squared_error(*frames)

        assert error == pytest.approx(skimage.mean_squared_error(*(f.astype(float) for f in frames)), rel=1e-14)
        assert decibels(np.array([error]), EXACT) == pytest.approx(skimage.peak_signal_noise_ratio(*frames), rel=1e-14)

    def test_uint8_wraps_as_numpy_does(self, frames) -> None:
        """What TokenBench's `((input0 - input1) ** 2).mean()` is on arrays of uint8."""
        a, b = frames
        wrapped = ((a - b) ** 2).mean()
        epsilon = np.finfo(np.float32).eps
        rule = load("tokenbench").psnr
        assert rule is not None

        found = squared_error(a, b, rule.arithmetic)

        assert found == wrapped < squared_error(a, b) / 2
        assert decibels(np.array([found]), rule) == pytest.approx(20 * np.log10(255 / (np.sqrt(wrapped) + epsilon)))

    def test_each_difference_wraps_as_numpys(self) -> None:
        b = np.zeros((1, 1, 3), np.uint8)
        for difference in range(256):
            a = np.full_like(b, difference)

            assert squared_error(a, b, "uint8") == squared_error(b, a, "uint8") == ((b - a) ** 2).mean()
            assert squared_error(a, b) == difference**2

    def test_equal_frames_have_what_the_rule_says(self) -> None:
        none = np.zeros(1)

        assert decibels(none, EXACT) == np.inf
        assert decibels(none, PsnrRule(pool="frame", most=100)) == 100
        assert decibels(none, PsnrRule(pool="video", epsilon=2.0**-23)) == pytest.approx(186.6, abs=0.1)


def test_flickering_is_vbenchs() -> None:
    """cv2.absdiff of neighbouring frames, its mean, and 255 less that over 255."""
    random = np.random.default_rng(1)
    video = random.integers(0, 256, (5, 12, 14, 3), dtype=np.uint8)
    theirs = [(255 - np.mean(cv2.absdiff(a, b))) / 255 for a, b in itertools.pairwise(video)]

    found = steadiness(np.array([change(a, b) for a, b in itertools.pairwise(video)]))

    np.testing.assert_allclose(found, theirs, rtol=1e-14)
    assert steadiness(np.zeros(1)) == 1

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from fvd_bench.protocols.rules import ClipRule, FeatureRule, Resize
from fvd_bench.videos import preprocess
from fvd_bench.videos.jpeg import jpeg_round_trip
from fvd_bench.videos.preprocess import clip_images, network_input, resize_uint8
from fvd_bench.videos.video import Clip


def _features(**values: object) -> FeatureRule:
    return FeatureRule(extractor="pixels", **values)  # type: ignore[arg-type]


def test_0_and_255_become_the_ends_of_the_range() -> None:
    frames = torch.zeros((2, 4, 4, 3), dtype=torch.uint8)
    frames[1] = 255

    values = network_input(frames, _features(range=(-1.0, 1.0)))

    assert values.shape == (3, 2, 4, 4)
    assert values[:, 0].unique().tolist() == [-1.0]
    assert values[:, 1].unique().tolist() == [1.0]


def test_bilinear_has_half_pixel_centres() -> None:
    """Enlarging 2 columns to 8: target x lies at source (x + 0.5) / 4 - 0.5, clamped to the edges."""
    frame = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    frame[:, :, 1] = 200

    values = network_input(torch.from_numpy(frame), _features(resize=Resize(size=8), range=(0.0, 255.0)))

    expected = 200 * np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)
    np.testing.assert_allclose(values[0, 0, 0].numpy(), expected, atol=1e-4)


def test_tf1_bilinear_lies_at_target_times_ratio() -> None:
    frame = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    frame[:, :, 1] = 200

    rule = _features(resize=Resize(size=8, kernel="bilinear-tf1"), range=(0.0, 255.0))
    values = network_input(torch.from_numpy(frame), rule)

    expected = 200 * np.clip(np.arange(8) / 4, 0, 1)
    np.testing.assert_allclose(values[0, 0, 0].numpy(), expected, atol=1e-4)


def test_antialias_averages_where_plain_bilinear_skips() -> None:
    frame = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    frame[:, :, 0] = 240

    plain, soft = (
        resize_uint8(frame, Resize(size=2, antialias=antialias), "nearest")[0, 0, 0, 0] for antialias in (False, True)
    )

    assert plain == 0
    assert soft > 40


def test_short_side_crop_keeps_the_aspect_and_the_centre() -> None:
    frame = np.zeros((1, 10, 30, 3), dtype=np.uint8)
    frame[:, :, 10:20] = 255

    crop = resize_uint8(frame, Resize(size=20, geometry="short-side-crop"), "nearest")

    assert crop.shape == (1, 20, 20, 3)
    assert crop[0, 10, 2:18].min() == 255
    tall = resize_uint8(frame.transpose(0, 2, 1, 3).copy(), Resize(size=20, geometry="short-side-crop"), "nearest")
    np.testing.assert_array_equal(tall, crop.transpose(0, 2, 1, 3))


def test_the_longer_side_is_rounded_up() -> None:
    """31 x 20 to 16: 24.8 lines become 25, as in VideoGPT's fvd.py; 24.4 of 61 x 40 do too."""
    for height, width, lines in ((20, 31, 25), (40, 61, 25)):
        frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8))
        rule = _features(resize=Resize(size=16, geometry="short-side-crop"), range=(0.0, 255.0))

        wide = network_input(frames, rule)[:, 0]
        tall = network_input(frames.transpose(1, 2).contiguous(), rule)[:, 0]

        images = frames.permute(0, 3, 1, 2).float()
        whole = torch.nn.functional.interpolate(images, (16, lines), mode="bilinear", align_corners=False)[0]
        left = (lines - 16) // 2
        torch.testing.assert_close(wide, whole[:, :, left : left + 16], atol=1e-3, rtol=0)
        torch.testing.assert_close(tall.transpose(1, 2), wide, atol=1e-3, rtol=0)


def test_a_longer_short_side_leaves_a_smaller_centre() -> None:
    """As transformers does: 19 x 30 to 24 makes 37.89 columns, of which 37 are kept, and the middle 16 of these."""
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 19, 30, 3), dtype=np.uint8))
    rule = _features(resize=Resize(size=16, short_side=24, geometry="short-side-floor-crop"), range=(0.0, 255.0))

    wide, tall = network_input(frames, rule), network_input(frames.transpose(1, 2).contiguous(), rule)

    images = frames.permute(0, 3, 1, 2).float()
    whole = torch.nn.functional.interpolate(images, (24, 37), mode="bilinear", align_corners=False)
    torch.testing.assert_close(wide, whole[:, :, 4:20, 10:26].transpose(0, 1), atol=1e-3, rtol=0)
    torch.testing.assert_close(tall, wide.transpose(2, 3), atol=1e-3, rtol=0)


def test_the_square_in_the_centre_is_cropped_before_it_is_resized() -> None:
    frames = torch.zeros(1, 20, 33, 3, dtype=torch.uint8)
    frames[:, :, 6:26] = 200  # the square; a kernel across its edge would mix in black
    rule = _features(resize=Resize(size=50, geometry="square-crop", kernel="bicubic"), range=(0.0, 255.0))

    assert network_input(frames, rule).unique().tolist() == pytest.approx([200], abs=1e-3)


def test_a_kernel_that_overshoots_is_clamped() -> None:
    frame = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    frame[:, :, 2:] = 255

    resized = resize_uint8(frame, Resize(size=16, kernel="bicubic"), "nearest")

    assert np.all(np.diff(resized[0, 8, :, 0].astype(int)) >= 0)  # without the clamp, 260 would come out as 4


def test_stretch_forces_both_sides() -> None:
    frame = np.full((2, 10, 30, 3), 7, dtype=np.uint8)

    assert resize_uint8(frame, Resize(size=16), "nearest").shape == (2, 16, 16, 3)


@pytest.mark.parametrize(("rounding", "expected"), [("nearest", 51), ("truncate", 50)])
def test_rounding_to_uint8(rounding, expected: int) -> None:
    frame = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    frame[:, :, 0], frame[:, :, 1] = 50, 51  # 4 columns lie at 50, 50.25, 50.75, 51

    resized = resize_uint8(frame, Resize(size=4), rounding)

    assert resized[0, 0, 2, 0] == expected


def test_large_frames_are_resized_in_pieces_without_a_difference(monkeypatch, moving_frames) -> None:
    frames = torch.from_numpy(moving_frames(7, 60, 80))
    rule = _features(resize=Resize(size=32))
    whole = network_input(frames, rule)

    monkeypatch.setattr(preprocess, "_PIECE_VALUES", {"cpu": 1})

    assert torch.equal(network_input(frames, rule), whole)


def test_the_jpeg_round_trip_is_pillows(moving_frames) -> None:
    frame = moving_frames(1, 50, 70)[0]
    file = io.BytesIO()
    Image.fromarray(frame).save(file, format="JPEG", quality=95)

    np.testing.assert_array_equal(jpeg_round_trip(frame, 95, "4:2:0"), np.asarray(Image.open(file)))
    assert np.any(jpeg_round_trip(frame, 75, "4:2:0") != jpeg_round_trip(frame, 95, "4:2:0"))
    assert np.any(jpeg_round_trip(frame, 95, "4:4:4") != jpeg_round_trip(frame, 95, "4:2:0"))


def test_frames_that_already_are_jpeg_are_left_alone_unless_the_rule_says_always(moving_frames) -> None:
    frames = moving_frames(2)
    clip = Clip(frames, (75, None))

    kept = clip_images(dataclasses.replace(clip, frames=frames.copy()), ClipRule(frames=2, jpeg="unless-jpeg"))
    always = clip_images(dataclasses.replace(clip, frames=frames.copy()), ClipRule(frames=2, jpeg="always"))

    coded = np.stack([jpeg_round_trip(f, 95, "4:2:0") for f in frames])
    np.testing.assert_array_equal(kept, [frames[0], coded[1]])
    np.testing.assert_array_equal(always, coded)
    assert clip_images(clip, ClipRule(frames=2)) is frames


def test_the_order_of_resize_and_jpeg_is_kept(moving_frames) -> None:
    clip = Clip(moving_frames(1), (None,))
    small = Resize(size=16)

    first, second = (
        clip_images(
            dataclasses.replace(clip, frames=clip.frames.copy()),
            ClipRule(frames=1, jpeg="always", jpeg_quality=50, resize=small, order=order),
        )
        for order in ("resize-then-jpeg", "jpeg-then-resize")
    )

    resized = resize_uint8(clip.frames, small, "nearest")
    coded = jpeg_round_trip(clip.frames[0], 50, "4:2:0")[None]
    np.testing.assert_array_equal(first[0], jpeg_round_trip(resized[0], 50, "4:2:0"))
    np.testing.assert_array_equal(second, resize_uint8(coded, small, "nearest"))


@pytest.mark.parametrize(("height", "width"), [(48, 64), (70, 40), (32, 32)])
def test_truncation_of_values_of_0_to_1_is_the_originals(moving_frames, height: int, width: int) -> None:
    """What cd-fvd does, written down once more; a whole grey level hangs on the last bit of the floats."""
    frames = moving_frames(3, height, width)
    wanted = Resize(size=32, geometry="short-side-crop", antialias=True)

    found = resize_uint8(frames, wanted, "truncate-unit")

    unit = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255.0
    longer = int(np.ceil(max(height, width) * (32 / min(height, width))))
    size = (32, longer) if height < width else (longer, 32)
    resized = torch.nn.functional.interpolate(unit, size=size, mode="bilinear", align_corners=False, antialias=True)
    top, left = ((length - 32) // 2 for length in size)
    cropped = (resized * 255).byte()[:, :, top : top + 32, left : left + 32]
    np.testing.assert_array_equal(found, cropped.permute(0, 2, 3, 1).numpy())


def test_truncation_of_values_of_0_to_255_is_another(moving_frames) -> None:
    frames, wanted = moving_frames(3, 48, 64), Resize(size=80, geometry="short-side-crop", antialias=True)

    gaps = resize_uint8(frames, wanted, "truncate-unit").astype(int) - resize_uint8(frames, wanted, "truncate")

    assert np.abs(gaps).max() == 1


def test_truncation_does_not_depend_on_threads(moving_frames) -> None:
    frames, wanted = moving_frames(4, 90, 160), Resize(size=64, antialias=True)
    threads, found = torch.get_num_threads(), []
    for number in (1, 2, 4, 8):
        torch.set_num_threads(number)
        found.append(resize_uint8(frames, wanted, "truncate-unit"))
    torch.set_num_threads(threads)

    assert all(np.array_equal(frames, found[0]) for frames in found)


def test_values_of_0_to_1_give_back_every_grey_level() -> None:
    """What common_metrics_on_video_quality truncates are the 256 values of uint8 frames, and none is lowered."""
    levels = np.arange(256, dtype=np.uint8)

    assert np.array_equal((torch.from_numpy(levels).float() / 255 * 255).byte().numpy(), levels)
    assert np.array_equal(((levels.astype(np.float32) / 255) * 255).astype(np.uint8), levels)

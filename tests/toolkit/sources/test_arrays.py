"""Arrays as sides, of five axes or four: what is stated, what is inferred, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fvd_bench import Arrays, FrechetVideoDistance
from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import open_source
from fvd_bench.videos import arrays
from fvd_bench.videos.array_layout import fitting_orders
from fvd_bench.videos.video import Pixels

VIDEOS = np.random.default_rng(1).integers(0, 256, (3, 5, 8, 6, 3), dtype=np.uint8)


def _frames(side: Any, index: int = 0) -> Pixels:
    video = open_source(side).video(index)
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


class TestAxes:
    @pytest.mark.parametrize("axes", ["NTHWC", "NCTHW", "NTCHW", "CWHTN", "TNCHW"])
    def test_stated_ones_may_be_in_any_order(self, axes: str) -> None:
        array = VIDEOS.transpose(["NTHWC".index(axis) for axis in axes])

        source = open_source(Arrays(array, axes=axes))

        assert list(source.names) == ["000000", "000001", "000002"]
        np.testing.assert_array_equal(_frames(source, 2), VIDEOS[2])
        assert list(source.notes) == []

    def test_inferred_ones_are_noted(self) -> None:
        (note,) = open_source(VIDEOS).notes

        assert "its axes are taken for NTHWC, the only order that fits the shape [3, 5, 8, 6, 3]" in note

    @pytest.mark.parametrize(
        ("shape", "orders"),
        [
            ((9, 16, 8, 8, 3), ["NTHWC"]),
            ((9, 3, 16, 8, 8), ["NCTHW"]),
            ((9, 16, 1, 8, 8), ["NTCHW"]),
            ((9, 3, 8, 8, 3), ["NTHWC", "NCTHW"]),
            ((9, 1, 3, 8, 8), ["NCTHW", "NTCHW"]),
            ((9, 16, 8, 8, 5), []),
        ],
    )
    def test_only_what_is_unambiguous_is_inferred(self, shape: tuple[int, ...], orders: list[str]) -> None:
        assert list(fitting_orders(shape)) == orders
        if len(orders) != 1:
            with pytest.raises(SourceError, match=r"fits (NT|NC|no order).*state its axes, such as NTHWC"):
                open_source(np.zeros(shape, dtype=np.uint8))

    def test_several_arrays_are_looked_at_together(self) -> None:
        """The first alone could be two things."""
        source = open_source([np.zeros((3, 8, 8, 3), np.uint8), VIDEOS[0]])

        assert source.video(0).num_frames == 3

    @pytest.mark.parametrize("axes", ["NTHWX", "nthwc", "", "NNTHWC", "NHW", "HWC"])
    def test_other_letters_are_refused(self, axes: str) -> None:
        with pytest.raises(SourceError, match="expected an order of the letters NTHWC"):
            Arrays(VIDEOS, axes=axes)

    def test_four_channels_are_inferred_where_nothing_else_fits(self) -> None:
        (note,) = open_source(np.zeros((9, 16, 8, 8, 4), np.uint8)).notes
        assert "taken for NTHWC, the only order that fits" in note
        assert "taken for NCTHW" in open_source(np.zeros((9, 3, 8, 8, 4), np.uint8)).notes[0]

    def test_those_of_another_number_or_of_other_channels_are_refused(self) -> None:
        with pytest.raises(SourceError, match=r"shape \[3, 5, 8, 6, 3\]: expected 4 axes, THWC"):
            open_source(Arrays(VIDEOS, axes="THWC"))
        with pytest.raises(SourceError, match=r"as NCTHW with 5 channels: expected 3 \(RGB\), 1 \(grey\), or 4"):
            open_source(Arrays(VIDEOS, axes="NCTHW"))

    @pytest.mark.parametrize("shape", [(0, 5, 8, 6, 3), (3, 5, 0, 6, 3)])
    def test_what_is_empty_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(SourceError, match=r"holds no video|at least one pixel"):
            open_source(np.zeros(shape, np.uint8))

    def test_grey_becomes_rgb(self) -> None:
        grey = VIDEOS[..., :1]

        np.testing.assert_array_equal(_frames(grey, 1), np.repeat(grey[1], 3, axis=3))

    @pytest.mark.parametrize("axes", ["NTHW", "TNHW", "WHTN"])
    def test_grey_without_an_axis_of_channels_is_stated(self, axes: str) -> None:
        array = VIDEOS[..., 0].transpose(["NTHW".index(axis) for axis in axes])

        np.testing.assert_array_equal(_frames(Arrays(array, axes=axes), 1), np.repeat(VIDEOS[1, ..., :1], 3, axis=3))

    @pytest.mark.parametrize(("make", "axes"), [(np.asarray, "NTHW"), (list, "THW"), (iter, "THW")])
    def test_the_advice_for_grey_without_an_axis_of_channels_works(self, make: Callable[[Any], Any], axes: str) -> None:
        grey = np.repeat(VIDEOS, 2, axis=0)[..., 0]

        with pytest.raises(SourceError, match=r"state.* NTHW .*, with fvd_bench.Arrays\(…, axes=…\)"):
            open_source(make(grey))
        assert list(open_source(Arrays(make(grey), axes=axes)).notes) == []

    def test_one_video_alone_says_what_to_do(self) -> None:
        with pytest.raises(SourceError, match=r"\[5, 8, 6, 3\] is one video: expected many"):
            open_source(VIDEOS[0])


class TestValues:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
    @pytest.mark.parametrize("value_range", [(-1, 1), (0, 1), (0, 255)])
    def test_floats_come_back_to_the_bytes_that_they_were_made_of(self, dtype: Any, value_range: Any) -> None:
        low, high = value_range
        floats = (VIDEOS / 255 * (high - low) + low).astype(dtype)

        np.testing.assert_array_equal(_frames(Arrays(floats, value_range=value_range), 1), VIDEOS[1])

    def test_bfloat16_is_read_as_float32(self) -> None:
        """It has 8 bits, so that only whole levels that fit into them come back."""
        levels = VIDEOS // 2 * 2

        np.testing.assert_array_equal(
            _frames(Arrays(torch.from_numpy(levels).bfloat16(), value_range=(0, 255)), 2), levels[2]
        )

    def test_halves_round_to_even_and_what_is_outside_is_clipped(self) -> None:
        values = np.array([0.5, 1.5, 2.5, 254.5, -7, 300], np.float32).reshape(1, 1, 1, 6, 1)

        (frame,) = _frames(Arrays(values, axes="NTHWC", value_range=(0, 255)))

        assert frame[0, :, 0].tolist() == [0, 2, 2, 254, 0, 255]

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_no_number_is_an_error_that_names_its_place(self, bad: float, two_sides, pixels_protocol) -> None:
        floats = np.zeros((4, 9, 8, 8, 3), np.float32)
        floats[2, 7, 0, 0, 0] = bad

        with pytest.raises(SourceError, match="video 000002, frame 7 has values that are not finite"):
            evaluate(
                two_sides[0],
                Arrays(floats, value_range=(0, 1)),
                pixels_protocol(),
                settings=Settings(cache=None, workers=2),
            )

    def test_floats_without_a_range_are_refused(self) -> None:
        with pytest.raises(SourceError, match=r"float64: state what black and white are.*with fvd_bench\.Arrays"):
            open_source(VIDEOS.astype(float))

    @pytest.mark.parametrize("value_range", [(1, 0), (0, 0), (0, np.nan), (-np.inf, 0)])
    def test_ranges_that_are_none_are_refused(self, value_range: Any) -> None:
        with pytest.raises(SourceError, match="expected the values of black and white"):
            Arrays(VIDEOS, value_range=value_range)

    @pytest.mark.parametrize(
        ("make", "axes"), [(np.asarray, "NTHWC"), (list, "THWC"), (iter, "THWC")], ids=["array", "list", "iterable"]
    )
    def test_a_range_that_can_hardly_be_meant_is_noted(self, make: Callable[[Any], Any], axes: str) -> None:
        floats = VIDEOS / 127.5 - 1

        (note,) = open_source(Arrays(make(floats), axes=axes, value_range=(0, 1))).notes

        assert re.search(
            r"[45]\d % of the values in frames of its first video, which go from -\d.* the stated range, 0 to 1", note
        )
        assert not open_source(Arrays(floats * 1.001, axes="NTHWC", value_range=(-1, 1))).notes

    def test_a_first_frame_that_is_black_hides_nothing(self) -> None:
        floats = VIDEOS.astype(np.float32)
        floats[:, 0] = 0

        (note,) = open_source(Arrays(floats, axes="NTHWC", value_range=(0, 1))).notes

        assert "6 % of the values in frames of its first video, which go from 0 to 25" in note

    def test_bytes_have_a_range_of_their_own(self) -> None:
        np.testing.assert_array_equal(_frames(Arrays(VIDEOS, value_range=(0, 255))), VIDEOS[0])
        with pytest.raises(SourceError, match="uint8, which go from 0 to 255"):
            open_source(Arrays(VIDEOS, value_range=(0, 1)))

    @pytest.mark.parametrize("make", [lambda v: v.astype(np.int64), lambda v: v > 9, lambda v: v.astype(object),
                                      lambda v: torch.from_numpy(v).int(), lambda v: v * 1j,
                                      lambda v: torch.from_numpy(v).long(),
                                      lambda v: torch.from_numpy(v) > 9])  # fmt: skip
    def test_other_types_are_refused(self, make: Callable[[Pixels], Any]) -> None:
        with pytest.raises(
            SourceError, match=r"of type (int64|bool|object|int32|complex128): expected uint8, or floats"
        ):
            open_source(make(VIDEOS))


class TestMemory:
    def test_names_of_a_dict_are_those_of_its_videos_in_the_order_of_files(self) -> None:
        source = open_source({"b": VIDEOS[0], "a/x": VIDEOS[1], "B": VIDEOS[2]})

        assert list(source.names) == ["B", "a/x", "b"]
        np.testing.assert_array_equal(_frames(source, 1), VIDEOS[1])

    def test_tensors_that_want_gradients_and_views_are_read(self) -> None:
        tensor = torch.from_numpy(VIDEOS).float().requires_grad_().flip(0)

        np.testing.assert_array_equal(_frames(Arrays(tensor, value_range=(0, 255)), 0), VIDEOS[2])

    def test_a_change_between_two_runs_is_noticed(self, tmp_path: Path, two_sides, pixels_protocol) -> None:
        array, settings = VIDEOS.repeat(3, axis=1), Settings(cache=tmp_path)
        side = Arrays(array)
        first = evaluate(two_sides[0], side, pixels_protocol(), settings=settings)
        array[:] = array[::-1] // 2

        assert evaluate(two_sides[0], side, pixels_protocol(), settings=settings).value != first.value

    @pytest.mark.parametrize("given", [[], {}, [VIDEOS[0], "b"], [[1, 2]], [VIDEOS]])
    def test_what_is_no_video_is_refused(self, given: Any) -> None:
        with pytest.raises(SourceError, match=r"holds no video|expected an array or tensor|one video each"):
            open_source(given)

    def test_axes_of_what_is_no_array_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="axes and a value range are stated, but only of arrays"):
            open_source(Arrays(tmp_path, axes="NTHWC"))


def test_each_video_in_memory_is_digested_once(pixels_protocol, monkeypatch) -> None:
    digested: list[int] = []
    original = arrays.frames_digest
    monkeypatch.setattr(arrays, "frames_digest", lambda n, frames: digested.append(n) or original(n, frames))
    rng = np.random.default_rng(5)
    real, fake = (rng.integers(0, 256, (n, 12, 16, 16, 3), dtype=np.uint8) for n in (4, 5))
    protocol = pixels_protocol()

    first = evaluate(real, fake, protocol, repeats=2, settings=Settings(cache=None))
    assert len(digested) == 9

    fake[2] = 255 - fake[2]  # the next evaluation sees other values in the same array
    assert evaluate(real, fake, protocol, repeats=2, settings=Settings(cache=None)).value != first.value
    assert len(digested) == 18


def test_a_real_array_that_was_changed_is_read_again_where_a_metric_forgets_it(pixels_protocol, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    real, fake = (rng.integers(0, 256, (n, 12, 16, 16, 3), dtype=np.uint8) for n in (4, 5))
    metric = FrechetVideoDistance(pixels_protocol(), real=real, settings=Settings(cache=tmp_path, device="cpu"))
    metric.update(fake=fake)
    before = metric.compute()

    real[:] = 255 - real
    metric.reset(real=True)
    metric.update(fake=fake)

    expected = evaluate(real, fake, pixels_protocol(), settings=Settings(cache=None)).value
    assert metric.compute() == pytest.approx(expected, rel=1e-9) != before

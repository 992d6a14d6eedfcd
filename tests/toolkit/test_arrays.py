"""Arrays as sides, in files and in memory: what is stated, what is inferred, and what is refused."""

import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fvd_bench import Arrays, scratch
from fvd_bench.arrays import fitting_orders
from fvd_bench.errors import SourceError, VideoError
from fvd_bench.evaluation import Settings, evaluate
from fvd_bench.sources import open_source
from fvd_bench.video import Pixels

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
            ((9, 16, 8, 8, 4), []),
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

    @pytest.mark.parametrize("axes", ["NTHW", "NTHWX", "nthwc", "", "NNTHWC"])
    def test_other_letters_are_refused(self, axes: str) -> None:
        with pytest.raises(SourceError, match="expected an order of the letters NTHWC"):
            Arrays(VIDEOS, axes=axes)

    def test_those_of_another_number_or_of_other_channels_are_refused(self) -> None:
        with pytest.raises(SourceError, match=r"shape \[3, 5, 8, 6, 3\]: expected 4 axes, THWC"):
            open_source(Arrays(VIDEOS, axes="THWC"))
        with pytest.raises(SourceError, match=r"as NCTHW with 5 channels: expected 3 \(RGB\) or 1 \(grey\)"):
            open_source(Arrays(VIDEOS, axes="NCTHW"))

    @pytest.mark.parametrize("shape", [(0, 5, 8, 6, 3), (3, 5, 0, 6, 3)])
    def test_what_is_empty_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(SourceError, match="holds no video|at least one pixel"):
            open_source(np.zeros(shape, np.uint8))

    def test_grey_becomes_rgb(self) -> None:
        grey = VIDEOS[..., :1]

        np.testing.assert_array_equal(_frames(grey, 1), np.repeat(grey[1], 3, axis=3))

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
        with pytest.raises(SourceError, match=r"float64: state what black and white are.*value_range=.*--real-range"):
            open_source(VIDEOS.astype(float))

    @pytest.mark.parametrize("value_range", [(1, 0), (0, 0), (0, np.nan), (-np.inf, 0)])
    def test_ranges_that_are_none_are_refused(self, value_range: Any) -> None:
        with pytest.raises(SourceError, match="expected the values of black and white"):
            Arrays(VIDEOS, value_range=value_range)

    def test_bytes_have_a_range_of_their_own(self) -> None:
        np.testing.assert_array_equal(_frames(Arrays(VIDEOS, value_range=(0, 255))), VIDEOS[0])
        with pytest.raises(SourceError, match="uint8, which go from 0 to 255"):
            open_source(Arrays(VIDEOS, value_range=(0, 1)))

    @pytest.mark.parametrize("make", [lambda v: v.astype(np.int64), lambda v: v > 9, lambda v: v.astype(object),
                                      lambda v: torch.from_numpy(v).int(), lambda v: v * 1j])  # fmt: skip
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
        with pytest.raises(SourceError, match="holds no video|expected an array or tensor|one video each"):
            open_source(given)

    def test_axes_of_what_is_no_array_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="axes and a value range are stated, but only of arrays"):
            open_source(Arrays(tmp_path, axes="NTHWC"))


def _write(file: Path, array: Pixels = VIDEOS, **h5: Any) -> Path:
    match file.suffix:
        case ".npy":
            np.save(file, array)
        case ".npz":
            (np.savez_compressed if "packed" in file.name else np.savez)(file, videos=array)
        case ".pt":
            torch.save(torch.from_numpy(array), file)
        case ".safetensors":
            save_file({"videos": torch.from_numpy(array)}, file)
        case ".h5":
            with h5py.File(file, "w") as opened:
                opened.create_dataset("videos", data=array, **h5)
    return file


FORMS = ["a.npy", "a.npz", "packed.npz", "a.pt", "a.safetensors", "a.h5"]


class TestFiles:
    @pytest.mark.parametrize("form", FORMS)
    def test_several_threads_read_at_once(self, tmp_path: Path, form: str) -> None:
        source = open_source(_write(tmp_path / form))

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: _frames(source, i % 3), range(90)))

        for place, frames in enumerate(found):
            np.testing.assert_array_equal(frames, VIDEOS[place % 3])

    @pytest.mark.parametrize("form", [f for f in FORMS if f != "a.pt"])
    def test_arrays_in_fortran_order_are_read(self, tmp_path: Path, form: str) -> None:
        np.testing.assert_array_equal(_frames(_write(tmp_path / form, np.asfortranarray(VIDEOS)), 1), VIDEOS[1])

    @pytest.mark.parametrize("form", FORMS)
    def test_the_store_believes_a_file_only_as_it_was_read(self, tmp_path: Path, form: str) -> None:
        """Other axes, another video and another file are other states; the same again is the same."""
        cube = np.random.default_rng(2).integers(0, 256, (3, 3, 4, 4, 3), dtype=np.uint8)
        file = _write(tmp_path / form, cube)

        def state(axes: str, index: int) -> str:
            return open_source(Arrays(file, axes=axes)).video(index).state()

        before = [state("NTHWC", 0), state("NCTHW", 0), state("NTHWC", 1)]
        assert len(set(before)) == 3
        assert state("NTHWC", 0) == before[0]
        os.utime(file, ns=(1, 1))
        assert state("NTHWC", 0) != before[0]

    @pytest.mark.parametrize("form", FORMS)
    def test_one_that_is_cut_off_is_told(self, tmp_path: Path, form: str) -> None:
        file = _write(tmp_path / form)
        whole = file.read_bytes()
        for keep in (0, 5, 100, len(whole) // 2, len(whole) - 20):
            file.write_bytes(whole[:keep])
            with pytest.raises(SourceError, match=r"\.(npy|npz|pt|safetensors|h5) .*(expected|again)"):
                open_source(file)

    def test_arrays_beside_the_videos_are_left_out(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", videos=VIDEOS, labels=np.zeros(3), names=np.array(["a"]))

        assert len(open_source(tmp_path / "a.npz").names) == 3

    @pytest.mark.parametrize("arrays", [{"a": VIDEOS, "b": VIDEOS}, {"a": VIDEOS, "b": VIDEOS[0]}, {"a": np.zeros(3)}])
    def test_more_than_one_kind_of_video_is_refused(self, tmp_path: Path, arrays: dict[str, Any]) -> None:
        np.savez(tmp_path / "a.npz", **arrays)

        with pytest.raises(SourceError, match=r"holds [012] arrays of five axes and [01] of four \('a' \["):
            open_source(tmp_path / "a.npz")

    @pytest.mark.parametrize("form", ["a.npy", "a.safetensors", "a.pt", "a.h5"])
    def test_a_large_file_takes_no_memory(self, tmp_path: Path, form: str) -> None:
        """Under a limit of a tenth of its size above what was used before."""
        file = _write(tmp_path / form, np.zeros((64, 16, 256, 256, 3), np.uint8))  # 201 MB
        program = (
            "import sys, resource, torch, h5py, safetensors\n"
            "from fvd_bench.sources import open_source\n"
            "def used(): return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()\n"
            "before = used()\n"
            "source = open_source(sys.argv[1])\n"
            "import numpy as np\n"
            "frames = list(source.video(60).frames(np.arange(16)))\n"
            "print(used() - before)\n"
        )

        done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True)

        assert int(done.stdout) < 20e6 + 16 * 256 * 256 * 3, done.stderr


class Evil:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("harm"),))


class TestHostileFiles:
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path, monkeypatch) -> Any:
        monkeypatch.chdir(tmp_path)
        yield
        assert not (tmp_path / "harm").exists()

    def _objects(self) -> Any:
        array = np.empty((1, 1, 1, 1, 3), object)
        array[0, 0, 0, 0, 0] = Evil()
        return array

    def test_python_objects_are_never_loaded(self) -> None:
        np.save("a.npy", self._objects(), allow_pickle=True)
        np.savez("a.npz", videos=self._objects())
        for file in ("a.npy", "a.npz"):
            with pytest.raises(SourceError, match="holds Python objects, which are never loaded"):
                open_source(file)

    def test_pickles_are_never_loaded(self) -> None:
        Path("a.pt").write_bytes(pickle.dumps(Evil()))
        torch.save(Evil(), "b.pt")
        torch.save({"videos": torch.zeros(1), "evil": Evil()}, "c.pt")
        with pytest.raises(SourceError, match=r"a\.pt is no file that torch.save .*pickles are never loaded"):
            open_source("a.pt")
        for file in ("b.pt", "c.pt"):
            with pytest.raises(SourceError, match=r"cannot be read as tensors: Weights only load failed"):
                open_source(file)

    def test_scripts_are_never_loaded(self) -> None:
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), "a.pt")

        with pytest.raises(SourceError, match="cannot be read as tensors"):
            open_source("a.pt")

    def test_shapes_that_are_larger_than_the_file_allocate_nothing(self) -> None:
        shape = (10**6, 16, 256, 256, 3)
        with Path("a.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile("a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write("a.npy", "videos.npy")
        torch.save(torch.zeros(1, dtype=torch.uint8).expand(shape), "a.pt")
        header = b'{"videos":{"dtype":"U8","shape":[1000000,16,256,256,3],"data_offsets":[0,3145728000000]}}'
        Path("a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        with h5py.File("a.h5", "w") as opened:
            opened.create_dataset("videos", shape, "u1", chunks=(1, 1, 64, 64, 3))
        for file in ("a.npy", "a.npz", "a.pt", "a.safetensors", "a.h5"):
            tracemalloc.start()
            with pytest.raises(SourceError, match=r"says that it has the shape|cannot be read as a safetensors file"):
                open_source(file)
            assert tracemalloc.get_traced_memory()[1] < 2**22
            tracemalloc.stop()

    @pytest.mark.parametrize(
        "shape", ["(2**70, 1, 1, 1, 3)", "(-1, -1, 1, 1, 3)", "(" * 5000, "'a'", "(4294967296,) * 5"]
    )
    def test_headers_that_are_none_are_told(self, shape: str) -> None:
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".encode()
        Path("a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(300))

        with pytest.raises(SourceError, match=r"a\.npy (is no array in NumPy's format|says that)"):
            open_source("a.npy")

    def test_several_arrays_in_one_npy_are_not_passed_over(self) -> None:
        with Path("a.npy").open("wb") as file:
            np.save(file, VIDEOS)
            np.save(file, VIDEOS)

        with pytest.raises(SourceError, match=r"goes on for 2,\d+ bytes behind its array"):
            open_source("a.npy")

    def test_a_bomb_fills_no_disk(self, monkeypatch) -> None:
        monkeypatch.setattr(scratch, "RATIO_FROM_BYTES", 1 << 16)
        np.savez_compressed("a.npz", videos=np.zeros((9, 16, 64, 64, 3), np.uint8))
        with zipfile.ZipFile("a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", bytes(1 << 22))

        with pytest.raises(SourceError, match=r"compressed array in a\.npz grows from"):
            open_source("a.npz")
        with pytest.raises(SourceError, match=r"a\.pt is compressed, which torch.save never does"):
            open_source("a.pt")

    def test_hdf5_that_leads_elsewhere_is_refused(self) -> None:
        _write(Path("other.h5"))
        VIDEOS.tofile("raw")
        makers: dict[str, Callable[[h5py.File], object]] = {
            "is a link": lambda f: f.__setitem__("videos", h5py.ExternalLink("other.h5", "/videos")),
            "'soft' is a link": lambda f: f.__setitem__("soft", h5py.SoftLink("/videos")),
            "stand in other files": lambda f: f.create_dataset(
                "videos", VIDEOS.shape, "u1", external=[("raw", 0, VIDEOS.size)]
            ),
            "values of 'virtual' stand in other": lambda f: f.create_virtual_dataset("virtual", _layout()),
            "is in itself": lambda f: f.create_group("g").__setitem__("again", f["/"]),
        }
        for match, make in makers.items():
            with h5py.File("a.h5", "w") as opened:
                make(opened)
            with pytest.raises(SourceError, match=match):
                open_source("a.h5")

    @pytest.mark.parametrize("form", FORMS)
    def test_whatever_is_damaged_is_an_error_of_ours(self, form: str) -> None:
        data, rng = _write(Path(form)).read_bytes(), random.Random(5)
        places = range(min(len(data), 3000)) if form != "packed.npz" else range(len(data))
        for _ in range(300):
            bad = bytearray(data)
            for _ in range(rng.choice([1, 1, 2, 5])):
                bad[rng.choice(places)] = rng.randrange(256)
            Path(form).write_bytes(bad)
            try:
                source = open_source(Arrays(form, axes="NTHWC"))
                for index in range(len(source.names)):
                    source.video(index).content()
            except (SourceError, VideoError):
                continue


def _layout() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout(VIDEOS.shape, "u1")
    layout[:] = h5py.VirtualSource("other.h5", "videos", VIDEOS.shape)
    return layout


def test_hdf5_says_what_it_needs(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['h5py'] = None\n"
        "from fvd_bench import FvdBenchError\n"
        "from fvd_bench.sources import open_source\n"
        "try: open_source(sys.argv[1])\n"
        "except FvdBenchError as error: print(error)\n"
    )

    done = subprocess.run([sys.executable, "-c", program, _write(tmp_path / "a.h5")], capture_output=True, text=True)

    assert "HDF5 files need h5py: pip install 'fvd-bench[h5]'" in done.stdout

"""Array files as sides: mapped into memory, and never believed."""

import os
import pickle
import random
import struct
import tracemalloc
import warnings
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

from fvd_bench import Arrays
from fvd_bench.errors import SourceError, VideoError
from fvd_bench.sources import scratch
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.video import Pixels
from tests.forked import Program

VIDEOS = np.random.default_rng(1).integers(0, 256, (3, 5, 8, 6, 3), dtype=np.uint8)


def _frames(source: ClipSource, index: int) -> Pixels:
    video = source.video(index)
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


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

    @pytest.mark.parametrize("form", ["a.npy", "a.npz", "packed.npz", "a.h5"])
    def test_arrays_in_fortran_order_are_read(self, tmp_path: Path, form: str) -> None:
        np.testing.assert_array_equal(
            _frames(open_source(_write(tmp_path / form, np.asfortranarray(VIDEOS))), 1), VIDEOS[1]
        )

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

    @pytest.mark.parametrize(
        "arrays", [{"a": VIDEOS, "b": VIDEOS}, {"a": VIDEOS, "b": VIDEOS[0]}, {"a": np.zeros(3)}, {}]
    )
    def test_more_than_one_kind_of_video_is_refused(self, tmp_path: Path, arrays: dict[str, Any]) -> None:
        np.savez(tmp_path / "a.npz", **arrays)

        with pytest.raises(SourceError, match=r"holds [012] arrays of five axes and [01] of four \(('a' \[|no array)"):
            open_source(tmp_path / "a.npz")

    @pytest.mark.parametrize("form", ["a.npy", "a.safetensors", "a.pt", "a.h5"])
    def test_a_large_file_takes_no_memory(self, tmp_path: Path, form: str) -> None:
        """Under a limit of a fifth of its size above what a small one left, which loads all modules."""
        file = _write(tmp_path / form, np.zeros((32, 16, 256, 256, 3), np.uint8))  # 101 MB
        small = _write(tmp_path / f"small-{form}", np.zeros((1, 16, 8, 8, 3), np.uint8))
        program = (
            "import sys, resource\n"
            "import numpy as np\n"
            "from fvd_bench.sources.opening import open_source\n"
            "def used(): return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()\n"
            "list(open_source(sys.argv[1]).video(0).frames(np.arange(16)))\n"
            "before = used()\n"
            "frames = list(open_source(sys.argv[2]).video(28).frames(np.arange(16)))\n"
            "print(used() - before)\n"
        )

        done = Program("-c", program, small, file).end()

        assert int(done.stdout) < 20e6 + 16 * 256 * 256 * 3, done.stderr


class TestOneOfSeveral:
    @pytest.mark.parametrize("suffix", ["npz", "h5", "pt"])
    def test_an_array_is_named_as_if_the_file_were_a_folder(self, tmp_path: Path, suffix: str) -> None:
        file, arrays = tmp_path / f"a.{suffix}", {"real": VIDEOS, "fake": VIDEOS[::-1].copy()}
        match suffix:
            case "npz":
                np.savez(file, **arrays)
            case "pt":
                torch.save({key: torch.from_numpy(array) for key, array in arrays.items()}, file)
            case "h5":
                with h5py.File(file, "w") as opened:
                    for key, array in arrays.items():
                        opened[key] = array

        np.testing.assert_array_equal(_frames(open_source(file / "fake"), 0), VIDEOS[2])
        np.testing.assert_array_equal(_frames(open_source(Arrays(file / "real", axes="NTHWC")), 0), VIDEOS[0])
        with pytest.raises(
            SourceError, match=rf"holds 2 arrays of five axes .* as if the file were a folder: .*\.{suffix}/"
        ):
            open_source(file)
        with pytest.raises(SourceError, match=r"holds no array 'other' .* expected one of (real, fake|fake, real)"):
            open_source(file / "other")

    def test_an_array_alone_has_no_name(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", VIDEOS)

        with pytest.raises(SourceError, match=r"holds one array without a name: pass .*a\.npy"):
            open_source(tmp_path / "a.npy" / "videos")

    @pytest.mark.parametrize("form", ["a.npy", "a.npz", "packed.npz", "a.pt", "a.safetensors", "a.h5"])
    def test_grey_without_an_axis_of_channels_is_stated(self, tmp_path: Path, form: str) -> None:
        file = _write(tmp_path / form, np.repeat(VIDEOS[..., 0], 2, axis=0))

        with pytest.raises(SourceError, match="NTHW"):
            open_source(file)
        expected = np.repeat(VIDEOS[1, ..., :1], 3, axis=3)
        np.testing.assert_array_equal(_frames(open_source(Arrays(file, axes="NTHW")), 2), expected)


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch advises against making them
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
        "from fvd_bench.sources.opening import open_source\n"
        "try: open_source(sys.argv[1])\n"
        "except FvdBenchError as error: print(error)\n"
    )

    done = Program("-c", program, _write(tmp_path / "a.h5")).end()

    assert "HDF5 files need h5py: pip install h5py" in done.stdout

"""Sides that are made by code: a generator function, an iterable, and module:function."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fvd_bench import Arrays, GeneratorSource
from fvd_bench.errors import SourceError, WeightsError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.studies.table4 import table4
from fvd_bench.settings import Settings
from fvd_bench.sources import scratch
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Pixels
from tests.forked import Program
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None, workers=3)


@pytest.fixture
def make(moving_frames) -> Callable[[int], Pixels]:
    return lambda index: moving_frames(12, 32, 32, seed=100 + index)


class Counted:
    """How often each video was made, and by how many threads at once at most."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.times: Counter[int] = Counter()
        self.most_at_once = 0
        self._make, self._now = make, 0

    def __call__(self, index: int) -> Any:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.times[index] += 1
        made = self._make(index)
        self._now -= 1
        return made


NOTHING_WRITTEN = """
import resource, sys, tempfile
import numpy as np, torch
import fvd_bench
from fvd_bench import GeneratorSource, Settings, evaluate, networks, report
from fvd_bench.networks import pixels
from fvd_bench.protocols.protocol import load
protocol = load(sys.argv[1])

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(8, 3 * 16 * 16)
    def forward(self, z):  # [T, 8] -> [T, 3, 16, 16] in [-1, 1]
        return torch.tanh(self.layer(z)).reshape(-1, 3, 16, 16)

network = Network()
def video(index):
    noise = torch.Generator().manual_seed(index)
    return network(torch.randn(9, 8, generator=noise).cumsum(0))

fakes = GeneratorSource(video, videos=40, axes="TCHW", value_range=(-1, 1))
real = np.random.default_rng(0).integers(0, 256, (40, 9, 16, 16, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # from now on no file can grow
try: tempfile.TemporaryFile().write(b"x" * 99999)
except OSError: print("refused")
result = evaluate(real, fakes, protocol, settings=Settings(cache=None, workers=2))
print(result.value > 0)
"""


class TestGeneratorFunction:
    def test_a_network_is_scored_without_writing_a_byte(self, pixels_protocol, tmp_path: Path) -> None:
        environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", NOTHING_WRITTEN, pixels_protocol()]

        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

        assert done.stdout.split() == ["refused", "True"], done.stderr

    def test_one_thread_at_a_time_makes_videos_without_gradients(self, two_sides, pixels_protocol, make) -> None:
        grads = set()

        def tensor(index: int) -> torch.Tensor:
            grads.add((torch.ones(1, requires_grad=True) * 2).requires_grad)
            return torch.from_numpy(make(index))

        counted = Counted(tensor)
        evaluate(two_sides[0], GeneratorSource(counted, videos=6), pixels_protocol(), settings=NO_CACHE)

        assert counted.most_at_once == 1
        assert grads == {False}

    def test_with_an_identity_no_video_is_made_for_its_digest(self, two_sides, pixels_protocol, make) -> None:
        """Once for the score and its motion, and the first once to see that there is one."""
        counts: dict[str | None, Counted] = {None: Counted(make), "mine": Counted(make)}
        values = []
        for identity, counted in counts.items():
            side = GeneratorSource(counted, videos=5, identity=identity)
            values.append(evaluate(two_sides[0], side, pixels_protocol(), settings=NO_CACHE).value)

        assert values[0] == pytest.approx(values[1], rel=1e-9)
        assert counts["mine"].times == Counter({0: 2, 1: 1, 2: 1, 3: 1, 4: 1})
        assert counts[None].times == Counter({0: 2, 1: 2, 2: 2, 3: 2, 4: 2})  # of the first the digest is made with it

    def test_a_store_keeps_what_has_an_identity(self, tmp_path: Path, two_sides, pixels_protocol, make) -> None:
        settings = Settings(cache=tmp_path / "store")
        found = []
        for identity in ("a", "a", "b"):
            counted = Counted(make)
            side = GeneratorSource(counted, videos=4, identity=identity)
            evaluate(two_sides[0], side, pixels_protocol(), settings=settings)
            found.append(counted.times.total())

        assert found == [5, 1, 5]

    def test_identities_are_those_of_a_reading_too(self, make) -> None:
        def content(**given: Any) -> str:
            return GeneratorSource(make, videos=2, identity="a", **given).video(1).content()

        assert len({content(), content(axes="THWC"), content(value_range=(0, 255))}) == 3

    def test_names_are_listed_once_and_not_for_each_video(self, make) -> None:
        for source in (GeneratorSource(make, videos=3), open_source(map(make, range(3)))):
            assert list(source.names) == ["000000", "000001", "000002"]
            assert source.names is source.names

    def test_noise_that_is_not_seeded_is_noticed(self, two_sides, pixels_protocol) -> None:
        rng = np.random.default_rng(0)
        side = GeneratorSource(lambda index: rng.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8), videos=4)

        with pytest.raises(SourceError, match="is another one each time that it is made: seed its noise by the index"):
            evaluate(two_sides[0], side, pixels_protocol(), settings=NO_CACHE)

    def test_a_buffer_may_be_used_again(self, two_sides, pixels_protocol, make) -> None:
        buffer = np.empty_like(make(0))

        def filled(index: int) -> Pixels:
            buffer[:] = make(index)
            return buffer

        sides = [GeneratorSource(function, videos=9, identity="x") for function in (make, filled)]
        values = [evaluate(two_sides[0], side, pixels_protocol(), settings=NO_CACHE).value for side in sides]

        assert values[0] == values[1]

    def test_inferred_axes_are_noted_once(self, two_sides, pixels_protocol, make) -> None:
        side = GeneratorSource(lambda index: make(index).transpose(0, 3, 1, 2), videos=3)

        result = evaluate(two_sides[0], side, pixels_protocol(), settings=NO_CACHE)

        (note,) = [w.message for w in result.warnings if w.code == "listing"]
        assert note.startswith("generated videos, video 0: its axes are taken for TCHW")

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            (
                lambda index: 1 / 0,
                r"making video 0 failed: ZeroDivisionError: division by zero \(.*test_functions.*, line \d+",
            ),
            (lambda index: [1, 2], "video 0 is of type list: expected an array or tensor"),
            (lambda index: np.zeros((9, 8, 8, 5), np.uint8), r"shape \[9, 8, 8, 5\] fits no order"),
            (lambda index: np.zeros((1, 9, 8, 8, 3), np.uint8), "expected one video"),
            (lambda index: np.zeros((9, 8, 8, 3)), "float64: state what black and white are"),
        ],
    )
    def test_what_makes_no_videos_is_told(self, function: Any, message: str) -> None:
        source = GeneratorSource(function, videos=2)

        with pytest.raises(SourceError, match=message):
            source.video(0).content()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"videos": 0}, "videos = 0: expected"),
            ({"axes": "NTHWC"}, "axes = 'NTHWC': expected those of one video"),
            ({"axes": "T"}, "axes = 'T': expected an order of the letters"),
            ({"value_range": (1, 0)}, r"value_range = \(1, 0\): expected"),
        ],
    )
    def test_settings_that_cannot_be_are_told_at_once(self, make, given: dict[str, Any], message: str) -> None:
        with pytest.raises(SourceError, match=message):
            GeneratorSource(make, **given)


class TestIterable:
    def test_it_is_gone_through_once_and_in_order(self, two_sides, pixels_protocol, make) -> None:
        counted = Counted(make)

        side = open_source(map(counted, range(5)))
        assert counted.times == Counter([0])  # the first tells whether it can be used at all
        result = evaluate(two_sides[0], side, pixels_protocol(), repeats=2, settings=NO_CACHE)

        assert counted.times == Counter(range(5))
        assert result.fake.videos == 5
        expected = evaluate(two_sides[0], [make(i) for i in range(5)], pixels_protocol(), repeats=2, settings=NO_CACHE)
        assert result.value == pytest.approx(expected.value, rel=1e-9)

    def test_a_table_needs_it_once_too(self, two_sides, pixels_protocol, make) -> None:
        protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')

        rows = table4(two_sides[0], map(make, range(4)), protocol, repeats=1, settings=NO_CACHE).scores

        assert rows[0].fake.clips == 4

    def test_videos_may_differ_in_length_and_size(self, moving_frames) -> None:
        given = [moving_frames(5 + n, 16 + n, 20, seed=n) for n in range(3)]

        source = open_source(iter(given))

        for index, frames in enumerate(given):
            found = [f.pixels for f in source.video(index).frames(np.arange(len(frames)))]
            np.testing.assert_array_equal(found, frames)

    def test_batches_are_taken_apart(self, make) -> None:
        batches = [np.stack([make(0), make(1)]), np.stack([make(2)])]

        assert len(open_source(iter(batches)).names) == 3

    def test_nothing_is_gone_through_before_the_rest_is_known_to_work(self, two_sides, make, monkeypatch) -> None:
        counted = Counted(make)
        monkeypatch.setenv("FVD_BENCH_I3D", "/nonexistent")

        with pytest.raises(WeightsError):
            evaluate(two_sides[0], map(counted, range(5)), settings=NO_CACHE)

        assert counted.times == Counter([0])

    def test_an_error_names_the_video_and_its_type(self, make) -> None:
        def broken() -> Iterator[Pixels]:
            yield make(0)
            yield make(1)
            raise KeyError("out of noise")

        with pytest.raises(
            SourceError, match=r"type generator: making video 2 failed: KeyError: 'out of noise' \(.*line"
        ):
            _ = open_source(broken()).names

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (iter([]), "yields no video"),
            (iter(["a.mp4"]), "video 0 is of type str: expected an array"),
            (iter([(np.zeros((9, 8, 8, 3), np.uint8), 1)]), "video 0 is of type tuple"),
            (iter([np.zeros((9, 8, 8, 3), np.uint8), np.zeros((9, 8, 8, 3))]), "video 1 has values of type float64"),
            (iter([np.zeros((9, 8, 8, 3), np.uint8), np.zeros((9, 3, 8, 8), np.uint8)]), "video 1: .* as THWC with 8"),
        ],
    )
    def test_what_yields_no_videos_is_told(self, given: Any, message: str) -> None:
        with pytest.raises(SourceError, match=message):
            _ = open_source(given).names

    def test_memory_stays_flat_and_nothing_is_left(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        videos = (np.full((16, 64, 64, 3), n % 256, np.uint8) for n in range(200))  # 39 MB

        tracemalloc.start()
        source = open_source(videos)
        assert len(source.names) == 200
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak < 4e6
        assert next(iter(source.video(77).frames(np.array([3])))).pixels[0, 0].tolist() == [77, 77, 77]
        assert list(tmp_path.iterdir()) == []

    def test_no_room_says_where(self, monkeypatch, make) -> None:
        monkeypatch.setattr(scratch, "_LEFT_FREE_BYTES", 1 << 60)

        with pytest.raises(
            SourceError, match=r"what an iterable of type map yields needs a temporary file in .*TMPDIR"
        ):
            _ = open_source(map(make, range(2))).names

    def test_no_folder_for_it_is_told(self, monkeypatch, make) -> None:
        def none(**given: object) -> None:
            raise FileNotFoundError(2, "No usable temporary directory found")

        monkeypatch.setattr(tempfile, "TemporaryFile", none)
        monkeypatch.setattr(tempfile, "gettempdir", none)

        with pytest.raises(SourceError, match=r"needs a temporary file, which cannot be written: No usable .*TMPDIR"):
            _ = open_source(map(make, range(2))).names


class TestFunctionName:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        (tmp_path / "of_mine").mkdir()
        (tmp_path / "of_mine" / "generators.py").write_text(
            "import numpy as np\n"
            "from fvd_bench import GeneratorSource\n"
            "def _video(n): return np.full((9, 3, 8, 8), n, np.float32)\n"
            "def floats(): return map(_video, range(4))\n"
            "def source(): return GeneratorSource(_video, videos=3, axes='TCHW', value_range=(0, 255), name='ours')\n"
            "def stack(): return np.zeros((5, 9, 8, 8, 3), np.uint8)\n"
            "def nothing(): pass\n"
            "def broken(): raise RuntimeError('no GPU')\n"
            "number = 5\n"
        )
        (tmp_path / "bad_syntax_of_mine.py").write_text("def (:\n")

    def test_it_may_give_all_that_a_side_can_be(self) -> None:
        floats = open_source(Arrays("of_mine.generators:floats", axes="TCHW", value_range=(0, 255)))
        source, stack = (open_source(f"of_mine.generators:{name}") for name in ("source", "stack"))

        assert [len(side.names) for side in (floats, source, stack)] == [4, 3, 5]
        assert [side.name for side in (floats, source, stack)] == [
            "of_mine.generators:floats", "ours", "of_mine.generators:stack"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none_of_mine:videos", "there is no module none_of_mine: run the command in the folder"),
            ("bad_syntax_of_mine:videos", r"importing bad_syntax_of_mine failed: SyntaxError"),
            ("of_mine.generators:other", "of_mine.generators has no function other: expected one that takes nothing"),
            ("of_mine.generators:number", "has no function number"),
            ("of_mine.generators:_video", "calling it failed: TypeError: .* missing 1 required"),
            ("of_mine.generators:broken", r"calling it failed: RuntimeError: no GPU \(.*generators\.py, line 8\)"),
            ("of_mine.generators:nothing", "returned nothing: expected an iterable"),
            ("of_mine/generators.py:floats", "does not exist"),
        ],
    )
    def test_what_is_wrong_is_told(self, name: str, message: str) -> None:
        with pytest.raises(SourceError, match=message):
            open_source(name)

    def test_a_file_of_that_name_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "of_mine.generators:stack").write_bytes(b"x")

        with pytest.raises(SourceError, match="is a file; a side is"):
            open_source("of_mine.generators:stack")


class TestCommandLine:
    def test_axes_and_ranges_of_both_sides(self, tmp_path: Path, pixels_protocol, moving_frames) -> None:
        protocol = pixels_protocol()
        videos = np.stack([moving_frames(9, 16, 16, seed=n) for n in range(6)])
        np.save(tmp_path / "real.npy", videos.transpose(1, 0, 4, 2, 3))
        (tmp_path / "made.py").write_text(
            "import numpy as np\n"
            "def fakes():\n"
            "    for video in np.load('real.npy').transpose(1, 0, 2, 3, 4): yield video[::-1] / 127.5 - 1\n"
        )
        given = ["--real", "real.npy", "--real-axes", "TNCHW", "--fake", "made:fakes", "--fake-axes", "TCHW"]

        command = ["-m", "fvd_bench", "compute", *given, "--fake-range", "-1,1"]
        command += ["--protocol", protocol, "--no-cache", "--json", "-"]
        done = Program(*command, cwd=tmp_path).end()

        assert done.returncode == 0, done.stderr
        expected = evaluate(videos, videos[:, ::-1], protocol, settings=NO_CACHE)
        (value,) = re.findall(r'"value": ([\d.e-]+)', done.stdout)[:1]
        assert float(value) == pytest.approx(expected.value, rel=1e-9, abs=1e-9)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--real-axes", "NTHWC"], "are for arrays, and real holds none"),
            (["--real-range", "0,1"], "are for arrays, and real holds none"),
            (["--fake-axes", "NTHX"], "expected an order of the letters NTHWC"),
            (["--fake-range", "1"], "expected the values of black and white"),
            (["--fake-range", "1,0"], "expected the values of black and white"),
        ],
    )
    @pytest.mark.parametrize("command", ["compute", "table4"])
    def test_mistakes_are_those_of_usage(self, tmp_path: Path, command: str, options: list[str], message: str) -> None:
        np.save(tmp_path / "a.npy", np.zeros((2, 9, 8, 8, 3)))
        (tmp_path / "real").mkdir()

        with contextlib.chdir(tmp_path):
            done = fvd_bench(command, "--real", "real", "--fake", "a.npy", *options)

        assert done.returncode == 2
        assert message in done.stderr

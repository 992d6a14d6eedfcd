"""Sides that are objects instead of paths, and what an evaluation does without: FFmpeg, torch-fidelity, a network."""

import dataclasses
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fvd_bench.errors import ShortVideoError, SourceError, VideoError
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.evaluate import evaluate, open_evaluation
from fvd_bench.evaluation.plan import plan
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.studies.table4 import table4
from fvd_bench.networks import weights
from fvd_bench.reports.page import result_page
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import ClipSource, SourceLike, open_source
from fvd_bench.videos.video import Frame, Pixels, Video
from tests.forked import Program

NO_CACHE = Settings(cache=None)


@dataclass(frozen=True)
class Clips:
    """A side in memory: uint8 [T, H, W, 3] for each name. asked: (name, frames) of each time that frames were read.

    digested: of which the content was asked for.
    """

    pixels: dict[str, Pixels]
    name: str = "a <generator>"
    kind: str = "made on demand"
    notes: Sequence[str] = ()
    asked: list[tuple[str, list[int]]] = field(default_factory=list)
    digested: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        return list(self.pixels)

    def video(self, index: int) -> Video:
        return _Made(self, self.names[index])


@dataclass(frozen=True)
class _Made:
    side: Clips
    name: str

    @property
    def num_frames(self) -> int:
        return len(self.side.pixels[self.name])

    def frames(self, indices: np.ndarray) -> Iterator[Frame]:
        self.side.asked.append((self.name, indices.tolist()))
        self.side.threads.add(threading.get_ident())
        for index in indices.tolist():
            if index >= self.num_frames:
                raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
            yield Frame(self.side.pixels[self.name][index])

    def content(self) -> str:
        self.side.digested.append(self.name)
        return self.state()

    def state(self) -> str:
        return hashlib.sha256(self.side.pixels[self.name].tobytes()).hexdigest()


@pytest.fixture
def sides(moving_frames) -> tuple[Clips, Clips]:
    """Real and fake clips, one of the fake ones with 5 frames."""
    real = {f"{seed:02d}": moving_frames(12 + seed, seed=seed) for seed in range(6)}
    fake = {f"{seed:02d}": moving_frames(10 if seed else 5, seed=100 + seed) for seed in range(6)}
    return Clips(real, name="some arrays"), Clips(fake)


@pytest.fixture
def folders(tmp_path: Path, sides, write_frames) -> tuple[Path, Path]:
    """The same as folders of PNG frames."""
    for side, clips in zip(("real", "fake"), sides, strict=True):
        for name, pixels in clips.pixels.items():
            write_frames(tmp_path / side / name, pixels)
    return tmp_path / "real", tmp_path / "fake"


@pytest.mark.parametrize("workers", [1, 5])
def test_a_side_in_memory_scores_as_its_frames_on_disk(sides, folders, pixels_protocol, workers: int) -> None:
    protocols = [
        pixels_protocol(name="a", images='jpeg = { fake = "unless-jpeg" }'),
        pixels_protocol(name="b", clip='content = { fake = "still-real" }'),
        pixels_protocol(name="c", frames=16),
    ]
    settings = Settings(cache=None, workers=workers)

    made, read = (evaluate(*given, protocols, repeats=2, settings=settings) for given in (sides, folders))

    for a, b in zip(made.scores, read.scores, strict=True):
        assert a.values == pytest.approx(b.values, rel=1e-9)
        assert (a.real.skipped, a.fake.skipped) == (b.real.skipped, b.fake.skipped)
        assert a.value is None or (a.real.clips, a.fake.clips) == (b.real.clips, b.fake.clips)
        assert (a.interval is None) == (b.interval is None)
    assert made.motion == read.motion
    assert made.motion is not None
    assert [w.code for w in made.warnings] == [w.code for w in read.warnings]
    assert len(sides[0].threads) > 1  # that of the first look, and the workers'


def test_sides_and_paths_mix(sides, folders, pixels_protocol) -> None:
    mixed = evaluate(folders[0], sides[1], pixels_protocol(), settings=NO_CACHE)

    assert mixed.value == pytest.approx(evaluate(*sides, pixels_protocol(), settings=NO_CACHE).value, rel=1e-9)
    assert (mixed.real.kind, mixed.fake.kind) == ("frame folders", "made on demand")


def test_a_result_names_its_sides(tmp_path: Path, sides, pixels_protocol) -> None:
    noted = dataclasses.replace(sides[1], notes=["the weights are an average"])

    result = evaluate(sides[0], noted, pixels_protocol(), settings=NO_CACHE)

    assert (result.fake.path, result.fake.kind, result.fake.videos) == ("a <generator>", "made on demand", 6)
    assert ("listing", "the weights are an average") in [(w.code, w.message) for w in result.warnings]
    assert "a &lt;generator&gt;" in result_page(result).html()
    result.write(tmp_path / "result.json")
    assert Result.from_json((tmp_path / "result.json").read_text()) == result


def test_one_side_against_itself_is_noticed(sides, pixels_protocol) -> None:
    result = evaluate(sides[0], sides[0], pixels_protocol(), settings=NO_CACHE)

    assert "same-videos" in [w.code for w in result.warnings]


class TestStore:
    def test_a_second_run_makes_one_frame_alone(self, tmp_path: Path, sides, pixels_protocol) -> None:
        settings = Settings(cache=tmp_path / "store")
        first = evaluate(*sides, pixels_protocol(), settings=settings)
        for side in sides:
            side.asked.clear()
            side.digested.clear()

        second = evaluate(*sides, pixels_protocol(), settings=settings)

        assert second.scores == first.scores
        assert [side.asked for side in sides] == [[("00", [0])], [("00", [0])]]
        assert [side.digested for side in sides] == [[], []]

    def test_what_another_generator_makes_under_the_same_names_is_noticed(
        self, tmp_path: Path, sides, moving_frames, pixels_protocol
    ) -> None:
        settings = Settings(cache=tmp_path / "store")
        first = evaluate(*sides, pixels_protocol(), settings=settings)
        other = Clips({name: moving_frames(10, seed=50 + n) for n, name in enumerate(sides[1].names)})

        second = evaluate(sides[0], other, pixels_protocol(), settings=settings)

        assert second.value == evaluate(sides[0], other, pixels_protocol(), settings=NO_CACHE).value
        assert second.value != first.value


def test_a_plan_takes_sides_and_tells_how_far_it_is(sides, pixels_protocol) -> None:
    told = []

    def tell(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    with open_evaluation(*sides, pixels_protocol(), repeats=1, seed=0, settings=NO_CACHE, progress=tell) as evaluation:
        planned = plan(evaluation)

    assert [side.used for side in planned.sides] == [6, 5]
    assert [done for what, done, total in told if (what, total) == ("real videos", 6)] == [1, 2, 3, 4, 5, 6]


def test_table4_takes_sides_and_looks_at_their_frames(moving_frames, pixels_protocol) -> None:
    sides = [Clips({str(n): moving_frames(9, 128, 128, seed=first + n) for n in range(3)}) for first in (0, 10)]
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')

    rows = {score.row: score for score in table4(*sides, protocol, repeats=1, settings=NO_CACHE).scores}

    assert rows["proper"].value is not None
    assert rows["jpeg-75"].value is not None
    assert "all frames are 128 x 128 already" in (rows["resize-128"].reason or "")


@pytest.mark.parametrize("name", ["a <generator>", "x" * 5000])
def test_a_gate_takes_sides_that_are_nowhere_on_disk(tmp_path: Path, sides, pixels_protocol, name: str) -> None:
    settings = Settings(cache=tmp_path / "store")
    fake = dataclasses.replace(sides[1], name=name)
    evaluate(sides[0], fake, pixels_protocol(), settings=settings).write(tmp_path / "base.json")

    found = comparison.check(*sides, tmp_path / "base.json", protocol=[pixels_protocol()], settings=settings)

    assert [score.verdict for score in found.scores] == ["same"]


class TestWhatIsNoSide:
    def test_a_side_is_taken_as_it_is(self, sides) -> None:
        given: SourceLike = sides[0]

        assert open_source(given) is given

    @pytest.mark.parametrize("given", [5, None, SimpleNamespace(names=["a"])])
    def test_other_objects_are_refused(self, given: object, sides, pixels_protocol) -> None:
        with pytest.raises(SourceError, match=f"type {type(given).__name__} is no side.*expected a path, arrays"):
            evaluate(sides[0], given, pixels_protocol(), settings=NO_CACHE)  # type: ignore[arg-type]

    def test_what_an_object_lacks_is_named(self, sides) -> None:
        half = SimpleNamespace(names=["a"], video=sides[0].video, name="half")

        with pytest.raises(SourceError, match="it has no kind, no notes"):
            open_source(half)  # type: ignore[arg-type]

    def test_an_empty_one_is_refused(self) -> None:
        with pytest.raises(SourceError, match="nobody holds no video"):
            open_source(Clips({}, name="nobody"))

    @pytest.mark.parametrize(
        ("frames", "found"),
        [
            (np.zeros((9, 4, 5, 3), dtype=np.float32), r"float32 \[4, 5, 3\]"),
            (np.zeros((9, 3, 4, 5), dtype=np.uint8), r"uint8 \[3, 4, 5\]"),
            (np.zeros((9, 4, 5), dtype=np.uint8), r"uint8 \[4, 5\]"),
        ],
    )
    def test_frames_of_another_form_are_refused(self, frames: np.ndarray, found: str, sides, pixels_protocol) -> None:
        with pytest.raises(SourceError, match=f"the frames of v are {found}: expected uint8"):
            evaluate(sides[0], Clips({"v": frames, "w": frames}), pixels_protocol(), settings=NO_CACHE)

    def test_one_of_which_no_video_decodes_says_why(self, sides, pixels_protocol) -> None:
        class Broken(Clips):
            def video(self, index: int) -> Video:
                raise VideoError("the generator is out of order")

        with pytest.raises(SourceError, match="none of its 2 videos can be decoded; the first is v: the generator is"):
            evaluate(sides[0], Broken(dict.fromkeys("vw", sides[0].pixels["00"])), pixels_protocol(), settings=NO_CACHE)


def test_the_shape_of_a_side_is_that_of_the_protocol(sides) -> None:
    """For a type checker: what the tests use as a side is one."""
    side: ClipSource = sides[0]

    assert {"name", "kind", "names", "notes", "video"} <= set(dir(side))


WITHOUT = """
import sys
assert not {absent} & {{*sys.modules}}, {absent} & {{*sys.modules}}
sys.modules.update(dict.fromkeys({absent}))  # importing them now fails
"""

_FFMPEG_AND_FIDELITY = {"av", "torch_fidelity", "torchvision"}
_NETWORK = {"pandas", "pypi_simple", "requests", "urllib3"}


def _run(program: str, *arguments: object, absent: set[str], **environment: str) -> str:
    """What a program prints in a process that cannot import some packages."""
    program = WITHOUT.format(absent=absent) + program
    done = Program("-c", program, *arguments, env={**os.environ, **environment}).end()
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TestAbsentPackages:
    def test_frames_arrays_and_i3d_need_no_video_decoder_no_network_and_no_fid(self, folders, pixels_protocol) -> None:
        program = (
            "import dataclasses, numpy as np\n"
            "from types import SimpleNamespace as Like\n"
            "from fvd_bench import evaluate, Settings\n"
            "from fvd_bench.errors import ShortVideoError\n"
            "from fvd_bench.networks import create\n"
            "from fvd_bench.protocols.protocol import load\n"
            "from fvd_bench.protocols.rules import Resize\n"
            "from fvd_bench.reports.page import result_page\n"
            "from fvd_bench.reports.scores import result_report\n"
            "from fvd_bench.videos.video import Frame\n"
            "result = evaluate(*sys.argv[1:], settings=Settings(cache=None))\n"
            "result_page(result).html(), result_report(result)\n"
            "print(result.value, result.environment['av'])\n"
            "def side(seed):\n"
            "    pixels = np.random.default_rng(seed).integers(0, 256, (4, 9, 8, 8, 3), dtype=np.uint8)\n"
            "    def video(i):\n"
            "        state = lambda: f'{seed}/{i}'\n"
            "        def frames(indices):\n"
            "            if indices[-1] > 8: raise ShortVideoError(9, int(indices[-1]) + 1)\n"
            "            return (Frame(pixels[i][t]) for t in indices)\n"
            "        return Like(num_frames=9, frames=frames, content=state, state=state)\n"
            "    return Like(name='arrays', kind='arrays', notes=(), names=list('abcd'), video=video)\n"
            "print(evaluate(side(1), side(2), sys.argv[3], settings=Settings(cache=None)).value)\n"
            "rule = dataclasses.replace(load('stylegan-v-fvd16').features, layer='pool', resize=Resize(size=64))\n"
            "i3d = create(rule, device='cpu', weights={}, progress=lambda done, total: None)\n"
            "print(i3d([np.zeros((16, 8, 8, 3), dtype=np.uint8)])[0].shape)\n"
        )
        protocol, file = pixels_protocol(), str(weights.load("i3d-kinetics-400").path)
        absent = _FFMPEG_AND_FIDELITY | _NETWORK

        found = _run(program, *folders, protocol, absent=absent, FVD_BENCH_I3D=file, FVD_BENCH_OFFLINE="1")

        of_folders, of_arrays, shape = found.splitlines()
        value, av = of_folders.split()
        assert float(value) == pytest.approx(evaluate(*folders, protocol, settings=NO_CACHE).value, rel=1e-9)
        assert av == "absent"
        assert float(of_arrays) > 0
        assert shape == "(1, 1024)"

    def test_video_files_say_what_they_need(self, two_sides, pixels_protocol) -> None:
        program = (
            "from fvd_bench import evaluate, FvdBenchError\n"
            "try: evaluate(*sys.argv[1:])\n"
            "except FvdBenchError as error: print(error)\n"
        )

        assert "video files need PyAV" in _run(program, *two_sides, pixels_protocol(), absent={"av"})

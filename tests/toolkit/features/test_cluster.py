"""Features by the machines of a cluster: the digits of one process, whatever order, loss and repetition do.

The stages and the files are those that Ray runs and writes, and an engine of one process stands in for it: rows go
through networks in an order of chance, files come twice, and a run ends in the middle.
"""

from __future__ import annotations

import dataclasses
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fvd_bench import allow_code
from fvd_bench.errors import EngineError, FvdBenchError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.features.cluster import stages
from fvd_bench.features.cluster.engine import ClusterEngine
from fvd_bench.features.cluster.parquet import Folder
from fvd_bench.features.cluster.ray_data import RayEngine, _told
from fvd_bench.networks import environment
from fvd_bench.settings import Settings
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None, device="cpu")


@dataclass(slots=True, kw_only=True)
class Scattered(ClusterEngine):
    """One process that does the work of many, badly.

    ends_after: the number of files after which it is lost. read: the names of the videos that it read, side by side.
    """

    ends_after: int | None = None
    read: list[list[str]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def digests(self, source, indices) -> Iterator[pa.Table]:
        for place in reversed(range(len(indices))):
            yield stages.digests(pickle.loads(pickle.dumps(source)), indices.slice(place, 1))

    def files(self, work, videos, folder: Folder, *, batch: int) -> Iterator[str]:
        work = pickle.loads(pickle.dumps(work))
        self.read.append([work.video_name(place) for place in videos["place"].to_pylist()])
        clips = pa.concat_tables([*stages.clips(work, videos)])
        places = random.Random(1).sample(range(len(clips)), len(clips))
        networks = stages.Networks(work)
        for first in range(0, len(places), 3):
            if self.ends_after is not None and len(self.written) >= self.ends_after:
                raise EngineError("a worker was lost")
            features = networks(clips.take(places[first : first + 3]))
            names = [folder.write(features) for _ in range(2)]
            assert names[0] == names[1]
            self.written += names[:1]
            yield from names


@pytest.fixture
def sides(two_sides, tmp_path: Path) -> tuple[Path, Path]:
    """With a damaged video and one that is too short among the real ones."""
    real = shutil.copytree(two_sides[0], tmp_path / "real")
    (real / "1a.mkv").write_bytes(b"no video")
    return real, two_sides[1]


@pytest.fixture
def scattered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scattered:
    """The engine of all evaluations of the test that ask for Ray."""
    versions = environment.feature_versions("cpu")
    engine = Scattered(place=str(tmp_path / "parquet"), device="cpu", weights={}, versions=versions)
    monkeypatch.setattr(RayEngine, "files", lambda self, *given, **more: engine.files(*given, **more))
    monkeypatch.setattr(RayEngine, "digests", lambda self, *given: engine.digests(*given))
    return engine


def settings(tmp_path: Path, cache: str | None = None) -> Settings:
    return Settings(cache=cache and tmp_path / cache, device="cpu", engine="ray", parquet=str(tmp_path / "parquet"))


def test_the_digits_are_those_of_one_process(
    sides, pixels_protocol, scattered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two protocols, one of which wants some of the videos, so that the damaged one is replaced."""
    monkeypatch.setattr(stages, "_MOST_HELD_BYTES", 0)  # no clip waits for the next one of its video
    protocols = [
        pixels_protocol(count="real = 4\nfake = 3", images='jpeg = { fake = "unless-jpeg" }'),
        pixels_protocol(name="longer", frames=14, clip='short_videos = "skip"'),
    ]
    alone = evaluate(*sides, protocols, repeats=2, settings=NO_CACHE)

    many = evaluate(*sides, protocols, repeats=2, settings=settings(tmp_path))

    assert many.scores == alone.scores
    assert many.warnings == alone.warnings
    assert (many.real.fingerprint, many.motion) == (alone.real.fingerprint, alone.motion)
    assert scattered.written


def test_statistics_are_the_same_file(sides, pixels_protocol, scattered, tmp_path: Path) -> None:
    """Of three to six clips of each video, which come in an order of chance."""
    protocol = Path(pixels_protocol(frames=4))
    protocol.write_text(protocol.read_text().replace('{ real = "random", fake = "first" }', '"all"'))

    make(sides[0], "real", str(protocol), settings=NO_CACHE).write(tmp_path / "one.npz")
    make(sides[0], "real", str(protocol), settings=settings(tmp_path)).write(tmp_path / "many.npz")

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "many.npz").read_bytes()


def test_a_run_goes_on_from_its_files_and_reads_nothing_twice(sides, pixels_protocol, scattered, tmp_path) -> None:
    """The store of the process that gave out the work is lost with it. The files of the workers are not."""
    protocol = pixels_protocol()
    alone = evaluate(*sides, protocol, settings=NO_CACHE)
    scattered.ends_after = 3
    with pytest.raises(EngineError, match="a worker was lost"):
        evaluate(*sides, protocol, settings=settings(tmp_path))
    (begun,), scattered.ends_after, scattered.read = scattered.read, None, []

    again = evaluate(*sides, protocol, settings=settings(tmp_path))
    assert again.scores == alone.scores
    real, fake = scattered.read
    assert 0 < len(real) < len(begun) and len(fake) == 5

    scattered.read = []
    assert evaluate(*sides, protocol, settings=settings(tmp_path)).scores == alone.scores
    assert scattered.read == [["1a.mkv"]]  # which could not be read, and might be now


def test_a_video_that_changes_is_skipped(sides, pixels_protocol, scattered, tmp_path, monkeypatch) -> None:
    def changing(source, indices) -> Iterator[pa.Table]:
        found = stages.digests(source, indices).to_pylist()
        yield pa.Table.from_pylist([{**row, "content": "0" * 64} for row in found if row["index"] == 0]
                                   + [row for row in found if row["index"]], stages.DIGESTS)  # fmt: skip

    monkeypatch.setattr(RayEngine, "digests", lambda self, *given: changing(*given))
    result = evaluate(*sides, pixels_protocol(), settings=settings(tmp_path))

    skipped = {each.video: each.reason for each in result.scores[0].real.skipped}
    assert skipped["0.mkv"] == "changed while it was being read"


def test_equal_clips_of_a_video_are_one_row(sides, pixels_protocol, scattered, tmp_path: Path, monkeypatch) -> None:
    """Clips as long as their videos are the same under every seed."""
    rows: list[int] = []
    original = stages.Networks.__call__

    def counted(self: stages.Networks, clips: pa.Table) -> pa.Table:
        rows.append(len(clips) - clips["images"].null_count)
        return original(self, clips)

    monkeypatch.setattr(stages.Networks, "__call__", counted)
    only = shutil.copytree(sides[1], tmp_path / "only", ignore=shutil.ignore_patterns("[0-2]*"))  # 18 and 14 frames

    make(only, "real", pixels_protocol(frames=14), repeats=3, settings=settings(tmp_path))

    assert 1 + 1 <= sum(rows) <= 1 + 3


def test_workers_with_other_software_are_refused(sides, pixels_protocol, scattered, tmp_path, monkeypatch) -> None:
    there = {**environment.feature_versions("cpu"), "torch": "0.1"}
    original = stages.Networks.__init__
    monkeypatch.setattr(
        stages.Networks, "__init__", lambda self, work: original(self, dataclasses.replace(work, versions=there))
    )

    with pytest.raises(EngineError, match=r"a worker has torch .*, and the command was started with 0\.1"):
        evaluate(*sides, pixels_protocol(), settings=settings(tmp_path))


def test_workers_run_the_code_that_was_allowed(
    sides, plugins, own_protocol, scattered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that has not allowed it, nor found the network before; its libraries are compared too."""
    plugins.package("of-layers")
    allow_code(plugins.network(software=("of-layers",)))
    alone = evaluate(*sides, own_protocol("of_mine:means"), settings=NO_CACHE)
    original, versions = stages.Networks.__init__, {"of-layers": "1.0"}

    def elsewhere(self: stages.Networks, work: stages.Work) -> None:
        monkeypatch.setattr("fvd_bench.plugins._allowed", set())
        plugins.forget()
        original(self, dataclasses.replace(work, versions={**work.versions, **versions}))

    monkeypatch.setattr(stages.Networks, "__init__", elsewhere)

    assert evaluate(*sides, own_protocol("of_mine:means"), settings=settings(tmp_path)).scores == alone.scores
    versions["of-layers"] = "2.0"
    with pytest.raises(EngineError, match=r"a worker has of-layers 1\.0, and the command was started with 2\.0"):
        evaluate(*sides, own_protocol("of_mine:means"), seed=1, settings=settings(tmp_path))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("np.zeros((2, 3), np.float32)", r"gave features float32 \[2, 3\]: expected float32 \[1, 3\]"),
        ("np.zeros((1, 3))", r"gave features float64 \[1, 3\]"),
        ("np.full((1, 3), np.nan, np.float32)", "not finite; .*`fvd-bench networks check of_mine:mine`"),
    ],
)
def test_a_network_is_held_to_what_it_says(
    sides, plugins, own_protocol, scattered, tmp_path: Path, features: str, message: str
) -> None:
    mine = plugins.extractor(f"[{features}] * len(clips)")
    allow_code(mine)

    with pytest.raises(FvdBenchError, match=message):
        evaluate(*sides, own_protocol(mine), settings=settings(tmp_path))


def test_what_no_other_machine_can_read_is_refused(sides, pixels_protocol, scattered, tmp_path, moving_frames) -> None:
    arrays = [moving_frames(10, seed=seed) for seed in range(3)]

    with pytest.raises(EngineError, match="workers of a cluster cannot read list of arrays"):
        evaluate(sides[0], arrays, pixels_protocol(), settings=settings(tmp_path))


def test_damaged_and_foreign_files_are_told_of(sides, pixels_protocol, scattered, tmp_path: Path) -> None:
    (tmp_path / "parquet").mkdir()
    file = tmp_path / "parquet" / "a.parquet"
    file.write_bytes(b"no table")
    with pytest.raises(EngineError, match=r"a\.parquet is damaged .*: delete it"):
        evaluate(*sides, pixels_protocol(), settings=settings(tmp_path))
    pa.parquet.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(EngineError, match="other columns than features"):
        evaluate(*sides, pixels_protocol(), settings=settings(tmp_path))


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    features = np.random.default_rng(0).random(400, dtype=np.float32)
    row = {"video": "a", "key": "k", "clip": 0, "rows": 1, "features": features, "refused": None, "facts": None}
    name = folder.write(pa.Table.from_pylist([row], stages.FEATURES))
    data = (tmp_path / name).read_bytes()

    for place in (4, data.index(features[100:110].tobytes()), len(data) - 1):  # a header, features, and the end
        (tmp_path / name).write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        with pytest.raises(EngineError, match=r"is damaged .*: delete it"):
            folder.read(name)


def test_features_may_be_written_to_an_address(sides, pixels_protocol, scattered, tmp_path: Path) -> None:
    import fsspec

    there = dataclasses.replace(settings(tmp_path), parquet="memory://features")
    alone = evaluate(*sides, pixels_protocol(), settings=NO_CACHE)

    assert evaluate(*sides, pixels_protocol(), settings=there).scores == alone.scores
    assert {f"/features/{name}" for name in scattered.written} == set(
        fsspec.filesystem("memory").ls("/features", False)
    )


def test_options(sides, pixels_protocol, scattered, tmp_path: Path) -> None:
    given = ["compute", "--real", sides[0], "--fake", sides[1], "--protocol", pixels_protocol(), "--no-cache"]
    place = ["--parquet", tmp_path / "parquet"]

    alone, many = (
        fvd_bench(*given, "--format", "score"),
        fvd_bench(*given, "--engine", "ray", *place, "--format", "score"),
    )
    assert (many.returncode, many.stdout) == (0, alone.stdout), many.stderr
    for wrong in (["--engine", "ray"], place):
        refused = fvd_bench(*given, *wrong)
        assert refused.returncode == 2 and ("--parquet" in refused.stderr or "Parquet files" in refused.stderr)
    stats = [
        "stats",
        sides[0],
        "--side",
        "real",
        "--protocol",
        pixels_protocol(),
        "--no-cache",
        "--out",
        tmp_path / "x.npz",
    ]
    assert fvd_bench(*stats, "--engine", "ray", *place).returncode == 0


def test_errors_of_workers_are_told_in_a_sentence() -> None:
    class OutOfMemoryError(Exception):
        pass

    class Wrapped(Exception):
        def __init__(self, cause: Exception) -> None:
            super().__init__("a stack of\nlines")
            self.cause = cause

    ours = FvdBenchError("the weights are missing")
    assert _told(Wrapped(Wrapped(ours))) is ours
    assert "ran out of memory" in str(_told(Wrapped(OutOfMemoryError())))
    told = str(_told(Wrapped(ZeroDivisionError("division by zero"))))
    assert "failed by ZeroDivisionError: division by zero" in told and "goes on from there" in told


def test_a_missing_package_is_named(sides, pixels_protocol, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)

    with pytest.raises(EngineError, match=r"ray need fvd-bench\[ray\], .*: pip install 'fvd-bench\[ray\]'"):
        evaluate(*sides, pixels_protocol(), settings=settings(tmp_path))


@pytest.mark.parametrize(("end", "said"), [("os._exit(1)", "gone"), ("words.take_back()", "")])
def test_an_end_past_all_of_python_is_told(end: str, said: str) -> None:
    """As Ray ends the process where its own on this machine is lost: it said nothing."""
    code = f"import os; from fvd_bench.features.cluster.last_words import LastWords; words = LastWords('gone'); {end}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert done.stderr.strip() == said


def test_a_ray_that_does_not_begin_in_time_is_told_in_a_sentence(monkeypatch) -> None:
    """Ray raises Exception itself there."""

    class LateRay:
        def init(self, **given: object) -> None:
            raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    engine = RayEngine(place="", device="cpu", weights={}, versions={}, workers=1)

    with pytest.raises(EngineError, match=r"no Ray cluster can be used on this machine: The current node timed out"):
        engine._start(LateRay())

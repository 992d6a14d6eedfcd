"""A run whose features are stored loads neither torch nor its network nor SciPy, and tells the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.networks import create, environment, remembered
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.settings import Settings
from tests.forked import Program

RULE = FeatureRule(extractor="pixels")

RUN = """
import json, sys
from fvd_bench import Settings, evaluate
real, fake, protocol, cache = sys.argv[1:5]
result = evaluate(real, fake, protocol, settings=Settings(cache=cache, workers=1), progress=False)
loaded = [name for name in ("torch", "scipy") if name in sys.modules]
print(json.dumps({"loaded": loaded, **json.loads(result.to_json())}))
"""


@pytest.fixture(autouse=True)
def _nothing_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_learnt", {})


def _create(weights: Path | None = None) -> object:
    return create(RULE, device="cpu", weights={}, progress=lambda done, total: None)


def test_a_second_run_loads_neither_and_gives_the_same(tmp_path: Path, two_sides, pixels_protocol) -> None:
    """The first is forked from a process that has both, the second is a Python of its own."""
    line = ["-c", RUN, *map(str, two_sides), pixels_protocol(), str(tmp_path / "store")]
    done = Program(*line).end()
    again = subprocess.run([sys.executable, "-W", "ignore", *line], capture_output=True, text=True, check=True)

    assert done.returncode == 0, done.stderr
    first, second = (json.loads(run.stdout) for run in (done, again))
    assert [run.pop("loaded") for run in (first, second)] == [["torch", "scipy"], []]
    assert {name for name in first if first[name] != second[name]} <= {"seconds", "environment"}
    told = first["environment"]
    assert second["environment"] == {**told, "threads": "0"}
    assert told["instructions"] == torch.backends.cpu.get_cpu_capability()


def test_what_is_remembered_is_forgotten_where_anything_changed(tmp_path: Path) -> None:
    network, file = _create(), tmp_path / "weights"
    file.write_bytes(b"one")
    with remembered.kept_in(tmp_path):
        remembered.remember_network(RULE, [file], "cpu", network)

    def known(rule: FeatureRule = RULE, files: list[Path] | None = None, device: str = "cpu") -> bool:
        remembered._learnt.clear()
        with remembered.kept_in(tmp_path):
            return remembered.Deferred.of(rule, [file] if files is None else files, device, _create) is not None

    assert known() and not known(FeatureRule(extractor="pixels", range=(0.0, 1.0)))
    assert not known(files=[tmp_path / "absent"]) and not known(device="cuda")
    file.write_bytes(b"two")
    assert not known()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "[" * 100_000])
def test_a_file_that_says_nothing_useful_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "remembered.json").write_text(content)

    with remembered.kept_in(tmp_path):
        assert remembered.recall("b") is None
        remembered.remember("b", 2)
    remembered._learnt.clear()
    assert remembered.recall("b") is None
    with remembered.kept_in(tmp_path):
        assert remembered.recall("b") == 2


def test_nothing_is_written_where_nothing_is_kept(tmp_path: Path, monkeypatch, two_sides, pixels_protocol) -> None:
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))

    evaluate(*two_sides, pixels_protocol(), settings=Settings(cache=None))

    assert not (tmp_path / "home").exists()


def test_a_deferred_network_is_made_when_it_runs(moving_frames) -> None:
    network = _create()
    made: list[object] = []

    def make() -> object:
        made.append(network)
        return network

    remembered.remember_network(RULE, [], "cpu", network)
    deferred = remembered.Deferred.of(RULE, [], "cpu", make)

    assert deferred is not None
    assert (deferred.dim, deferred.weights, made) == (54, {}, [])
    for _ in range(2):
        assert deferred([moving_frames(9)])[0].tolist() == network([moving_frames(9)])[0].tolist()
    assert (deferred.batch_clips(9), len(made)) == (4, 1)


def test_the_version_of_torch_is_known_without_loading_it() -> None:
    program = (
        "import sys; from fvd_bench.networks import environment\n"
        "print(environment._torch_version(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [torch.__version__, "False"]
    assert environment.resolve_device("cpu") == "cpu"

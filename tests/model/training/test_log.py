"""The log of a run."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.estimate import Estimate
from stylegan_v.errors import TrainingError
from stylegan_v.training.log import Journal
from tests.lazy_module import LazyModule

tensorboard = LazyModule("tensorboard.backend.event_processing.event_accumulator")


def write(folder: Path, *, begin: float, kimgs: list[float]) -> None:
    journal = Journal(folder, kimg=begin)
    for kimg in kimgs:
        journal.write(kimg, {"loss/generator": kimg * 2})
    journal.close()


def test_what_was_logged_after_the_checkpoint_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, begin=0, kimgs=[1, 2, 3, 4])
    write(tmp_path, begin=2, kimgs=[3, 5])

    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]

    assert [line["kimg"] for line in lines] == [1, 2, 3, 5]
    assert lines[-1]["loss/generator"] == 10


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, begin=0, kimgs=[1, 2])
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"kimg": 1.5, "loss/gen')

    write(tmp_path, begin=2, kimgs=[3])

    assert [json.loads(line)["kimg"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3]


def test_damaged_lines_are_dropped_and_counted(tmp_path: Path, capsys) -> None:
    write(tmp_path, begin=0, kimgs=[1, 2])
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"kimg": "x"}\n[]\n\xff\n' + log.read_bytes())

    write(tmp_path, begin=2, kimgs=[3])

    assert [json.loads(line)["kimg"] for line in log.read_text().splitlines()] == [1, 2, 3]
    assert f"warning: 3 damaged lines of {log} are dropped" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path, kimg=0)
    journal.file.unlink()
    journal.file.mkdir()

    with pytest.raises(TrainingError, match=r"log\.jsonl cannot be written: Is a directory; the same command goes on"):
        journal.write(1, {})
    journal.close()


def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    write(tmp_path, begin=0, kimgs=[1, 2])

    events = tensorboard.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()

    assert [(event.step, event.value) for event in events.Scalars("loss/generator")] == [(1000, 2.0), (2000, 4.0)]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            "TypeError('Descriptors cannot be created directly.\\nIf this call came')",
            "TypeError: Descriptors cannot be created directly.)",
        ),
        ("ImportError('cannot import name _message')", "ImportError: cannot import name _message"),
        ("ModuleNotFoundError('absent', name='tensorboard')", ""),
    ],
)
def test_a_tensorboard_that_does_not_load_is_told_of_and_an_absent_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, raised: str, told: str
) -> None:
    (tmp_path / "site" / "tensorboard").mkdir(parents=True)
    (tmp_path / "site" / "tensorboard" / "__init__.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    for name in [name for name in sys.modules if "tensorboard" in name]:
        monkeypatch.delitem(sys.modules, name)

    write(tmp_path, begin=0, kimgs=[1])

    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == bool(told)
    assert all(f"TensorBoard does not load ({told}" in line and "pip install -U" in line for line in warnings)


def test_a_score_is_logged_with_its_floor_where_that_is_known(two_sides, pixels_protocol) -> None:
    (score,) = evaluate(*two_sides, pixels_protocol(), settings=Settings(cache=None)).scores
    floored = dataclasses.replace(score, floor=Estimate(3.0, (2.0, 5.0)))
    bare = dataclasses.replace(score, floor=None, interval=None)

    assert floored.numbers("fvd") == {
        "fvd": score.value,
        "fvd_low": score.interval[0],
        "fvd_high": score.interval[1],
        "fvd_floor": 3.0,
        "fvd_floor_low": 2.0,
        "fvd_floor_high": 5.0,
    }
    assert bare.numbers("fvd") == {"fvd": score.value}

"""Findings reach people who write Python: each as a warning, at their own line."""

import contextlib
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import Arrays, FvdBenchWarning, Settings, evaluate
from fvd_bench.cli import main
from fvd_bench.finding import Finding, warn_of

NO_CACHE = Settings(cache=None, device="cpu")


def test_evaluate_warns_of_each_finding_once_at_the_line_that_called(two_sides, pixels_protocol) -> None:
    with pytest.warns(FvdBenchWarning) as told:
        result = evaluate(*two_sides, pixels_protocol(), settings=NO_CACHE)

    assert [warning.message.finding for warning in told] == list(result.warnings) != []
    assert {warning.filename for warning in told} == {__file__}
    assert issubclass(FvdBenchWarning, UserWarning)


def test_the_same_line_again_says_nothing_new(two_sides, pixels_protocol) -> None:
    protocol = pixels_protocol()
    with warnings.catch_warnings(record=True) as told:
        warnings.resetwarnings()  # as Python is outside of tests
        for _ in range(2):
            result = evaluate(*two_sides, protocol, settings=NO_CACHE)

    assert len([w for w in told if w.category is FvdBenchWarning]) == len(result.warnings)


def test_a_range_that_cuts_values_off_is_told(moving_frames, pixels_protocol) -> None:
    real = np.stack([moving_frames(12, seed=seed) for seed in range(3)])
    fake = Arrays((real / 127.5 - 1).astype(np.float32), value_range=(0, 1))

    with pytest.warns(FvdBenchWarning, match="lie outside of the stated range, 0 to 1, and are clipped"):
        evaluate(real, fake, pixels_protocol(), settings=NO_CACHE)


def test_a_name_in_a_warning_is_shown_and_not_obeyed() -> None:
    with pytest.warns(FvdBenchWarning) as told:
        warn_of([Finding("listing", "evil\x1b[2J")], stacklevel=1)

    assert str(told[0].message) == r"evil\x1b[2J"
    assert pickle.loads(pickle.dumps(told[0].message)).finding.code == "listing"


@pytest.mark.parametrize("command", [["compute"], ["protocols", "explain"]])
def test_the_command_line_tells_in_its_own_way_alone(
    command: list[str], two_sides: tuple[Path, Path], pixels_protocol, monkeypatch, capsys
) -> None:
    one, other = pixels_protocol(), pixels_protocol(name="other", frames=10)
    asked = ["--protocol", one] if command == ["compute"] else [one, other]
    given = [*asked, "--real", two_sides[0], "--fake", two_sides[1], "--no-cache"]
    monkeypatch.setattr("sys.argv", ["fvd-bench", *command, *map(str, given)])

    with warnings.catch_warnings():
        warnings.simplefilter("error", FvdBenchWarning)
        with contextlib.suppress(SystemExit):
            main()

    told = capsys.readouterr().err
    assert told.count("fvd-bench: warning: 6 real videos for") == told.count("real videos for") > 0

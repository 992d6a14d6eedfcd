"""Flat tables of numbers, in the loggers that people use."""

from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from fvd_bench import FvdBenchError, Result, evaluate
from fvd_bench.integrations.loggers import log_result
from tests.lazy_module import LazyModule
from tests.toolkit.integrations.conftest import NO_CACHE

tensorboard = LazyModule("tensorboard.backend.event_processing.event_accumulator")
loggers = LazyModule("lightning.pytorch.loggers")


@pytest.fixture(scope="module")
def result(videos, protocol) -> Result:
    return evaluate(*videos, protocol, repeats=2, settings=NO_CACHE)


def test_metrics_are_flat_and_hold_what_is_known(result: Result) -> None:
    score = result.scores[0]
    assert score.interval is not None and score.floor is not None and result.motion is not None
    expected = {
        "pixels/fvd": score.value,
        "pixels/fvd_std": score.std,
        "pixels/fvd_low": score.interval[0],
        "pixels/fvd_high": score.interval[1],
        "pixels/fvd_floor": score.floor.value,
        "pixels/fvd_floor_low": score.floor.interval[0],
        "pixels/fvd_floor_high": score.floor.interval[1],
        **(
            {
                "pixels/fvd_infinite": score.infinite.value,
                "pixels/fvd_infinite_low": score.infinite.interval[0],
                "pixels/fvd_infinite_high": score.infinite.interval[1],
            }
            if score.infinite
            else {}
        ),
    }
    motion = {"motion/real": result.motion.real.mean, "motion/fake": result.motion.fake.mean}

    assert score.metrics == expected
    assert result.metrics == {**expected, **motion}
    assert {type(number) for number in result.metrics.values()} == {float}


def test_tensorboard_holds_the_numbers(result: Result, tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        log_result(result, writer, step=7)

    events = tensorboard.EventAccumulator(str(tmp_path)).Reload()
    for name, number in result.metrics.items():
        (event,) = events.Scalars(name)
        assert (event.step, event.value) == (7, pytest.approx(number, rel=1e-6))


def test_loggers_of_lightning_hold_the_numbers(result: Result, tmp_path: Path) -> None:
    logger = loggers.CSVLogger(tmp_path)

    log_result(result.scores[0], logger, step=7)
    logger.save()

    heading, numbers = (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()
    assert dict(zip(heading.split(","), map(float, numbers.split(",")), strict=True)) == {
        **result.scores[0].metrics,
        "step": 7,
    }


def test_another_logger_is_refused(result: Result) -> None:
    with pytest.raises(FvdBenchError, match="type list: expected a run of Weights & Biases"):
        log_result(result, [])

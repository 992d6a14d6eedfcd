"""Results in the loggers of training runs: Weights & Biases, TensorBoard, and those of Lightning."""

from __future__ import annotations

from typing import Any

from fvd_bench.errors import FvdBenchError
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score


def log_result(result: Result | Score, logger: Any, *, step: int | None = None) -> None:
    """Log the flat table `metrics` of a result or of a score.

    logger: a run of Weights & Biases, a SummaryWriter of TensorBoard, or a logger of Lightning: whatever has their
    method `log`, `add_scalar` or `log_metrics`. Other loggers take `result.metrics` themselves.
    step: the place on the horizontal axis. None for the logger's own count.

    Raises FvdBenchError for a logger of another kind.
    """
    if hasattr(logger, "log_metrics"):
        logger.log_metrics(result.metrics, step=step)
    elif hasattr(logger, "add_scalar"):
        for name, number in result.metrics.items():
            logger.add_scalar(name, number, global_step=step)
    elif hasattr(logger, "log"):
        logger.log(result.metrics, step=step)
    else:
        raise FvdBenchError(
            f"the logger is of type {type(logger).__name__}: expected a run of Weights & Biases, a SummaryWriter of "
            "TensorBoard or a logger of Lightning; others take the dict result.metrics"
        )

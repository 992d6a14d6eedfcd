"""A score inside a training loop, of arrays that come a few at a time."""

from fvd_bench.evaluation.online.metric import FrechetVideoDistance

__all__ = ["FrechetVideoDistance"]

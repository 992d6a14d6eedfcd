import math

import pytest

from fvd_bench.metrics.student_t import quantile
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 99, 2047, 2048, 20_000])
@pytest.mark.parametrize("tail", [0.3, 0.05, 0.025, 0.01, 0.002])
def test_quantiles_are_those_of_another_implementation(freedom: int, tail: float) -> None:
    assert quantile(freedom, tail) == pytest.approx(stats.t.ppf(1 - tail, freedom), rel=1e-12)


def test_one_degree_of_freedom_is_cauchys_distribution() -> None:
    assert quantile(1, 0.25) == pytest.approx(1, rel=1e-14)
    assert quantile(1, 0.025) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-13)


def test_two_degrees_of_freedom_have_a_closed_form() -> None:
    assert quantile(2, 0.025) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-13)


def test_a_number_of_videos_that_a_file_makes_up_takes_no_memory() -> None:
    assert quantile(10**15, 0.025) == pytest.approx(stats.norm.isf(0.025), rel=1e-5)

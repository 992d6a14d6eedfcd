import numpy as np
import pytest
import torch

from fvd_bench.errors import MetricError
from fvd_bench.metrics import neighbours
from fvd_bench.metrics.neighbours import coverage, density, nearest, precision, recall

METRICS = (precision, recall, density, coverage)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def sides(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Half overlapping, of different size, so that no metric is at an end of its range."""
    real = rng.normal(size=(90, 5)).astype(np.float32)
    return real, (rng.normal(size=(70, 5)) * 0.8 + 0.9).astype(np.float32)


def squared(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sum((x.astype(np.float64) - y.astype(np.float64)) ** 2))


def radius(side: np.ndarray, i: int, k: int) -> float:
    return sorted(squared(side[i], side[j]) for j in range(len(side)) if j != i)[k - 1]


def loops(real: np.ndarray, fake: np.ndarray) -> list[float]:
    """All four, written a second time, ball by ball, with differences instead of products."""
    real_3, fake_3 = ([radius(side, i, 3) for i in range(len(side))] for side in (real, fake))
    real_5 = [radius(real, i, 5) for i in range(len(real))]
    n, m = len(real), len(fake)
    return [
        sum(any(squared(y, x) <= real_3[i] for i, x in enumerate(real)) for y in fake) / m,
        sum(any(squared(x, y) <= fake_3[j] for j, y in enumerate(fake)) for x in real) / n,
        sum(squared(y, x) < real_5[i] for i, x in enumerate(real) for y in fake) / (5 * m),
        sum(any(squared(y, x) < real_5[i] for y in fake) for i, x in enumerate(real)) / n,
    ]


def all_four(real: np.ndarray, fake: np.ndarray) -> list[float]:
    return [metric(real, fake) for metric in METRICS]


def test_all_are_the_loops(sides) -> None:
    values = all_four(*sides)

    assert values == pytest.approx(loops(*sides), rel=1e-15)
    assert all(0.1 < value < 0.9 for value in values)


@pytest.mark.parametrize(("step", "shift"), [(0.1, 0), (0.25, 1000)])
def test_ties_are_exact(rng: np.random.Generator, step: float, shift: float) -> None:
    """On a grid many neighbours are equally far, and float64 rounds their distances in different ways."""
    real, fake = rng.integers(0, 4, size=(80, 3)).astype(float), rng.integers(1, 6, size=(60, 3)).astype(float)

    values = all_four(real * step + shift, fake * step + shift)

    assert values == pytest.approx(loops(real, fake), rel=1e-15)


def test_the_edge_counts_for_precision_and_recall_only() -> None:
    """Reals at 0, 1, … 5: the ball of the last one reaches 3 to its third neighbour, and 5 to its fifth."""
    real, fake = np.arange(6.0)[:, None], np.array([[8.0]])

    assert precision(real, fake) == 1
    assert precision(real, fake + 1e-9) == 0
    assert recall(fake=real, real=fake) == 1

    fake = np.array([[10.0]])
    assert (density(real, fake), coverage(real, fake)) == (0, 0)
    assert density(real, fake - 1e-9) == pytest.approx(1 / 5)
    assert coverage(real, fake - 1e-9) == pytest.approx(1 / 6)


def test_precision_and_recall_are_torch_fidelitys(rng: np.random.Generator) -> None:
    """It takes the fake features first, and works in the precision that it is given."""
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = rng.normal(size=(300, 12)), rng.normal(size=(250, 12)) * 0.9 + 0.4

    theirs = prc_features_to_metric(torch.from_numpy(fake), torch.from_numpy(real), verbose=False)

    assert precision(real, fake) == pytest.approx(theirs["precision"], abs=1e-6)  # theirs is a float32 mean
    assert recall(real, fake) == pytest.approx(theirs["recall"], abs=1e-6)


def test_a_set_against_itself(sides) -> None:
    real, _ = sides

    assert all_four(real, real) == [1, 1, 1, 1]
    assert all_four(real, real[::-1]) == [1, 1, 1, 1]


def test_clusters_far_apart_share_nothing(sides) -> None:
    real, fake = sides

    assert all_four(real, fake + 1000) == [0, 0, 0, 0]


def test_a_dropped_mode_costs_recall_and_coverage_but_not_precision(rng: np.random.Generator) -> None:
    modes = np.array([[0.0, 0.0], [500.0, 0.0]])
    real = np.concatenate([rng.normal(size=(100, 2)) + mode for mode in modes])
    fake = rng.normal(size=(200, 2)) + modes[0]

    values = dict(zip(("precision", "recall", "density", "coverage"), all_four(real, fake), strict=True))

    assert values["precision"] > 0.9
    assert values["recall"] <= 0.5
    assert 0.4 < values["coverage"] <= 0.5
    assert values["density"] == pytest.approx(1, abs=0.2)


def test_fakes_in_the_core_have_a_density_above_one(rng: np.random.Generator) -> None:
    """In many dimensions the centre is nearer to every feature than these are to each other: it is in all balls."""
    real = rng.normal(size=(200, 50))

    assert density(real, np.zeros((10, 50))) == 200 / 5


def test_copies_of_one_real_video_cover_little(sides) -> None:
    real, _ = sides
    fake = np.repeat(real[:1], 50, axis=0)

    assert precision(real, fake) == 1
    assert recall(real, fake) == pytest.approx(1 / len(real))  # balls of no size, whose edge is the video itself
    assert coverage(real, fake) < 0.3


def test_recall_is_precision_with_the_sides_swapped(sides) -> None:
    real, fake = sides

    assert recall(real, fake) == precision(real=fake, fake=real) != precision(real, fake)


def test_a_shift_of_both_sides_changes_nothing(sides) -> None:
    """However large: features with a common offset would otherwise lose the digits of their distances."""
    real, fake = sides

    assert all_four(real + np.float64(1e6), fake + np.float64(1e6)) == all_four(real, fake)


def test_blocks_do_not_move_the_values(sides, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = all_four(*sides)

    monkeypatch.setattr(neighbours, "_BLOCK", 700)

    assert all_four(*sides) == whole


@pytest.mark.parametrize("block", [700, 2**22])
def test_the_nearest_is_that_of_all_pairs(sides, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    real, fake = sides
    across = np.array([[squared(x, y) for y in fake] for x in real])
    within = np.array([[squared(x, y) for y in real] for x in real])
    np.fill_diagonal(within, np.inf)

    for found, pairs in ((nearest(real), within), (nearest(real, fake), across)):
        np.testing.assert_array_equal(found.index, pairs.argmin(axis=1))
        np.testing.assert_allclose(found.distance, np.sqrt(pairs.min(axis=1)), rtol=1e-9)


def test_too_few_neighbours_are_refused(sides) -> None:
    real, fake = sides

    assert (precision(real[:4], fake[:1]), density(real[:6], fake[:1])) is not None
    with pytest.raises(MetricError, match="3 real and 70 fake features: at least 4 real ones"):
        precision(real[:3], fake)
    with pytest.raises(MetricError, match="3 fake and 90 real features: at least 4 fake ones"):
        recall(real, fake[:3])
    for metric in (density, coverage):
        with pytest.raises(MetricError, match="at least 6 real ones"):
            metric(real[:5], fake)
        with pytest.raises(MetricError, match="0 fake"):
            metric(real, fake[:0])

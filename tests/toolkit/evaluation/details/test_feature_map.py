"""Both sides in a plane, against the singular value decomposition of all points."""

import numpy as np
import pytest

from fvd_bench.evaluation.details.feature_map import feature_map


@pytest.mark.parametrize(("real", "fake", "dim"), [(40, 30, 6), (5, 6, 200), (4, 4, 4)])
def test_places_are_those_along_the_first_two_singular_vectors(real: int, fake: int, dim: int) -> None:
    rng = np.random.default_rng(real)
    scales = np.linspace(5, 1, dim)
    sides = {"real": rng.normal(size=(real, dim)) * scales, "fake": rng.normal(size=(fake, dim)) * scales + 3}

    found = feature_map(sides)

    pooled = np.concatenate([sides["real"], sides["fake"]])
    left, values, _ = np.linalg.svd(pooled - pooled.mean(axis=0), full_matrices=False)
    assert found is not None
    places = np.concatenate([found.places["real"], found.places["fake"]])
    np.testing.assert_allclose(np.abs(places), np.abs(left[:, :2] * values[:2]), atol=1e-9 * values[0])
    assert found.parts == pytest.approx(tuple(values[:2] ** 2 / np.sum(values**2)))
    assert all(places[np.abs(places[:, axis]).argmax(), axis] > 0 for axis in (0, 1))


def test_points_of_one_line_and_sides_that_are_the_same_have_a_map() -> None:
    line = np.outer(np.arange(6.0), np.ones(9))

    found = feature_map({"real": line, "fake": line})

    assert found is not None
    assert np.abs(found.places["real"] - found.places["fake"]).max() < 1e-7
    assert found.parts[0] == pytest.approx(1) and found.parts[1] == pytest.approx(0, abs=1e-12)


def test_few_points_and_equal_points_have_none() -> None:
    assert feature_map({"real": np.eye(3)[:2], "fake": np.eye(3)[:1]}) is None
    assert feature_map({"real": np.ones((5, 8)), "fake": np.ones((5, 8))}) is None

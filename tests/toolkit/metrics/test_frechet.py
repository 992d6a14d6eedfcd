import contextlib
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch

import fvd_bench
from fvd_bench.errors import MetricError
from fvd_bench.features import feature_set
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.frechet import (
    _float32_root,
    distance_and_overlap,
    frechet_distance,
    frechet_distance_of_stats,
    frechet_influence,
)
from fvd_bench.metrics.measurement import measure
from fvd_bench.protocols.rules import MetricRule

FVD = MetricRule(names=("fvd",))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _with_moments(rng: np.random.Generator, n: int, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Samples whose mean and ddof-0 covariance are exactly `mean` and root.T @ root."""
    noise = rng.normal(size=(n, len(mean)))
    noise -= noise.mean(axis=0)
    white = noise @ np.linalg.inv(np.linalg.cholesky(noise.T @ noise / n).T)
    return white @ root + mean


def test_equal_covariances_leave_the_distance_of_the_means(rng: np.random.Generator) -> None:
    real = rng.normal(size=(300, 20))
    shift = rng.normal(size=20)

    assert frechet_distance(real, real + shift, ddof=0) == pytest.approx(shift @ shift, rel=1e-12)


def test_commuting_covariances_have_the_closed_form(rng: np.random.Generator) -> None:
    a, b = rng.uniform(0.1, 3, 12), rng.uniform(0.1, 3, 12)
    real = _with_moments(rng, 100, np.zeros(12), np.diag(a))
    fake = _with_moments(rng, 170, np.ones(12), np.diag(b))

    assert frechet_distance(real, fake, ddof=0) == pytest.approx(12 + np.sum((a - b) ** 2), rel=1e-12)


def test_a_scaled_set_has_the_closed_form(rng: np.random.Generator) -> None:
    real = rng.normal(size=(64, 400))
    real -= real.mean(axis=0)

    expected = (1 - 1.7) ** 2 * np.trace(np.cov(real, rowvar=False))

    assert frechet_distance(real, 1.7 * real, ddof=1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [30, 500])
def test_a_set_against_itself_is_zero(rng: np.random.Generator, n: int) -> None:
    features = rng.normal(size=(n, 400)) * 5
    traces = 2 * np.trace(np.cov(features, rowvar=False))

    assert frechet_distance(features, features, ddof=0) < 1e-9 * traces
    assert frechet_distance(features, features[::-1], ddof=0) < 1e-9 * traces


def test_no_rounding_takes_it_below_zero(rng: np.random.Generator) -> None:
    assert min(frechet_distance(features, features[::-1]) for features in rng.normal(size=(40, 9, 4))) >= 0


def test_full_rank_agrees_with_a_matrix_square_root(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(500, 40)), rng.normal(size=(700, 40)) * 1.3 + 0.1
    product = np.cov(real, rowvar=False) @ np.cov(fake, rowvar=False)
    gap = real.mean(axis=0) - fake.mean(axis=0)
    traces = np.trace(np.cov(real, rowvar=False) + np.cov(fake, rowvar=False))

    expected = gap @ gap + traces - 2 * np.trace(scipy.linalg.sqrtm(product).real)

    assert frechet_distance(real, fake, ddof=1) == pytest.approx(expected, rel=1e-10)


def test_torch_fidelity_agrees(rng: np.random.Generator) -> None:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    real, fake = (torch.from_numpy(rng.normal(size=(90, 16)) * scale) for scale in (1, 1.4))

    with contextlib.redirect_stderr(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs is about an argument of SciPy
        published = fid_statistics_to_metric(*map(fid_features_to_statistics, (real, fake)), False)

    expected = published["frechet_inception_distance"]
    assert fvd_bench.frechet_distance(real, fake, ddof=1) == pytest.approx(expected, rel=1e-9)


def test_features_may_be_tensors_and_lists(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(20, 6)).astype(np.float32), rng.normal(size=(30, 6)).astype(np.float32)
    given = [torch.from_numpy(real).requires_grad_(), fake.tolist()]

    assert fvd_bench.frechet_distance(*given) == frechet_distance(real, fake, ddof=0)
    rounded = torch.from_numpy(fake).bfloat16()
    assert fvd_bench.frechet_distance(rounded, rounded) < 1e-9


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (np.zeros((5, 3)), r"shape \[4, 6\] and fake ones of \[5, 3\]: expected \[N, D\]"),
        (np.zeros(6), r"fake ones of \[6\]"),
        ([[1.0, 2.0], [1.0]], "no array of numbers"),
        (np.ones((5, 6), dtype=complex), r"no array of numbers \(they are complex128\)"),
        (torch.ones(5, 6, dtype=torch.complex64), r"no array of numbers \(they are complex64\)"),
    ],
)
def test_other_shapes_are_refused(fake: object, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        fvd_bench.frechet_distance(np.zeros((4, 6)), fake)


def test_features_without_numbers_are_no_distance_of_0() -> None:
    with pytest.raises(MetricError, match=r"shape \[4, 0\] and fake ones of \[5, 0\]: expected \[N, D\]"):
        fvd_bench.frechet_distance(np.zeros((4, 0)), np.zeros((5, 0)))


def test_rotation_translation_and_exchange_do_not_matter(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(50, 30)), rng.normal(size=(60, 30)) * 2
    rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]

    expected = frechet_distance(real, fake, ddof=1)

    assert frechet_distance(real @ rotation + 5, fake @ rotation + 5, ddof=1) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(fake, real, ddof=1) == pytest.approx(expected, rel=1e-12)


def test_the_divisor_is_the_one_asked_for(rng: np.random.Generator) -> None:
    real = rng.normal(size=(64, 8))
    real -= real.mean(axis=0)

    by_n, by_n_minus_1 = (frechet_distance(real, 2 * real, ddof=ddof) for ddof in (0, 1))

    assert by_n_minus_1 / by_n == pytest.approx(64 / 63, rel=1e-12)


def test_singular_gaussians_of_the_published_scipy_probe_are_exact() -> None:
    """d = 400, 64 against 64: scipy 1.11.4 and 1.12.0 gave 1.468e7 for such sets, the exact value is near 61,840."""
    rng = np.random.default_rng(0)
    basis = [rng.normal(size=(64, 400)) for _ in range(2)]
    a, b = ((x - x.mean(axis=0)) / np.sqrt(63) for x in basis)
    values = np.linalg.eigvals((a @ b.T) @ (b @ a.T))  # the nonzero spectrum of the product of the covariances

    expected = (
        np.sum((basis[0].mean(axis=0) - basis[1].mean(axis=0)) ** 2)
        + np.sum(a**2) + np.sum(b**2) - 2 * np.sum(np.sqrt(np.abs(values)))
    )  # fmt: skip

    assert frechet_distance(*basis, ddof=1) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("n", [30, 200])
def test_what_floors_go_by_is_the_distance_with_its_divisor(rng: np.random.Generator, monkeypatch, n: int) -> None:
    """By data matrices, and by covariances of many features, some at a time; also where a direction is 0."""
    monkeypatch.setattr(feature_set, "_FOLD_ROWS", 64)
    sides = [FeatureSet.of((rng.normal(size=(n, 20)) * np.arange(20)).astype(np.float32)) for _ in range(2)]
    of_n = distance_and_overlap(*sides, FVD)[1]

    value, overlap = distance_and_overlap(*sides, MetricRule(names=("fvd",), ddof=1))

    assert value == pytest.approx(frechet_distance(sides[0].features(), sides[1].features(), ddof=1), rel=1e-9)
    np.testing.assert_allclose(overlap[:19], of_n[:19], rtol=1e-9)


@pytest.mark.parametrize(("n", "m", "dim"), [(64, 64, 400), (500, 700, 40), (30, 600, 100)])
def test_moments_alone_give_the_same(rng: np.random.Generator, monkeypatch, n: int, m: int, dim: int) -> None:
    real = rng.normal(size=(n, dim)).astype(np.float32)
    fake = (rng.normal(size=(m, dim)) * 1.3 + 0.1).astype(np.float32)
    expected = frechet_distance(real, fake, ddof=0)
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", 0)
    folded = [FeatureSet(dim), FeatureSet(dim)]
    for side, features in zip(folded, (real, fake), strict=True):
        for video, part in enumerate(np.array_split(features, 7)):
            side.add(part, video=video)

    assert folded[0].features() is None
    assert frechet_distance_of_stats(*folded, FVD) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of_stats(folded[0], folded[0], FVD) < 1e-9 * np.trace(folded[0].cov(0))
    np.testing.assert_allclose(folded[0].cov(1), np.cov(real.astype(np.float64), rowvar=False), atol=1e-12)


def test_a_covariance_is_that_of_all_pieces_added_so_far(rng: np.random.Generator) -> None:
    features, side = rng.normal(size=(12, 3)).astype(np.float32), FeatureSet(3)

    for video, end in enumerate((8, 12)):
        side.add(features[8 * video : end], video=video)
        np.testing.assert_allclose(side.cov(0), np.cov(features[:end].T.astype(np.float64), ddof=0), atol=1e-12)


def test_too_few_features_are_refused() -> None:
    with pytest.raises(MetricError, match=r"1 real and 5 fake"):
        frechet_distance(np.zeros((1, 4)), np.zeros((5, 4)), ddof=0)


def test_features_that_are_not_finite_are_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(MetricError, match="not finite"):
            frechet_distance(np.full((3, 4), value), np.zeros((5, 4)), ddof=0)


def test_a_distance_that_is_really_negative_is_an_error(rng: np.random.Generator, monkeypatch) -> None:
    """It cannot be, so a broken linear algebra library stands for the reason."""
    features = rng.normal(size=(20, 5))
    svd = np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda matrix, **options: svd(matrix, **options) * (1 + 1e-6))

    with pytest.raises(MetricError, match="came out as -"):
        frechet_distance(features, features, ddof=0)


@pytest.mark.parametrize(("n", "m", "dim"), [(12, 9, 30), (60, 50, 7), (40, 10, 20)])
def test_the_influence_is_the_derivative_by_a_features_weight(
    rng: np.random.Generator, n: int, m: int, dim: int
) -> None:
    real, fake = rng.normal(size=(n, dim)), rng.normal(size=(m, dim)) * 1.5 + 0.3
    influences = frechet_influence(FeatureSet.of(real), FeatureSet.of(fake))
    distance = frechet_distance(real, fake, ddof=0)
    epsilon = 1e-5

    for side, (features, influence) in enumerate(zip((real, fake), influences, strict=True)):
        heavier = _with_weight_on_the_first(features, epsilon)
        changed = (heavier, fake) if side == 0 else (real, heavier)
        gain = (frechet_distance(*changed, ddof=0) - distance) / epsilon
        assert gain == pytest.approx(influence[0], rel=1e-3, abs=1e-3 * np.abs(influence).max())
        assert influence.mean() == pytest.approx(0, abs=1e-9 * np.abs(influence).max())


def _with_weight_on_the_first(features: np.ndarray, epsilon: float) -> np.ndarray:
    """A set with the mean and the ddof-0 covariance of one whose first feature has a weight of 1/N + ε (1 - 1/N)."""
    weights = np.full(len(features), (1 - epsilon) / len(features))
    weights[0] += epsilon
    mean = weights @ features
    spread = (features - mean) * np.sqrt(weights * len(features))[:, None]
    return np.concatenate([spread, -spread]) + mean


def test_epsilon_is_added_to_both_diagonals(rng: np.random.Generator) -> None:
    """Against commuting covariances, where the root is known."""
    a, b, epsilon = rng.uniform(0.1, 3, 12), rng.uniform(0.1, 3, 12), 0.01
    sides = [FeatureSet(12), FeatureSet(12)]
    for side, root in zip(sides, (a, b), strict=True):
        side.add(_with_moments(rng, 100, np.zeros(12), np.diag(root)), video=0)

    rule = MetricRule(names=("fvd",), epsilon=epsilon)
    value = frechet_distance_of_stats(*sides, rule)

    expected = np.sum((np.sqrt(a**2 + epsilon) - np.sqrt(b**2 + epsilon)) ** 2)
    assert value == pytest.approx(expected, rel=1e-9)
    assert distance_and_overlap(*sides, rule)[0] == value  # as floors go by


def test_single_precision_is_near_and_does_not_cancel(rng: np.random.Generator) -> None:
    side = FeatureSet.of((rng.normal(size=(64, 400)) * 5).astype(np.float32))
    other = FeatureSet.of((rng.normal(size=(64, 400)) * 5).astype(np.float32))
    rule = MetricRule(names=("fvd",), ddof=1, root="float32-svd")

    assert frechet_distance_of_stats(side, other, rule) == pytest.approx(
        frechet_distance_of_stats(side, other, MetricRule(names=("fvd",), ddof=1)), rel=1e-3
    )
    assert 0 < abs(frechet_distance_of_stats(side, side, rule)) < 1e-3 * np.trace(side.cov(1))
    assert distance_and_overlap(side, other, rule)[0] == frechet_distance_of_stats(side, other, rule)


@pytest.mark.parametrize(("values", "roots"), [([4.0, 1e-4], [2.0, 1e-2]), ([4e-12, 1e-12], [4e-12, 1e-12])])
def test_a_root_in_single_precision_leaves_values_as_small_as_rounding(values: list[float], roots: list[float]) -> None:
    """As tfgan's symmetric_matrix_square_root does: the root of 10⁻¹² is a million times as large."""
    found = _float32_root(np.diag(np.array(values, dtype=np.float32)))

    np.testing.assert_allclose(np.diag(found), roots, rtol=1e-5)


def test_a_covariance_of_zero_is_one_too(rng: np.random.Generator) -> None:
    """As of statistics of one picture that was repeated: a distance, and what each fake feature moves it by."""
    still = FeatureSet.of_moments(np.zeros(6), np.zeros((6, 6)), count=5, ddof=1)
    features = rng.normal(size=(20, 6)).astype(np.float32)
    fake = FeatureSet.of(features)

    measured = measure([{"real": still, "fake": fake}], MetricRule(names=("fvd",)), seed=0)["fvd"]

    assert not isinstance(measured, MetricError)
    assert measured.values[0] == pytest.approx(np.square(features.astype(np.float64)).sum(axis=1).mean(), rel=1e-9)
    assert measured.spread.error("fake") == pytest.approx(
        np.square(features.astype(np.float64)).sum(axis=1).std() / np.sqrt(20), rel=0.2
    )

"""The Monge inception distance, against torch-fidelity's definition written again and against closed forms."""

import numpy as np
import pytest
import torch

from fvd_bench import metrics
from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import mind
from fvd_bench.metrics.extrapolation import floor
from fvd_bench.metrics.mind import MIND, monge_inception_distance
from fvd_bench.metrics.uncertainty import Spread
from fvd_bench.protocols.rules import MetricRule

RULE = MetricRule(names=("mind",))


def _sides(n: int, m: int, dim: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)).astype(np.float32), (rng.normal(size=(m, dim)) * 1.3 + 0.2).astype(np.float32)


def _again(one: np.ndarray, other: np.ndarray) -> float:
    """In torch and in single precision, direction by direction; one generator draws features, then directions."""
    generator = torch.Generator().manual_seed(2020)
    sides, count = [], min(len(one), len(other))
    for side in (one, other):
        tensor = torch.from_numpy(side)
        sides.append(tensor[torch.randperm(len(side), generator=generator)[:count]] if len(side) > count else tensor)
    directions = torch.randn(1000, one.shape[1], generator=generator)
    squares = []
    for direction in directions / directions.norm(dim=1, keepdim=True):
        lines = [torch.sort(side @ direction).values for side in sides]
        squares.append((lines[0] - lines[1]).square().mean())
    return float(3 * one.shape[1] * torch.stack(squares).mean())


def test_it_is_torch_fidelitys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mind, "_BLOCK", 120 * 300)  # the last of four blocks of directions is not full
    real, fake = _sides(120, 120)

    assert monge_inception_distance(real, fake) == pytest.approx(_again(real, fake), rel=1e-5)


@pytest.mark.parametrize("sizes", [(150, 100), (100, 150)])
def test_a_larger_side_is_drawn_from_in_the_order_of_its_values(sizes: tuple[int, int]) -> None:
    real, fake = _sides(*sizes)
    ordered = [side[np.lexsort(side.T[::-1])] for side in (real, fake)]

    assert monge_inception_distance(real, fake) == pytest.approx(_again(*ordered), rel=1e-5)


@pytest.mark.parametrize("sizes", [(130, 130), (150, 100)])
def test_neither_the_order_of_videos_nor_threads_matter(sizes: tuple[int, int]) -> None:
    real, fake = _sides(*sizes)
    rng, threads = np.random.default_rng(1), torch.get_num_threads()
    value = monge_inception_distance(real, fake)
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        state = torch.get_rng_state()
        shuffled = monge_inception_distance(rng.permutation(real), rng.permutation(fake))
    finally:
        torch.set_num_threads(threads)

    assert shuffled == pytest.approx(value, rel=1e-12)
    assert torch.equal(torch.get_rng_state(), state)  # the seed is not the program's


def test_the_defaults_of_the_program_do_not_matter() -> None:
    real, fake = _sides(30, 20)
    value = monge_inception_distance(real, fake)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert monge_inception_distance(real, fake) == value
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_shift_costs_three_times_its_squared_length() -> None:
    """Along a direction u the gap is (shift·u)², whose mean over directions is |shift|² / D."""
    real, _ = _sides(50, 50, dim=6)
    shift = np.array([0.5, 0, 0, -1, 2, 0], dtype=np.float32)

    assert monge_inception_distance(real, real + shift) == pytest.approx(3 * float(shift @ shift), rel=0.1)
    assert monge_inception_distance(real, real) == 0


def test_the_directions_are_those_of_every_torch() -> None:
    """The mean of the squares of their first numbers, which is a third for directions of every kind."""
    rows = np.array([[1.0, 0, 0]] * 3, dtype=np.float32)

    assert monge_inception_distance(rows, 0 * rows) == pytest.approx(3.12060129, rel=1e-7)


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(MetricError, match="0 real and 3 fake features"):
        monge_inception_distance(np.zeros((0, 4), np.float32), np.ones((3, 4), np.float32))


def test_the_influence_is_the_derivative_by_a_features_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one dimension the transport of weighted numbers is known exactly: gaps of two step functions."""
    monkeypatch.setattr(mind, "_BLOCK", 30 * 300)
    real, fake = _sides(30, 30, dim=1)
    found = MIND.influence(FeatureSet.of(real), FeatureSet.of(fake))
    even = np.full(30, 1 / 30)

    def distance(weights: np.ndarray, fake_weights: np.ndarray) -> float:
        orders = np.argsort(real[:, 0]), np.argsort(fake[:, 0])
        ends = [np.cumsum(w[order]) for w, order in zip((weights, fake_weights), orders, strict=True)]
        levels = np.unique(np.concatenate([[0], *ends]))
        middles = (levels[1:] + levels[:-1]) / 2
        lines = [
            side[order, 0].astype(float)[np.minimum(np.searchsorted(end, middles), 29)]
            for side, order, end in zip((real, fake), orders, ends, strict=True)
        ]
        return float(3 * np.sum(np.diff(levels) * (lines[0] - lines[1]) ** 2))

    assert distance(even, even) == pytest.approx(monge_inception_distance(real, fake))
    for side in (0, 1):
        for place in range(30):
            values = []
            for step in (1e-5, -1e-5):
                weights = [even.copy(), even.copy()]
                weights[side] *= 1 - step
                weights[side][place] += step
                values.append(distance(*weights))
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(found[side][place], abs=1e-3)


def test_features_that_are_drawn_count_for_those_that_are_not() -> None:
    real, fake = _sides(50, 30, dim=2)

    found = MIND.influence(FeatureSet.of(real), FeatureSet.of(fake))[0]

    drawn = np.abs(found) > 1e-9
    alone = MIND.influence(FeatureSet.of(real[drawn]), FeatureSet.of(fake))[0]
    assert drawn.sum() == 30
    assert found[drawn] @ alone / (alone @ alone) == pytest.approx(50 / 30, rel=0.05)  # along other directions


@pytest.mark.parametrize("sizes", [(120, 120), (200, 120)])
def test_the_standard_error_is_how_much_new_videos_move_it(sizes: tuple[int, int]) -> None:
    values, errors = [], []
    for seed in range(40):
        real, fake = (FeatureSet.of(side) for side in _sides(*sizes, dim=4, seed=seed))
        values.append(metrics.compute("mind", real, fake, RULE))
        spread = Spread("mind", RULE)
        spread.add({"real": real, "fake": fake})
        errors.append(np.hypot(spread.error("real"), spread.error("fake")))

    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


def test_the_floor_is_what_real_videos_score_at_the_smaller_number() -> None:
    rng = np.random.default_rng(0)
    real, fake = (FeatureSet.of(rng.normal(size=(n, 8)).astype(np.float32)) for n in (400, 60))
    others = [FeatureSet.of(rng.normal(size=(60, 8)).astype(np.float32)) for _ in range(20)]
    expected = np.mean([metrics.compute("mind", real, other, RULE) for other in others])

    found = floor("mind", {"real": real, "fake": fake}, RULE, seed=0)

    assert found.interval[0] < expected < found.interval[1]
    assert found.value == pytest.approx(expected, rel=0.25)


def test_it_is_of_any_features(tmp_path) -> None:
    assert load("mind").name == "stylegan-v-mind"
    file = tmp_path / "mine.toml"
    for name in ("stylegan-v-kid", "ucf101-c3d-is"):
        from fvd_bench.protocols.protocol import text

        shipped = text(name).replace(f'name = "{name}"', 'name = "mine"')
        file.write_text(shipped.replace('names = ["kid"]', 'names = ["mind"]').replace('["is"]', '["mind"]'))
        assert load(str(file)).metric.names == ("mind",)
    file.write_text(file.read_text().replace('["mind"]', '["fid"]'))
    with pytest.raises(ProtocolError, match="fid is computed on features of inception"):
        load(str(file))

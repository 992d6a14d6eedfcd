"""Lightning trains, validates, logs and keeps checkpoints with our metric and our callback, as with any other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench import FvdBenchError
from fvd_bench.errors import ArgumentError
from tests.lazy_module import LazyModule
from tests.toolkit.integrations.conftest import NO_CACHE

callbacks = LazyModule("lightning.pytorch.callbacks")
lit = LazyModule("tests.toolkit.integrations.lightning_model")
metrics, ours = LazyModule("fvd_bench.integrations.torchmetrics"), LazyModule("fvd_bench.integrations.lightning")


def logged(trainer, name: str) -> list[float]:
    """What was logged under a name, an epoch at a time."""
    table = np.genfromtxt(Path(trainer.logger.log_dir) / "metrics.csv", delimiter=",", names=True, deletechars="")
    column = np.atleast_1d(table[name])
    return column[np.isfinite(column)].tolist()


def test_a_metric_is_logged_and_monitored(protocol, videos, score, tmp_path: Path) -> None:
    metric = metrics.FrechetVideoMetric(protocol, settings=NO_CACHE)
    metric.update(torch.from_numpy(videos[0]), real=True)  # once, since resets at the end of an epoch keep them
    model = lit.Model(videos[1], metric)
    best = callbacks.ModelCheckpoint(tmp_path / "best", monitor="fvd")

    trainer = lit.trained(model, tmp_path, best)

    values = logged(trainer, "fvd")
    order = [*range(0, 7, 2), *range(1, 7, 2)]  # that in which validation_step hands them over
    assert values[1] == pytest.approx(score(videos[0], model.videos().numpy()[order]), rel=1e-6)  # float32 in the log
    assert values[0] > values[1]
    assert float(best.best_model_score) == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("validated", [True, False])
def test_the_callback_logs_scores_of_generated_videos(
    validated: bool, protocol, videos, two_sides, score, tmp_path: Path
) -> None:
    drawn: list[float] = []

    def generate(module, count: int) -> torch.Tensor:
        drawn.append(float(torch.rand(())))
        assert not torch.is_grad_enabled()
        return module.videos()[:count]

    model = lit.Model(videos[1])
    callback = ours.FrechetVideoCallback(
        generate, real=two_sides[0], videos=10, batch=7, protocol=protocol, settings=NO_CACHE
    )
    before, after = lit.RandomStates(), lit.RandomStates()

    trainer = lit.trained(model, tmp_path, before, callback, after, validated=validated)

    values = logged(trainer, "pixels/fvd")
    fakes = np.concatenate([model.videos().numpy(), model.videos().numpy()[:3]])
    assert len(values) == 2
    assert values[1] == pytest.approx(score(two_sides[0], fakes), rel=1e-6)
    assert logged(trainer, "pixels/fvd_low")[1] < values[1] < logged(trainer, "pixels/fvd_high")[1]
    assert drawn[:2] == drawn[2:] and len({*drawn}) == 2  # the same noise each time
    assert len(before.seen) >= 2 and all(map(torch.equal, before.seen, after.seen))


def test_a_callback_is_for_some_epochs_and_for_as_many_videos_as_it_asks_for(
    protocol, videos, two_sides, tmp_path: Path
) -> None:
    asked: list[int] = []

    def generate(module, count: int) -> torch.Tensor:
        asked.append(count)
        return module.videos()

    def callback(**changed: int):
        given = {"videos": 7, "batch": 7, **changed}
        return ours.FrechetVideoCallback(generate, real=two_sides[0], protocol=protocol, settings=NO_CACHE, **given)

    lit.trained(lit.Model(videos[1]), tmp_path, callback(every_n_epochs=2))
    assert asked == [7]
    with pytest.raises(FvdBenchError, match="generate gave 7 videos: expected 3"):
        lit.trained(lit.Model(videos[1]), tmp_path, callback(batch=3))
    with pytest.raises(ArgumentError, match="batch = 0: expected at least 1"):
        callback(batch=0)


@pytest.mark.parametrize("validated", [True, False])
def test_the_callback_lets_the_generator_evaluate_and_leaves_it_as_it_was(
    validated: bool, protocol, videos, two_sides, tmp_path: Path
) -> None:
    """Lightning validates in evaluation mode, and ends an epoch of training in training mode."""
    seen: list[bool] = []

    def generate(module, count: int) -> torch.Tensor:
        seen.append(module.norm.training)
        module.norm(torch.ones(4, 1))
        return module.videos()

    model = lit.Model(videos[1])
    model.norm, model.frozen = torch.nn.BatchNorm1d(1), torch.nn.Dropout().eval()
    after = lit.Modes()
    callback = ours.FrechetVideoCallback(generate, real=two_sides[0], videos=7, protocol=protocol, settings=NO_CACHE)

    lit.trained(model, tmp_path, callback, after, validated=validated)

    assert seen == [False, False]
    assert float(model.norm.running_mean) == 0
    assert after.seen[-1] == (not validated, False)

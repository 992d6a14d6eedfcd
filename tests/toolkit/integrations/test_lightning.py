"""Lightning trains, validates, logs and keeps checkpoints with our metric and our callback, as with any other."""

import warnings
from pathlib import Path

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from fvd_bench import FvdBenchError
from fvd_bench.integrations.lightning import FrechetVideoCallback
from fvd_bench.integrations.torchmetrics import FrechetVideoMetric
from tests.toolkit.integrations.conftest import NO_CACHE


class Model(lightning.LightningModule):
    """A generator whose videos are given ones, brightened by its only parameter, which is trained towards 0."""

    def __init__(self, fake: np.ndarray, metric: FrechetVideoMetric | None = None) -> None:
        super().__init__()
        self.shade = torch.nn.Parameter(torch.tensor(60.0))
        self.fvd = metric
        self.fake = fake

    def videos(self) -> torch.Tensor:
        return (torch.from_numpy(self.fake) + self.shade.detach()).clamp(0, 255).to(torch.uint8)

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return self.shade**2

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        if self.fvd is not None:
            self.fvd.update(self.videos()[index::2])
            self.log("fvd", self.fvd)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3)


class RandomStates(lightning.Callback):
    """Notes the state of the random generator where the callbacks beside it do their work."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.seen.append(torch.get_rng_state())

    on_train_epoch_end = on_validation_epoch_end


def trained(model: Model, folder: Path, *callbacks: lightning.Callback, validated: bool = True) -> lightning.Trainer:
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", devices=1, logger=CSVLogger(folder), callbacks=[*callbacks],
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(torch.zeros(2, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers, and on batches that tell no size
        trainer.fit(model, loader, loader if validated else None)
    return trainer


def logged(trainer: lightning.Trainer, name: str) -> list[float]:
    """What was logged under a name, an epoch at a time."""
    table = np.genfromtxt(Path(trainer.logger.log_dir) / "metrics.csv", delimiter=",", names=True, deletechars="")
    column = np.atleast_1d(table[name])
    return column[np.isfinite(column)].tolist()


def test_a_metric_is_logged_and_monitored(protocol, videos, score, tmp_path: Path) -> None:
    metric = FrechetVideoMetric(protocol, settings=NO_CACHE)
    metric.update(torch.from_numpy(videos[0]), real=True)  # once, since resets at the end of an epoch keep them
    model = Model(videos[1], metric)
    best = ModelCheckpoint(tmp_path / "best", monitor="fvd")

    trainer = trained(model, tmp_path, best)

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

    def generate(module: Model, count: int) -> torch.Tensor:
        drawn.append(float(torch.rand(())))
        assert not torch.is_grad_enabled()
        return module.videos()[:count]

    model = Model(videos[1])
    callback = FrechetVideoCallback(
        generate, real=two_sides[0], videos=10, batch=7, protocol=protocol, settings=NO_CACHE
    )
    before, after = RandomStates(), RandomStates()

    trainer = trained(model, tmp_path, before, callback, after, validated=validated)

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

    def generate(module: Model, count: int) -> torch.Tensor:
        asked.append(count)
        return module.videos()

    def callback(**changed: int) -> FrechetVideoCallback:
        given = {"videos": 7, "batch": 7, **changed}
        return FrechetVideoCallback(generate, real=two_sides[0], protocol=protocol, settings=NO_CACHE, **given)

    trained(Model(videos[1]), tmp_path, callback(every_n_epochs=2))
    assert asked == [7]
    with pytest.raises(FvdBenchError, match="generate gave 7 videos: expected 3"):
        trained(Model(videos[1]), tmp_path, callback(batch=3))
    with pytest.raises(FvdBenchError, match="batch = 0: expected at least 1"):
        callback(batch=0)

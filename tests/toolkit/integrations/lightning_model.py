"""A model of Lightning that makes videos, a callback beside ours, and a training of a moment."""

import warnings
from pathlib import Path

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from fvd_bench.integrations.torchmetrics import FrechetVideoMetric


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


class Modes(lightning.Callback):
    """Notes whether `norm` and `frozen` of the model are in training mode after the callbacks before it."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool]] = []

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.seen.append((pl_module.norm.training, pl_module.frozen.training))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.enable_validation:
            self.on_validation_epoch_end(trainer, pl_module)


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

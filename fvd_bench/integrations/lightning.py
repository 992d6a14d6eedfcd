"""FrechetVideoCallback: scores of a generator while Lightning trains it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from fvd_bench.errors import ArgumentError, FvdBenchError
from fvd_bench.evaluation.online.metric import FrechetVideoDistance
from fvd_bench.features import distributed
from fvd_bench.networks import Network
from fvd_bench.packages import needed_for
from fvd_bench.protocols.protocol import ProtocolLike
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike
from fvd_bench.videos.array_layout import ValueRange
from fvd_bench.words import counted

with needed_for("callbacks of Lightning", "lightning"):
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.utilities.seed import isolate_rng

Generate = Callable[[LightningModule, int], Tensor]


class FrechetVideoCallback(Callback):
    """Score a generator after epochs, and log the score with its interval and floor.

    generate: a function that makes videos, given the module that is trained and how many. It runs without gradients.
    real: the real side, as `evaluate` takes it. It is read once.
    videos: number of generated videos, over all processes. batch: number that is made at once.
    every_n_epochs: an epoch is scored if its number, counted from 1, is a multiple of this one.
    axes, value_range: those of the generated videos, see `FrechetVideoDistance.update`.
    protocol, seed, settings, network: as for `FrechetVideoDistance`.

    The numbers are those of `Score.metrics`, such as `stylegan-v-fvd16/fvd`, which a ModelCheckpoint may monitor. They
    are logged at the end of validation, or of the training epoch where nothing is validated. Each time the generator
    is in evaluation mode and draws its noise from the same seeds; the modes and the random generators of the training
    are as before afterwards.
    """

    def __init__(
        self,
        generate: Generate,
        *,
        real: SourceLike,
        videos: int = 2048,
        batch: int = 16,
        every_n_epochs: int = 1,
        axes: str = "NTHWC",
        value_range: ValueRange | None = None,
        protocol: ProtocolLike = "stylegan-v-fvd16",
        seed: int = 0,
        settings: Settings | None = None,
        network: Network | Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        for name, number in {"videos": videos, "batch": batch, "every_n_epochs": every_n_epochs}.items():
            if number < 1:
                raise ArgumentError(f"{name} = {number}: expected at least 1")
        self.distance = FrechetVideoDistance(
            protocol, real=real, seed=seed, settings=settings, progress=False, network=network
        )
        self._generate = generate
        self._videos = videos
        self._batch = batch
        self._every_n_epochs = every_n_epochs
        self._axes = axes
        self._value_range = value_range

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device.type == "cuda" and self.distance.extraction.settings.device in ("auto", "cuda"):
            self.distance.to(pl_module.device)  # each process has its own since Lightning set it

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._score(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.enable_validation:
            self._score(trainer, pl_module)

    def _score(self, trainer: Trainer, module: LightningModule) -> None:
        if (trainer.current_epoch + 1) % self._every_n_epochs:
            return
        self.distance.reset()
        rank, world = distributed.rank(), distributed.world()
        left = len(range(rank, self._videos, world))
        with isolate_rng(), _evaluating(module), torch.no_grad():
            torch.manual_seed(self.distance.seed * world + rank)
            while left > 0:
                wanted = min(left, self._batch)
                videos = self._generate(module, wanted)
                if len(videos) != wanted:
                    raise FvdBenchError(
                        f"generate gave {counted(len(videos), 'video')}: expected {wanted}, as many as asked for"
                    )
                self.distance.update(fake=videos, axes=self._axes, value_range=self._value_range)
                left -= wanted
        for score in self.distance.scores():
            module.log_dict(score.metrics, sync_dist=world > 1)  # equal in all processes


@contextlib.contextmanager
def _evaluating(module: LightningModule) -> Iterator[None]:
    """Put a module into evaluation mode, as Lightning does for validation, and each part of it back into its own."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training

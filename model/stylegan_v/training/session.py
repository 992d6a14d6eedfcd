"""A training run in its folder: what is written between steps, and how it goes on after an interruption.

run.toml holds its settings, checkpoint.pt the last state, best.pt the generator of the best score, log.jsonl and
tensorboard/ the curves, samples/ what it makes, and features/ what scores are computed from.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fvd_bench.escapes import escaped
from fvd_bench.progress import Progress, silent
from stylegan_v import distributed
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.checkpoints.checkpoint import Checkpoint
from stylegan_v.checkpoints.files import BEST, LAST
from stylegan_v.data.clips import Batch
from stylegan_v.data.labels import Labels
from stylegan_v.errors import CheckpointError, TrainingError
from stylegan_v.methods.trainer import Trainer
from stylegan_v.sampling.scoring import evaluate, labels_of
from stylegan_v.training import run_folder
from stylegan_v.training.log import Journal
from stylegan_v.training.pace import Aside, Clock
from stylegan_v.training.run import Run
from stylegan_v.training.snapshots import save_fakes, save_reals


class Session:
    """A trainer with the folder that its run lives in.

    best: the score of the generator in best.pt, None where there is none that those of this run compare with.
    best_real: fingerprint of the real videos of that score, None where an older version kept none.
    """

    def __init__(self, run: Run, out: Path, trainer: Trainer, *, progress: Progress = silent) -> None:
        """Go on from the checkpoint in the folder, or begin. Raises CheckpointError.

        progress: told of how far a score is. Where it raises KeyboardInterrupt, that score is given up.
        """
        self.run = run
        self.out = out
        self.trainer = trainer
        self._progress = progress
        self.best: float | None = None
        self.best_real: str | None = None
        self._logs: dict[str, list[Tensor]] = {}
        self._saved = -1
        if self.checkpoint.exists():
            self._load(run_folder.checkpoint(out, LAST))
        self._ticked = trainer.kimg
        self._journal = Journal(out, kimg=trainer.kimg) if distributed.rank() == 0 else None
        distributed.on_first(lambda: save_reals(out / "samples", trainer.dataset))
        self.save()
        self.start()

    def start(self) -> None:
        """Measure the time of steps from now on, as that of no step has gone before."""
        self.clock, self._since = Clock(self.run), time.monotonic()

    @property
    def checkpoint(self) -> Path:
        """The file with the last state."""
        return self.out / LAST

    def step(self, batch: Batch) -> None:
        """Train on a batch."""
        logs = self.trainer.step(batch)
        for name, value in logs.items():
            self._logs.setdefault(name, []).append(value)
        self.clock.step(r1="loss/r1" in logs)

    def report(self) -> None:
        """Write what is due after a step. Raises TrainingError when no value of a loss was finite."""
        report = self.run.report
        if self._due(report.tick_kimg):
            self.tick()
        if self._is_scored():
            self.score()
        if self._due(report.snapshot_kimg):
            with self._not_training("snapshot"):
                self.save()
                if self.trainer.shows:
                    distributed.on_first(self._sample)

    def make_up(self) -> None:
        """Make the score that is due where the run goes on, if it ended before that was in the log."""
        if self.trainer.steps and self._is_scored():
            kimg, journal = self.trainer.kimg, self._journal
            if distributed.agree(journal is not None and not journal.has_score(kimg)):
                self.score()

    def tick(self) -> None:
        """Write a line of the log: means over the steps since the last line, or since the run was taken up again.

        Single losses that are not finite are left out: their gradients are mended, and the networks get over them.
        """
        sums: dict[str, Tensor] = {}
        for name, values in self._logs.items():
            every = torch.stack(values).double()
            finite = torch.isfinite(every)
            sums[name] = torch.stack([every.where(finite, 0).sum(), finite.double().sum()])
        self._logs.clear()
        distributed.average(sums.values())
        numbers = {name: float(total / count) for name, (total, count) in sums.items()}
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{name} is not finite at {self.trainer.kimg:.2f} kimg; {self.checkpoint} is from before that. A "
                    "smaller learning_rate, a larger r1_gamma or precision = 'float32' may help, in a new run"
                )
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        numbers["seconds_per_kimg"] = seconds / (self.trainer.kimg - self._ticked)
        numbers |= self.trainer.watched()
        if self.trainer.device.type == "cuda":
            numbers["peak_memory_gib"] = torch.cuda.max_memory_allocated(self.trainer.device) / 2**30
        self._ticked = self.trainer.kimg
        if self._journal is not None:
            self._journal.write(self.trainer.kimg, numbers)

    def save(self) -> None:
        """Write the checkpoint, unless it is up to date. Raises TrainingError rather than save broken networks."""
        if self.trainer.steps == self._saved:
            return
        self._saved = self.trainer.steps
        tensors = self.trainer.tensors()
        broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
        if broken:
            raise TrainingError(
                f"{broken[0]} is not finite at {self.trainer.kimg:.2f} kimg; {self.checkpoint} is from before that"
            )
        distributed.on_first(lambda: checkpoints.save(self._describe(tensors), self.checkpoint))

    def score(self) -> None:
        """Score the average generator, and keep it if it is the best so far. However that ends, the state is saved, and
        a score that did not come into the log is made when the run goes on."""
        with self._not_training("score"):
            self.save()
            distributed.on_first(self._score)

    def close(self) -> None:
        """Close the log."""
        if self._journal is not None:
            self._journal.close()

    @cached_property
    def _labels(self) -> Labels | None:
        """Those of the real videos, for all scores of the run."""
        return labels_of(self.run.data.path, self.trainer.ema.config.num_classes)

    def _score(self) -> None:
        began = time.monotonic()
        try:
            result = evaluate(
                self.trainer.ema,
                self.run.data.path,
                videos=self.run.report.fvd_videos,
                fps=self.run.data.fps,
                protocol=self.run.report.protocol,
                features=self.out / "features",
                labels=self._labels,
                progress=self._progress,
            )
        except KeyboardInterrupt:  # the loop ends after this, and saves what has been trained
            return
        score, real = result.scores[0], result.real.fingerprint
        if score.value is None:
            return
        if self.best is not None and self.best_real not in (None, real):
            self._replace_best("against other real videos", f"those of {self.run.data.path}")
        sign = 1 if score.lower_is_better else -1
        if self.best is None or sign * score.value < sign * self.best:
            self.best, self.best_real = score.value, real
            ema = {f"ema.{name}": tensor for name, tensor in self.trainer.ema.state_dict().items()}
            checkpoints.save(self._describe(ema, score=score.value, real=real), self.out / BEST)
        assert self._journal is not None
        self._journal.write(  # the last of it, since what is in the log is not made again
            self.trainer.kimg,
            score.numbers(score.metric) | {"score_seconds": time.monotonic() - began},
            protocol=f"{score.protocol}@{score.protocol_version}",
            clips=score.fake.clips,
        )

    def _sample(self) -> None:
        save_fakes(self.out / "samples", self.trainer.ema, kimg=self.trainer.kimg, fps=self.run.data.fps)

    @contextlib.contextmanager
    def _not_training(self, what: Aside) -> Iterator[None]:
        """Leave the time of a block out of the seconds per kimg."""
        began = time.monotonic()
        with self.clock.aside(what):
            yield
        self._since += time.monotonic() - began

    def _is_scored(self) -> bool:
        """Return whether a score is due after the last step."""
        report = self.run.report
        return bool(report.fvd_kimg) and self.trainer.shows and self._due(report.fvd_kimg)

    def _due(self, kimg: float) -> bool:
        """Return whether the last step ends an interval of that many thousand frames, rounded to whole steps."""
        return self.trainer.steps % self.run.steps_in(kimg) == 0

    def _describe(self, tensors: dict[str, Tensor], **more: Any) -> Checkpoint:
        state = {"trainer": self.trainer.state(), "kimg": self.trainer.kimg, "data": self._data(), **more}
        return Checkpoint(self.run.model, tensors, self.run.data.fps, self.run.as_dict(), state)

    def _data(self) -> dict[str, str | int]:
        """Say which videos the run is trained on, so that it is noticed where these change."""
        dataset = self.trainer.dataset
        return {"videos": len(dataset.names), "frames": sum(dataset.lengths), "listing": dataset.digest()}

    def _warn_of_other_data(self, before: Any) -> None:
        """Say that the training videos are not those of before. before: `_data` of then, None where nobody knows."""
        here = self._data()
        if not isinstance(before, dict) or before == here or distributed.rank() != 0:
            return
        told, now = (f"{data.get('videos')} videos with {data.get('frames')} frames" for data in (before, here))
        if told == now:
            now = "as many of other names or lengths"
        print(
            f"stylegan-v: warning: {self.out} was trained on {told}, and {escaped(self.run.data.path)} now holds "
            f"{now}: the run goes on with these, and its scores of before and after do not compare",
            file=sys.stderr,
        )

    def _load(self, found: Checkpoint) -> None:
        state = found.state or {}
        if found.model.method != self.run.model.method:
            raise CheckpointError(
                f"{self.checkpoint} is one of {found.model.method}, the run is one of {self.run.model.method}; name "
                "another --out"
            )
        if found.model != self.run.model or "trainer" not in state:
            raise CheckpointError(f"{self.checkpoint} belongs to another run; name another --out")
        if missing := {"ema", *self.trainer.networks} - {*found.parts}:
            raise CheckpointError(
                f"{self.checkpoint} holds a generator to sample from, not the state of a training: it has no "
                f"{min(missing)}; name another --out, or put the run's own checkpoint back"
            )
        parts = {part: found.part(part) for part in found.parts}
        if stage_of(state) == self.run.stage:
            self._warn_of_other_data(state.get("data"))
            self.trainer.load(parts, state["trainer"])
            self._saved = self.trainer.steps
        else:  # the one before has ended
            self.trainer.begin_stage(parts, kimg=state["kimg"])
        self._load_best()

    def _load_best(self) -> None:
        """Read the score in best.pt, where it compares with those of this run and stage."""
        file, report = self.out / BEST, self.run.report
        if not file.exists():
            return
        found = run_folder.checkpoint(self.out, BEST)
        state, before = found.state or {}, (found.run or {}).get("report", {})
        if stage_of(state) != self.run.stage:
            return
        if (before.get("protocol"), before.get("fvd_videos")) == (report.protocol, report.fvd_videos):
            self.best, self.best_real = state.get("score"), state.get("real")
        elif report.fvd_kimg and distributed.rank() == 0:
            self._replace_best(
                f"by {before.get('protocol')} with {before.get('fvd_videos')} videos",
                f"{report.protocol} with {report.fvd_videos}",
            )

    def _replace_best(self, of: str, here: str) -> None:
        """Let the next score take the place of best.pt, and say so. of: what that is the best of. here: of this run."""
        self.best = None
        print(
            f"stylegan-v: warning: {self.out / BEST} is the best {of}, which does not compare with {here}: the "
            "next score replaces it",
            file=sys.stderr,
        )


def stage_of(state: Mapping[str, Any]) -> str:
    """Return the stage of the state of a checkpoint, empty where its method has one alone."""
    return str(state.get("trainer", {}).get("stage", ""))

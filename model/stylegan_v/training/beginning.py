"""A run that begins with networks that were trained before: those of a checkpoint, on the same videos or on others.

Source: Karras et al. 2020, "Training generative adversarial networks with limited data", on transfer learning, for what
such a training is worth where there are few videos.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from stylegan_v.baselines import registry
from stylegan_v.checkpoints.checkpoint import Checkpoint
from stylegan_v.errors import ConfigError
from stylegan_v.training.run import Run, load_run

ALONE_KIMG = 10.0
"""Thousands of frames in which a new discriminator learns alone where nothing else is said, see docs/model.md."""


def run_from(begin: Checkpoint, name_or_path: str | None, changes: Mapping[str, Mapping[str, Any]]) -> Run:
    """Return a run, as `load_run` does, of the model that a checkpoint is of.

    The model of a file gives way to it. The rate of the videos is the checkpoint's unless there is a file. Unless a
    file or the changes say otherwise, a new discriminator, where the checkpoint has none, learns alone at first; and
    the average of the generator has no limit that rises with the frames seen, since it begins from a trained one.
    Raises ConfigError as `load_run` does, and where the changes ask for another model.
    """
    model: Any = begin.model  # a dataclass, as all configs are
    method, own = registry.method(model.method), {"method": model.method, **dataclasses.asdict(model)}
    for name, value in changes.get("model", {}).items():
        if value != (has := own.get(name)):
            raise ConfigError(
                f"{name} = {value!r} was asked for, and the checkpoint to begin with has {has!r}: leave it out"
            )
    data = dict(changes.get("data", {}))
    if name_or_path is None:
        data.setdefault("fps", begin.fps)
    train = {"ema_rampup": 0.0}
    if method.makers().keys() - {"generator", *begin.parts}:
        train["discriminator_kimg"] = ALONE_KIMG
    unsaid = {"train": {name: value for name, value in train.items() if name not in method.unused}}
    return load_run(name_or_path, {**changes, "model": own, "data": data}, unsaid=unsaid)

"""Checkpoints: named tensors and a JSON header in one file that can hold no code.

The file is torch's own format, with {"header": text, "tensors": {name: tensor}} in it, and is only ever read with
`weights_only=True`. Tensors of part P are named P.name. The parts are `ema` (the generator that samples are made with),
the networks of the method by their names, `generator` and `discriminator` in StyleGAN-V, and optimisers of some,
such as `generator_optimizer`. A file for sampling has `ema` alone. The method is named with the model.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, get_args

import torch
from torch import Tensor

from fvd_bench.atomic import partial_file
from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from fvd_bench.records import json_object
from fvd_bench.version import __version__
from stylegan_v.baselines import registry
from stylegan_v.checkpoints.files import check_beginning, opened
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.methods.checkpoint_parts import load_part
from stylegan_v.methods.settings import Precision
from stylegan_v.networks.video_generator import Config, VideoGenerator

FORMAT = 2
"""The format of the files that are written. Files of format 1 are read as well. They also held Adam's first moments,
which nothing depends on, and their `paper` models were others."""

_OPTIMIZER = "_optimizer"
"""How the names of the parts end that hold the state of an optimiser."""

Kind = TypeVar("Kind", bound=VideoGenerator)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds.

    model: the method, with sizes and choices of its networks. fps: frames per second of the videos that they were
    trained on.
    run: the settings of the training, plain values; None where unknown.
    state: where training was, plain values; None where there was none.
    """

    model: Config
    tensors: Mapping[str, Tensor]
    fps: float = 25.0
    run: Mapping[str, Any] | None = None
    state: Mapping[str, Any] | None = None

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a part, by names without that of the part. Raises CheckpointError if there are none."""
        found = {key.removeprefix(f"{name}."): t for key, t in self.tensors.items() if key.startswith(f"{name}.")}
        if not found:
            raise CheckpointError(
                f"the checkpoint has no part {name!r}; it has {', '.join(sorted(self.parts)) or 'none'}"
            )
        return found

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in the order of the file."""
        return list(dict.fromkeys(name.partition(".")[0] for name in self.tensors))

    def generator(self, device: str | torch.device = "cpu") -> VideoGenerator:
        """Return the generator that makes samples, in float32 and in evaluation mode. Raises CheckpointError."""
        return self.generator_as(VideoGenerator, device)

    def generator_as(self, kind: type[Kind], device: str | torch.device = "cpu") -> Kind:
        """Return the generator as `generator` does, for what not all methods can do. Raises CheckpointError.

        kind: what it has to be, such as the `Generator` of StyleGAN-V.
        """
        with torch.random.fork_rng(devices=[]):  # what it draws is replaced, and the caller's stream goes on as it was
            network = registry.method(self.model.method).makers()["generator"](self.model)
        if not isinstance(network, kind):
            raise CheckpointError(
                f"the checkpoint is one of {self.model.method}, whose generator cannot do that; expected one of "
                f"{registry.DEFAULT}"
            )
        load_part(network, self.part("ema"), "ema")
        return network.to(device).eval().requires_grad_(False)

    @property
    def precision(self) -> str:
        """The precision of the training, for `use_precision_of`, and `auto` where it is unknown."""
        own = (self.run or {}).get("train", {}).get("precision")
        return str(own) if own in get_args(Precision) else "auto"

    def for_sampling(self) -> Checkpoint:
        """Return only what sampling needs, in half precision, without a path of the machine that it was trained on.

        The run's videos have no path, and of a protocol's file its name alone is left.
        """
        return self._halved("ema")

    def abridged(self) -> Checkpoint:
        """Return what training needs to go on about as well, in a third of the bytes: the networks in half precision.

        The state of the optimisers is left out, and paths are as in `for_sampling`. Training that goes on from this is
        not what it would have been. Raises CheckpointError for a file for sampling.
        """
        if missing := registry.method(self.model.method).makers().keys() - {*self.parts}:
            self.part(min(missing))
        return self._halved(*(part for part in self.parts if not part.endswith(_OPTIMIZER)))

    def _halved(self, *parts: str) -> Checkpoint:
        halves = {f"{part}.{name}": _half(tensor) for part in parts for name, tensor in self.part(part).items()}
        return Checkpoint(self.model, halves, self.fps, self.run and _without_paths(self.run), self.state)


def save(checkpoint: Checkpoint, file: Path) -> None:
    """Write a checkpoint. An interrupted write leaves what was there before. Raises CheckpointError."""
    try:
        with partial_file(file) as partial, partial.open("wb") as out:
            dump(checkpoint, out)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise CheckpointError(f"{file} cannot be written: {cause(error)}") from error


def dump(checkpoint: Checkpoint, out: IO[bytes]) -> None:
    """Write the bytes of a checkpoint. Raises OSError."""
    header = {
        "format": FORMAT,
        "fvd_bench": __version__,
        "model": checkpoint.model.as_dict(),
        "fps": checkpoint.fps,
        "run": checkpoint.run,
        "state": checkpoint.state,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    try:
        torch.save({"header": json.dumps(header, allow_nan=False), "tensors": tensors}, out)
    except RuntimeError as error:  # torch complains that its file is not whole, whatever ended the writing of it
        if isinstance(error.__context__, OSError | KeyboardInterrupt):
            raise error.__context__ from None
        raise


_DAMAGED = (
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError,
    LookupError, struct.error,
)  # fmt: skip
"""What torch and Python's zipfile raise for files that are damaged in one way or another."""


def load(file: str | Path) -> Checkpoint:
    """Read a checkpoint, on the CPU. Raises CheckpointError, which says what is wrong with the file."""
    with opened(file) as stream:
        return read(stream, str(user_path(file)))


def read(stream: IO[bytes], name: str) -> Checkpoint:
    """Read the bytes of a checkpoint, as `load` does. name: what to call them in errors."""
    check_beginning(stream, name)
    try:
        with zipfile.ZipFile(stream) as archive:  # torch does not compare the checksums that it writes
            if (member := archive.testzip()) is not None:
                raise CheckpointError(f"{name} is damaged, in its part {member}: get or make it again")
        stream.seek(0)
        content = torch.load(stream, map_location="cpu", weights_only=True)
    except (*_DAMAGED, OSError) as error:
        raise CheckpointError(f"{name} is damaged, or no checkpoint of stylegan-v") from error
    header, tensors = _parts(content, name)
    if header.get("format") not in (1, FORMAT):
        raise CheckpointError(f"{name} has format {header.get('format')!r}; this version reads 1 and {FORMAT}")
    try:
        described, run, state = _table(header["model"]), header["run"], header["state"]
        run, state = (None if values is None else _table(values) for values in (run, state))
        run = run and {section: _table(values) for section, values in run.items()}
        checkpoint = Checkpoint(registry.read_model(described), tensors, float(header["fps"]), run, state)
    except (KeyError, TypeError, ValueError, OverflowError, ConfigError) as error:
        raise CheckpointError(f"{name} has a header that does not describe a model: {error}") from error
    if header["format"] == 1 and described.get("encoding") == "paper":
        raise CheckpointError(
            f"{name} holds a model of the `paper` preset as it was, with frequencies other than those of the paper's "
            "Eq. 5, which this version cannot compute: train it again, or use the version that made it"
        )
    return checkpoint


def _without_paths(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run without the folders of the machine that it ran on."""
    sections = {**run, "data": {**run.get("data", {}), "path": ""}}
    if protocol := run.get("report", {}).get("protocol"):
        sections["report"] = {**run["report"], "protocol": Path(str(protocol)).name}
    return sections


def _half(tensor: Tensor) -> Tensor:
    """Return a tensor in half precision, or as it is where it holds integers or does not fit into that."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if torch.isfinite(half).all() else tensor


def _table(value: Any) -> dict[str, Any]:  # Any: what JSON holds until it has been checked
    """Return an object of JSON. Raises TypeError for anything else."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.60} stands where an object is expected")
    return value


def _parts(content: object, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if isinstance(content, dict) and isinstance(text := content.get("header"), str):
        tensors = content.get("tensors")
        header = json_object(text)
        named = isinstance(tensors, dict) and all(isinstance(t, Tensor) for t in tensors.values())
        if header is not None and isinstance(tensors, dict) and named:
            return header, tensors
    raise CheckpointError(
        f"{name} is a file of torch, but no checkpoint of stylegan-v: header and tensors are expected"
    )

"""Tensors of networks that others trained, from files that the user names. Nothing here runs what a file holds."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from stylegan_v.checkpoints.files import opened
from stylegan_v.errors import CheckpointError

_READ_ERRORS = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, SafetensorError)
"""What damaged or hostile files raise; nothing in them has run."""


def read_weights(file: Path, what: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read the tensors of these names and shapes, in float32, from a .safetensors file or a state dict of torch.

    what: what messages call the weights. A state dict may stand under the name `state_dict`, and its names may begin
    with `module.`. Tensors of other names are left alone. Raises CheckpointError.
    """
    with opened(file) as stream:
        try:
            if file.suffix.lower() == ".safetensors":
                content: object = load_safetensors(stream.read())
            else:
                content = torch.load(stream, map_location="cpu", weights_only=True)
        except _READ_ERRORS as error:
            raise CheckpointError(
                f"{file} is damaged, or holds more than tensors, such as a program; {what} are read from a "
                ".safetensors file or a state dict of torch"
            ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise CheckpointError(f"{file} holds no named tensors; expected {what}")
    named = {str(name).removeprefix("module."): tensor for name, tensor in state.items()}
    return {name: _tensor(file, what, name, named.get(name), shape) for name, shape in shapes.items()}


def _tensor(file: Path, what: str, name: str, found: object, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(found, Tensor):
        raise CheckpointError(f"{file} has no {name}; expected {what}")
    if tuple(found.shape) != shape or not found.is_floating_point():
        raise CheckpointError(
            f"{file}: {name} has shape {list(found.shape)} and type {found.dtype}, expected {list(shape)} of {what}"
        )
    return found.float()

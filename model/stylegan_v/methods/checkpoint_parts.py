"""Networks as parts of a checkpoint: tensors by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stylegan_v.errors import CheckpointError

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def load_part(network: torch.nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copy tensors into a network of the same names and shapes. Raises CheckpointError, naming the first difference."""
    expected = network.state_dict()
    missing, unknown = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing or unknown:
        what = f"has no {min(missing)}" if missing else f"has an unknown {min(unknown)}"
        raise CheckpointError(f"part {name!r} {what}: it belongs to another model")
    for key, tensor in tensors.items():
        dtypes = _FLOATS if expected[key].is_floating_point() else (expected[key].dtype,)
        if tensor.shape != expected[key].shape or tensor.dtype not in dtypes:
            found, wanted = list(tensor.shape), list(expected[key].shape)
            raise CheckpointError(f"part {name!r}: {key} has shape {found} and type {tensor.dtype}, expected {wanted}")
    network.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in tensors.items()})

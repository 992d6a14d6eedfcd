"""Checks whether weights are the right ones, and whether their network behaves as it should on this device."""

from __future__ import annotations

from pathlib import Path

import torch

from fvd_bench.errors import WeightsError
from fvd_bench.networks import fingerprint, weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.environment import device_name, inputs_on, resolve_device
from fvd_bench.networks.i3d import WEIGHTS, build
from fvd_bench.settings import Device


def verify(name: str, *, file: Path | None, device: Device) -> list[str]:
    """Return findings, a sentence each, about the weights in the store or in a file.

    file: None for the store.
    Raises WeightsError when the weights are absent, damaged or not the expected ones, or when the network misbehaves.
    """
    loaded = weights.verify(name) if file is None else weights.load(name, path=file)
    known = weights.WEIGHTS[name].digest is not None
    lines = [
        f"{name}: {loaded.path}",
        f"tensors: {len(loaded.tensors)}, digest {loaded.digest}",
        "the digest is the expected one"
        if known
        else "no digest of these weights is published; nothing to compare with",
    ]
    if name == WEIGHTS:
        where = resolve_device(device)
        network = build(loaded.tensors, where)
        with torch.inference_mode(), float32_arithmetic("float32"):
            distances = fingerprint.measure(network, device=inputs_on(where))
        found = fingerprint.diagnose(distances)
        if not found.right:
            raise WeightsError(f"the tensors are right, but on {device_name(where)} they behave like {found.message}")
        lines.append(f"behaviour on {device_name(where)}: {found.message}")
    return lines

"""The device that networks run on, and the versions of the software that a score depends on.

Networks begin here: asking for a device or a version loads torch, which takes seconds. So evaluations check their sides
and protocols first.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from fvd_bench.errors import FvdBenchError
from fvd_bench.settings import Device

NEUTRAL = frozenset({"threads"})
"""Keys of `describe` whose values change no digit of a score. They are recorded so that this can be checked."""


def resolve_device(name: Device) -> str:
    """Return `cpu`, `cuda` or `mps`. Raises FvdBenchError when a GPU is asked for and there is none."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise FvdBenchError(
            "device cuda is asked for, but torch finds no CUDA device; use --device cpu, or install a driver and "
            f"a torch build that match (this one is {torch.__version__})"
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise FvdBenchError(
            "device mps is asked for, but torch finds no GPU of a Mac that it can use; use --device cpu (this is torch "
            f"{torch.__version__} on {platform.system()})"
        )
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def threads(device: str) -> int:
    """Return how many processors a network keeps busy while it runs on a device."""
    import torch

    return torch.get_num_threads() if device == "cpu" else 1


def device_name(device: str) -> str:
    """Return the usual name of the device: the GPU's, or the processor's architecture and vector instructions."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "mps":
        return f"mps ({platform.machine()}, macOS {platform.mac_ver()[0]})"
    return f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"


def feature_versions(device: str) -> dict[str, str]:
    """Return the version of everything outside this package that may change a feature."""
    import torch
    from PIL import features as pillow_features

    return {
        "torch": torch.__version__,
        "numpy": _version("numpy"),
        "pillow": f"{_version('pillow')} (libjpeg {pillow_features.version('jpg')})",
        "av": _av_version(),
        "torch-fidelity": _version("torch-fidelity"),
        "device": device_name(device),
    }


def describe(device: str, precisions: Iterable[str]) -> dict[str, str]:
    """Return what a result says about where it was made. precisions: those of the networks' arithmetic."""
    import torch

    return {
        "python": platform.python_version(),
        "scipy": _version("scipy"),
        **feature_versions(device),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "precision": ", ".join(sorted(set(precisions))),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache  # every key of a feature has it, and it is read from files
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _av_version() -> str:
    """Return the version of PyAV with those of FFmpeg's libraries, which matter most. Frame folders need neither."""
    try:
        import av
    except ImportError:
        return "absent"
    libraries = {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")}
    return f"{av.__version__} (libavcodec {libraries['libavcodec']}, libswscale {libraries['libswscale']})"

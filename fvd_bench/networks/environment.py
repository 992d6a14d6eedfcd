"""The device that networks run on, and the versions of the software that a score depends on.

Torch takes seconds to load, and is loaded here only where it alone knows the answer: what it says of this processor is
remembered for later runs.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fvd_bench.errors import FvdBenchError
from fvd_bench.networks.network import BATCH_FRAMES
from fvd_bench.networks.remembered import key_of, recall, remember
from fvd_bench.settings import Device

NEUTRAL = frozenset({"threads"})
"""Keys of `describe` whose values change no digit of a score. They are recorded so that this can be checked."""


_ABSENT = "absent"
"""What stands for the version of a package that is not installed."""


def resolve_device(name: Device) -> str:
    """Return `cpu`, `cuda`, `mps` or `openvino`. Raises FvdBenchError when a GPU is asked for and there is none, or
    OpenVINO and it is not installed."""
    if name == "cpu" or (name == "auto" and "torch" not in sys.modules and _has_no_gpu()):
        return "cpu"
    if name == "openvino":
        if importlib.util.find_spec("openvino") is None:
            raise FvdBenchError(
                "device openvino is asked for, but OpenVINO is not installed: `pip install 'fvd-bench[openvino]'`, or "
                "use --device cpu"
            )
        return name
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


def inputs_on(device: str) -> str:
    """Return torch's name of the device on which a network that runs on a device wants its inputs."""
    return "cpu" if device == "openvino" else device


def micro_batch(device: str) -> int:
    """Return how many frames go through I3D at a time. The usual ones keep a processor busy, a GPU wants more."""
    return 512 if device == "cuda" else BATCH_FRAMES


def check_torch(device: str, what: str) -> None:
    """Raise FvdBenchError where another engine is asked for than torch, which alone computes this."""
    if device == "openvino":
        raise FvdBenchError(f"device openvino runs I3D alone, not {what}: use --device cpu")


def _has_no_gpu() -> bool:
    """Return whether torch would find no GPU for sure: Linux has no file for one."""
    return sys.platform == "linux" and not any(Path(file).exists() for file in _GPU_FILES)


_GPU_FILES = (
    "/dev/nvidiactl",
    "/dev/nvidia0",
    "/dev/nvidia-uvm",
    "/dev/dxg",
    "/dev/kfd",
    "/dev/nvhost-gpu",
    "/dev/nvmap",
)
"""What CUDA and ROCm need: drivers of graphics cards, of WSL, of AMD, and of Jetson."""


def threads(device: str) -> int:
    """Return how many processors a network keeps busy while it runs on a device."""
    import torch

    return torch.get_num_threads() if device in ("cpu", "openvino") else 1


def device_name(device: str) -> str:
    """Return the usual name of the device: the GPU's, or the processor's architecture and vector instructions."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    if device == "mps":
        return f"mps ({platform.machine()}, macOS {platform.mac_ver()[0]})"
    if device == "openvino":
        return f"openvino {_version('openvino')} ({platform.machine()}, {instructions()})"
    return f"cpu ({platform.machine()}, {instructions()})"


@functools.cache
def instructions() -> str:
    """Return the vector instructions that torch uses on this processor."""
    key = _processor_key()
    known = None if key is None or "torch" in sys.modules else recall(key)
    if isinstance(known, str):
        return known
    import torch

    found = torch.backends.cpu.get_cpu_capability()
    if key is not None:
        remember(key, found)
    return found


def _processor_key() -> str | None:
    """Return the digest of what torch's choice of instructions depends on. None where this system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    about = sorted({line for line in lines if line.partition(":")[0].strip() in _CPU_LINES})
    return key_of("instructions", _torch_version(), platform.machine(), os.environ.get("ATEN_CPU_CAPABILITY"), about)


_CPU_LINES = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU part", "isa")


def _torch_version() -> str:
    """Return torch's version, which the name of its file says without loading it."""
    if (loaded := sys.modules.get("torch")) is not None:
        return str(loaded.__version__)
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return _ABSENT
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE)
    if found is None:
        import torch

        return str(torch.__version__)
    return found[1]


def feature_versions(device: str) -> dict[str, str]:
    """Return the version of everything that may change a feature of any network, but `keys.ENGINE`."""
    from PIL import features as pillow_features

    larger = {} if (frames := micro_batch(device)) == BATCH_FRAMES else {"micro-batch": f"{frames} frames"}
    return {
        "torch": _torch_version(),
        "numpy": _version("numpy"),
        "pillow": f"{_version('pillow')} (libjpeg {pillow_features.version('jpg')})",
        "av": _av_version(),
        "torch-fidelity": _version("torch-fidelity"),
        "device": device_name(device),
        **larger,
    }


OF_ALL = frozenset({"torch", "numpy", "pillow", "av", "torch-fidelity", "device", "micro-batch"})
"""The names in `feature_versions`."""


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages by name, `absent` for those that are not installed."""
    return {package: _version(package) for package in packages}


def absent(packages: Iterable[str]) -> list[str]:
    """List the packages that are not installed."""
    return [package for package, found in package_versions(packages).items() if found == _ABSENT]


def made_with(packages: Iterable[str], device: str) -> dict[str, str]:
    """Return the versions of what is part of a network besides torch: its packages, and another engine that runs it."""
    return package_versions([*packages, "openvino"] if device == "openvino" else packages)


def describe(device: str, precisions: Iterable[str], networks: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a result says about where it was made.

    precisions: those of the networks' arithmetic. networks: the versions that these have by themselves.
    """
    torch = sys.modules.get("torch")  # where it was not loaded, no network ran
    return {
        "python": platform.python_version(),
        "scipy": _version("scipy"),
        **feature_versions(device),
        **dict(sorted((networks or {}).items())),
        "instructions": instructions(),
        "threads": str(torch.get_num_threads() if torch else 0),
        "precision": ", ".join(sorted(set(precisions))),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache  # every key of a feature has it, and it is read from files
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return _ABSENT


def _av_version() -> str:
    """Return the version of PyAV with those of FFmpeg's libraries, which matter most. Frame folders need neither."""
    try:
        import av
    except ImportError:
        return _ABSENT
    libraries = {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")}
    return f"{av.__version__} (libavcodec {libraries['libavcodec']}, libswscale {libraries['libswscale']})"

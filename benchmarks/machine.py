"""The machine that a benchmark ran on, and where its results go."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

import torch

from fvd_bench.atomic import write_text
from fvd_bench.networks import NETWORKS, environment, own_versions

RESULTS = Path(os.environ.get("RESULTS") or Path(__file__).parent / "results")
"""The variable RESULTS names another folder."""


def parser(device: str = "cuda") -> argparse.ArgumentParser:
    """Return the options of a script that a GPU can run, and a CPU rehearse. device: where, unless it is said."""
    options = argparse.ArgumentParser()
    options.add_argument("--device", default=device, choices=["cpu", "cuda"])
    options.add_argument("--tiny", action="store_true", help="a rehearsal, whose numbers mean nothing")
    return options


def machine(device: str = "cpu") -> dict[str, str]:
    """Return the name of the device and the versions of everything that matters."""
    i3d = own_versions([NETWORKS["i3d"].rule("i3d")], device)
    return {"name": device_name(device), **environment.describe(device, ["float32"], i3d)}


def device_name(device: str) -> str:
    """Return the GPU's name, or the processor's with the number of its cores."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return f"{model[1] if model else 'CPU'}, {os.cpu_count()} cores"


def write(name: str, doc: str | None, table: dict[str, Any], *, device: str = "cpu") -> None:
    """Write NAME-DEVICE.json: the question (first line of the script's doc), the machine, and the answer."""
    question = (doc or "").splitlines()[0].removeprefix("Question: ")
    file = result_file(name, ".json", device)
    write_text(file, json.dumps({"question": question, "machine": machine(device), **table}, indent=1) + "\n")
    print(f"wrote {file}", flush=True)


def result_file(name: str, ending: str, device: str) -> Path:
    """Return the path of a result, with the device's name in it, and make its folder."""
    slug = re.sub(r"[^a-z0-9]+", "-", device_name(device).lower()).strip("-")
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / f"{name}-{slug}{ending}"

"""Tests under the lowest and the highest versions that pyproject.toml allows: `python -m tests.versions [FOLDER]`.

It makes two environments below FOLDER (build/versions), each of some 6 GB, most of them torch's: one of the lowest
Python and packages, one of the newest Python that there is here and the newest packages that it can have. Run again,
it brings them up to date. An exit code of 1 says that tests fail in one of them.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = "h5,train,torchmetrics,lightning,dev"

TESTS = (
    "tests/test_imports.py",  # every module
    "tests/toolkit/videos/test_file.py",  # av
    "tests/toolkit/videos/test_decoding.py",  # av, and processes
    "tests/toolkit/videos/test_decoder_start.py",  # av
    "tests/toolkit/videos/test_uncommon.py",  # av
    "tests/toolkit/videos/test_alpha.py",  # av, pillow
    "tests/toolkit/videos/test_orientation.py",  # av, pillow
    "tests/toolkit/videos/test_animation.py",  # pillow
    "tests/toolkit/videos/test_images.py",  # pillow
    "tests/toolkit/test_random_stream.py",  # numpy
    "tests/toolkit/metrics/test_frechet.py",  # scipy
    "tests/toolkit/sources/test_array_files.py",  # torch, safetensors, h5py
    "tests/toolkit/sources/test_addresses.py",  # fsspec, aiohttp
    "tests/toolkit/sources/test_hub_datasets.py",  # datasets
    "tests/toolkit/networks/test_arithmetic.py",  # torch, whose settings changed in 2.9
    "tests/toolkit/networks/test_weight_download.py",  # pypi-simple, requests
    "tests/toolkit/networks/test_i3d.py",  # torch, on the real weights
    "tests/toolkit/networks/test_winograd.py",  # torch's batched products
    "tests/toolkit/networks/test_lanes.py",  # torch's threads
    "tests/toolkit/networks/test_inception.py",  # torch-fidelity
    "tests/toolkit/networks/test_vision_transformers.py",  # transformers
    "tests/toolkit/networks/test_transformer_weights.py",  # huggingface-hub
    "tests/toolkit/cli/test_inspect.py",  # click, rich
    "tests/toolkit/evaluation/test_result.py",  # pandas, jsonschema
    "tests/toolkit/evaluation/statistics/test_statistics.py",  # numpy, whose savez has other arguments from 2.1 on
    "tests/toolkit/evaluation/test_result_features.py",  # numpy, the same
    "tests/toolkit/integrations/test_torchmetrics.py",  # torchmetrics
    "tests/toolkit/integrations/test_lightning.py",  # lightning
    "tests/toolkit/reports/test_notebook.py",  # ipython, matplotlib
    "tests/toolkit/evaluation/test_training_docs.py",  # wandb
    "tests/model/studies/test_editing.py",  # open_clip
    "tests/model/training/test_log.py",  # tensorboard
    "tests/model/training/test_trainer.py",  # torch's optimisers and derivatives
)
"""Each dependency is used by one of them as the package uses it; the demo joins them all."""


def lowest_python() -> str:
    """The oldest Python that is allowed, such as `3.11`."""
    return str(PROJECT["requires-python"]).removeprefix(">=")


def pythons() -> list[str]:
    """The Pythons that the classifiers name, the oldest first."""
    found = [re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", text) for text in PROJECT["classifiers"]]
    return [f"3.{minor}" for minor in sorted(int(match[1]) for match in found if match)]


def lowest_packages() -> list[str]:
    """Each requirement at its lower bound, such as `av==17`, as pip's constraints have it: without extras."""
    extras = PROJECT["optional-dependencies"].values()
    needs = [need for group in (PROJECT["dependencies"], *extras) for need in group]
    return sorted({re.sub(r"\[.*\]", "", need).replace(">=", "==") for need in needs})


def interpreter(version: str) -> Path | None:
    """A Python of this version: on the path, or installed by pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    on_path = shutil.which(f"python{version}")  # which may be pyenv's stand-in for one that is not chosen
    for python in (*([Path(on_path)] if on_path else []), *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))):
        try:
            said = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if said.startswith(f"Python {version}."):
            return python
    return None


def environment(folder: Path, python: Path, *options: str) -> Path:
    """Make an environment, or bring it up to date, and give its Python. options: of `pip install`."""
    if not (folder / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
    inside = folder / "bin" / "python"
    subprocess.run([inside, "-m", "pip", "install", "--quiet", *options, "--editable", f"{ROOT}[{EXTRAS}]"], check=True)
    return inside


def passes(python: Path, *arguments: str) -> bool:
    """Whether a module ends well in an environment."""
    print("$", python, "-m", *arguments, flush=True)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([python, "-m", *arguments], cwd=ROOT, env=one_thread, check=False).returncode == 0


def main() -> None:
    """Run the tests in both environments."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "versions").absolute()
    there = {version: python for version in pythons() if (python := interpreter(version))}
    if lowest_python() not in there:
        sys.exit(f"tests.versions: Python {lowest_python()}, the lowest that is allowed, is not found here: install it")
    newest = list(there)[-1]
    if newest != pythons()[-1]:
        print(f"tests.versions: there is no Python {pythons()[-1]} here, so {newest} is the newest", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    bounds = folder / "lowest.txt"
    bounds.write_text("\n".join(lowest_packages()) + "\n")
    lowest = environment(folder / "lowest", there[lowest_python()], "--constraint", str(bounds))
    highest = environment(folder / "highest", there[newest], "--upgrade", "--upgrade-strategy", "eager")
    tests = ("pytest", "-n", "2", "--dist", "loadfile", "-m", "not slow and not gpu", *TESTS)
    demo = ("fvd_bench", "demo", "--folder")
    done = [passes(python, *demo, str(python.parents[1] / "demo")) for python in (lowest, highest)]
    done += [passes(highest, "mypy"), passes(lowest, *tests), passes(highest, *tests)]
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()

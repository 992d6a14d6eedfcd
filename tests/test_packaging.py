"""The wheel, built and installed away from the checkout, works from any folder."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from fvd_bench.networks import weights
from tests import versions

ROOT = Path(__file__).parents[1]
PROJECT = versions.PROJECT


def test_requirements_have_a_lower_bound_and_no_other() -> None:
    """An upper one would keep people from versions that work; the lower ones are tried by `make test-versions`."""
    bounds = versions.lowest_packages()

    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", bound) for bound in bounds), bounds  # pip takes no extras here
    assert len({bound.partition("==")[0] for bound in bounds}) == len(bounds)  # one bound each, in all of the lists


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_commands_of_the_readme_need_the_python_that_the_package_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(re.findall(r"Python (3\.\d+) or newer", (ROOT / "README.md").read_text())) == {versions.lowest_python()}
    assert versions.pythons()[0] == versions.lowest_python()
    lowest = tuple(map(int, versions.lowest_python().split(".")))
    made = ["make", "--dry-run", "demo", f"VENV={tmp_path}", "PYTHON=python3"]
    commands = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (check,) = re.findall(r"^python3 -c '(.*)'$", commands, re.MULTILINE)

    monkeypatch.setattr(sys, "version_info", (*lowest, 0))
    exec(check)
    monkeypatch.setattr(sys, "version_info", (lowest[0], lowest[1] - 1, 9))
    with pytest.raises(SystemExit, match=f"^Python {versions.lowest_python()} or newer is needed, this is 3\\.10"):
        exec(check)


def test_every_package_folder_is_listed() -> None:
    """An unlisted one would work in an editable install and be missing from the wheel."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {_folder(package, setup["package-dir"]) for package in setup["packages"]}

    found = {
        str(file.parent.relative_to(ROOT))
        for top in ("fvd_bench", "protocols", "model")
        for file in (ROOT / top).rglob("__init__.py")
    }

    assert found == folders


def _folder(package: str, folders: dict[str, str]) -> str:
    """Where a package is, by its own entry or its parent's."""
    if package in folders:
        return folders[package]
    parent, _, name = package.rpartition(".")
    return f"{_folder(parent, folders)}/{name}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the commands of an environment that holds the wheel, and of this one only its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-isolation", "--skip-dependency-check", "--outdir", str(folder / "dist")]
    subprocess.run([sys.executable, "-m", "build", *options, str(ROOT)], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "env")
    python = folder / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    # A path in a .pth file adds that folder alone, so the editable install in it stays unseen.
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", python]  # sooner than to install one there
    install = [*pip, "install", "--quiet", "--no-deps", "--no-compile", wheel]  # Python compiles what is used
    subprocess.run(install, check=True, capture_output=True, env=_environment())
    return folder / "env" / "bin"


def _environment() -> dict[str, str]:
    """Without the checkout, in which pip would find the package installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _run(command: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )


def test_the_wheel_is_what_runs_and_finds_its_protocols(installed: Path, tmp_path: Path) -> None:
    where = _run([installed / "python", "-c", "import fvd_bench; print(fvd_bench.__file__)"], tmp_path)
    listed = _run([installed / "fvd-bench", "protocols", "list"], tmp_path)

    assert str(installed.parent) in where.stdout
    assert listed.returncode == 0, listed.stderr
    assert "stylegan-v-fvd16" in listed.stdout


def test_the_wheel_has_the_model_and_its_runs(installed: Path, tmp_path: Path) -> None:
    program = (
        "from stylegan_v.networks.config import model_config; from stylegan_v.networks.generator import Generator; "
        "print(sum(p.numel() for p in Generator(model_config('small', resolution=64)).parameters()))"
    )
    counted = _run([installed / "python", "-c", program], tmp_path)
    runs = _run([installed / "stylegan-v", "train", "--config", "none", "--out", "run"], tmp_path)

    assert counted.stdout == "4159087\n", counted.stderr
    assert runs.stderr.endswith("a run that ships: ffs, mead, rainbow_jelly, sky_timelapse, ucf101\n"), runs.stderr


def test_nothing_but_its_packages_is_installed(installed: Path, tmp_path: Path) -> None:
    for name in ("model", "protocols", "references", "tests", "benchmarks", "runs"):
        done = _run([installed / "python", "-c", f"import {name}; print({name}.__file__)"], tmp_path)
        assert str(installed.parent) not in done.stdout
        assert str(ROOT / name) not in done.stdout  # torch-fidelity installs a `tests` of its own elsewhere


@pytest.mark.slow
def test_the_selftest_passes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    weights.load("i3d-kinetics-400")

    done = _run([installed / "fvd-bench", "selftest"], tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr

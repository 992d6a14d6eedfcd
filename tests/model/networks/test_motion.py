"""Motion codes and the embedding of time."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

from stylegan_v.networks.config import model_config
from stylegan_v.networks.motion import AcyclicEncoding, MotionEncoder, MotionMapping, keyed_noise
from tests.model.networks.conftest import stored_noise

DISTANCE = 16


@pytest.fixture(params=["release", "paper"])
def encoder(request: pytest.FixtureRequest) -> MotionEncoder:
    torch.manual_seed(5)
    dims = dict.fromkeys(("noise_dim", "u_dim", "v_dim"), 32)
    return MotionEncoder(model_config(request.param, **dims)).double().requires_grad_(False)


def at(encoder: MotionEncoder, *times: float) -> Tensor:
    return encoder(torch.tensor([times], dtype=torch.float64), keyed_noise(3, torch.tensor([9]), 32))[0]


@pytest.mark.parametrize("anchor", [16.0, 48.0, 1600.0])
def test_time_is_continuous_at_codes_and_equals_the_aligner_there(encoder: MotionEncoder, anchor: float) -> None:
    code, _ = encoder.codes(torch.tensor([[anchor]], dtype=torch.float64), keyed_noise(3, torch.tensor([9]), 32))
    aligned = encoder.encoding.aligners(code)[0, 0]
    jumps = []
    for distance in (1e-2, 1e-4, 1e-6):
        before, exactly, after = at(encoder, anchor - distance, anchor, anchor + distance)
        torch.testing.assert_close(exactly, aligned)
        jumps.append(max((exactly - before).abs().max().item(), (after - exactly).abs().max().item()))

    assert jumps[1] < jumps[0] / 50
    assert jumps[2] < jumps[1] / 50
    assert jumps[0] > 1e-6  # and it moves


def test_time_moves_between_codes_and_never_comes_back(encoder: MotionEncoder) -> None:
    v = at(encoder, *[0.5 * step for step in range(400)])

    distances = torch.cdist(v, v) + 1e9 * torch.eye(len(v))
    assert distances.min() > 1e-2


def test_a_noise_vector_touches_twenty_one_codes() -> None:
    mapping = MotionMapping(8, 8, 11).double()
    noise = torch.randn(1, 86, 8, dtype=torch.float64)
    changed = noise.clone()
    changed[0, 30] += 1

    touched = (mapping(noise) - mapping(changed)).abs().amax(dim=(0, 2)).nonzero().flatten().tolist()

    assert mapping(noise).shape == (1, 66, 8)
    assert touched == list(range(10, 31))


def test_codes_of_single_times_are_those_of_the_whole_sequence(encoder: MotionEncoder) -> None:
    sequence = torch.randn(2, 90, 32, dtype=torch.float64)
    times = torch.tensor([[0.0, 15.9, 16.0, 500.3], [33.3, 34.0, 1000.0, 7.0]], dtype=torch.float64)

    left, right = encoder.codes(times, stored_noise(sequence))

    whole = encoder.mapping(sequence)
    for video in range(2):
        for place, time in enumerate(times[video].tolist()):
            torch.testing.assert_close(left[video, place], whole[video, int(time // DISTANCE)])
            torch.testing.assert_close(right[video, place], whole[video, int(time // DISTANCE) + 1])


def test_a_late_time_asks_for_as_much_noise_as_an_early_one(encoder: MotionEncoder) -> None:
    asked = []

    def noise(tokens: Tensor) -> Tensor:
        asked.append(tokens)
        return keyed_noise(3, torch.tensor([9]), 32)(tokens)

    for time in (0.0, 1e5, 3.6e6):
        encoder(torch.tensor([[time]], dtype=torch.float64), noise)

    assert [tuple(tokens.shape) for tokens in asked] == [(1, 22)] * 3
    assert asked[1].min() == 6250


def test_motion_is_the_same_however_long_the_clip(encoder: MotionEncoder) -> None:
    alone = at(encoder, 40.25)[0]
    among_others = at(encoder, 0, 40.25, 1000, 99999)[1]

    torch.testing.assert_close(alone, among_others, rtol=0, atol=1e-12)


def test_videos_and_seeds_move_differently(encoder: MotionEncoder) -> None:
    times = torch.full((3, 1), 5.0, dtype=torch.float64)

    v = encoder(times, keyed_noise(3, torch.tensor([1, 2, 2]), 32))
    other = encoder(times, keyed_noise(4, torch.tensor([1, 2, 2]), 32))

    assert torch.equal(v[1], v[2])
    assert not torch.isclose(v[0], v[1]).any()
    assert not torch.isclose(v, other).any()


def test_a_time_just_below_a_code_is_on_one_side_of_it() -> None:
    """float64 times that float32 rounds up to a code must not jump there."""
    torch.manual_seed(0)
    encoder = MotionEncoder(model_config("release", **dict.fromkeys(("noise_dim", "u_dim", "v_dim"), 32)))
    times = torch.tensor([[79.99, 79.99999999999999, 80.0, 80.01]], dtype=torch.float64)

    v = encoder(times, keyed_noise(3, torch.tensor([9]), 32))[0]

    torch.testing.assert_close(v[1], v[2], rtol=0, atol=1e-5)
    torch.testing.assert_close(v, v[2].expand(4, -1), rtol=0, atol=0.05)


@pytest.mark.parametrize("preset", ["release", "paper"])
def test_late_motion_does_not_drift(preset: str) -> None:
    """A network of float32 against the same one in float64, at times that float32 rounds: after eleven hours."""
    torch.manual_seed(0)
    encoder = MotionEncoder(model_config(preset)).requires_grad_(False)
    exact = copy.deepcopy(encoder).double()
    times = 11 * 3600 * 25 + torch.tensor([[0.3, 7.9, 15.99, 100.0]], dtype=torch.float64)
    noise = keyed_noise(3, torch.tensor([9]), 512)

    v = encoder(times, noise)

    assert v.dtype == torch.float32
    torch.testing.assert_close(v.double(), exact(times, noise), rtol=0, atol=3e-7)
    assert (encoder(times.float(), noise) - v).abs().max() > 0.01  # what it was, and why training clips are early
    whole = times.round().long()
    torch.testing.assert_close(encoder(whole, noise).double(), exact(whole.double(), noise), rtol=0, atol=3e-7)


def test_labels_change_motion() -> None:
    torch.manual_seed(0)
    dims = dict.fromkeys(("noise_dim", "u_dim", "v_dim"), 32)
    encoder = MotionEncoder(model_config("release", num_classes=3, **dims))
    noise = keyed_noise(0, torch.tensor([0, 0]), 32)

    v = encoder(torch.tensor([[5.0], [5.0]]), noise, torch.eye(3)[:2])

    assert not torch.isclose(v[0], v[1], atol=1e-4).all()


def test_initial_statistics_are_the_official_ones() -> None:
    """Root mean squares and means that were measured on the official network at its start."""
    torch.manual_seed(0)
    encoder = MotionEncoder(model_config("release")).requires_grad_(False)
    u = encoder.mapping(torch.randn(4, 200, 512))
    times = torch.rand(20, 8) * 1000
    noise = keyed_noise(0, torch.arange(20), 512)
    v, anchors = encoder(times, noise), encoder((times // 16) * 16, noise)
    code, _ = encoder.codes(times, noise)

    assert u.square().mean().sqrt().item() == pytest.approx(0.537, abs=0.01)
    assert u.mean().item() == pytest.approx(0.245, abs=0.02)
    assert encoder.encoding.periods(code).square().mean().sqrt().item() == pytest.approx(0.54, abs=0.02)
    assert v.square().mean().sqrt().item() == pytest.approx(0.59, abs=0.03)
    assert anchors.square().mean().sqrt().item() == pytest.approx(0.54, abs=0.02)


def test_periods_are_spaced_as_the_code_or_the_paper_says() -> None:
    release = AcyclicEncoding("release", u_dim=8, v_dim=512, min_period=16, max_period=1024)
    far = AcyclicEncoding("release", u_dim=8, v_dim=512, min_period=256, max_period=1024)
    paper = AcyclicEncoding("paper", u_dim=8, v_dim=512, min_period=8, max_period=1024)

    assert release.frequencies[[0, 1, -2, -1]].tolist() == pytest.approx(
        [0.00613592, 0.00623682, 0.38634637, 0.39269909], rel=1e-6
    )
    assert (len(release.phase_scales), release.phase_scales[-1].item()) == (256, pytest.approx(64))
    assert far.frequencies[-1].item() == pytest.approx(0.02454369, rel=1e-6)
    assert far.phase_scales[-1].item() == pytest.approx(4)
    sigma = [2 * torch.pi / (8 + i / 511 * (1024 - 8)) for i in range(512)]  # eq. 6: periods for i from 0 to N
    assert paper.frequencies.tolist() == pytest.approx(sigma, rel=1e-6)


@pytest.mark.parametrize("kind", ["release", "paper"])
def test_frequencies_start_around_their_spacing_and_keep_their_sign(kind) -> None:
    """Eq. 5: (tanh(W u) + 1) σ is between 0 and 2 σ, and σ in the mean while W is what it was drawn as."""
    torch.manual_seed(0)
    encoder = MotionEncoder(model_config(kind)).requires_grad_(False)
    codes = encoder.mapping(torch.randn(8, 84, 512)).flatten(0, 1)

    scales = encoder.encoding.wave_frequencies(codes) / encoder.encoding.frequencies

    assert 0 < scales.min() < 0.2
    assert 1.8 < scales.max() < 2
    assert scales.mean().item() == pytest.approx(1, abs=0.02)


def test_the_papers_waves_are_amplitude_times_sine() -> None:
    torch.manual_seed(0)
    encoding = AcyclicEncoding("paper", u_dim=6, v_dim=10, min_period=8, max_period=1024).double()
    code, time = torch.randn(1, 6, dtype=torch.float64), 12.5
    rows = {
        name: (getattr(encoding, name).weight / 6**0.5 @ code[0]).tolist()
        for name in ("amplitudes", "periods", "phases")
    }
    sigma = [2 * math.pi / (8 + j / 9 * (1024 - 8)) for j in range(10)]

    wave = encoding.waves(code)(torch.tensor([[time]], dtype=torch.float64))[0]

    expected = [
        a * math.sin((math.tanh(w) + 1) * s * time + p)
        for a, w, p, s in zip(rows["amplitudes"], rows["periods"], rows["phases"], sigma, strict=True)
    ]
    assert wave.tolist() == pytest.approx(expected, abs=1e-4)  # frequencies are stored in float32


def test_derivatives(encoder: MotionEncoder) -> None:
    code = torch.randn(2, 3, 32, dtype=torch.float64, requires_grad=True)
    times = torch.tensor([3.0, 17.5, 40.0], dtype=torch.float64)

    assert torch.autograd.gradcheck(lambda c: encoder.encoding(times, c[0], c[1], DISTANCE), (code,), atol=1e-4)

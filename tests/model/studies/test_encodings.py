"""Encodings of time against the paper's equations."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stylegan_v.cli import cli
from stylegan_v.errors import ModelError
from stylegan_v.networks.motion import AcyclicEncoding
from stylegan_v.studies.encodings import cycle, cycle_in_words, exponential, linear, motion_waves, random, spacings


def test_linear_periods_are_those_of_the_encoder() -> None:
    """Eq. 6: σ = 2π over linearly spaced periods."""
    encoding = AcyclicEncoding("paper", u_dim=4, v_dim=12, min_period=8, max_period=1024)

    sigma = [2 * math.pi / (8 + i / 11 * (1024 - 8)) for i in range(12)]

    np.testing.assert_allclose([2 * math.pi / float(period) for period in linear(12).periods], sigma, rtol=1e-12)
    np.testing.assert_allclose(encoding.frequencies.numpy(), sigma, rtol=1e-6)


@pytest.mark.parametrize("periods", [exponential().periods, linear(8).periods, [Fraction(3, 4), Fraction(5, 6)]])
def test_a_cycle_is_the_least_common_multiple(periods: list[Fraction]) -> None:
    found = cycle(periods)
    turns = [found / period for period in periods]

    assert all(turn.denominator == 1 for turn in turns)  # all waves start again
    assert math.gcd(*(turn.numerator for turn in turns)) == 1  # and did not before


def test_cycles_in_order() -> None:
    octaves, drawn, spaced = spacings()

    assert octaves.cycle == 1024 and drawn.cycle is None
    assert spaced.cycle is not None and spaced.cycle > 10**15
    times = np.arange(100.0)
    np.testing.assert_allclose(octaves.waves(times), octaves.waves(times + 1024), atol=1e-10)
    assert np.abs(octaves.waves(times) - octaves.waves(times + 512)).max() > 0.5
    assert np.abs(spaced.waves(times) - spaced.waves(times + 1024)).max() > 0.5
    assert cycle_in_words(octaves) == "starts again after 1,024 frames, 41 seconds"


def test_random_frequencies_are_normal() -> None:
    frequencies = 2 * math.pi / np.array(random(4000).periods, dtype=float)

    assert np.mean(frequencies < 2 * math.pi / 8) == pytest.approx(0.683, abs=0.03)


def test_waves_of_codes_against_the_equations() -> None:
    """Eq. 2 to 5 by hand, from the encoder's own matrices and codes."""
    times = np.array([0.0, 100.0, 255.0, 256.0, 700.5])
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoding = AcyclicEncoding("paper", u_dim=8, v_dim=8, min_period=8, max_period=1024).double()
        u = torch.randn(5, 8, dtype=torch.float64).numpy()
    assert encoding.amplitudes is not None
    matrices = (encoding.amplitudes, encoding.periods, encoding.phases, encoding.aligners)
    w_alpha, w_omega, w_rho, w_a = (m.weight.detach().numpy() / math.sqrt(8) for m in matrices)
    sigma = encoding.frequencies.double().numpy()

    def raw(left: np.ndarray, t: float) -> np.ndarray:
        omega = (np.tanh(w_omega @ left) + 1) * sigma
        return (w_alpha @ left) * np.sin(omega * t + w_rho @ left)

    def stitched(t: float) -> np.ndarray:
        place = int(t // 256)
        blend = t / 256 - place
        ends = (1 - blend) * raw(u[place], 256 * place) + blend * raw(u[place], 256 * (place + 1))
        return raw(u[place], t) - ends + w_a @ ((1 - blend) * u[place] + blend * u[place + 1])

    expected = [[raw(u[int(t // 256)], t), stitched(t)] for t in times]
    np.testing.assert_allclose(motion_waves(times, stitched=False, seed=3).T, [e[0] for e in expected], atol=1e-9)
    np.testing.assert_allclose(motion_waves(times, stitched=True, seed=3).T, [e[1] for e in expected], atol=1e-9)


def test_raw_waves_jump_at_the_codes_and_stitched_ones_do_not() -> None:
    around = np.array([256 - 1e-7, 256.0])

    raw, stitched = (np.ptp(motion_waves(around, stitched=s), axis=1).max() for s in (False, True))

    assert raw > 0.1 and stitched < 1e-6


def test_the_command_draws_and_says_the_cycles(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["encodings", "--out", str(tmp_path / "a.svg")])

    assert done.exit_code == 0, done.output
    assert "exponential: 8 waves, starts again after 1,024 frames, 41 seconds\n" in done.stdout
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert "linear: starts again after 73,604,496,714,808,320 frames" in drawn and "<dc:date>" not in drawn


def test_a_drawing_of_another_kind_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["encodings", "--out", str(tmp_path / "a.gif")])

    assert isinstance(done.exception, ModelError) and "ends in .png or .svg" in str(done.exception)

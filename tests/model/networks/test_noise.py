"""Random numbers by address."""

import numpy as np
import pytest
import torch

from stylegan_v.networks.noise import Purpose, normal, philox, stream_seed, uniform
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

SAMPLES = torch.arange(5)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers(counter: tuple[int], key: tuple[int], expected: tuple[int]) -> None:
    """Of the authors' library, Random123 (tests/kat_vectors)."""
    c0, c1, c2, c3 = (torch.tensor(word) for word in counter)

    assert tuple(int(word) for word in philox((c0, c1, c2, c3), key)) == expected


def test_a_number_depends_on_its_address_alone() -> None:
    all_at_once = normal(7, Purpose.MOTION, SAMPLES[:, None], torch.arange(40), 33)

    alone = normal(7, Purpose.MOTION, torch.tensor(3), 17, 33)
    fewer_elements = normal(7, Purpose.MOTION, torch.tensor(3), 17, 10)

    assert torch.equal(all_at_once[3, 17], alone)
    assert torch.equal(alone[:10], fewer_elements)


@pytest.mark.parametrize(
    "other",
    [
        normal(8, Purpose.MOTION, SAMPLES, 0, 8),
        normal(7 + 2**32, Purpose.MOTION, SAMPLES, 0, 8),
        normal(7, Purpose.CONTENT, SAMPLES, 0, 8),
        normal(7, Purpose.MOTION, SAMPLES + 2**32, 0, 8),
        normal(7, Purpose.MOTION, SAMPLES, 1, 8),
    ],
    ids=["seed", "seed above 32 bits", "purpose", "sample above 32 bits", "token"],
)
def test_every_part_of_the_address_matters(other: torch.Tensor) -> None:
    assert not torch.isclose(normal(7, Purpose.MOTION, SAMPLES, 0, 8), other).any()


def test_numbers_are_distributed_as_they_should() -> None:
    normals = normal(1, Purpose.MOTION, torch.arange(2000), 3, 50).double().numpy()
    uniforms = uniform(1, Purpose.MOTION, torch.arange(2000), 3, 50).numpy()

    assert stats.kstest(normals.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(uniforms.ravel(), "uniform").pvalue > 1e-3
    correlations = np.corrcoef(normals, rowvar=False) - np.eye(50)
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_seeds_of_streams_stay_what_they_are_and_differ_between_steps_and_processes() -> None:
    assert stream_seed(3, 70, 1) == 6_888_355_805_742_469_647
    assert len({stream_seed(3, step, rank) for step in range(4) for rank in range(4)}) == 16

"""Protocols whose numbers stand in their name."""

import tomllib

import pytest

from fvd_bench.errors import ProtocolError, UnknownProtocolError
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.networks import NETWORKS
from fvd_bench.protocols import family, protocol


@pytest.mark.parametrize(
    ("written", "shipped"),
    [
        ("fvd2048_16f", "stylegan-v-fvd16-code"),
        ("fvd2048_16f@1", "stylegan-v-fvd16-code@1"),
        ("stylegan-v-fvd2048_128f", "stylegan-v-fvd128-code"),
        ("fvd2048_128f_subsample8f", "stylegan-v-fvd128-subsample8-code"),
        ("fvd2048_100f", "drivinggen"),
    ],
)
def test_those_of_the_released_code_are_what_ships(written: str, shipped: str) -> None:
    assert load(written).digest() == load(shipped).digest()


def test_the_numbers_are_those_of_the_name() -> None:
    found = load("fvd10000_64f_subsample4f")

    assert found.name == "stylegan-v-fvd10000_64f_subsample4f"
    assert found.version == load(family.BASE).version
    for rule in (found.real, found.fake):
        assert (rule.count, rule.frames, rule.stride, rule.frames_needed) == (10000, 16, 4, 64)
    assert "every 4th of 64 frames of 10000 videos a side" in found.summary
    assert "every 2nd of 64 frames" in load("fvd10000_64f_subsample2f").summary
    assert "fvd10000_64f_subsample4f" in found.source
    assert found.signature().startswith("stylegan-v-fvd10000_64f_subsample4f@2|")
    assert len({load(name).digest() for name in ("fvd2048_16f", "fvd10000_16f", "fvd2048_17f")}) == 3


def test_a_saved_copy_is_what_it_says_and_an_edited_one_is_not(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(protocol.text("fvd10000_16f"))
    assert protocol.load(str(file)) == protocol.load("fvd10000_16f")
    assert tomllib.loads(file.read_text())["count"]["real"] == 10000

    file.write_text(file.read_text().replace("real = 10000", "real = 9999"))
    with pytest.raises(ProtocolError, match="not what ships with fvd-bench under this name"):
        protocol.load(str(file))


def test_the_shortest_clip_is_that_of_the_network() -> None:
    assert NETWORKS[load(family.BASE).features.extractor].fewest_frames == family.FEWEST_FRAMES


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("fvd2048_8f", "clips of 8 frames are too short for I3D, which needs 9"),
        ("stylegan-v-fvd2048_64f_subsample8f", "clips of 8 frames are too short"),
        ("fvd2048_100f_subsample8f", "every 8th frame is taken, and 100 is no multiple of it"),
        ("fvd2048_100f_subsample3f", "every 3rd frame is taken, and 100 is no multiple of it"),
        ("fvd1_16f", "at least 2 videos of each side"),
        ("fvd2048_16", "the numbers in a name are written fvd2048_16f, fvd10000_100f or"),
        ("fvd02048_16f", "the numbers in a name are written"),
        ("fvd2k_16f", "the numbers in a name are written"),
        ("fvd2048_16f_subsample0f", "the numbers in a name are written"),
        ("fvd2048_16f@3", "there is no version '3'"),
        ("fid50k_full", "no protocol is named 'fid50k_full'"),
    ],
)
def test_what_is_written_wrong_is_taught(written: str, message: str) -> None:
    with pytest.raises(UnknownProtocolError, match=message) as error:
        load(written)

    assert error.value.exit_code == 2

"""Parameter counts, as the official networks and formulas for the others give them."""

from __future__ import annotations

import pytest

from stylegan_v.baselines.registry import describe
from stylegan_v.networks.config import PRESETS, model_config
from stylegan_v.networks.parameter_counts import discriminator_parameters, generator_parameters

RELEASE_GENERATOR = {
    "total": 32_105_941,
    "mapping": 525_312,
    "motion": 6_292_480,
    "b4": 5_516_803,
    "b8": 5_509_123,
    "b16": 5_509_123,
    "b32": 5_509_123,
    "b64": 2_296_067,
    "b128": 705_667,
    "b256": 242_243,
}
RELEASE_DISCRIMINATOR = {
    "total": 25_333_568,
    "time_table": 262_144,
    "mapping": 808_448,
    "b256": 119_232,
    "b128": 475_520,
    "b64": 1_901_312,
    "b32": 3_670_784,
    "b16": 6_292_480,
    "b8": 4_981_760,
    "b4": 6_821_888,
}


def test_each_part_of_the_release_preset_has_the_official_size() -> None:
    assert describe(model_config("release")) == {
        "preset": "release",
        "resolution": 256,
        "frames": 3,
        "classes": 0,
        "generator": RELEASE_GENERATOR,
        "discriminator": RELEASE_DISCRIMINATOR,
    }


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [
        (64, 31_158_031, 24_739_840),
        (128, 31_863_698, 25_214_848),
        (256, 32_105_941, 25_333_568),
        (512, 37_615_064, 30_315_328),
        (1024, 37_708_539, 30_344_992),
    ],
)
def test_other_resolutions(resolution: int, generator: int, discriminator: int) -> None:
    config = model_config("release", resolution=resolution)

    assert generator_parameters(config)["total"] == generator
    assert discriminator_parameters(config)["total"] == discriminator
    assert config.num_ws == {64: 10, 128: 12, 256: 14, 512: 16, 1024: 18}[resolution]
    assert generator_parameters(config)["motion"] == RELEASE_GENERATOR["motion"]


@pytest.mark.parametrize(
    ("frames", "divisor", "total"),
    [
        (1, 2, 21_379_393),
        (2, 2, 23_881_536),
        (3, 2, 25_333_568),
        (4, 2, 26_785_600),
        (8, 2, 32_593_728),
        (16, 2, 44_209_984),
        (2, 1, 27_813_952),
        (3, 1, 30_576_704),
        (4, 1, 33_339_456),
        (8, 1, 44_390_464),
        (16, 1, 66_492_480),
    ],
)
def test_other_numbers_of_frames(frames: int, divisor: int, total: int) -> None:
    counts = discriminator_parameters(model_config("release", frames=frames, frame_divisor=divisor))

    assert counts["total"] == total
    assert (frames == 1) == ("mapping" not in counts)


def test_hyper_modulation_costs_what_its_style_layers_hold() -> None:
    plain, modulated = (
        discriminator_parameters(model_config("release", frame_divisor=1, hyper_modulation=on))["total"]
        for on in (False, True)
    )
    released = discriminator_parameters(model_config("release", hyper_modulation=True))["total"]

    assert (plain, modulated, released) == (30_576_704, 32_119_808, 26_482_688)


@pytest.mark.parametrize("frames", [2, 3, 8])
def test_each_part_of_the_paper_preset_has_the_size_of_its_layers(frames: int) -> None:
    config = model_config("paper", frames=frames)
    generator, discriminator = generator_parameters(config), discriminator_parameters(config)
    blocks = {}
    widths = {256: 64, 128: 128, 64: 256, 32: 512, 16: 512, 8: 512, 4: 512}
    for resolution in list(widths)[:-1]:
        into, middle, out = widths[resolution], widths[resolution], widths[resolution // 2]
        into *= frames if resolution == 16 else 1  # 512 features of each frame
        convolutions = 9 * into * middle + middle + 9 * middle * out + out + into * out
        style = into * (512 + 1)  # of the first convolution
        blocks[f"b{resolution}"] = convolutions + style
    blocks["b256"] += 64 * (3 + 1)  # colours

    assert generator == {
        **RELEASE_GENERATOR,
        "motion": 2 * (512 * 512 * 11 + 512) + 4 * 512 * 512,
        "total": RELEASE_GENERATOR["total"] + (4 - 2) * 512 * 512,
    }
    parts = {
        "time_mlp": 512 * (20 + 1) + 512 * (512 + 1),
        "mapping": 512 * ((frames - 1) * 512 + 1) + 2 * 512 * (512 + 1),
        **blocks,
        "b4": RELEASE_DISCRIMINATOR["b4"],
    }
    assert discriminator == {**parts, "total": sum(parts.values())}


@pytest.mark.parametrize("resolution", [64, 128])
def test_the_small_preset_is_small(resolution: int) -> None:
    assert 3_000_000 < generator_parameters(model_config("small", resolution=resolution))["total"] <= 4_500_000


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [(64, 7_796_623, 6_455_296), (128, 7_973_330, 6_574_016), (256, 8_034_037, 6_603_680)],
)
def test_the_middle_preset_is_between_small_and_release(resolution: int, generator: int, discriminator: int) -> None:
    config = model_config("middle", resolution=resolution)

    assert generator_parameters(config)["total"] == generator
    assert discriminator_parameters(config)["total"] == discriminator
    assert config.channels(4) == config.z_dim == config.w_dim == config.noise_dim == config.u_dim == config.v_dim == 256


@pytest.mark.parametrize(("resolution", "discriminator"), [(128, 23_882_369), (256, 24_001_089)])
def test_the_image_preset_is_stylegan2(resolution: int, discriminator: int) -> None:
    """The official StyleGAN2-ADA code counts 24,767,458 and 24,001,089 at 256² with half of the channels."""
    config = model_config("image", resolution=resolution)
    generator = generator_parameters(config)

    assert discriminator_parameters(config)["total"] == discriminator
    assert "motion" not in generator and generator["b4"] == 8_192 + 2_359_808 + 262_656 + 264_195
    if resolution == 256:
        strengths = 13  # of its noise inputs, one a layer, which are not built here
        deep = generator_parameters(model_config("image", mapping_layers=8))  # as many layers as its mapping has
        assert deep["total"] == 24_767_458 - strengths


@pytest.mark.parametrize("preset", PRESETS)
def test_parts_add_up(preset: str) -> None:
    for counts in (
        generator_parameters(config := model_config(preset, num_classes=5)),
        discriminator_parameters(config),
    ):
        assert counts["total"] == sum(counts.values()) / 2


def test_classes_widen_the_mappings_and_the_first_motion_layer() -> None:
    config = model_config("release", num_classes=101)

    generator, discriminator = generator_parameters(config), discriminator_parameters(config)

    assert generator["mapping"] == 525_312 + 512 * (101 + 1) + 512 * 512
    assert generator["motion"] == 6_292_480 + 512 * 101 * 11
    assert discriminator["mapping"] == 808_448 + 512 * 101

"""The `release` preset gives the official networks' numbers, in float32 and float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator
from tests.model.networks.conftest import OUTPUTS, Checker, double_is_slow, draw, draw_uniform, outputs_of, stored_noise


def test_constants_are_the_official_ones(generator: Generator, discriminator: Discriminator) -> None:
    buffers = OUTPUTS["buffers"]
    encoding = generator.motion.encoding
    for found, name in (
        (encoding.frequencies, "synthesis.motion_encoder.time_encoder.freqs"),
        (encoding.phase_scales, "synthesis.motion_encoder.time_encoder.phase_scales"),
        (discriminator.time.frequencies, "time_encoder.time_encoder.fourier_coefs"),
    ):
        expected = buffers[name]
        assert len(found) == expected["n"]
        np.testing.assert_allclose(found.double()[:4], expected["first4"], rtol=3e-7)
        np.testing.assert_allclose(found.double()[-4:], expected["last4"], rtol=3e-7)
        assert found.double().sum().item() == pytest.approx(expected["sum"], rel=1e-7)


def test_content_codes(generator: Generator, inputs: dict[str, Tensor], check: Checker) -> None:
    w = generator.styles(inputs["z"])

    assert generator.config.num_ws == OUTPUTS["w"]["num_ws"]
    check.statistics(w, OUTPUTS["w"]["all"], "w")
    for row, expected in zip(w, OUTPUTS["w"]["per_video"], strict=True):
        check.statistics(row, expected, "w")


def test_motion_codes(generator: Generator, inputs: dict[str, Tensor], check: Checker) -> None:
    expected = OUTPUTS["motion"]
    mapping, encoding = generator.motion.mapping, generator.motion.encoding
    hidden = functional.leaky_relu(mapping.convs[0](inputs["noise"].transpose(1, 2)), 0.2).transpose(1, 2)
    u = mapping(inputs["noise"])
    left, right = generator.motion.codes(inputs["times"], stored_noise(inputs["noise"]))

    check.statistics(hidden, expected["hidden_seq"], "motion/hidden_seq")
    check.statistics(u, expected["u_seq"], "motion/u_seq")
    for name, values in expected["u_seq"]["at"].items():
        video, token = (int(part.strip("videotkn")) for part in name.split("_"))
        check(u[video, token, :4], values, "motion/u_seq")
    check.statistics(left, expected["u_left"], "motion/u_left")
    check.statistics(right, expected["u_right"], "motion/u_right")
    check.statistics(
        1 + torch.tanh(encoding.periods(left)), expected["omega_factor_1_plus_tanh"], "motion/omega_factor_1_plus_tanh"
    )
    check.statistics(encoding.phases(left), expected["phase_before_scaling"], "motion/phase_before_scaling")
    check.statistics(encoding.aligners(left), expected["aligner_left"], "motion/aligner_left")
    check.statistics(encoding.aligners(right), expected["aligner_right"], "motion/aligner_right")


def test_time_embeddings(generator: Generator, inputs: dict[str, Tensor], check: Checker) -> None:
    v = generator.motion(inputs["times"], stored_noise(inputs["noise"])).flatten(0, 1)

    check.statistics(v, OUTPUTS["motion"]["v"], "motion/v")
    for row, expected in zip(v, OUTPUTS["motion"]["v"]["per_frame"], strict=True):
        check.statistics(row, expected, "motion/v")
        check(row[254:258], expected["at_254_to_257"], "motion/v")


def test_time_embeddings_around_the_codes_and_far_away(
    generator: Generator, inputs: dict[str, Tensor], dtype: torch.dtype, check: Checker
) -> None:
    anchors, far = OUTPUTS["extra"]["anchors"], OUTPUTS["extra"]["far_times"]
    near = generator.motion(torch.tensor(anchors["times"], dtype=dtype), stored_noise(inputs["noise"]))
    away = generator.motion(torch.tensor(far["times"], dtype=dtype), stored_noise(draw(8, 2, far["L"], 512).to(dtype)))

    for row, expected in zip(near.flatten(0, 1), itertools.chain(*anchors["v"]), strict=True):
        check.statistics(row, expected, "extra/anchors")
    for row, expected in zip(away.flatten(0, 1), far["v"], strict=True):
        check.statistics(row, expected, "extra/far_times")


@pytest.mark.parametrize(
    ("dtype", "case"),
    [
        (torch.float32, "G_psi0.7_wavg_random"),  # truncates, and from a mean: the others do less
        pytest.param(torch.float32, "G_psi1", marks=pytest.mark.slow),  # and of this one, each block is looked at below
        pytest.param(torch.float32, "G_psi0.7_wavg0", marks=pytest.mark.slow),
        pytest.param(torch.float64, "G_psi0.7_wavg_random", marks=pytest.mark.slow),
        pytest.param(torch.float64, "G_psi1", marks=pytest.mark.slow),
        pytest.param(torch.float64, "G_psi0.7_wavg0", marks=pytest.mark.slow),
    ],
    indirect=["dtype"],
    ids=lambda value: str(value).removeprefix("torch."),
    scope="module",
)
def test_frames(generator: Generator, inputs: dict[str, Tensor], check: Checker, case: str) -> None:
    mean = draw(4, 512) * 0.5 if case.endswith("random") else torch.zeros(512)
    generator.mapping.w_mean = mean.to(inputs["z"].dtype)
    with torch.no_grad():
        frames = generator(
            inputs["z"], inputs["times"], stored_noise(inputs["noise"]), truncation=1.0 if case == "G_psi1" else 0.7
        ).flatten(0, 1)
    generator.mapping.w_mean = torch.zeros_like(generator.mapping.w_mean)

    check.statistics(frames, OUTPUTS[case], case)
    for frame, expected in zip(frames, OUTPUTS[case]["per_frame"], strict=True):
        check.statistics(frame, expected, case)


@double_is_slow
def test_frames_of_styles_that_differ_by_layer(
    generator: Generator, inputs: dict[str, Tensor], dtype: torch.dtype, check: Checker
) -> None:
    with torch.no_grad():
        ws = draw(7, 2, 10, 512).to(dtype)
        frames = generator.render(ws, inputs["times"], stored_noise(inputs["noise"]))

    check.statistics(frames.flatten(0, 1), OUTPUTS["extra"]["wplus_distinct_ws"], "extra/wplus_distinct_ws")


@double_is_slow
def test_blocks_and_layers_of_the_generator(generator: Generator, inputs: dict[str, Tensor], check: Checker) -> None:
    blocks = ["synthesis.first", *(f"synthesis.blocks.{r}" for r in (8, 16, 32, 64))]
    layers = {
        row["layer"]: f"synthesis.{row['layer']}".replace(".b4.", ".first.").replace("torgb", "to_rgb")
        for row in OUTPUTS["G_layers"]
    }
    for resolution in (8, 16, 32, 64):
        layers = {name: ours.replace(f".b{resolution}.", f".blocks.{resolution}.") for name, ours in layers.items()}
    seen, hooks = outputs_of(generator, *blocks, *layers.values())
    with torch.no_grad():
        generator(inputs["z"], inputs["times"], stored_noise(inputs["noise"]))
    for hook in hooks:
        hook.remove()

    for name, expected in zip(blocks, OUTPUTS["G_blocks"], strict=True):
        features, rgb = seen[name]
        check.statistics(features, expected["x"], "G_blocks")
        check.statistics(rgb, expected["running_rgb"], "G_blocks")
    for expected in OUTPUTS["G_layers"]:
        check.statistics(seen[layers[expected["layer"]]], expected, "G_layers")


@double_is_slow
def test_blocks_and_logits_of_the_discriminator(
    discriminator: Discriminator, inputs: dict[str, Tensor], check: Checker
) -> None:
    expected = OUTPUTS["D"]
    blocks = [f"blocks.{r}" for r in (64, 32, 16, 8)]
    seen, hooks = outputs_of(
        discriminator,
        "time",
        "conditioning.embed",
        "conditioning",
        *blocks,
        "head.deviation",
        "head.conv",
        "head.fc",
        "head.out",
    )
    with torch.no_grad():
        logits = discriminator(inputs["x"], inputs["times_d"])
    for hook in hooks:
        hook.remove()

    check(logits, expected["logits"], "D/logits")
    check.statistics(seen["time"], expected["time_embedding"], "D/time_embedding")
    for row, video in zip(seen["time"], expected["time_embedding"]["per_video"], strict=True):
        for part, difference in zip(row.chunk(2), video["diffs"], strict=True):
            check(part[:4], difference["table_first4"], "D/time_embedding")
            check(part[256:], difference["fourier20"], "D/time_embedding")
    check.statistics(seen["conditioning.embed"], expected["embed_before_norm"], "D/embed_before_norm")
    check.statistics(seen["conditioning"], expected["cmap"], "D/cmap")
    for row, video in zip(seen["conditioning"], expected["cmap"]["per_video"], strict=True):
        check.statistics(row, video, "D/cmap")
    joined = seen["blocks.32"].reshape(2, 768, 16, 16)
    check.statistics(joined, expected["after_concat"], "D/after_concat")
    for chunk in expected["after_concat"]["per_video_per_frame_chunk"]:
        channels = slice(chunk["channels"][0], chunk["channels"][1] + 1)
        check.statistics(joined[chunk["video"], channels], chunk, "D/after_concat")
    for name, block in zip(blocks, expected["blocks"], strict=True):
        check.statistics(seen[name], block, "D/blocks")
    check(seen["head.deviation"][:, -1, 0, 0], expected["mbstd_channel_values"], "D/mbstd_channel_values")
    for name, ours in (("b4conv", "head.conv"), ("b4fc", "head.fc"), ("b4out", "head.out")):
        check.statistics(seen[ours], expected[name], f"D/{name}")


@double_is_slow
def test_logits_of_other_orders_times_and_company(
    discriminator: Discriminator, inputs: dict[str, Tensor], check: Checker
) -> None:
    expected, x, times = OUTPUTS["D"], inputs["x"], inputs["times_d"]
    permuted = x[:, expected["perm"]]

    def logits(frames: Tensor, at: Tensor = times) -> Tensor:
        with torch.no_grad():
            return discriminator(frames, at)

    check(logits(permuted), expected["logits_all_videos_frames_permuted"], "D/logits_all_videos_frames_permuted")
    first = torch.stack([permuted[0], x[1]])
    check(logits(first), expected["logits_only_video0_permuted"], "D/logits_only_video0_permuted")
    check(logits(x, times + 100), expected["logits_times_shifted_by_100"], "D/logits_times_shifted_by_100")
    alone = torch.cat([logits(x[i : i + 1], times[i : i + 1]) for i in range(2)])
    check(alone, expected["logits_each_video_alone"], "D/logits_each_video_alone")


@double_is_slow
def test_logits_of_eight_videos(discriminator: Discriminator, dtype: torch.dtype, check: Checker) -> None:
    expected = OUTPUTS["D"]["B8"]
    seen, hooks = outputs_of(discriminator, "head.deviation")
    with torch.no_grad():
        frames = draw_uniform(6, 24, 3, 64, 64).to(dtype).unflatten(0, (8, 3))
        logits = discriminator(frames, torch.tensor(expected["times"], dtype=dtype))
    hooks[0].remove()

    check(logits, expected["logits"], "D/B8")
    check(seen["head.deviation"][:, -1, 0, 0], expected["mbstd_channel"], "D/mbstd_channel_values")

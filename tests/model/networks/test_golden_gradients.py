"""The `release` preset gives the official networks' losses and gradients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.checkpoints.official_names import DISCRIMINATOR, GENERATOR, official_names
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator
from tests.model.networks.conftest import OUTPUTS, Checker, double_is_slow, stored_noise


def norms(loss: Tensor, network: nn.Module, table: tuple[tuple[str, str], ...], names: Iterator[str]) -> list[float]:
    """L2 norms of gradients with respect to stored parameters, by official name."""
    ours, parameters = official_names(network, table), dict(network.named_parameters())
    wanted = [parameters[ours[name]] for name in names]
    grads = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
    return [0.0 if grad is None else grad.double().norm().item() for grad in grads]


@pytest.mark.slow  # the logits that it differentiates are compared by test_goldens.py, and R1 by test_discriminator.py
@double_is_slow
def test_r1_and_its_gradients(discriminator: Discriminator, inputs: dict[str, Tensor], check: Checker) -> None:
    expected = OUTPUTS["D"]
    x = inputs["x"].clone().requires_grad_()
    logits = discriminator(x, inputs["times_d"])
    (grad,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    per_frame = grad.square().sum(dim=(2, 3, 4))

    check(per_frame.flatten(), expected["r1"]["per_frame_sum_sq"], "D/r1")
    check(per_frame.mean(dim=1), expected["r1"]["per_video_mean_over_frames"], "D/r1")
    check(per_frame.mean(), expected["r1"]["mean_over_videos"], "D/r1")
    keys = ("r1_param_grad_norms", "r1_param_grad_norm_tiny_only_through_minibatch_std")
    names = itertools.chain.from_iterable(expected[key] for key in keys)
    found = iter(norms(per_frame.mean(), discriminator, DISCRIMINATOR, names))
    for key in keys:
        check(list(itertools.islice(found, len(expected[key]))), list(expected[key].values()), f"D/{key}")


@pytest.mark.slow  # as the two beside it
@double_is_slow
@pytest.mark.parametrize(("name", "sign"), [("loss_real_softplus_neg", -1), ("loss_fake_softplus_pos", 1)])
def test_losses_of_the_discriminator(
    discriminator: Discriminator, inputs: dict[str, Tensor], check: Checker, name: str, sign: int
) -> None:
    loss = functional.softplus(sign * discriminator(inputs["x"], inputs["times_d"])).mean()
    expected = OUTPUTS["D"][f"{name}_param_grad_norms"]

    check(loss, OUTPUTS["D"][name], f"D/{name}")
    found = norms(loss, discriminator, DISCRIMINATOR, iter(expected))
    check(found, list(expected.values()), f"D/{name}_param_grad_norms")


@pytest.mark.slow  # frames and logits are compared by test_goldens.py, and derivatives with finite differences
@double_is_slow
def test_the_generator_learns_through_the_discriminator(
    generator: Generator, discriminator: Discriminator, inputs: dict[str, Tensor], check: Checker
) -> None:
    expected = OUTPUTS["G_through_D"]
    frames = generator(inputs["z"], inputs["times"], stored_noise(inputs["noise"]))
    loss = functional.softplus(-discriminator(frames, inputs["times"]))

    check(loss, expected["softplus_neg_per_video"], "G_through_D/softplus_neg_per_video")
    found = norms(loss.mean(), generator, GENERATOR, iter(expected["G_param_grad_norms"]))
    check(found, list(expected["G_param_grad_norms"].values()), "G_through_D/G_param_grad_norms")

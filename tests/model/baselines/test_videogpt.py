"""VideoGPT: its codebook, its transformer, what its stages change, and videos that are drawn in groups."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from stylegan_v import distributed
from stylegan_v.baselines.prior import Prior, drawn
from stylegan_v.baselines.videogpt import METHOD, VideoGPTGenerator
from stylegan_v.baselines.vqvae import VQVAE, AttentionBlock, AxialAttention, Codebook, Doubling, Halving
from stylegan_v.errors import ConfigError
from stylegan_v.networks.pixels import normalise
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.videos import GeneratedVideos
from tests.model.baselines.conftest import first_batch
from tests.model.baselines.test_methods import parts

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        yield


@pytest.fixture
def prior() -> Prior:
    """A transformer whose logits differ, as they do not at first."""
    made = VideoGPTGenerator(METHOD.configure("tiny")).prior.eval().requires_grad_(False)  # type: ignore[arg-type]
    torch.nn.init.normal_(made.head.weight, std=0.3)
    return made


@pytest.fixture(scope="module")
def generator() -> VideoGPTGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        made = VideoGPTGenerator(METHOD.configure("tiny", frames=16))  # type: ignore[arg-type]
        torch.nn.init.normal_(made.prior.head.weight, std=0.3)
    return made.eval().requires_grad_(False)


def autoencoder(strides: tuple[int, int] = (2, 4)) -> VQVAE:
    return VQVAE(width=8, blocks=1, codes=8, code_dim=4, strides=strides)


def test_both_parts_have_as_many_parameters_as_in_the_original() -> None:
    counts = METHOD.parameters(METHOD.configure("paper", resolution=32))["generator"]

    assert (counts["vqvae"], counts["prior"]) == (21_141_619, 33_229_248)


def test_the_first_stage_lowers_errors_of_frames_and_of_codes(tiny_trainer) -> None:
    trainer, seen = tiny_trainer("videogpt", "vqvae"), []
    trainer.generator.vqvae.register_forward_hook(lambda module, given, coded: seen.append((given[0], coded)))
    batch = first_batch(trainer)

    logs = trainer.update(torch.arange(4), batch)

    ((frames, coded),) = seen
    assert torch.equal(frames, normalise(batch.frames) / 2)
    errors = (coded.frames - frames).square().mean() / 0.06, 0.25 * (coded.encoded - coded.chosen).square().mean()
    torch.testing.assert_close((logs["loss/reconstruction"], logs["loss/commitment"]), errors)
    torch.testing.assert_close(logs["loss/generator"], sum(errors))
    shares = torch.unique(coded.codes, return_counts=True)[1] / coded.codes.numel()
    assert float(logs["codes/perplexity"]) == pytest.approx(math.exp(-float((shares * shares.log()).sum())), rel=1e-5)


def test_frames_of_a_video_are_those_of_its_codes(generator, monkeypatch) -> None:
    """From -0.5 to 0.5 in the VQ-VAE, and from -1 to 1 outside of it."""
    codes = torch.randint(32, (32, math.prod(generator.config.grid)))
    monkeypatch.setattr(generator.prior, "sample", lambda codebook, numbers: codes)

    frames = generator.sample(0, [2], [0.0, 5.0])[0]

    decoded = generator.vqvae.decode(codes[2].view(1, *generator.config.grid))[0]
    torch.testing.assert_close(frames, 2 * decoded[[0, 5]])


def test_all_codes_are_as_likely_at_first(tiny_trainer, monkeypatch) -> None:
    trainer = tiny_trainer("videogpt", "prior")

    loss = trainer.update(torch.arange(4), first_batch(trainer))["loss/generator"]

    assert float(loss) == pytest.approx(math.log(32), abs=1e-6)
    prior, vqvae = trainer.generator.prior.eval().requires_grad_(False), trainer.generator.vqvae
    torch.nn.init.normal_(prior.head.weight, std=0.3)
    codes = torch.randint(32, (4, 32))
    monkeypatch.setattr(vqvae, "encode", lambda frames: codes.view(4, 2, 4, 4))
    chances = prior(vqvae.codebook.vectors[codes]).softmax(dim=2).gather(2, codes[:, :, None])
    torch.testing.assert_close(trainer.losses(torch.zeros(4))["loss/generator"], -chances.log().mean())


def test_layers_of_the_transformer_are_those_of_the_original(prior: Prior) -> None:
    layer, x = prior.blocks[0], torch.randn(2, 5, 48)

    y = x + layer.attention(layer.attention_norm(x))
    hidden = layer.layers[0](layer.layers_norm(y))
    torch.testing.assert_close(layer(x), y + layer.layers[2](hidden * (1.702 * hidden).sigmoid()))
    assert {(layer.dropout.p, layer.attention.dropout) for layer in prior.blocks} == {(0.2, 0.3)}
    layer.dropout.train()
    assert not torch.equal(layer(x), layer.eval()(x))


def test_a_code_changes_later_logits_alone(prior: Prior) -> None:
    vectors = torch.randn(2, 32, 8)
    changed = vectors.clone()
    changed[0, 11] += 1

    moved = (prior(vectors) != prior(changed)).any(dim=2)

    assert moved.nonzero().tolist() == [[0, place] for place in range(12, 32)]


def test_logits_with_a_cache_are_those_without(prior: Prior) -> None:
    vectors = torch.randn(3, 32, 8)
    before, caches, logits = prior.start.expand(3, -1), prior.caches(), []
    for position, vector in zip(prior.embedded_places(), vectors.unbind(1), strict=True):
        logits.append(prior.next(before + position, caches))
        before = prior.enter(vector)

    assert torch.allclose(torch.stack(logits, dim=1), prior(vectors), rtol=0, atol=1e-5)


def test_a_sample_is_drawn_from_the_logits_of_what_came_before(prior: Prior) -> None:
    codebook, numbers = torch.randn(32, 8), torch.rand(4, 32, dtype=torch.float64)

    codes = prior.sample(codebook, numbers)

    again = drawn(prior(codebook[codes]).flatten(0, 1), numbers.flatten()).view(4, 32)
    assert torch.equal(codes, again)
    assert len(codes.unique()) > 8


def test_a_code_is_drawn_as_often_as_is_likely() -> None:
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.0, 0.7]])) + 3
    numbers = torch.tensor([0.01, 0.099, 0.101, 0.299, 0.301, 0.999], dtype=torch.float64)

    assert drawn(logits.expand(6, -1), numbers).tolist() == [0, 0, 1, 1, 3, 3]


def test_places_of_the_grid_have_positions_of_their_own(prior: Prior) -> None:
    """In the order of time, height and width: the second row begins at place 4."""
    before = prior(torch.zeros(1, 32, 8))
    prior.positions[1][1] += 1

    moved = (prior(torch.zeros(1, 32, 8)) - before).abs().amax(dim=(0, 2)) > 0

    assert prior.grid == (2, 4, 4)
    assert moved.nonzero().flatten().tolist() == [*range(4, 32)]  # each place is seen by all later ones


def test_the_codebook_follows_what_chooses_its_vectors() -> None:
    """Against the same in numpy. The first two codes are chosen often, the third hardly ever, so it begins anew."""
    codebook = Codebook(3, 2).train()
    vectors, counts = np.array([[0.0, 0.0], [4.0, 0.0], [9.0, 9.0]]), np.array([5.0, 2.0, 1.005])
    sums = vectors * counts[:, None] + 0.5
    for kept, values in ((codebook.vectors, vectors), (codebook.counts, counts), (codebook.sums, sums)):
        kept.copy_(torch.tensor(values))
    seen = np.array([[0.1, 0.2], [0.3, -0.1], [3.5, 0.4], [0.0, 0.1], [3.9, 0.0]])

    codes, chosen = codebook(torch.tensor(seen, dtype=torch.float32))

    expected_counts = 0.99 * counts + 0.01 * np.array([3, 2, 0])
    expected_sums = 0.99 * sums + 0.01 * np.array([seen[[0, 1, 3]].sum(0), seen[[2, 4]].sum(0), [0, 0]])
    weights = (expected_counts + 1e-7) / (expected_counts.sum() + 3e-7) * expected_counts.sum()
    assert codes.tolist() == [0, 0, 1, 0, 1]
    assert np.allclose(chosen, vectors[[0, 0, 1, 0, 1]])
    assert np.allclose(codebook.counts, expected_counts, atol=1e-6)
    assert np.allclose(codebook.sums, expected_sums, atol=1e-5)
    assert np.allclose(codebook.vectors[:2], (expected_sums / weights[:, None])[:2], atol=1e-5)
    assert expected_counts[2] < 1 and codebook.vectors[2].tolist() in torch.tensor(seen).float().tolist()


def test_the_codebook_begins_with_what_it_sees_first_and_once() -> None:
    codebook, seen = Codebook(4, 2).train(), torch.randn(50, 2) + 100

    codebook(seen)
    began = codebook.vectors.clone()
    codebook.counts.fill_(1e6)
    codebook(seen + 100)

    assert torch.cdist(began, seen).amin(dim=1).max() < 1.5  # one step of 0.01 away from a vector that was seen
    assert (codebook.vectors < 150).all()


def test_a_codebook_of_two_processes_learns_from_all_that_they_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads stand for them."""
    seen = torch.randn(50, 2) + 100, torch.randn(50, 2) - 100
    own, meeting, given = threading.local(), threading.Barrier(2), {}

    def average(tensors: list[torch.Tensor]) -> None:
        given[own.rank] = [tensor.clone() for tensor in tensors]
        meeting.wait(timeout=10)
        means = [(a + b) / 2 for a, b in zip(given[0], given[1], strict=True)]
        meeting.wait(timeout=10)
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean)

    def trained(rank: int) -> dict[str, torch.Tensor]:
        own.rank = rank
        codebook = Codebook(4, 2).train()
        codebook(seen[rank])
        return dict(codebook.named_buffers())

    monkeypatch.setattr(distributed, "average", average)
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: own.rank)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(trained, range(2))

    assert all(torch.equal(buffer, other[name]) for name, buffer in one.items())
    assert (one["vectors"][::2] > 90).all() and (one["vectors"][1::2] < -90).all()
    assert float(one["counts"].sum()) == pytest.approx(0.99 * 4 + 0.01 * 100, rel=1e-5)


def test_the_codebook_learns_in_training_alone() -> None:
    codebook = Codebook(4, 2).eval()
    before = {name: buffer.clone() for name, buffer in codebook.named_buffers()}

    codebook(torch.randn(9, 2))

    assert all(torch.equal(buffer, before[name]) for name, buffer in codebook.named_buffers())


def test_gradients_go_past_the_codebook() -> None:
    network = autoencoder().eval()
    coded = network(torch.rand(2, 4, 3, 16, 16) - 0.5)
    chosen = coded.chosen.clone().requires_grad_()

    (past,) = torch.autograd.grad(coded.frames.square().sum(), coded.encoded)
    (direct,) = torch.autograd.grad(network.decoder(chosen.movedim(-1, 1)).square().sum(), chosen)

    assert torch.allclose(past, direct, atol=1e-5) and past.abs().max() > 0
    assert not torch.equal(coded.encoded, coded.chosen)


@pytest.mark.parametrize(("strides", "grid"), [((4, 8), (1, 2, 2)), ((2, 2), (2, 8, 8)), ((1, 2), (4, 8, 8))])
def test_strides(strides: tuple[int, int], grid: tuple[int, int, int]) -> None:
    network, frames = autoencoder(strides).eval(), torch.rand(1, 4, 3, 16, 16) - 0.5

    codes = network.encode(frames)

    assert codes.shape == (1, *grid)
    assert network.decode(codes).shape == frames.shape


@pytest.mark.parametrize("strides", [(2, 2, 2), (1, 2, 2), (2, 1, 1)])
def test_convolutions_keep_the_places_of_the_original(strides: tuple[int, int, int]) -> None:
    """There, what is seen is padded by the larger half of 4 - stride in front, and by the smaller one behind."""
    x, padding = torch.randn(1, 2, 4, 6, 8), []
    for stride in reversed(strides):
        padding += [(5 - stride) // 2, (4 - stride) // 2]
    padded, down, up = functional.pad(x, padding), Halving(2, 3, strides), Doubling(2, 3, strides)

    assert torch.allclose(down(x), functional.conv3d(padded, down.weight, down.bias, strides), atol=1e-6)
    expected = functional.conv_transpose3d(padded, up.weight, up.bias, strides, padding=3)
    assert torch.allclose(up(x), expected, atol=1e-6)


def test_layers_of_the_autoencoder_are_those_of_the_original() -> None:
    network, inner = autoencoder().eval(), [nn.BatchNorm3d, nn.ReLU, nn.Conv3d]
    encoder, decoder, block = network.encoder, network.decoder, network.encoder[3]

    def kinds(layers: nn.Sequential) -> list[type[nn.Module]]:
        return [type(layer) for layer in layers]

    assert kinds(encoder) == [nn.Sequential, nn.Sequential, nn.Conv3d, AttentionBlock, *inner]
    assert kinds(decoder) == [nn.Conv3d, AttentionBlock, *inner[:2], nn.Sequential, nn.Sequential]
    assert kinds(encoder[0]) == kinds(encoder[1]) == [Halving, nn.ReLU]
    assert (kinds(decoder[4]), kinds(decoder[5])) == ([Doubling, nn.ReLU], [Doubling, nn.Identity])
    assert kinds(block.layers) == [*2 * inner, *inner[:2], AxialAttention]
    torch.testing.assert_close(block(x := torch.randn(1, 8, 2, 4, 4)), x + block.layers(x))


def test_attention_is_axial() -> None:
    """A place sees those that differ from it in one axis alone."""
    attend, x = AxialAttention(4).eval(), torch.randn(1, 4, 3, 4, 5)
    changed = x.clone()
    changed[:, :, 1, 2, 3] += 1

    moved = (attend(x) != attend(changed)).any(dim=1)[0]

    expected = torch.zeros(3, 4, 5, dtype=torch.bool)
    expected[:, 2, 3] = expected[1, :, 3] = expected[1, 2, :] = True
    assert torch.equal(moved, expected)


def test_the_second_stage_leaves_codes_and_frames_as_they_are(tiny_trainer) -> None:
    first, second = tiny_trainer("videogpt", "vqvae"), tiny_trainer("videogpt", "prior")
    first.step(first_batch(first))
    second.begin_stage(parts(first), kimg=1.0)
    second.step(first_batch(second))

    before, after = parts(first)["ema"], parts(second)["ema"]
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert before["vqvae.codebook.counts"].sum() > 0
    assert changed == {"prior.head.weight"}  # alone, since it begins with zeros


def test_the_learning_rate_of_the_second_stage_falls_to_zero(tiny_trainer) -> None:
    first, second = (tiny_trainer("videogpt", stage, kimg=3.2) for stage in ("vqvae", "prior"))
    rates = []
    for second.steps in (0, 25, 50):
        first.steps = second.steps
        rates.append((first.learning_rate, second.learning_rate))

    assert second.run.total_steps == 50
    assert rates == [(3e-4, 3e-4), (3e-4, pytest.approx(1.5e-4)), (3e-4, pytest.approx(0))]


def test_long_gradients_are_made_shorter(tiny_trainer) -> None:
    optimizer = tiny_trainer("videogpt", "prior").optimizers["generator"]
    parameters = optimizer.param_groups[0]["params"]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 1e3)

    optimizer.step()

    assert math.hypot(*(float(parameter.grad.norm()) for parameter in parameters)) == pytest.approx(1, abs=1e-3)


def test_a_group_is_drawn_at_once_and_does_not_depend_on_others(generator, monkeypatch) -> None:
    drawn_at, sample = [], generator.prior.sample
    monkeypatch.setattr(generator.prior, "sample", lambda *given: drawn_at.append(1) or sample(*given))
    few, many = VideoSampler(generator, seed=3), VideoSampler(generator, seed=3)

    alone = [*few.frames(33, range(16))]
    others = [frame for number in (40, 63, 32) for frame in many.frames(number, range(16))]
    among = [*many.frames(33, range(16))]

    assert len(drawn_at) == 2
    assert np.array_equal(alone, among)
    assert not any(np.array_equal(alone[0], frame) for frame in others)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 17}, "frames = 17: clips of videogpt have 16 at most"),
        ({"frames": 14}, "time_stride = 4: expected a power of 2 that divides 14"),
        ({"space_stride": 12}, "space_stride = 12: expected a power of 2 that divides 64"),
        ({"space_stride": 1}, "space_stride = 1: expected 2 or more"),
        ({"prior_width": 512}, "prior_width = 512: expected a multiple of 3, for positions of three axes, and of"),
        ({"width": 15}, "width = 15: expected an even number"),
        ({"dropout": 1.0}, "dropout = 1.0: expected a share below 1"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        METHOD.configure("paper", **{"resolution": 64, **changes})


def test_a_seventeenth_frame_is_refused(generator) -> None:
    message = "videogpt makes videos of at most 16 frames; asked for are frames up to 17"
    with pytest.raises(ConfigError, match=message):
        GeneratedVideos(generator, videos=1, frames=17)
    with pytest.raises(ConfigError, match=message):
        next(VideoSampler(generator).frames(0, [16]))

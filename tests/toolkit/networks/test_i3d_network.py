import functools
import math

import numpy as np
import pytest
import torch

from fvd_bench.errors import FeatureError, WeightsError
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.i3d_network import I3D, same_padding, tensor_shapes


@pytest.fixture(scope="module")
def network(i3d_tensors):
    return I3D.from_tensors(i3d_tensors)


def videos(clips, frames):
    return torch.rand(clips, 3, frames, 224, 224, generator=torch.Generator().manual_seed(frames)) * 2 - 1


@pytest.fixture(scope="module")
def logits_of(network):
    """The network's logits of `videos`, computed once."""
    return functools.cache(lambda clips, frames: network(videos(clips, frames)))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 7, 2, (2, 3)),
        (17, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)),
        (9, 3, 2, (1, 1)),
        (14, 2, 2, (0, 0)),
        (3, 2, 2, (0, 1)),
        (28, 3, 1, (1, 1)),
        (16, 1, 1, (0, 0)),
    ],
)
def test_same_padding_puts_the_odd_place_at_the_end(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_the_network_has_the_published_number_of_tensors_and_weights():
    shapes = tensor_shapes()

    assert len(shapes) == 230
    assert sum(math.prod(shape) for shape in shapes.values()) == 12_704_544


@pytest.mark.parametrize("frames", [9, 16, pytest.param(17, marks=pytest.mark.slow)])
def test_a_clip_has_the_same_bits_in_any_batch_on_any_place_and_thread_count(network, logits_of, frames):
    second = videos(2, frames)[1:]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        alone = network(second)
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(alone, logits_of(2, frames)[1:])


def test_a_clip_sees_neither_its_neighbours_nor_its_place(network, logits_of):
    first, second = videos(2, 9)
    other = torch.stack([-second, first])

    assert torch.equal(network(other)[1], logits_of(2, 9)[0])


def test_the_memory_order_of_the_input_does_not_matter(network, logits_of):
    x = videos(2, 9)[:1]

    assert torch.equal(network(x.contiguous(memory_format=torch.channels_last_3d)), logits_of(2, 9)[:1])


@pytest.mark.gpu
def test_cuda_gives_the_logits_of_the_cpu(i3d_tensors):
    x = videos(2, 17)

    with float32_arithmetic("float32"):
        logits = I3D.from_tensors(i3d_tensors).cuda()(x.cuda()).cpu()

    torch.testing.assert_close(logits, I3D.from_tensors(i3d_tensors)(x), atol=1e-4, rtol=0)


def test_training_mode_and_gradients_are_off_for_good(network, logits_of):
    in_eval_mode = logits_of(2, 9)[:1]

    logits = network.train()(videos(2, 9)[:1].requires_grad_())

    network.eval()
    assert not logits.requires_grad
    assert list(network.parameters()) == []
    assert torch.equal(logits, in_eval_mode)


def test_symmetric_padding_is_another_network_of_the_same_size(logits_of, i3d_tensors):
    mistaken = I3D.from_tensors(i3d_tensors, padding="symmetric")(videos(2, 9)[:1])

    assert mistaken.shape == (1, 400)
    assert (mistaken - logits_of(2, 9)[:1]).abs().max() > 0.1


def test_missing_unexpected_and_misshaped_tensors_are_named(i3d_tensors):
    tensors = dict(i3d_tensors)
    del tensors["Conv3d_1a_7x7/beta"]
    tensors["Conv3d_1a_7x7/gamma"] = np.ones(64, np.float32)
    tensors["Logits/Conv3d_0c_1x1/bias"] = np.zeros(600, np.float32)

    with pytest.raises(WeightsError) as raised:
        I3D.from_tensors(tensors)

    message = str(raised.value)
    assert "Conv3d_1a_7x7/beta is missing" in message
    assert "Conv3d_1a_7x7/gamma is unexpected" in message
    assert "Logits/Conv3d_0c_1x1/bias has shape (600,), not (400,)" in message


def test_only_the_first_faults_are_listed():
    with pytest.raises(WeightsError, match="and 225 more"):
        I3D.from_tensors({})


def test_eight_frames_are_refused_with_the_reason(network):
    with pytest.raises(FeatureError, match="at least 9 frames, found 8"):
        network(videos(1, 8))


@pytest.mark.parametrize(
    ("shape", "dtype", "found"),
    [
        ((1, 3, 9, 128, 128), torch.float32, "128x128"),
        ((1, 3, 9, 225, 224), torch.float32, "225x224"),
        ((1, 9, 224, 224, 3), torch.float32, r"\[1, 9, 224, 224, 3\]"),
        ((1, 3, 9, 224, 224), torch.uint8, "uint8"),
    ],
)
def test_other_shapes_and_types_are_refused(network, shape, dtype, found):
    with pytest.raises(FeatureError, match=found):
        network(torch.zeros(shape, dtype=dtype))

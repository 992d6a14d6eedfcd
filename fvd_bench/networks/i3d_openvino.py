"""I3D by OpenVINO, another engine for processors: the layers run there, and the read-out stays in torch.

OpenVINO fuses each convolution with what follows it. Its features differ from torch's by rounding: they have keys of
their own in the store, and scores name the engine.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fvd_bench.networks.convolution import Convolution
from fvd_bench.networks.i3d_network import I3D, Mixed, Pointwise, Triple

_MOST_COMPILED = 4
"""Shapes of input that are kept compiled: the clips of a protocol have one, whole videos have many."""

Node = Any  # OpenVINO's classes have no types


class OpenVINOI3D:
    """The network as a function of float32 [B,3,T,H,W] on the processor, compiled whenever a shape comes first."""

    def __init__(self, network: I3D) -> None:
        """network: with the original's padding, "same"."""
        self._network = network
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, x: Tensor) -> Tensor:
        """Return what `I3D.forward` does. Raises FeatureError for a shape that the network does not accept."""
        self._network.check_videos(x)
        shape = tuple(x.shape)
        if shape not in self._compiled:
            self._compiled[shape] = _compiled(self._network, shape)
        self._compiled.move_to_end(shape)
        if len(self._compiled) > _MOST_COMPILED:
            self._compiled.popitem(last=False)
        activation = self._compiled[shape](np.ascontiguousarray(x.numpy()))[0]
        return self._network.head(torch.from_numpy(activation))


def _compiled(network: I3D, shape: tuple[int, ...]) -> Any:
    """Return the layers up to the read-out, compiled for inputs of a shape, in float32."""
    import openvino
    from openvino import opset13 as ops

    inputs = ops.parameter(shape, np.float32)
    model = openvino.Model([_layers(network, inputs)], [inputs])
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # decoders share the processors
    }
    return openvino.Core().compile_model(model, "CPU", settings)


def _layers(network: I3D, x: Node) -> Node:
    """Map [B,3,T,H,W] to [B,1024,T/8,H/32,W/32], rounded up."""
    x = _convolution(x, network.conv_1a, stride=2)
    x = _convolution(_max_pool(x, (1, 3, 3), (1, 2, 2)), network.conv_2b)
    x = _max_pool(_convolution(x, network.conv_2c), (1, 3, 3), (1, 2, 2))
    for pool, block in network.blocks():
        x = _mixed(x if pool is None else _max_pool(x, *pool), block)
    return x


def _mixed(x: Node, block: Mixed) -> Node:
    from openvino import opset13 as ops

    entry = ops.variadic_split(_convolution(x, block.entry), 1, block.entry_widths)
    direct, reduced_1, reduced_2 = entry.outputs()
    pooled = _convolution(_max_pool(x, (3, 3, 3), (1, 1, 1)), block.pooled)
    branches = [direct, _convolution(reduced_1, block.conv_1), _convolution(reduced_2, block.conv_2), pooled]
    return ops.concat(branches, 1)


def _convolution(x: Node, layer: Convolution | Pointwise, *, stride: int = 1) -> Node:
    """Return a convolution with bias, TensorFlow's padding "SAME", and ReLU."""
    from openvino import opset13 as ops

    kernel = layer.kernel if isinstance(layer, Convolution) else layer.weight[:, :, None, None, None]
    weights = ops.constant(kernel.contiguous().numpy())
    none = [0, 0, 0]
    products = ops.convolution(x, weights, [stride] * 3, none, none, [1, 1, 1], auto_pad="same_upper")
    return ops.relu(ops.add(products, ops.constant(layer.bias.numpy().reshape(1, -1, 1, 1, 1))))


def _max_pool(x: Node, kernel: Triple, stride: Triple) -> Node:
    """Return the maxima with TensorFlow's padding "SAME"."""
    from openvino import opset13 as ops

    none = [0, 0, 0]
    return ops.max_pool(x, stride, [1, 1, 1], none, none, kernel, auto_pad="same_upper").output(0)

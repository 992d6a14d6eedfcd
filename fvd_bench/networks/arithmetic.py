"""The arithmetic of networks: true float32, and sums in an order that nothing outside the network can change."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections.abc import Iterator

import torch
from torch import Tensor

_BLOCK_ROWS = 196
"""The most rows of a product that one thread computes. The larger layers of I3D fill a whole number of such blocks."""

_FEWEST_BLOCKS = 2
"""Blocks that a product has at least. The processor's library would divide a product of a single block after all."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias, with the same bits for every number of threads.

    x: float32 [B, N, K].
    weight: [M, K].
    bias: [M], or None for no bias.
    Returns [B, N, M]. An item's result depends neither on the other items of the batch nor on their number.

    Processors' libraries divide the inner dimension of a product among threads where that is faster, and the sum then
    depends on their number. Here the rows of an item are divided into blocks of a size that depends on N alone, and one
    thread multiplies each block. The blocks are passed as the samples of a batch to torch's own convolution over
    unfolded images, which runs samples in parallel and the product of each on one thread.
    """
    if not x.is_cpu:
        return torch.nn.functional.linear(x, weight, bias)
    items, rows, channels = x.shape
    blocks = max(_FEWEST_BLOCKS, -(-rows // _BLOCK_ROWS))
    block_rows = -(-rows // blocks)
    if missing := blocks * block_rows - rows:  # padding with no rows would still copy
        x = torch.nn.functional.pad(x, (0, 0, 0, missing))
    images = x.reshape(items * blocks, block_rows, 1, channels).permute(0, 3, 1, 2)
    products = _products_by_samples(images, weight, bias)
    return products.permute(0, 2, 3, 1).reshape(items, blocks * block_rows, -1)[:, :rows]


def products_with(weight: Tensor, x: Tensor) -> Tensor:
    """Return weight @ x[i] for each i, with the same bits for every number of threads.

    weight: float32 [M, K] on a processor.
    x: [B, K, N].
    Returns [B, M, N].
    """
    return _products_by_samples(x[..., None], weight, None)[..., 0]


def _products_by_samples(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    products: Tensor = torch.ops.aten.thnn_conv2d(images, weight[:, :, None, None], [1, 1], bias, [1, 1], [0, 0])
    return products


def batched_products(x: Tensor, y: Tensor, out: Tensor) -> None:
    """Write x[i] @ y[i] for each i, with the same bits for every number of threads.

    x: float32 [B, N, K] on a processor.
    y: [B, K, M].
    out: [B, N, M].

    Processors' libraries give each product to one thread, but where there are more threads than products.
    """
    with at_most_threads(len(x)):
        torch.bmm(x, y, out=out)


@contextlib.contextmanager
def at_most_threads(most: int) -> Iterator[None]:
    """Let operations on a processor have so many threads at most. Any change of their number may end and start some."""
    before = torch.get_num_threads()
    if before <= most:
        yield
        return
    torch.set_num_threads(most)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def float32_arithmetic(precision: str, *, repeatable: bool = True) -> Iterator[None]:
    """Compute products in true float32, or TF32 if `precision` is `tf32`, with algorithms that repeat their results.

    repeatable: False takes the fastest algorithms of a GPU instead, whose last bits may vary.
    What the surrounding program has set, such as autocast or a default type of tensors, is suspended inside the block
    and restored after it. Most of this is of the whole process. Blocks of several threads may overlap, and what the
    last one to begin asks for holds.
    """
    with (
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
        _IN_FORCE.during(tf32=precision == "tf32", repeatable=repeatable),
    ):
        yield


@contextlib.contextmanager
def own_defaults() -> Iterator[None]:
    """Compute in float32 as `float32_arithmetic` does, with new tensors on the processor, as in a new thread: what the
    surrounding program has for a default device or type is suspended inside the block."""
    with torch.device("cpu"), float32_arithmetic("float32"):
        yield


class _InForce:
    """What blocks of all threads ask of the settings of the process. The last block to end restores these."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._asked: dict[tuple[int, object], tuple[bool, bool]] = {}  # by thread and block, as they began
        self._set: tuple[bool, bool] | None = None
        self._restoring = contextlib.ExitStack()

    @contextlib.contextmanager
    def during(self, *, tf32: bool, repeatable: bool) -> Iterator[None]:
        block = threading.get_ident(), object()
        try:
            with self.lock:
                self._asked[block] = tf32, repeatable
                self._follow()
            yield
        finally:
            with self.lock:
                self._asked.pop(block, None)
                self._follow()

    def forked(self) -> None:
        """Leave the blocks of other threads, none of which a child has. The lock was taken before the fork."""
        self.lock.release()
        self._asked = {block: asked for block, asked in self._asked.items() if block[0] == threading.get_ident()}
        self._follow()

    def _follow(self) -> None:
        """Set what the last block to begin asks for, or what was before the first one.

        From one to the other what both ask for stays as it is, since networks may compute in other threads meanwhile.
        """
        last, before = next(reversed(self._asked.values()), None), self._set
        if last == before:
            return
        self._set = None
        if last is None:
            self._restoring.close()
            return
        if before is None:
            self._restoring.enter_context(_restored())
        _have(*last, instead_of=before)
        self._set = last


_IN_FORCE = _InForce()
os.register_at_fork(
    before=_IN_FORCE.lock.acquire, after_in_parent=_IN_FORCE.lock.release, after_in_child=_IN_FORCE.forked
)


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Have the settings of the process again after the block. Those of products may be set by themselves inside it."""
    cudnn, default = torch.backends.cudnn, torch.get_default_dtype()
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic
    products = _products_restored if _BY_KIND else _products_restored_before_torch_2_9
    try:
        with products():
            yield
    finally:
        torch.set_default_dtype(default)
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = before


def _have(tf32: bool, repeatable: bool, *, instead_of: tuple[bool, bool] | None) -> None:
    """Set the settings of the process. See `float32_arithmetic`. instead_of: what they were set to here before."""
    cudnn = torch.backends.cudnn
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic = True, not repeatable, repeatable
    torch.set_default_dtype(torch.float32)
    if instead_of is None or instead_of[0] != tf32:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        if not _BY_KIND:
            cudnn.allow_tf32 = tf32
            return
        for name in _OF_PROCESSORS:  # which torch has just set with the others: for that moment they may have TF32
            _set(name, "ieee")
        for name in _OF_GPUS:
            _set(name, "tf32" if tf32 else "ieee")


_BY_KIND = hasattr(torch.backends, "fp32_precision")
"""Whether each kind of product has a setting of its own, as since torch 2.9."""

_OF_ALL = ("fp32_precision", "cudnn.fp32_precision")
"""Settings of torch.backends that apply wherever the settings below say "none"."""

_OF_PROCESSORS = ("mkldnn.matmul.fp32_precision", "mkldnn.conv.fp32_precision", "mkldnn.rnn.fp32_precision")
_OF_GPUS = ("cuda.matmul.fp32_precision", "cudnn.conv.fp32_precision", "cudnn.rnn.fp32_precision")


@contextlib.contextmanager
def _products_restored() -> Iterator[None]:
    """Let the precision of each kind of product be set by itself, and restore it.

    `set_float32_matmul_precision` belongs to an older interface and sets two of them at once. Reading that setting
    raises RuntimeError in a program that has set them one by one, unless they say "none" at that time.
    """
    before: dict[str, str] = {}
    for name in (*_OF_ALL, *_OF_PROCESSORS, *_OF_GPUS):
        before[name] = _setting(name)
        _set(name, "none")
    matmul_before = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul_before)
        for name, value in before.items():
            _set(name, value)


@contextlib.contextmanager
def _products_restored_before_torch_2_9() -> Iterator[None]:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def _setting(name: str) -> str:
    value: str = operator.attrgetter(name)(torch.backends)
    return value


def _set(name: str, value: str) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(operator.attrgetter(owner)(torch.backends) if owner else torch.backends, attribute, value)

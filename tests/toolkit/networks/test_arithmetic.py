"""Digits of networks that neither threads nor the surrounding program move."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from operator import attrgetter

import numpy as np
import pytest
import torch

from fvd_bench.networks import arithmetic, create
from fvd_bench.networks.arithmetic import batched_products, float32_arithmetic, linear, products_with
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.protocols.rules import FeatureRule, Resize

THREADS = (1, 2, 4, 8)
FEW_AND_MANY = (1, 8, 50)

# The products of I3D's last blocks, of Inception's logits, of a long clip, and of a clip of odd size.
SHAPES = [(2, 98, 832, 448), (2, 98, 832, 128), (1, 32, 2048, 1008), (1, 784, 512, 288), (3, 197, 64, 64)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@contextlib.contextmanager
def setting(name: str, value: str) -> Iterator[None]:
    """One of torch's settings of products, for a while."""
    owner, _, attribute = name.rpartition(".")
    target = attrgetter(owner)(torch.backends) if owner else torch.backends
    before = getattr(target, attribute)
    setattr(target, attribute, value)
    try:
        yield
    finally:
        setattr(target, attribute, before)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_is_the_product_of_each_item_on_any_number_of_threads(shape, threads) -> None:
    items, rows, channels, outputs = shape
    x, weight, bias = random(items, rows, channels), random(outputs, channels, seed=1), random(outputs, seed=2)
    exact = x.double() @ weight.double().T + bias.double()

    found = []
    for count in THREADS:
        torch.set_num_threads(count)
        found.append(linear(x, weight, bias))

    # The classic bound on the rounding of a sum of `channels` products, with a quarter of its size to spare.
    bound = channels * 2**-24 * (x.double().abs() @ weight.double().abs().T + bias.abs()) * 1.25
    assert ((found[0] - exact).abs() <= bound).all()
    assert all(torch.equal(other, found[0]) for other in found)
    assert torch.equal(linear(x[:1], weight, bias), found[0][:1])
    assert torch.equal(linear(x, weight), linear(x, weight, torch.zeros(outputs)))


def test_products_with_a_matrix_are_those_of_each() -> None:
    weight, x = random(4, 5, seed=0), random(3, 5, 7, seed=1)

    torch.testing.assert_close(products_with(weight, x).double(), weight.double() @ x.double(), atol=1e-6, rtol=0)


def test_products_are_those_of_each_pair_of_matrices() -> None:
    x, weights, out = random(3, 5, 7, seed=0), random(3, 7, 2, seed=1), torch.empty(3, 5, 2)

    batched_products(x, weights, out)

    expected = [one.double() @ other.double() for one, other in zip(x, weights, strict=True)]
    torch.testing.assert_close(out.double(), torch.stack(expected), atol=1e-6, rtol=0)


def test_no_number_of_threads_moves_features_where_the_library_cuts_sums_up() -> None:
    """Intel's library does on its maker's processors; told to be compatible, it does on every one that it runs on."""
    program = (
        "import torch\n"
        "from fvd_bench.networks import weights\n"
        "from fvd_bench.networks.i3d_network import I3D\n"
        "network = I3D.from_tensors(weights.load('i3d-kinetics-400').tensors, read_out='pool')\n"
        "clips = torch.rand(1, 3, 9, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1\n"
        f"for count in {FEW_AND_MANY}:\n"
        "    torch.set_num_threads(count)\n"
        "    print(network(clips).numpy().tobytes().hex())\n"
        "    assert torch.get_num_threads() == count\n"
    )
    environment = {**os.environ, "MKL_CBWR": "COMPATIBLE"}

    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)

    features = done.stdout.split()
    assert len(features) == len(FEW_AND_MANY) and len(set(features)) == 1


NEW = hasattr(torch.backends, "fp32_precision")
PRODUCTS = (
    [f"{kind}.fp32_precision" for kind in ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn", "cuda.matmul", "cudnn.conv")]
    if NEW
    else ["cudnn.allow_tf32", "cuda.matmul.allow_tf32"]
)
SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    **(
        {
            name: lambda name=name: setting(name, "tf32")
            for name in ("fp32_precision", "cuda.matmul.fp32_precision", "cudnn.conv.fp32_precision")
        }
        | {"bfloat16": lambda: setting("mkldnn.conv.fp32_precision", "bf16")}
        if NEW
        else {}
    ),
}


def test_the_surrounding_program_neither_moves_features_nor_is_moved(moving_frames, monkeypatch) -> None:
    monkeypatch.setattr(TorchExtractor, "micro_batch_clips", lambda self, frames: 1)  # no clip beside the one looked at
    rule = FeatureRule(extractor="i3d", layer="pool", resize=Resize(size=64))
    extractor = create(rule, device="cpu", weights={}, progress=lambda done, total: None)
    clip = moving_frames(9, seed=0)
    (alone,) = extractor([clip])

    for name in SURROUNDINGS:
        with SURROUNDINGS[name]():
            before = settings_of_torch()
            (within,) = extractor([clip])
            assert settings_of_torch() == before, name
        assert alone.dtype == within.dtype == np.float32
        assert np.array_equal(within, alone), name


def settings_of_torch() -> dict[str, object]:
    """All that the guard touches, as far as torch lets itself be asked."""
    names = ["cudnn.enabled", "cudnn.benchmark", "cudnn.deterministic"]
    if NEW:
        names += ["fp32_precision", "cudnn.fp32_precision"]
        names += [f"cudnn.{kind}.fp32_precision" for kind in ("conv", "rnn")]
        names += [f"mkldnn.{kind}.fp32_precision" for kind in ("conv", "matmul", "rnn")]
        names += ["cuda.matmul.fp32_precision"]
    found: dict[str, object] = {name: attrgetter(name)(torch.backends) for name in names}
    found["type"] = torch.get_default_dtype()
    found["autocast"] = torch.is_autocast_enabled("cpu")
    with contextlib.suppress(RuntimeError):  # said of a mix of old and new settings
        found["matmul"] = torch.get_float32_matmul_precision()
    with contextlib.suppress(RuntimeError):
        found["cudnn"] = torch.backends.cudnn.allow_tf32
    return found


@pytest.mark.parametrize("precision, products", [("float32", "ieee"), ("tf32", "tf32")])
def test_the_guard_sets_every_kind_of_product(precision: str, products: str) -> None:
    if not NEW:
        with float32_arithmetic(precision):
            assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")
        return
    with setting("fp32_precision", "tf32"), float32_arithmetic(precision):
        for kind in ("cuda.matmul", "cudnn.conv", "cudnn.rnn"):
            assert attrgetter(kind)(torch.backends).fp32_precision == products
        for kind in ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"):
            assert attrgetter(kind)(torch.backends).fp32_precision == "ieee"
        assert torch.get_float32_matmul_precision() == ("high" if precision == "tf32" else "highest")


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_guard_takes_repeatable_or_the_fastest_algorithms_of_a_gpu(surroundings: str, repeatable: bool) -> None:
    cudnn = torch.backends.cudnn
    with SURROUNDINGS[surroundings]():
        before = settings_of_torch()
        with float32_arithmetic("float32", repeatable=repeatable):
            assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == (True, not repeatable, repeatable)
        assert settings_of_torch() == before


def test_what_follows_a_general_setting_still_does_after_the_guard() -> None:
    """A setting that is inherited is not written down as one of its own."""
    if not NEW:  # every setting is one of its own
        return
    with setting("fp32_precision", "tf32"):
        with float32_arithmetic("float32"):
            pass
        assert torch.backends.mkldnn.conv.fp32_precision == "tf32"
        with setting("fp32_precision", "ieee"):
            assert torch.backends.mkldnn.conv.fp32_precision == "ieee"


def test_the_guard_mends_itself_after_an_error() -> None:
    before = settings_of_torch()

    with pytest.raises(ValueError, match="from within"), float32_arithmetic("float32"):
        raise ValueError("from within")

    assert settings_of_torch() == before


def test_blocks_of_several_threads_leave_the_settings_as_they_were() -> None:
    before = settings_of_torch()
    first, second = float32_arithmetic("float32"), float32_arithmetic("tf32", repeatable=False)

    def other() -> None:
        with second:
            inside.append(settings_of_torch())
            has_begun.set()
            assert may_end.wait(60)
            inside.append(settings_of_torch())

    inside: list[dict[str, object]] = []
    has_begun, may_end = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    with first:
        own = settings_of_torch()
        thread.start()
        assert has_begun.wait(60)
    assert settings_of_torch() == inside[0] != own
    may_end.set()
    thread.join()

    assert inside[0] == inside[1] != before
    assert settings_of_torch() == before


def test_a_block_inside_another_gives_way_to_it_again() -> None:
    with float32_arithmetic("tf32", repeatable=False):
        outer = settings_of_torch()
        with float32_arithmetic("float32"):
            assert settings_of_torch() != outer
        assert settings_of_torch() == outer


def test_the_programs_settings_do_not_return_between_what_two_blocks_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of other threads compute at that time."""
    seen: list[dict[str, object]] = []

    def watched(change):
        def changed(*given: object) -> None:
            change(*given)
            seen.append({"dtype": torch.get_default_dtype(), "products": attrgetter(*PRODUCTS)(torch.backends)})

        return changed

    for owner, name in ((torch, "set_default_dtype"), (torch, "set_float32_matmul_precision"), (arithmetic, "_set")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    torch.set_default_dtype(torch.float64)
    try:
        with float32_arithmetic("float32"):
            seen.clear()
            of_block = attrgetter(*PRODUCTS)(torch.backends)
            with float32_arithmetic("float32", repeatable=False):
                pass
            assert seen and all(found == {"dtype": torch.float32, "products": of_block} for found in seen)
            seen.clear()
            with float32_arithmetic("tf32"):
                pass
            assert {found["dtype"] for found in seen} == {torch.float32}
            assert attrgetter(*PRODUCTS)(torch.backends) == of_block
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_has_the_blocks_of_its_own_thread_alone() -> None:
    """Also where another thread is about to change the settings at that time."""
    before = settings_of_torch()
    has_begun, may_end = threading.Event(), threading.Event()

    def other() -> None:
        with float32_arithmetic("tf32", repeatable=False):
            has_begun.set()
            assert may_end.wait(60)

    def in_child() -> bool:
        is_as_before = settings_of_torch() == before
        with float32_arithmetic("float32"):
            return is_as_before and settings_of_torch() != before

    thread = threading.Thread(target=other)
    thread.start()
    assert has_begun.wait(60)
    arithmetic._IN_FORCE.lock.acquire()
    threading.Timer(0.1, arithmetic._IN_FORCE.lock.release).start()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if in_child() else 1)
    _, status = os.waitpid(child, 0)
    may_end.set()
    thread.join()

    assert status == 0
    assert settings_of_torch() == before

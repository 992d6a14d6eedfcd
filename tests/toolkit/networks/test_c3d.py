"""C3D and the video inception score, on seeded weights: the original weights have no published digest."""

import itertools
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import save_file

from fvd_bench.errors import ProtocolError
from fvd_bench.estimate import Splits
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.metrics.inception_score import inception_score, scores_of_splits
from fvd_bench.networks import create, weights
from fvd_bench.networks.c3d_network import C3D as Network
from fvd_bench.networks.weights import c3d_tensors
from fvd_bench.protocols.protocol import load, parse, text
from fvd_bench.settings import Settings

C3D, MEAN = "c3d-ucf101", "c3d-ucf101-mean"
RULE = load("ucf101-c3d-is").features
POOLED = {"conv1a": (1, 2, 2), "conv2a": (2, 2, 2), "conv3b": (2, 2, 2), "conv4b": (2, 2, 2), "conv5b": (2, 2, 2)}

Tensors = dict[str, np.ndarray]


def seeded(shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Tensors with Chainer's names. A long weight repeats some thousands of values, which are quick to make."""
    rng = np.random.default_rng(0)
    tensors = {}
    for layer, shape in shapes.items():
        drawn = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, min(10_007, int(np.prod(shape))))
        tensors[f"{layer}/W"] = np.resize(drawn.astype(np.float32), shape)
        tensors[f"{layer}/b"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return tensors


def mean_clip() -> np.ndarray:
    """As large as the one of TGANv2: [3, 16, 128, 171], with other values at every place."""
    channel, t, row, column = np.ogrid[:3, :16, :128, :171]
    return (80 + 10 * channel + t + row / 8 + column / 16).astype(np.float32)


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> Tensors:
    """Tensors of a C3D that is a hundred times narrower, which stands in the table of shapes for the test."""
    widths = (3, 4, 5, 6, 6, 7, 7, 8, 8)
    convolutions = [layer for layer in c3d_tensors.WEIGHTS if layer.startswith("conv")]
    shapes: dict[str, tuple[int, ...]] = {
        layer: (out, into, 3, 3, 3) for layer, (into, out) in zip(convolutions, itertools.pairwise(widths), strict=True)
    }
    shapes |= {"fc6": (9, 8 * 16), "fc7": (10, 9), "fc8": (101, 10)}
    for layer, shape in shapes.items():
        monkeypatch.setitem(c3d_tensors.WEIGHTS, layer, shape)
    return seeded(shapes)


@pytest.fixture
def given(tmp_path: Path) -> Callable[[Tensors], dict[str, Path]]:
    """Write tensors and the mean clip as the files of TGANv2, and return what `--weights` says."""

    def write(tensors: Tensors) -> dict[str, Path]:
        np.savez(tmp_path / "c3d.npz", **tensors)
        np.savez(tmp_path / "mean2.npz", mean=mean_clip())
        return {C3D: tmp_path / "c3d.npz", MEAN: tmp_path / "mean2.npz"}

    return write


def features(clips: list[np.ndarray], files: Mapping[str, Path]) -> np.ndarray:
    extractor = create(RULE, device="cpu", weights=files, progress=lambda *_: None)
    return np.concatenate(extractor(clips))


def aligned(frames: np.ndarray, size: int) -> np.ndarray:
    """Bilinear interpolation at places that are spread from the first to the last pixel: [T, size, size, 3]."""
    for axis in (1, 2):
        lines = np.moveaxis(frames.astype(np.float64), axis, 0)
        places = np.linspace(0, len(lines) - 1, size)
        mixed = [lines[int(p)] * (1 - p % 1) + lines[min(int(p) + 1, len(lines) - 1)] * (p % 1) for p in places]
        frames = np.moveaxis(np.stack(mixed), 0, axis)
    return frames


def pooled(x: np.ndarray, window: tuple[int, int, int]) -> np.ndarray:
    """Maxima of windows side by side, the last of which may reach beyond the end: [C, T, H, W]."""
    pads = [(0, 0), *((0, -length % size) for length, size in zip(x.shape[1:], window, strict=True))]
    x = np.pad(x, pads, constant_values=-np.inf)
    (t, h, w), (channels, frames, rows, columns) = window, x.shape
    return x.reshape(channels, frames // t, t, rows // h, h, columns // w, w).max(axis=(2, 4, 6))


def logits_by_hand(clip: np.ndarray, tensors: Tensors) -> np.ndarray:
    """The whole network in float64 and NumPy: what TGANv2's code does with a clip of uint8 [16, H, W, 3]."""
    x = np.moveaxis(aligned(clip, 112), -1, 0)[::-1] - mean_clip()[:, :, 8:120, 8:120]
    for layer in c3d_tensors.WEIGHTS:
        weight, bias = tensors[f"{layer}/W"].astype(np.float64), tensors[f"{layer}/b"]
        if layer.startswith("fc"):
            x = weight @ x.ravel() + bias
        else:
            padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (1, 1)])
            seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3), axis=(1, 2, 3))
            x = np.einsum("ithwabc,oiabc->othw", seen, weight, optimize=True) + bias[:, None, None, None]
        if layer != "fc8":
            x = np.maximum(x, 0)
        if layer in POOLED:
            x = pooled(x, POOLED[layer])
    return x


@pytest.fixture
def clips(moving_frames) -> list[np.ndarray]:
    return [moving_frames(16, 48, 64, seed=seed) for seed in range(3)]


def test_the_network_is_tgans(thin: Tensors, given, clips: list[np.ndarray]) -> None:
    """From pixels to logits: resize, order of channels, mean clip, convolutions, pools, and what is fully connected."""
    found = features(clips, given(thin))

    assert found.shape == (3, 101) and found.dtype == np.float32
    for ours, clip in zip(found, clips, strict=True):
        expected = logits_by_hand(clip, thin)
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(found[0] - found[1]).max() > 1e-2 * np.abs(found).max()


def test_neither_company_nor_threads_change_a_bit(thin: Tensors, given, clips: list[np.ndarray]) -> None:
    files = given(thin)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        together = features(clips, files)
        torch.set_num_threads(1)
        apart = [features([clip], files)[0] for clip in clips]
        reversed_ = features(clips[::-1], files)[::-1]
    finally:
        torch.set_num_threads(before)

    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(together, reversed_)


def test_the_network_has_the_sizes_of_tgans(moving_frames) -> None:
    """All of its 78 million weights, against torch's functions one after the other."""
    tensors = seeded(c3d_tensors.WEIGHTS)
    mean = c3d_tensors.mean({"mean": mean_clip()}, "here")["mean"]
    pixels = torch.from_numpy(aligned(moving_frames(16, 48, 64), 112)).permute(3, 0, 1, 2)[None].float()

    (found,) = Network(c3d_tensors.layers(tensors, "here"), mean)(pixels)

    assert sum(tensor.size for tensor in tensors.values()) == 78_409_573
    x = pixels.flip(1) - torch.from_numpy(mean_clip()[:, :, 8:120, 8:120])
    for layer in c3d_tensors.WEIGHTS:
        weight, bias = torch.from_numpy(tensors[f"{layer}/W"]), torch.from_numpy(tensors[f"{layer}/b"])
        x = F.linear(x.flatten(1), weight, bias) if layer.startswith("fc") else F.conv3d(x, weight, bias, padding=1)
        x = x if layer == "fc8" else x.relu()
        x = F.max_pool3d(x, POOLED[layer], ceil_mode=True) if layer in POOLED else x
    torch.testing.assert_close(found, x[0], rtol=0, atol=1e-4 * float(x.abs().max()))


@pytest.fixture
def named(thin: Tensors, tmp_path: Path) -> dict[str, Path]:
    """The same tensors as in Chainer's file, a safetensors file, a torch state dict, and Caffe's blobs one by one."""
    np.savez(tmp_path / "chainer.npz", **thin)
    ours = {name.replace("/W", "/weight").replace("/b", "/bias"): value for name, value in thin.items()}
    save_file(ours, tmp_path / "a.safetensors")
    short = {n.replace("1a", "1").replace("2a", "2").replace("/W", ".weight").replace("/b", ".bias"): n for n in thin}
    torch.save({name: torch.from_numpy(thin[of]) for name, of in short.items()}, tmp_path / "a.pth")
    blobs = {n.replace("/W", "/0").replace("/b", "/1"): v for n, v in thin.items()}
    caffe = {n: v if v.ndim == 5 else v.reshape(1, 1, *(1,) * (v.ndim < 2), *v.shape) for n, v in blobs.items()}
    np.savez_compressed(tmp_path / "caffe.npz", **{f"data/{name}": value for name, value in caffe.items()})
    return {file.name: file for file in tmp_path.iterdir()}


def test_tensors_are_found_by_name_and_shape_in_every_container(named: dict[str, Path], thin: Tensors, store) -> None:
    loaded = {name: weights.load(C3D, path=file) for name, file in named.items()}

    assert len(loaded) == 4 and len({one.digest for one in loaded.values()}) == 1
    np.testing.assert_array_equal(loaded["caffe.npz"].tensors["fc6/bias"], thin["fc6/b"])
    np.testing.assert_array_equal(loaded["a.pth"].tensors["conv2a/weight"], thin["conv2a/W"])
    weights.import_file(C3D, named["chainer.npz"])
    assert weights.load(C3D).digest == loaded["chainer.npz"].digest
    assert weights.load(C3D).path == store / "c3d-ucf101.safetensors"


def _without(layer: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: value for name, value in tensors.items() if not name.startswith(layer)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t | {"fc8/W": np.zeros((487, 10)), "fc8/b": np.zeros(487)},
         "holds C3D for 487 classes, expected the 101 of UCF-101: take weights that were fine-tuned on UCF-101"),
        (lambda t: t | {"conv1a/W": np.zeros((4, 3, 7, 7, 7))},
         "does not hold C3D with 101 classes: conv1a/weight has the shape (4, 3, 7, 7, 7), expected (4, 3, 3, 3, 3)"),
        (_without("conv5b"), "conv5b/weight is missing, conv5b/bias is missing"),
        (lambda t: t | {"conv5b_bn/gamma": np.ones(8)}, "conv5b_bn/gamma is of no layer of it"),
        (lambda t: t | {"copy/conv1a/W": t["conv1a/W"]}, "copy/conv1a/W is a second conv1a/weight"),
        (lambda t: {"Mixed_3b/kernel": np.ones((1, 1))},
         "Mixed_3b/kernel is of no layer of it, conv1a/weight is missing, and 21 more"),
        (lambda t: t | {"fc6/W": np.array([print], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)  # fmt: skip
def test_other_networks_are_refused_in_one_sentence(
    thin: Tensors, tmp_path: Path, weights_error, change: Callable[[Tensors], Tensors], message: str
) -> None:
    np.savez(tmp_path / "other.npz", **change(thin))

    with weights_error(f"{tmp_path / 'other.npz'} ", message):
        weights.load(C3D, path=tmp_path / "other.npz")


@pytest.mark.parametrize("shape", [(3,), (3, 16, 112, 171), (3, 16, 119, 171), (16, 3, 128, 171)])
def test_other_means_are_refused(tmp_path: Path, weights_error, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "mean.npz", mean=np.zeros(shape))

    with weights_error("of the shape (3, 16, 112, 112), or (3, 16, 128, 171)", f"found mean of {shape}"):
        weights.load(MEAN, path=tmp_path / "mean.npz")


@pytest.mark.parametrize("lead", [(), (1,)])
def test_a_mean_may_be_cut_out_already(tmp_path: Path, lead: tuple[int, ...]) -> None:
    whole, cut = mean_clip(), np.ascontiguousarray(mean_clip()[:, :, 8:120, 8:120])
    np.savez(tmp_path / "whole.npz", mean=whole.reshape(*lead, *whole.shape))
    save_file({"anything": cut.reshape(*lead, *cut.shape)}, tmp_path / "cut.safetensors")

    loaded = [weights.load(MEAN, path=tmp_path / name) for name in ("whole.npz", "cut.safetensors")]

    assert loaded[0].digest == loaded[1].digest
    np.testing.assert_array_equal(loaded[0].tensors["mean"], cut)


@pytest.mark.usefixtures("store")
def test_what_is_published_nowhere_is_asked_of_the_user(weights_error) -> None:
    advice = "get conv3d_deepnetA_ucf.npz, which the README of pfnet-research/tgan2 on GitHub leads to"
    with weights_error("FVD_BENCH_C3D: not set", advice, "fvd-bench weights import c3d-ucf101 FILE"):
        weights.load(C3D)


def test_the_score_is_that_of_the_networks_classes(thin: Tensors, given, moving_frames, write_frames, tmp_path) -> None:
    """The protocol that ships, from folders of videos to the number; it is called unverified."""
    for number in range(22):
        frames = moving_frames(17, 40, 40, seed=number)
        write_frames(tmp_path / ("real" if number < 2 else "fake") / f"{number:02d}", frames, suffix=".jpg", quality=95)
    stored = [
        np.stack([np.array(Image.open(folder / f"{t}.jpg")) for t in range(16)])
        for folder in sorted((tmp_path / "fake").iterdir())
    ]
    logits = features(stored, given(thin))
    mean, scale = logits.mean(axis=0), 2 / np.std(logits - logits.mean(axis=0))  # so that clips differ in their classes
    livelier = thin | {"fc8/W": thin["fc8/W"] * scale, "fc8/b": (thin["fc8/b"] - mean) * scale}
    files = given(livelier)

    result = evaluate(
        tmp_path / "real", tmp_path / "fake", protocol="ucf101-c3d-is", settings=Settings(weights=files, cache=None)
    )

    (score,) = result.scores
    assert score.value == pytest.approx(inception_score((logits - mean) * scale), rel=1e-3)  # of float32
    assert score.value > 1.2 and not score.lower_is_better
    assert score.splits == Splits(10, pytest.approx(np.std(scores_of_splits((logits - mean) * scale)), rel=1e-3))
    assert set(result.weights) == {C3D, MEAN}
    unverified = [w.message.partition(" is known")[0] for w in result.warnings if w.code == "weights-unverified"]
    assert unverified == [f"no published digest of {name}" for name in (C3D, MEAN)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size = 112", "size = 128", "resize must have size = 112, not 128"),
        ("[0, 255]", "[-1, 1]", "range must be \\[0, 255\\], not \\[-1, 1\\]"),
        ('"logits"', '"prob"', "c3d has the layer \"logits\", not 'prob'"),
    ],
)
def test_preprocessing_that_it_does_not_have_is_refused(old: str, new: str, message: str) -> None:
    assert old in text("ucf101-c3d-is")
    rule = parse(tomllib.loads(text("ucf101-c3d-is").replace(old, new)), where="mine").features

    with pytest.raises(ProtocolError, match=message):
        create(rule, device="cpu", weights={}, progress=lambda *_: None)

"""The extractor around the network, on the real weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench.errors import ProtocolError, WeightsError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.networks import FeatureExtractor, create
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.protocols.protocol import load, parse, text
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.settings import Settings
from tests.forked import Program


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return create(load("stylegan-v-fvd16").features, device="cpu", weights={}, progress=lambda done, total: None)


@pytest.fixture(scope="module")
def of_small_frames() -> FeatureExtractor:
    """All layers but the head, on a twelfth of the places."""
    rule = FeatureRule(extractor="i3d", layer="pool", resize=Resize(size=64))
    return create(rule, device="cpu", weights={}, progress=lambda done, total: None)


def of_three_small_clips(folder: Path, **replaced: str) -> str:
    """Write a protocol like stylegan-v-fvd16, but of three clips of nine frames a side that are resized to 64 × 64.

    replaced: values of its lines by their keys.
    """
    values = {"name": '"small"', "frames": "9", "real": "3", "fake": "3", "layer": '"pool"', **replaced}
    toml = text("stylegan-v-fvd16").replace("size = 224", "size = 64")
    for key, value in values.items():
        toml = re.sub(rf"^{key} = .*$", f"{key} = {value}", toml, flags=re.MULTILINE)
    (folder / "small.toml").write_text(toml)
    return str(folder / "small.toml")


@pytest.fixture(scope="module")
def clips(moving_frames) -> list[np.ndarray]:
    """Clips of two sizes, as a folder of mixed videos gives them."""
    return [moving_frames(9, 48 + 16 * (seed % 2), 64, seed=seed) for seed in range(3)]


def test_features_are_the_networks_logits_of_resized_clips(extractor, clips, i3d_tensors, monkeypatch) -> None:
    """Written a second time: one clip, one float64 resize, no batch."""
    monkeypatch.setattr(TorchExtractor, "micro_batch_clips", lambda self, frames: 1)
    frames = torch.from_numpy(clips[0]).permute(0, 3, 1, 2).double()
    resized = torch.nn.functional.interpolate(frames, size=(224, 224), mode="bilinear", align_corners=False)
    video = (resized / 255 * 2 - 1).transpose(0, 1)[None].float()

    (features,) = extractor(clips[:1])

    assert features.shape == (1, 400)
    np.testing.assert_allclose(features, I3D.from_tensors(i3d_tensors)(video).numpy(), atol=1e-4)


def test_a_clip_has_the_same_features_in_any_company(of_small_frames, clips, monkeypatch) -> None:
    """In batches as the extractor makes them up. The network by itself is tested at its own size."""
    monkeypatch.setattr(TorchExtractor, "micro_batch_clips", lambda self, frames: 2)
    together = of_small_frames(clips[:2])

    np.testing.assert_array_equal(of_small_frames(clips[1:2])[0], together[1])
    np.testing.assert_array_equal(of_small_frames(clips[1::-1])[::-1], together)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_the_score_has_the_same_digits_for_any_workers_threads_and_order(tmp_path: Path, two_sides) -> None:
    """Against a process of its own, since torch sets its threads once."""
    program = (
        "import sys, torch; torch.set_num_threads(int(sys.argv[1]))\n"
        "from fvd_bench.evaluation.evaluate import Settings, evaluate\n"
        "settings = Settings(device='cpu', cache=None, workers=int(sys.argv[2]))\n"
        "print(repr(evaluate(sys.argv[3], sys.argv[4], sys.argv[5], settings=settings).value))\n"
    )
    protocol = of_three_small_clips(tmp_path)
    more = [torch.get_num_threads() + 1, 3, *two_sides, protocol]

    done = Program("-c", program, *more).end()

    here = evaluate(*two_sides, protocol, settings=Settings(device="cpu", cache=None, workers=1))
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(here.value, rel=1e-9)


def test_a_set_against_itself_scores_next_to_nothing(two_sides, tmp_path: Path) -> None:
    """With the same frames on both sides: first clips, and no JPEG."""
    protocol = of_three_small_clips(tmp_path, start='"first"', jpeg='"never"')

    assert evaluate(two_sides[0], two_sides[0], protocol, settings=Settings(cache=None)).value < 1e-6


def test_the_network_always_sees_batches_of_one_size(extractor, clips, monkeypatch) -> None:
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(I3D, "forward", lambda network, x: seen.append(tuple(x.shape)) or torch.zeros(len(x), 400))

    extractor(clips)
    extractor(clips[:1])

    assert set(seen) == {(3, 3, 9, 224, 224)}


def test_frames_of_mixed_sizes_that_go_in_as_they_are_are_batched_apart(
    tmp_path: Path, moving_frames, write_frames, monkeypatch
) -> None:
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(I3D, "forward", lambda network, x: seen.append(tuple(x.shape)) or torch.zeros(len(x), 400))
    monkeypatch.setattr(TorchExtractor, "micro_batch_clips", lambda self, frames: 2)
    for seed in range(4):
        write_frames(tmp_path / "side" / str(seed), moving_frames(9, 200 + 8 * (seed % 2), 200, seed=seed))
    toml = text("stylegan-v-fvd16").replace("frames = 16", "frames = 9").replace("-fvd16", "-fvd9")
    lines = [line for line in toml.splitlines() if not line.startswith("resize")]
    (tmp_path / "as-is.toml").write_text("\n".join(lines))

    result = evaluate(tmp_path / "side", tmp_path / "side", tmp_path / "as-is.toml", settings=Settings(cache=None))

    assert result.scores[0].real.clips == 4
    assert sorted(seen) == [(2, 3, 9, 200, 200)] * 2 + [(2, 3, 9, 208, 200)] * 2  # a batch of each for either side


def test_another_layer_is_refused() -> None:
    import tomllib

    table = tomllib.loads(text("stylegan-v-fvd16"))
    table["features"]["layer"] = "softmax"

    with pytest.raises(ProtocolError, match="logits"):
        create(parse(table, where="test").features, device="cpu", weights={}, progress=lambda done, total: None)


def test_weights_that_are_not_there_stop_the_run_before_it_begins(tmp_path: Path, two_sides) -> None:
    settings = Settings(cache=None, weights={"i3d-kinetics-400": tmp_path / "none.ckpt"})

    with pytest.raises(WeightsError, match=r"none\.ckpt"):
        evaluate(*two_sides, settings=settings)

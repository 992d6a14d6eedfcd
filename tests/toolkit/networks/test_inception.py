"""FID, KID and IS against torch-fidelity itself, on seeded weights: the original weights were not at hand."""

import dataclasses
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fvd_bench import FrechetVideoDistance
from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.networks import create, inception
from fvd_bench.protocols.protocol import load, parse, text
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.settings import Settings
from tests.lazy_module import LazyModule

torch_fidelity = LazyModule("torch_fidelity")

WEIGHTS = "inception-2015-12-05"
Sides = tuple[Path, Path]


@pytest.fixture(scope="module")
def frame_sides(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> Callable[[int], Sides]:
    """Two videos of some frames a side, as lossless frame folders and as flat folders of the same frames."""

    @functools.cache
    def sides(num_frames: int) -> Sides:
        root = tmp_path_factory.mktemp("frames")
        for side, first in (("real", 0), ("fake", 50)):
            for seed in range(2):
                frames = moving_frames(num_frames, seed=first + seed)
                write_frames(root / side / str(seed), frames)
                (root / f"{side}-flat").mkdir(exist_ok=True)
                for t, frame in enumerate(frames):
                    Image.fromarray(frame).save(root / f"{side}-flat" / f"{seed}-{t}.png")
        return root / "real", root / "fake"

    return sides


@pytest.fixture(scope="module")
def lively_inception(tmp_path_factory: pytest.TempPathFactory, seeded_inception: Path) -> Path:
    """Seeded weights that do not damp their input: under the plain ones every frame has the same features to 1e-7."""
    state = torch.load(seeded_inception, weights_only=True)
    generator = torch.Generator().manual_seed(0)
    for tensor in state.values():
        if tensor.ndim == 4:  # a convolution; He et al. 2015
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5)
    state["fc.weight"].copy_(torch.randn(state["fc.weight"].shape, generator=generator))
    file = tmp_path_factory.mktemp("lively") / "inception.pth"
    torch.save(state, file)
    return file


@pytest.fixture(scope="module")
def theirs(frame_sides: Callable[[int], Sides], lively_inception: Path) -> Callable[[int], dict[str, float]]:
    """torch-fidelity's scores of all frames, from one pass; its first input is the fake one."""

    @functools.cache
    def scores(num_frames: int) -> dict[str, float]:
        real, fake = frame_sides(num_frames)
        found: dict[str, float] = torch_fidelity.calculate_metrics(
            input1=f"{fake}-flat", input2=f"{real}-flat", fid=True, kid=True, kid_subset_size=2 * num_frames, isc=True,
            cuda=False, cache=False, verbose=False,
            feature_extractor_weights_path=str(lively_inception), save_cpu_ram=True,
        )  # fmt: skip
        return found

    return scores


@pytest.fixture
def scored(
    frame_sides: Callable[[int], Sides], lively_inception: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Scores under a shipped protocol with torch-fidelity's divisor, no JPEG, and clips as long as the videos."""
    monkeypatch.setattr(inception, "BATCH_FRAMES", 4)  # without padding

    def score(name: str, *, num_frames: int) -> Result:
        toml = text(name).replace(f'name = "{name}"', 'name = "theirs"').replace("ddof = 0", "ddof = 1")
        toml = toml.replace('jpeg = { fake = "unless-jpeg" }', "")
        (tmp_path / "protocol.toml").write_text(re.sub(r"(frames|fake) = 16\b", rf"\1 = {num_frames}", toml))
        settings = Settings(cache=None, weights={WEIGHTS: lively_inception})
        return evaluate(*frame_sides(num_frames), str(tmp_path / "protocol.toml"), settings=settings)

    return score


def test_fid_and_kid_are_torch_fidelitys(scored, theirs: Callable[[int], dict[str, float]]) -> None:
    ours, expected = scored("stylegan-v-fid-panel", num_frames=2), theirs(2)

    values = {score.metric: score.value for score in ours.scores}
    # theirs takes square roots of rounding errors of the eigenvalues that are 0: it is too low by 3e-6 here
    assert values["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=2e-5, abs=0)
    # theirs sums kernel values, all near 1, in float32
    assert values["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], abs=2e-7, rel=0)
    assert abs(values["kid"]) > 5e-5
    assert (ours.scores[0].real.clips, ours.scores[0].fake.clips) == (4, 4)
    assert any(w.code == "weights-unverified" for w in ours.warnings)


@pytest.mark.slow  # the network, what it sees and the distance are those of the test above
def test_fid_of_single_images_is_torch_fidelitys(frame_sides, lively_inception: Path, theirs) -> None:
    real, fake = (f"{side}-flat" for side in frame_sides(2))

    ours = evaluate(
        real, fake, "torch-fidelity-fid", settings=Settings(cache=None, weights={WEIGHTS: lively_inception})
    )

    assert ours.value == pytest.approx(theirs(2)["frechet_inception_distance"], rel=2e-5, abs=0)
    assert (ours.scores[0].real.clips, ours.fake.videos) == (4, 4)


@pytest.mark.slow  # the score is of torch-fidelity's own function, and the network is that of FID
def test_the_inception_score_is_torch_fidelitys(scored, theirs) -> None:
    (ours,) = scored("stylegan-v-is", num_frames=8).scores  # a split, of ten, has one frame or two

    assert (ours.metric, ours.lower_is_better) == ("is", False)
    assert ours.value - 1 == pytest.approx(theirs(8)["inception_score_mean"] - 1, rel=1e-4, abs=0)  # 1 is the least
    assert ours.value > 1.01
    assert ours.splits.count == 10
    assert (
        ours.splits.std == pytest.approx(theirs(8)["inception_score_std"], rel=1e-4, abs=0) and ours.splits.std > 0.01
    )


@pytest.mark.parametrize(("batch", "count"), [(2, 3), pytest.param(32, 40, marks=pytest.mark.slow)])  # 32 is its own
def test_a_frame_has_the_same_features_in_any_company_and_surroundings(
    moving_frames, lively_inception: Path, batch: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "BATCH_FRAMES", batch)
    extractor = create(
        load("stylegan-v-fid").features,
        device="cpu", weights={WEIGHTS: lively_inception}, progress=lambda done, total: None,
    )  # fmt: skip
    frames = moving_frames(count)

    (whole,) = extractor([frames])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        last, first = extractor([frames[count // 2 :], frames[: count // 2]])

    np.testing.assert_array_equal(np.concatenate([first, last]), whole)
    assert whole.std(axis=0).mean() > 1e-3  # frames differ


def test_preprocessing_that_is_not_its_own_is_refused(seeded_inception: Path) -> None:
    import tomllib

    table = tomllib.loads(text("stylegan-v-fid"))
    table["features"]["resize"]["kernel"] = "bilinear"
    rule = parse(table, where="test").features

    with pytest.raises(ProtocolError, match="resize must be 299-stretch-bilinear-tf1"):
        create(rule, device="cpu", weights={WEIGHTS: seeded_inception}, progress=lambda done, total: None)


def test_another_layer_is_refused(seeded_inception: Path) -> None:
    rule = dataclasses.replace(load("stylegan-v-fid").features, layer="768")

    with pytest.raises(ProtocolError, match='has the layer "2048" or "logits_unbiased", not \'768\''):
        create(rule, device="cpu", weights={WEIGHTS: seeded_inception}, progress=lambda done, total: None)


def test_networks_leave_the_global_generator_alone(moving_frames, seeded_inception) -> None:
    """Inception is born with random weights before it gets its own."""
    state = torch.get_rng_state()

    small = FeatureRule(extractor="i3d", layer="pool", resize=Resize(size=64))
    protocol = dataclasses.replace(load("stylegan-v-fvd16"), name="small", features=small)
    metric = FrechetVideoDistance(protocol, settings=Settings(cache=None, device="cpu"))
    metric.update(fake=moving_frames(16, seed=4)[None])
    weights = {"inception-2015-12-05": seeded_inception}
    create(load("stylegan-v-fid").features, device="cpu", weights=weights, progress=lambda done, total: None)

    assert torch.equal(torch.get_rng_state(), state)


def test_neither_company_nor_threads_change_a_bit(lively_inception: Path, moving_frames) -> None:
    """In micro-batches of their usual size. In smaller ones a single thread takes another algorithm."""
    rule = load("stylegan-v-fid").features
    extractor = create(rule, device="cpu", weights={WEIGHTS: lively_inception}, progress=lambda done, total: None)
    frames, before, found = moving_frames(2, seed=0), torch.get_num_threads(), []
    try:
        for threads, clip in ((1, frames), (2, frames[::-1].copy())):
            torch.set_num_threads(threads)
            found += extractor([clip])
    finally:
        torch.set_num_threads(before)

    np.testing.assert_array_equal(found[1][::-1], found[0])
    assert np.abs(found[0][0] - found[0][1]).max() > 1e-3

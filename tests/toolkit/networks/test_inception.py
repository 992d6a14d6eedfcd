"""FID, KID and IS against torch-fidelity itself, on seeded weights: the original weights were not at hand."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from PIL import Image

from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.networks import create
from fvd_bench.protocols.protocol import load, parse, text
from fvd_bench.settings import Settings

WEIGHTS = "inception-2015-12-05"


@pytest.fixture(scope="module")
def frame_sides(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> tuple[Path, Path]:
    """Four videos of 4 frames a side, as lossless frame folders and as flat folders of the same frames."""
    root = tmp_path_factory.mktemp("frames")
    for side, first in (("real", 0), ("fake", 50)):
        for seed in range(4):
            frames = moving_frames(4, seed=first + seed)
            write_frames(root / side / str(seed), frames)
            (root / f"{side}-flat").mkdir(exist_ok=True)
            for t, frame in enumerate(frames):
                Image.fromarray(frame).save(root / f"{side}-flat" / f"{seed}-{t}.png")
    return root / "real", root / "fake"


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
def theirs(frame_sides: tuple[Path, Path], lively_inception: Path) -> dict[str, float]:
    """torch-fidelity's scores of all frames, from one pass; its first input is the fake one."""
    real, fake = frame_sides
    scores: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=f"{fake}-flat", input2=f"{real}-flat", fid=True, kid=True, kid_subset_size=16, isc=True,
        cuda=False, cache=False, verbose=False,
        feature_extractor_weights_path=str(lively_inception), save_cpu_ram=True,
    )  # fmt: skip
    return scores


@pytest.fixture
def scored(frame_sides: tuple[Path, Path], lively_inception: Path, tmp_path: Path) -> Callable[[str], Result]:
    """Scores under a shipped protocol with torch-fidelity's divisor, no JPEG, and clips as long as the videos."""

    def score(name: str) -> Result:
        toml = text(name).replace(f'name = "{name}"', 'name = "theirs"').replace("ddof = 0", "ddof = 1")
        toml = toml.replace('jpeg = { fake = "unless-jpeg" }', "")
        (tmp_path / "protocol.toml").write_text(re.sub(r"(frames|fake) = 16\b", r"\1 = 4", toml))
        settings = Settings(cache=None, weights={WEIGHTS: lively_inception})
        return evaluate(*frame_sides, str(tmp_path / "protocol.toml"), settings=settings)

    return score


def test_fid_and_kid_are_torch_fidelitys(scored, theirs: dict[str, float]) -> None:
    ours = scored("stylegan-v-fid-panel")

    values = {score.metric: score.value for score in ours.scores}
    # theirs takes square roots of rounding errors of the eigenvalues that are 0: it is too low by 3e-6 here
    assert values["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=2e-5, abs=0)
    # theirs sums kernel values, all near 1, in float32
    assert values["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], abs=2e-7, rel=0)
    assert values["kid"] > 1e-4
    assert (ours.scores[0].real.clips, ours.scores[0].fake.clips) == (16, 16)
    assert any(w.code == "weights-unverified" for w in ours.warnings)


@pytest.mark.slow  # the network, what it sees and the distance are those of the test above
def test_fid_of_single_images_is_torch_fidelitys(frame_sides, lively_inception: Path, theirs: dict[str, float]) -> None:
    real, fake = (f"{side}-flat" for side in frame_sides)

    ours = evaluate(
        real, fake, "torch-fidelity-fid", settings=Settings(cache=None, weights={WEIGHTS: lively_inception})
    )

    assert ours.value == pytest.approx(theirs["frechet_inception_distance"], rel=2e-5, abs=0)
    assert (ours.scores[0].real.clips, ours.fake.videos) == (16, 16)


@pytest.mark.slow  # the score is of torch-fidelity's own function, and the network is that of FID
def test_the_inception_score_is_torch_fidelitys(scored, theirs: dict[str, float]) -> None:
    (ours,) = scored("stylegan-v-is").scores

    assert (ours.metric, ours.lower_is_better) == ("is", False)
    assert ours.value - 1 == pytest.approx(theirs["inception_score_mean"] - 1, rel=1e-4, abs=0)  # 1 is the least
    assert ours.value > 1.01


@pytest.mark.parametrize("count", [20, pytest.param(40, marks=pytest.mark.slow)])  # a batch is 32
def test_a_frame_has_the_same_features_in_any_company_and_surroundings(
    moving_frames, lively_inception: Path, count: int
) -> None:
    extractor = create(
        load("stylegan-v-fid").features,
        device="cpu", weights={WEIGHTS: lively_inception}, progress=lambda done, total: None,
    )  # fmt: skip
    frames = moving_frames(count)

    (whole,) = extractor([frames])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        last, first = extractor([frames[10:], frames[:10]])

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

"""FID against torch-fidelity itself, on seeded weights: the original weights were not at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch_fidelity
from PIL import Image

from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation import Settings, evaluate
from fvd_bench.extractors import create
from fvd_bench.protocol import load, parse, text

WEIGHTS = "inception-2015-12-05"


@pytest.fixture(scope="module")
def frame_sides(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> tuple[Path, Path]:
    """Four videos of 10 frames a side, as lossless frame folders and as flat folders of the same frames."""
    root = tmp_path_factory.mktemp("frames")
    for side, first in (("real", 0), ("fake", 50)):
        for seed in range(4):
            frames = moving_frames(10, seed=first + seed)
            write_frames(root / side / str(seed), frames)
            (root / f"{side}-flat").mkdir(exist_ok=True)
            for t, frame in enumerate(frames):
                Image.fromarray(frame).save(root / f"{side}-flat" / f"{seed}-{t}.png")
    return root / "real", root / "fake"


@pytest.fixture
def protocol(tmp_path: Path) -> str:
    """The shipped FID with torch-fidelity's divisor, no JPEG, and clips as long as the videos."""
    toml = text("stylegan-v-fid").replace("ddof = 0", "ddof = 1").replace("fake = 16", "fake = 10")
    (tmp_path / "fid.toml").write_text(toml.replace('jpeg = { fake = "unless-jpeg" }', ""))
    return str(tmp_path / "fid.toml")


def test_fid_is_torch_fidelitys(frame_sides, protocol: str, seeded_inception: Path, tmp_path: Path) -> None:
    real, fake = frame_sides
    settings = Settings(cache=None, weights={WEIGHTS: seeded_inception})

    ours = evaluate(real, fake, protocol, settings=settings)

    theirs = torch_fidelity.calculate_metrics(
        input1=f"{real}-flat", input2=f"{fake}-flat", fid=True, cuda=False, cache=False, verbose=False,
        feature_extractor_weights_path=str(seeded_inception), save_cpu_ram=True,
    )  # fmt: skip
    assert ours.value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert (ours.scores[0].real.clips, ours.scores[0].fake.clips) == (40, 40)
    assert any(w.code == "weights-unverified" for w in ours.warnings)


def test_a_frame_has_the_same_features_in_any_company(moving_frames, seeded_inception: Path) -> None:
    extractor = create(
        load("stylegan-v-fid").features,
        device="cpu", weights={WEIGHTS: seeded_inception}, progress=lambda done, total: None,
    )  # fmt: skip
    frames = moving_frames(40)

    (whole,) = extractor([frames])
    parts = extractor([frames[:3], frames[3:36], frames[36:]])

    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_preprocessing_that_is_not_its_own_is_refused(seeded_inception: Path) -> None:
    import tomllib

    table = tomllib.loads(text("stylegan-v-fid"))
    table["features"]["resize"]["kernel"] = "bilinear"
    rule = parse(table, where="test").features

    with pytest.raises(ProtocolError, match="resize must be 299-stretch-bilinear-tf1"):
        create(rule, device="cpu", weights={WEIGHTS: seeded_inception}, progress=lambda done, total: None)

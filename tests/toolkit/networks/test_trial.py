"""A trial finds what a network breaks, and nothing else."""

import re
from collections.abc import Callable

import pytest
import torch

from fvd_bench import allow_code
from fvd_bench.networks.trial import Trial, trial

CODE = """
import torch
import fvd_bench
calls = []
{before}
@fvd_bench.network(dim=3, frames=({fewest}, None), size=8, range=(0, 1), version="1", sees={sees!r})
def mine():
    {make}
    def forward(x):
        calls.append(len(x))
        return {features}
    return forward
"""
MEANS = "x.mean(dim=(2, 3, 4))"

COMPANY = ["gives the same one by one", "gives the same beside other clips", "gives the same in another order"]
AGAIN = "gives the same when called again"


@pytest.fixture
def tried(plugins) -> Callable[..., Trial]:
    def run(features: str = MEANS, *, fewest: int = 4, sees: str = "clips", make: str = "", before: str = "") -> Trial:
        code = CODE.format(features=features, fewest=fewest, sees=sees, make=make or "pass", before=before)
        plugins.module("of_mine", code)
        allow_code("of_mine:mine")
        return trial("of_mine:mine", device="cpu", weights={})

    return run


def failed(found: Trial) -> dict[str, str]:
    return {check.name: check.found for check in found.checks if not check.ok}


def test_a_sound_network_passes_every_check(tried) -> None:
    found = tried()

    assert found.ok and failed(found) == {}
    assert {check.name for check in found.checks} == {
        "is the same when it is made again", "takes clips of 16 frames", "leaves clips as they are",
        "takes clips of 4 frames", "takes clips of 32 frames", AGAIN, *COMPANY, "gives others for other clips",
    }  # fmt: skip
    assert (found.dim, found.layer, found.identity) == (3, "features", "mine@1#none")


def test_a_network_of_frames_passes_too(tried) -> None:
    found = tried("x.mean(dim=(2, 3))", sees="frames", fewest=1)

    assert found.ok
    assert {check.name: check.found for check in found.checks}["takes clips of 16 frames"] == "3 × float32 [16, 3]"


@pytest.mark.parametrize(
    ("features", "name", "said"),
    [
        ("x.mean(dim=(1, 2, 3, 4))[:, None]", "takes clips of 16 frames", r"float32 \[2, 1\] .* expected .*\[2, 3\]"),
        ("x.mean(dim=(2, 3, 4)).double()", "takes clips of 16 frames", "float64"),
        ("x.mean(dim=(2, 3, 4)).numpy()", "takes clips of 16 frames", "mine gives a ndarray"),
        ("x.mean(dim=(2, 3, 4))[:1]", "takes clips of 16 frames", r"float32 \[1, 3\]"),
        ("x.mean(dim=(2, 3, 4)) / 0 * 0", "takes clips of 16 frames", "NaN"),
        ("x.reshape(7)", "takes clips of 16 frames", "running it failed: RuntimeError: shape"),
    ],
)
def test_other_features_than_stated_are_told(tried, features: str, name: str, said: str) -> None:
    found = failed(tried(features))

    assert all(other.startswith("takes clips of") for other in found)
    assert re.search(said, found[name])


@pytest.mark.parametrize(
    ("features", "wrong"),
    [
        (f"{MEANS} + {MEANS}.mean(dim=0)", COMPANY),  # batch statistics
        (f"{MEANS} + torch.arange(len(x))[:, None]", COMPANY),  # the place in the batch
        (f"{MEANS} + len(calls)", [AGAIN, *COMPANY]),  # state
        (f"{MEANS} + torch.rand(1)", [AGAIN, *COMPANY]),  # dropout, noise
        (f"{MEANS} * 0 + 1", ["gives others for other clips"]),
        (f"{MEANS} if x.shape[2] <= 16 else x", ["takes clips of 32 frames"]),
        (f"({MEANS} - 1).log() if x.shape[2] == 4 else {MEANS}", ["takes clips of 4 frames"]),
        (f"{MEANS} / {MEANS}", ["gives the same beside other clips", "gives others for other clips"]),  # 0 / 0
    ],
)
def test_what_depends_on_anything_but_the_clip_is_found(tried, features: str, wrong: list[str]) -> None:
    assert set(failed(tried(features))) == set(wrong)


def test_weights_without_a_seed_are_found(tried) -> None:
    drawn = {"make": "module = Mine()\n    return module", "before": MODULE}

    assert "weights that are drawn need a seed" in failed(tried(**drawn))["is the same when it is made again"]
    assert tried(**drawn | {"make": f"torch.manual_seed(0)\n    {drawn['make']}"}).ok


MODULE = """
class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(3))
    def forward(self, x):
        return x.mean(dim=(2, 3, 4)) * self.scale
"""


def test_a_hand_made_extractor_is_tried_too(plugins) -> None:
    plugins.module("of_mine", EXTRACTOR)
    allow_code("of_mine:mine")

    found = failed(trial("of_mine:mine", device="cpu", weights={}))

    assert found["leaves clips as they are"] == "it writes into them"


EXTRACTOR = """
import numpy as np
from fvd_bench.networks import Network

class Extractor:
    dim, weights, unverified = 3, {"mine": "00"}, ()
    def batch_clips(self, frames):
        return 2
    def __call__(self, clips):
        for clip in clips:
            clip //= 2
        return [clip.mean(axis=(0, 1, 2), dtype=np.float32)[None] for clip in clips]

mine = Network(name="mine", version="1", layers={"features": 3}, create=lambda rule, **more: Extractor())
"""


def test_torch_draws_on_as_before(tried) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)

    tried(make="torch.manual_seed(0)")

    assert torch.rand(1) == expected

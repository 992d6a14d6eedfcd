"""The metric of torchmetrics: a Metric like any other, in collections and over the processes of torchrun."""

import contextlib
import copy
import hashlib
import json
import os
import pickle
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench import FvdBenchError, FvdBenchWarning
from fvd_bench.errors import MetricError, SourceError
from tests.forked import Program
from tests.lazy_module import LazyModule
from tests.toolkit.integrations.conftest import NO_CACHE

torchmetrics, integration = LazyModule("torchmetrics"), LazyModule("fvd_bench.integrations.torchmetrics")

EXACT = 1e-9
"""Relative: both ways add the same features in the same order."""


@pytest.fixture
def metric(protocol: str):
    return integration.FrechetVideoMetric(protocol, settings=NO_CACHE)


def test_the_score_is_that_of_evaluate(metric, videos, score) -> None:
    for batch in np.split(videos[0], 3):
        metric.update(torch.from_numpy(batch), real=True)
    for video in videos[1]:
        metric.update(torch.from_numpy(video)[None])

    value = metric.compute()

    assert isinstance(metric, torchmetrics.Metric)
    assert value.dtype == torch.float64 and value.ndim == 0
    assert float(value) == pytest.approx(score(*videos), rel=EXACT)


def test_a_call_takes_in_a_batch_and_returns_its_own_score(metric, videos, score) -> None:
    real, fake = map(torch.from_numpy, videos)
    assert metric(real, real=True).isnan()

    first = metric(fake[:3])

    assert float(first) == pytest.approx(score(videos[0], videos[1][:3]), rel=EXACT)
    assert metric(fake[3:4]).isnan()  # one video has no covariance
    metric(fake[4:])
    assert float(metric.compute()) == pytest.approx(score(*videos), rel=EXACT)


def test_a_real_side_that_is_a_path_is_read_once_and_kept(protocol, two_sides, videos, score) -> None:
    metric = integration.FrechetVideoMetric(protocol, real=two_sides[0], settings=NO_CACHE)
    expected = score(two_sides[0], videos[1])

    for _ in range(2):
        assert float(metric(torch.from_numpy(videos[1]))) == pytest.approx(expected, rel=EXACT)
        assert float(metric.compute()) == pytest.approx(expected, rel=EXACT)
        metric.reset()
    with pytest.raises(SourceError, match="given as real"):
        metric.update(torch.from_numpy(videos[0]), real=True)


def test_reset_keeps_the_real_videos_unless_told(metric, videos, score) -> None:
    real, fake = map(torch.from_numpy, videos)
    metric.update(real, real=True)
    metric.update(fake.flip(0))

    metric.reset()
    metric.update(fake)
    assert float(metric.compute()) == pytest.approx(score(*videos), rel=EXACT)

    with pytest.warns(FvdBenchWarning, match="added to those that reset"):
        metric.update(real, real=True)
    metric.reset(real=True)
    metric.update(fake)
    with pytest.raises(MetricError, match="no real videos yet"):
        metric.compute()


def test_collections_feed_several_protocols_at_once(protocol, pixels_protocol, videos, score) -> None:
    """Compute groups join metrics with equal states: those of other draws are no such metrics."""
    other = pixels_protocol(name="other", frames=5)
    metrics = torchmetrics.MetricCollection(
        {
            "fvd": integration.FrechetVideoMetric(protocol, settings=NO_CACHE),
            "again": integration.FrechetVideoMetric(protocol, settings=NO_CACHE),
            "seed": integration.FrechetVideoMetric(protocol, seed=1, settings=NO_CACHE),
            "other": integration.FrechetVideoMetric(other, settings=NO_CACHE),
        },
        prefix="val/",
    )
    metrics.update(torch.from_numpy(videos[0]), real=True)
    metrics.update(torch.from_numpy(videos[1][:4]))
    metrics.update(torch.from_numpy(videos[1][4:]))

    found = {name: float(value) for name, value in metrics.compute().items()}

    assert found["val/fvd"] == found["val/again"] == pytest.approx(score(*videos), rel=EXACT)
    assert found["val/seed"] == pytest.approx(score(*videos, seed=1), rel=EXACT)
    assert found["val/seed"] != pytest.approx(found["val/fvd"], rel=1e-6)
    assert found["val/other"] == pytest.approx(score(*videos, by=other), rel=EXACT)
    assert sorted(map(sorted, metrics.compute_groups.values())) == [["again", "fvd"], ["other"], ["seed"]]
    metrics.reset()
    assert {name: float(v) for name, v in metrics(torch.from_numpy(videos[1][:4])).items()} != found
    metrics(torch.from_numpy(videos[1][4:]))  # metrics of a group share their states, and each takes in the batch
    assert {name: float(v) for name, v in metrics.compute().items()} == found


def test_copies_and_checkpoints_go_on_and_other_metrics_do_not_merge(metric, protocol, videos, score) -> None:
    real, fake = map(torch.from_numpy, videos)
    metric.update(real, real=True)
    metric.update(fake[:4])
    other = integration.FrechetVideoMetric(protocol, seed=1, settings=NO_CACHE)
    with pytest.raises(FvdBenchError, match="different protocols, seeds, weights or versions"):
        metric.merge_state(other)
    rest = copy.deepcopy(metric)
    rest.reset(real=True)
    rest.update(fake[4:])
    with pytest.raises(MetricError, match="no real videos yet"):
        rest.compute()

    for again in (metric.clone(), pickle.loads(pickle.dumps(metric))):
        again.update(fake[4:])
        assert float(again.compute()) == pytest.approx(score(*videos), rel=EXACT)
    metric.persistent(True)
    state = metric.state_dict()
    loaded = integration.FrechetVideoMetric(protocol, settings=NO_CACHE)
    loaded.load_state_dict(state)
    loaded.update(fake[4:])
    assert float(loaded.compute()) == pytest.approx(score(*videos), rel=EXACT)


def test_a_state_of_another_engine_is_refused_and_one_that_names_none_is_not(metric, videos) -> None:
    """Older metrics had the sha256 of these four as their identity."""
    identity = metric._distance.extraction.identity
    assert list(identity)[:4] == ["protocol", "digest", "seed", "weights"] and identity["engine"] == 2
    older = {key: identity[key] for key in ("protocol", "digest", "seed", "weights")}
    metric.persistent(True)

    for named, refused in ((older, False), ({**older, "engine": 1}, True)):
        digest = list(hashlib.sha256(json.dumps(named).encode()).digest())
        metric.load_state_dict({**metric.state_dict(), "identity": torch.tensor(digest, dtype=torch.uint8)})
        metric.update(torch.from_numpy(videos[0]), real=True)
        metric.update(torch.from_numpy(videos[1]))
        with pytest.raises(FvdBenchError, match="is of another protocol") if refused else contextlib.nullcontext():
            metric.compute()


def test_the_precision_of_a_model_leaves_the_features_alone(metric, videos, score) -> None:
    model = torch.nn.ModuleDict({"metric": metric, "layer": torch.nn.Linear(2, 2)})
    metric.update(torch.from_numpy(videos[0]), real=True)

    for change in (model.half, model.bfloat16, lambda: model.to("cpu", torch.float16)):
        change()
    metric.update(torch.from_numpy(videos[1]))

    assert model["layer"].weight.dtype == torch.float16
    assert [*metric.parameters()] == [] and set(model.state_dict()) == {"layer.weight", "layer.bias"}
    assert float(metric.compute()) == pytest.approx(score(*videos), rel=EXACT)


def test_it_warns_and_tells_findings(protocol, videos) -> None:
    metric = integration.FrechetVideoMetric(protocol, value_range=(0, 1), settings=NO_CACHE)
    floats = [torch.from_numpy(side / 127.5 - 1) for side in videos]
    with pytest.warns(FvdBenchWarning, match="are clipped") as told:
        metric.update(floats[0], real=True)
    assert {warning.filename for warning in told} == {__file__}
    with pytest.warns(FvdBenchWarning) as told:
        metric.update(floats[1])
        metric.compute()

    assert {warning.filename for warning in told} == {__file__}
    assert {finding.code for finding in metric.findings} == {"clipped-range", "few-videos"}


DRIVER = """
import json, os, sys
from pathlib import Path
import numpy as np, torch, torch.distributed as dist
from torchmetrics import MetricCollection
from fvd_bench import FvdBenchError, Settings
from fvd_bench.integrations.torchmetrics import FrechetVideoMetric

folder, protocol = Path(sys.argv[1]), sys.argv[2]
other = os.fork()  # so that the libraries are loaded once
rank = 0 if other else 1
os.environ["RANK"] = str(rank)
with (folder / f"{rank}.err").open("w") as errors:
    os.dup2(errors.fileno(), 2)
dist.init_process_group("gloo")
real, fake = (torch.from_numpy(np.load(folder / f"{side}.npy")) for side in ("real", "fake"))
settings = Settings(cache=None, device="cpu")

def scored(real_of, fake_of, whole=None, seed=0):
    metrics = MetricCollection({"fvd": FrechetVideoMetric(protocol, real=whole, seed=seed, settings=settings)})
    if whole is None:
        for video in real_of:
            metrics.update(video[None], real=True)
    for video in fake_of:
        metrics.update(video[None])
    try:
        values = [float(metrics.compute()["fvd"])]
        metrics.reset()
        for video in fake_of:
            metrics.update(video[None])
        return [*values, float(metrics.compute()["fvd"]), len(metrics["fvd"].fake_videos)]
    except FvdBenchError as error:
        return type(error).__name__

found = {
    "shared": scored(real[rank::2], fake[rank::2]),
    "one has none": scored(real[rank::2], fake if rank == 0 else fake[:0]),
    "path": scored(None, fake[rank::2], whole=str(folder / "real.npy")),
    "seeds": scored(real[rank::2], fake[rank::2], seed=rank),
}
for name, group in {"all": None, "group": dist.new_group([0, 1])}.items():
    metric = FrechetVideoMetric(protocol, value_range=(0, 1), settings=settings, process_group=group)
    metric.update(real[rank::2] / 255, real=True)
    metric.update(fake[rank::2] / 255 * (1 + rank))
    metric.compute()
    found[name] = [finding.code for finding in metric.findings]
(folder / f"{rank}.json").write_text(json.dumps(found))
dist.destroy_process_group()
if other:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
"""


def test_processes_of_a_group_share_their_states(protocol, videos, score, tmp_path: Path) -> None:
    """Two real processes, told of each other by the variables that torchrun would set."""
    for name, array in zip(("real", "fake"), videos, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}

    done = Program("-c", DRIVER, tmp_path, protocol, env={**os.environ, **group}).end()

    told, silent = ((tmp_path / f"{rank}.err").read_text() for rank in range(2))
    assert done.returncode == 0, done.stderr + told + silent
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    expected = pytest.approx(score(*videos), rel=EXACT)
    for one, kept in ((first, 5), (second, 4)):  # states of this process alone, and an empty one, after each score
        for name in ("shared", "path"):
            assert one[name][:2] == [expected, expected]
        assert one["shared"][2] == kept
        assert one["seeds"] == "FvdBenchError"
    assert first["one has none"][:2] == second["one has none"][:2]
    for group in ("all", "group"):
        assert "clipped-range" in first[group] and first[group] == second[group]
    assert "are clipped" in told and "FvdBenchWarning" not in silent

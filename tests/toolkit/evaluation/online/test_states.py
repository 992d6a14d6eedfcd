"""States of the metric for training loops: kept, loaded, copied and merged."""

import copy
import io
import pickle
from dataclasses import replace

import pytest
import torch

from fvd_bench import FrechetVideoDistance, FvdBenchWarning
from fvd_bench.errors import FvdBenchError, SourceError
from fvd_bench.evaluation.online import pickles as online_pickles
from tests.toolkit.evaluation.online.conftest import EXACT, NO_CACHE, starting


def test_copies_and_checkpoints_go_on_where_they_were(metric, videos, random_protocol, value_of) -> None:
    metric.update(real=videos[0], fake=videos[1][:3])
    file = io.BytesIO()
    torch.save(metric.state_dict(), file)
    loaded = FrechetVideoDistance(random_protocol, seed=3, settings=NO_CACHE)
    loaded.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))

    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric)), loaded):
        other.update(fake=videos[1][3:])
        assert other.compute() == pytest.approx(value_of(*videos, random_protocol), rel=EXACT)
    assert metric.counts["fake"] == 3


def test_a_pickle_of_another_version_says_what_to_do(metric, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it names its version, or classes that are no more, as those before did."""
    pickled = pickle.dumps(metric)
    nameless = b"cfvd_bench.evaluation.intake\nIntake\n."
    monkeypatch.setattr(online_pickles, "__version__", "99")

    for old, by in ((pickled, "pickled by version .* this is 99"), (nameless, "pickled by an fvd-bench whose classes")):
        with pytest.raises(FvdBenchError, match=f"{by}.*: unpickle it with that one and save its state_dict"):
            pickle.loads(old)


def test_a_state_of_other_draws_is_refused(metric, random_protocol) -> None:
    other = FrechetVideoDistance(random_protocol, seed=4, settings=NO_CACHE)

    with pytest.raises(FvdBenchError, match=r"seed 4.*seed 3"):
        metric.load_state_dict(other.state_dict())
    with pytest.raises(FvdBenchError, match=r"seed 4.*seed 3"):
        metric.merge(other)


def test_a_state_of_another_engine_is_refused_and_one_that_names_none_is_not(metric, videos) -> None:
    metric.update(real=videos[0], fake=videos[1])
    state = metric.state_dict()
    made_by = state["made by"]

    with pytest.raises(FvdBenchError, match=r"engine 1, rank 0.*engine 2, rank 0"):
        metric.load_state_dict({**state, "made by": {**made_by, "engine": 1}})
    metric.load_state_dict({**state, "made by": {key: made_by[key] for key in made_by if key != "engine"}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: None, "the state is NoneType: expected what state_dict"),
        (lambda state: {"weight": torch.zeros(2)}, "the state is weight: expected .*, with made by, real, fake"),
        (lambda state: {**state, "fake": {}}, "a side of the state is damaged .*'places'.*: expected the tensors"),
        (lambda state: {**state, "fake": {**state["fake"], "rows": torch.ones(1)}}, "a side of the state is damaged"),
    ],
)
def test_what_is_no_state_is_refused_and_changes_nothing(metric, videos, change, message: str) -> None:
    metric.update(real=videos[0], fake=videos[1])

    with pytest.raises(FvdBenchError, match=message):
        metric.load_state_dict(change(metric.state_dict()))

    assert metric.counts == {"real": 9, "fake": 7}


@pytest.mark.parametrize("way", ["load_state_dict", "merge"])
def test_features_of_another_device_are_told_as_those_of_a_file(metric, videos, random_protocol, way) -> None:
    metric.update(real=videos[0], fake=videos[1])
    state = metric.state_dict()
    state["made with"]["fake"][0]["device"] = "a GPU"
    loaded, empty = (FrechetVideoDistance(random_protocol, seed=3, settings=NO_CACHE) for _ in range(2))
    loaded.load_state_dict(state)
    asked = loaded
    if way == "merge":
        asked = empty
        asked.merge(loaded)

    with pytest.warns(FvdBenchWarning, match=r"the fake features were made with device a GPU \(here cpu .*last digits"):
        value = asked.compute()

    assert value == metric.compute()
    assert [f.code for f in asked.findings if f not in metric.findings] == ["made-elsewhere"]


def test_real_videos_of_a_state_or_a_metric_do_not_go_with_a_real_side(metric, videos, random_protocol) -> None:
    metric.update(real=videos[0])
    whole = FrechetVideoDistance(random_protocol, real=videos[0], seed=3, settings=NO_CACHE)

    for take in (lambda: whole.merge(metric), lambda: whole.load_state_dict(metric.state_dict())):
        with pytest.raises(SourceError, match="the real side was given as real=… already"):
            take()


def test_a_state_goes_with_other_metrics_beside_the_distance(metric, videos) -> None:
    """Old states too, which have the digest of all metrics of a protocol."""
    rule = metric.protocol.metric
    panel = replace(metric.protocol, name="panel", metric=replace(rule, names=("kvd", *rule.names)))
    metric.update(real=videos[0], fake=videos[1])
    state = metric.state_dict()
    other = FrechetVideoDistance(panel, seed=3, settings=NO_CACHE)

    other.load_state_dict(state)
    assert other.compute() == metric.compute()
    other.load_state_dict({**state, "made by": {**state["made by"], "digest": panel.digest()}})
    other.merge(metric)
    with pytest.raises(FvdBenchError, match="digest"):
        other.load_state_dict({**state, "made by": {**state["made by"], "digest": "0" * 64}})


def test_merging_adds_the_videos(pixels_protocol, videos, value_of) -> None:
    protocol = starting("first", pixels_protocol())
    left, right = (FrechetVideoDistance(protocol, settings=NO_CACHE) for _ in range(2))
    left.update(real=videos[0][:4], fake=videos[1])
    right.update(real=videos[0][4:])

    left.merge(right)

    # Features come in another order, so that sums round differently.
    assert left.compute() == pytest.approx(value_of(*videos, protocol), rel=1e-9)
    assert left.counts == {"real": 9, "fake": 7}

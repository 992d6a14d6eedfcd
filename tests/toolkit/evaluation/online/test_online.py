"""The metric for training loops: the score of `evaluate`, in one process, and nothing else changed."""

import contextlib
import pickle
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench import Arrays, FrechetVideoDistance, FvdBenchWarning, Settings, evaluate
from fvd_bench.errors import ArgumentError, MetricError, ProtocolError, ShortVideoError, SourceError
from fvd_bench.networks.pixels import PixelsExtractor
from tests.toolkit.evaluation.online.conftest import EXACT, NO_CACHE


@pytest.mark.parametrize("batch", [1, 4, 9])
def test_the_score_is_that_of_evaluate(metric, videos, random_protocol, batch: int, value_of) -> None:
    real, fake = videos
    for first in range(0, 9, batch):
        metric.update(real=real[first : first + batch], fake=fake[first : first + batch] if first < 7 else None)

    assert metric.compute() == pytest.approx(value_of(real, fake, random_protocol), rel=EXACT)
    assert metric.counts == {"real": 9, "fake": 7}


@pytest.mark.parametrize("count", ["fake = 4", 'fake = 4\nselection = "first-sorted"', "real = 5\nfake = 6"])
def test_a_protocol_with_a_count_selects_what_evaluate_selects(pixels_protocol, videos, count: str, value_of) -> None:
    protocol = pixels_protocol(count=count)
    metric = FrechetVideoDistance(protocol, seed=3, settings=NO_CACHE)

    metric.update(real=videos[0], fake=videos[1])

    assert metric.compute() == pytest.approx(value_of(*videos, protocol), rel=EXACT)


def test_videos_that_are_taken_again(pixels_protocol, videos, value_of) -> None:
    """Fake clips start at the first frame, so that taking one again needs no new draw; random real ones do."""
    both = pixels_protocol(name="both", count='real = 12\nfake = 12\nselection = "repeated"')
    fake_only = pixels_protocol(name="fake-only", count='fake = 12\nselection = { fake = "repeated" }')
    for protocol in (both, fake_only):
        metric = FrechetVideoDistance(protocol, seed=3, settings=NO_CACHE)
        metric.update(real=videos[0], fake=videos[1])
        if protocol == both:
            with pytest.raises(MetricError, match=r"takes real videos again.*until there are 12, and there are 9"):
                metric.compute()
        else:
            assert metric.compute() == pytest.approx(value_of(*videos, protocol), rel=EXACT)


def test_scores_are_those_of_evaluate(metric, videos, random_protocol) -> None:
    metric.update(real=videos[0], fake=videos[1])
    (expected,) = evaluate(*videos, random_protocol, seed=3, settings=NO_CACHE).scores

    (score,) = metric.scores()

    assert score.floor is not None and score.interval is not None
    for name in ("signature", "value", "floor", "interval", "error_fake", "real", "fake"):
        assert getattr(score, name) == getattr(expected, name), name


def test_other_axes_and_floats_are_what_is_stated(metric, videos, random_protocol, value_of) -> None:
    fake = torch.from_numpy(videos[1]).permute(0, 4, 1, 2, 3).double().mul(2 / 255).sub(1).requires_grad_()
    metric.update(real=torch.from_numpy(videos[0]))

    metric.update(fake=fake, axes="NCTHW", value_range=(-1, 1))

    assert metric.compute() == pytest.approx(value_of(*videos, random_protocol), rel=EXACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.astype(np.float32), "float32: state what black and white are"),
        (lambda v: v.astype(np.int64), "int64: expected uint8"),
        (lambda v: v[0], r"shape \[20, 48, 64, 3\]: expected 5 axes, NTHWC"),
        (lambda v: v.transpose(0, 4, 1, 2, 3), "64 channels"),
        (lambda v: v[:0], "holds no video"),
        (lambda v: "folder", "is of type str: expected a NumPy array or a tensor"),
    ],
)
def test_what_is_no_array_of_videos_is_refused(metric, videos, change, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        metric.update(real=videos[0], fake=change(videos[1]))

    assert metric.counts == {"real": 0, "fake": 0}


def test_values_that_are_no_numbers_leave_nothing_behind(metric, videos) -> None:
    fake = videos[1].astype(np.float32)
    fake[5, :, 0, 0, 0] = np.nan

    with pytest.raises(SourceError, match="not finite"):
        metric.update(fake=fake, value_range=(0, 255))

    assert metric.counts["fake"] == 0
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("network")]


def test_a_short_video_is_named_with_its_index(metric, videos) -> None:
    metric.update(fake=videos[1])

    with pytest.raises(ShortVideoError, match="fake video 7 is too short: 8 frames decode, the clip needs 9") as caught:
        metric.update(real=videos[0], fake=videos[1][:, :8])

    assert metric.counts == {"real": 0, "fake": 7}
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_nothing_to_update_and_nothing_to_compute(metric, videos) -> None:
    with pytest.raises(SourceError, match="no videos"):
        metric.update()
    metric.update(real=videos[0])
    with pytest.raises(MetricError, match="no fake videos yet"):
        metric.compute()


def test_reset_keeps_the_real_side_unless_told(metric, videos, random_protocol, value_of) -> None:
    metric.update(real=videos[0], fake=videos[1][::-1].copy())

    metric.reset()
    metric.update(fake=videos[1])

    assert metric.compute() == pytest.approx(value_of(*videos, random_protocol), rel=EXACT)
    metric.reset(real=True)
    assert metric.counts == {"real": 0, "fake": 0}


def test_a_real_side_can_be_a_path_that_is_read_once(two_sides, videos, random_protocol, tmp_path, value_of) -> None:
    settings = Settings(cache=tmp_path / "cache", device="cpu")
    metric = FrechetVideoDistance(random_protocol, real=two_sides[0], seed=3, settings=settings)
    metric.update(fake=videos[1])
    expected = value_of(two_sides[0], videos[1], random_protocol)

    assert metric.compute() == pytest.approx(expected, rel=EXACT)
    assert metric.scores()[0].real.clips == 6
    with pytest.raises(SourceError, match="given as real"):
        metric.update(real=videos[0])
    again = pickle.loads(pickle.dumps(FrechetVideoDistance(random_protocol, real=two_sides[0], seed=3)))
    again.update(fake=videos[1])
    assert again.compute() == pytest.approx(expected, rel=EXACT)


def test_a_real_side_can_be_an_iterable(videos, random_protocol, value_of) -> None:
    metric = FrechetVideoDistance(random_protocol, real=iter(videos[0]), seed=3, settings=NO_CACHE)
    metric.update(fake=videos[1])

    assert metric.compute() == pytest.approx(value_of(*videos, random_protocol), rel=EXACT)


def test_arrays_of_a_real_side_are_read_anew_after_a_reset(videos, random_protocol, tmp_path: Path, value_of) -> None:
    """Their contents are digested once, and a cache would give the features of these."""
    real = videos[0].copy()
    metric = FrechetVideoDistance(random_protocol, real=real, seed=3, settings=Settings(cache=tmp_path / "cache"))
    metric.update(fake=videos[1])
    metric.compute()
    real[:] = 255 - real

    metric.reset(real=True)
    metric.update(fake=videos[1])

    assert metric.compute() == pytest.approx(value_of(255 - videos[0], videos[1], random_protocol), rel=EXACT)


def test_a_real_side_that_is_missing_is_told_at_once(random_protocol) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        FrechetVideoDistance(random_protocol, real="nowhere", settings=NO_CACHE)


@pytest.mark.parametrize("name", ["stylegan-v-fvd16-still", "stylegan-v-is"])
def test_protocols_without_a_distance_between_given_videos_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"use fvd_bench\.evaluate"):
        FrechetVideoDistance(name, settings=NO_CACHE)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_cannot_be_is_refused(random_protocol, seed: int) -> None:
    with pytest.raises(ArgumentError, match=f"seed = {seed}: expected 0 to"):
        FrechetVideoDistance(random_protocol, seed=seed, settings=NO_CACHE)


def test_the_device_can_be_chosen(metric) -> None:
    assert metric.to("cpu") is metric
    for other in ("meta", "openvino"):
        with pytest.raises(ArgumentError, match="allowed are cpu, cuda"):
            metric.to(other)


@pytest.mark.parametrize(
    "asked", [{"motion": True}, {"windows": 2}, {"group_by": "folder"}, {"classes": "folder"}, {"engine": "ray"}]
)
def test_what_a_score_of_arrays_would_ignore_is_refused(random_protocol, asked: dict[str, object]) -> None:
    (name,) = asked
    with pytest.raises(ArgumentError, match=f"{name} = .* is for fvd_bench.evaluate"):
        FrechetVideoDistance(random_protocol, settings=Settings(**asked))


def test_a_training_loop_neither_moves_the_score_nor_notices(
    metric, videos, random_protocol, monkeypatch: pytest.MonkeyPatch, value_of
) -> None:
    """Autocast, reduced precision and grad mode stay what they are and stay out of the features."""
    seen = []
    original = PixelsExtractor._features

    def spy(self, clip):
        seen.append((torch.is_autocast_enabled("cpu"), torch.get_float32_matmul_precision(), torch.is_grad_enabled()))
        return original(self, clip)

    monkeypatch.setattr(PixelsExtractor, "_features", spy)
    with contextlib.ExitStack() as stack:
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("medium")
        stack.enter_context(torch.autocast("cpu", dtype=torch.bfloat16))
        stack.enter_context(torch.enable_grad())
        random_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        before = _torch_flags()
        module = torch.nn.Linear(2, 2).train()
        torch.set_rng_state(random_state)
        metric.update(real=videos[0], fake=videos[1])
        value = metric.compute()
        assert _torch_flags() == before and module.training
        assert torch.equal(torch.get_rng_state(), random_state)
        assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002

    assert value == pytest.approx(value_of(*videos, random_protocol), rel=EXACT)
    assert set(seen[:16]) == {(False, "highest", False)}


def _torch_flags() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        torch.get_default_dtype(),
    )


def test_arrays_state_the_same_for_both_ways(metric, videos, random_protocol, value_of) -> None:
    """The rounding of floats is that of `fvd_bench.Arrays`."""
    rng = np.random.default_rng(5)
    fake = rng.uniform(-1.1, 1.1, (7, 3, 12, 24, 24)).astype(np.float32)
    metric.update(real=videos[0])
    metric.update(fake=fake, axes="NCTHW", value_range=(-1, 1))

    expected = value_of(videos[0], Arrays(fake, axes="NCTHW", value_range=(-1, 1)), random_protocol)

    assert metric.compute() == pytest.approx(expected, rel=EXACT)


def test_compute_warns_of_arrays_that_are_not_what_is_stated(metric, videos) -> None:
    real, fake = videos
    alpha = np.full((*real.shape[:4], 1), 255, np.uint8)
    alpha[0, :, 0] = 9
    metric.update(real=np.concatenate([real, alpha], axis=-1))
    for video in fake:
        metric.update(fake=video[None] / 255, value_range=(-1, 1))

    with pytest.warns(FvdBenchWarning) as told:
        metric.compute()

    sentences = [str(warning.message) for warning in told if warning.message.finding.code != "few-videos"]
    assert len(sentences) == 2
    assert "of the stated range -1 to 1: hardly any of its lower half is used" in sentences[0]
    assert sentences[1].startswith("1 real video has pixels that are not opaque and are laid over black")
    assert {warning.filename for warning in told} == {__file__}
    assert [str(warning.message) for warning in told] == [finding.message for finding in metric.findings]
    metric.reset(real=True)
    metric.update(real=real, fake=fake)
    assert metric.compute() > 0
    assert {finding.code for finding in metric.findings} == {"few-videos"}


def test_a_range_that_cuts_values_off_is_told_at_the_first_batch(metric, videos) -> None:
    """-1 to 1 stated as 0 to 1 leaves the darker half black, and a score that looks like one."""
    floats = (videos[1] / 127.5 - 1).astype(np.float32)
    metric.update(real=videos[0])

    with pytest.warns(FvdBenchWarning, match="lie outside of the stated range, 0 to 1, and are clipped") as told:
        metric.update(fake=floats[:3], value_range=(0, 1))
    assert {warning.filename for warning in told} == {__file__}
    assert [finding.side for finding in metric.findings] == ["fake"]

    with pytest.warns(FvdBenchWarning) as later:
        metric.update(fake=floats[3:], value_range=(0, 1))
        metric.compute()
    assert {warning.message.finding.code for warning in later} == {"few-videos"}
    assert "clipped-range" in {finding.code for finding in metric.findings}


def test_each_finding_is_told_once_however_many_videos_follow(metric, videos) -> None:
    metric.update(real=videos[0], fake=videos[1][:5])
    with pytest.warns(FvdBenchWarning, match="5 fake videos for"):
        metric.compute()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric.update(fake=videos[1][5:])
        metric.compute()

    assert "7 fake videos for" in " ".join(finding.message for finding in metric.findings)


def test_findings_are_those_of_evaluate(two_sides, videos, random_protocol, tmp_path: Path) -> None:
    """But for what is in headers of files and in the motion of whole videos."""
    real = shutil.copytree(two_sides[0], tmp_path / "real")
    (real / "4.mkv").write_bytes(b"no video")
    metric = FrechetVideoDistance(random_protocol, real=real, settings=NO_CACHE)
    metric.update(fake=videos[1])
    result = evaluate(real, Arrays(videos[1], axes="NTHWC"), random_protocol, settings=NO_CACHE)

    (score,) = metric.scores()

    told, expected = ({(f.code, f.message) for f in found} for found in (metric.findings, result.warnings))
    assert score.value == result.value
    assert {"videos-skipped", "few-videos"} <= {code for code, _ in told}
    assert told <= expected
    assert {code for code, _ in expected - told} <= {"codec-mismatch"}

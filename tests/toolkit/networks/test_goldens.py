from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pytest

from fvd_bench.evaluation import selftest
from fvd_bench.evaluation.selftest import Check, constant_checks, logits_checks
from fvd_bench.networks import goldens
from fvd_bench.networks.i3d_network import I3D

SHORT_ROWS = [row for row in goldens.LOGITS if row.clips * row.frames <= 11]
CONSTANTS = {row.frames: row for row in goldens.CONSTANT_VIDEOS}


@pytest.fixture(scope="module")
def network(i3d_tensors):
    """I3D, through which equal clips go once."""
    network, known = I3D.from_tensors(i3d_tensors), {}

    def logits(clips):
        content = sha256(clips.contiguous().numpy()).hexdigest()
        if content not in known:
            known[content] = network(clips)
        return known[content]

    return logits


@pytest.mark.parametrize("row", SHORT_ROWS, ids=lambda row: row.name)
def test_published_logits_are_reproduced(network, row):
    assert [check for check in logits_checks(network, row) if not check.ok] == []


@pytest.mark.parametrize("frames", [13, pytest.param(30, marks=pytest.mark.slow)])
def test_published_scores_of_constant_videos_are_reproduced(network, frames):
    assert [check for check in constant_checks(network, CONSTANTS[frames]) if not check.ok] == []


def test_a_network_with_another_epsilon_fails_every_number(i3d_tensors):
    mistaken = I3D.from_tensors(i3d_tensors, epsilon=1e-5)

    checks = logits_checks(mistaken, SHORT_ROWS[1]) + constant_checks(mistaken, CONSTANTS[10])

    assert [check.ok for check in checks] == [False, False, False, False, True]  # the GPU list is a wide net


def test_recipes_make_the_published_bytes():
    rows = [row for row in goldens.LOGITS if row.digest is not None and row.frames <= 16]

    assert len(rows) == 3
    for row in rows:
        assert sha256(row.videos().tobytes()).hexdigest()[:16] == row.digest


def test_tables_hold_every_row():
    assert len(goldens.LOGITS) == 12
    assert list(CONSTANTS) == list(range(10, 31))
    assert all(abs(row.gpu / row.float32 - 1) < 3.6e-3 for row in goldens.CONSTANT_VIDEOS)


def test_random_clips_one_by_one_are_the_published_draw():
    clips = np.concatenate(list(goldens.random_clips(1, clips=2)))

    whole = np.random.RandomState(1).rand(2, 16, 224, 224, 3).astype(np.float32)
    np.testing.assert_array_equal(clips, whole)


@pytest.mark.parametrize(
    ("expected", "found", "ok"),
    [(1.0, 1.05, True), (1.0, 0.8, False), (1.0, float("nan"), False), ("ab", "ab", True), ("ab", "ac", False)],
)
def test_a_check_is_ok_within_its_tolerance(expected, found, ok):
    assert Check("name", expected, found, 0.1, "origin").ok is ok


def test_a_run_checks_all_and_reports_progress_to_the_last_frame(monkeypatch, i3d_tensors, network):
    monkeypatch.setattr(selftest.weights, "load", lambda name: SimpleNamespace(tensors=i3d_tensors))
    monkeypatch.setattr(selftest.i3d, "build", lambda tensors, device: network)
    monkeypatch.setattr(goldens, "LOGITS", SHORT_ROWS[:1])
    monkeypatch.setattr(goldens, "CONSTANT_VIDEOS", [CONSTANTS[13]])
    reports = []

    checks = selftest.run(full=False, device="cpu", progress=lambda done, total: reports.append((done, total)))

    assert all(check.ok for check in checks)
    assert reports == [(10, 36), (36, 36)]

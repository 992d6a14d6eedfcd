"""The labels of generated videos that are scored: those of real ones, as often as there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fvd_bench
from stylegan_v.errors import DataError
from stylegan_v.sampling import scoring
from stylegan_v.sampling.scoring import evaluate
from stylegan_v.sampling.videos import GeneratedVideos

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def labelled(toy_videos: Path, tmp_path: Path):
    """The six toy videos with labels of our choice; one without any where there is one less."""

    def make(labels: Sequence[Any] | None) -> Path:
        root = tmp_path / "labelled"
        shutil.copytree(toy_videos, root, ignore=shutil.ignore_patterns("dataset.json"))
        if labels is not None:
            table = {"labels": [[str(place), label] for place, label in enumerate(labels)]}
            (root / "dataset.json").write_text(json.dumps(table))
        return root

    return make


def drawn(generator: Any, real: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> np.ndarray | None:
    """The labels that a score asks for, before anything is generated."""

    class Asked(Exception):
        pass

    def ask(*_: Any, labels: np.ndarray | None, **__: Any) -> None:
        raise Asked(labels)

    with monkeypatch.context() as patched, pytest.raises(Asked) as asked:
        patched.setattr(scoring, "GeneratedVideos", ask)
        evaluate(generator, real, fps=25.0, protocol="stylegan-v-fvd16", features=None, **given)
    return asked.value.args[0]


def test_classes_are_as_frequent_as_among_real_videos(tiny_generator, labelled, monkeypatch) -> None:
    generator, real = tiny_generator(num_classes=3), labelled([2, 2, 0, 2, 2, 2])

    labels = drawn(generator, real, monkeypatch, videos=3000)

    assert labels is not None and labels.shape == (3000, 3)
    np.testing.assert_allclose(labels.mean(axis=0), [1 / 6, 0, 5 / 6], atol=0.03)
    np.testing.assert_array_equal(drawn(generator, real, monkeypatch, videos=9), labels[:9])
    assert not np.array_equal(drawn(generator, real, monkeypatch, videos=9, seed=1), labels[:9])


def test_label_vectors_are_drawn_from_the_videos_that_have_one(tiny_generator, labelled, monkeypatch) -> None:
    labels = drawn(tiny_generator(num_classes=2), labelled([[0.25, 0.5], [1.0, 3.0]]), monkeypatch, videos=50)

    assert {tuple(label) for label in np.asarray(labels).tolist()} == {(0.25, 0.5), (1.0, 3.0)}


@pytest.mark.parametrize(("classes", "labels"), [(0, [0] * 6), (2, None), (2, [])])
def test_without_classes_or_labels_there_is_nothing_to_draw_from(
    tiny_generator, labelled, monkeypatch, classes: int, labels: list[int] | None
) -> None:
    assert drawn(tiny_generator(num_classes=classes), labelled(labels), monkeypatch, videos=4) is None


def test_labels_of_another_number_of_classes_are_refused(tiny_generator, labelled) -> None:
    with pytest.raises(DataError, match="video 5 is of class 2; with num_classes = 2 the last is 1"):
        evaluate(
            tiny_generator(num_classes=2),
            labelled([0] * 5 + [2]),
            videos=4,
            fps=25.0,
            protocol="stylegan-v-fvd16",
            features=None,
        )


def test_the_score_is_that_of_videos_with_these_labels(tiny_generator, labelled, pixels_protocol) -> None:
    generator, real, protocol = tiny_generator(num_classes=2), labelled([1] * 6), pixels_protocol(frames=3)

    def score(labels: Sequence[int] | None) -> tuple[float | None, bool]:
        fakes = GeneratedVideos(generator, videos=6, frames=3, labels=labels)
        found = fvd_bench.evaluate(real, fakes, protocol)
        return found.scores[0].value, any("drawn uniformly" in str(warning) for warning in found.warnings)

    by_labels = evaluate(generator, real, videos=6, fps=25.0, protocol=protocol, features=None)

    assert score([1] * 6) == (by_labels.scores[0].value, False)
    uniform = score(None)
    assert uniform[0] != by_labels.scores[0].value and uniform[1]

"""The inception score of frames or of clips, as torch-fidelity computes it from features."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.metric import Influences, Metric, all_features, centred
from fvd_bench.packages import needed_for
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.words import counted

_SEED = 2020
_SPLITS = 10
"""torch-fidelity's defaults (`rng_seed`, `isc_splits`), written out so that they do not change with its version."""


def inception_score(fake: NDArray[np.floating]) -> float:
    """Return exp of the mean divergence of a frame's class probabilities from those of all frames; or of a clip's.

    It lies between 1 and the number of classes, and higher is better. It is the mean over 10 splits of the frames,
    shuffled by a generator with a fixed seed. The real side plays no part.
    fake: [M, classes], logits: of Inception 1008 without bias, of C3D 101.
    Source: Salimans et al. 2016, section 4; torch_fidelity/metric_isc.py. Of clips: Saito et al. 2017, section 6.

    Raises MetricError with fewer than 10 features.
    """
    return float(np.mean(scores_of_splits(fake)))


def scores_of_splits(fake: NDArray[np.floating]) -> list[float]:
    """Return the scores of the 10 splits whose mean the inception score is, and whose deviation papers report as ±.

    fake, what is raised, and sources: as for `inception_score`.
    """
    import torch

    with needed_for("inception scores", "torch-fidelity"):
        from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    if len(fake) < _SPLITS:
        raise MetricError(
            f"{counted(len(fake), 'fake feature')}: the inception score is a mean over {_SPLITS} splits and needs at "
            "least one feature for each, and thousands for a score that means something"
        )
    shuffled = fake[np.random.RandomState(_SEED).permutation(len(fake))]  # as torch-fidelity shuffles
    ends = [split * len(fake) // _SPLITS for split in range(_SPLITS + 1)]
    splits = [torch.from_numpy(shuffled[start:end]) for start, end in itertools.pairwise(ends)]
    return [float(isc_features_to_metric(part, splits=1, shuffle=False)[KEY_METRIC_ISC_MEAN]) for part in splits]


def _of_fake(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> list[float]:
    return scores_of_splits(all_features("is", "fake", fake))


def _influence(real: FeatureSet, fake: FeatureSet) -> Influences | None:
    """Return the influences of exp of the mean divergence: its value times each frame's own divergence. Those of the
    real features, on which nothing depends, are 0.

    Each frame moves the mean of the probabilities too, which to first order adds nothing.
    """
    import scipy.special

    logits = fake.features()
    if logits is None:
        return None
    logs: Float64 = scipy.special.log_softmax(logits.astype(np.float64), axis=1)
    shares = np.exp(logs)
    divergence = np.sum(shares * (logs - np.log(shares.mean(axis=0))), axis=1)
    none = None if real.features() is None else np.zeros(real.count)
    return none, centred(np.exp(divergence.mean()) * divergence)


IS = Metric(
    name="is",
    layers={"inception": "logits_unbiased", "c3d": "logits"},
    splits=_of_fake,
    lower_is_better=False,
    range=(1.0, np.inf),
    fewest=(0, _SPLITS),
    influence=_influence,
)

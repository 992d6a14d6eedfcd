"""Kernel inception distance and inception score of frames, as torch-fidelity computes them from features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.packages import needed_for

_SEED = 2020
_SUBSETS = 100
_SUBSET_SIZE = 1000
_SPLITS = 10
"""torch-fidelity's defaults (`rng_seed`, `kid_subsets`, `kid_subset_size`, `isc_splits`), written out so that they
do not change with its version."""


def kernel_inception_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Mean of the unbiased squared MMD over 100 random subsets of each side; may be a little below 0.

    real [N, 2048], fake [M, 2048]. Subsets hold min(1000, N, M) features, drawn without repetition by a generator of
    fixed seed, from the fake side first. Kernel (x·y / D + 1)³. In float64: torch-fidelity's own float32 is off by
    some 1e-7, a thousandth of the distance of sets that are alike.
    Source: Bińkowski et al. 2018, section 4; torch_fidelity/metric_kid.py.

    Raises MetricError when a side has fewer than 2 features.
    """
    import torch

    with needed_for("kernel inception distances", "torch-fidelity"):
        from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    size = min(_SUBSET_SIZE, len(real), len(fake))
    if size < 2:
        raise MetricError(
            f"{len(real)} real and {len(fake)} fake features: at least 2 of each are needed for KID, "
            "and 1000 for its usual subsets"
        )
    found = kid_features_to_metric(
        torch.from_numpy(fake.astype(np.float64)),
        torch.from_numpy(real.astype(np.float64)),
        kid_subsets=_SUBSETS,
        kid_subset_size=size,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,  # 1 / D
        kid_kernel_poly_coef0=1,
        rng_seed=_SEED,
        verbose=False,
    )
    return float(found[KEY_METRIC_KID_MEAN])


def inception_score(fake: NDArray[np.floating]) -> float:
    """exp of the mean divergence of a frame's class probabilities from those of all; 1 to the number of classes.

    fake [M, 1008]: logits without bias. The mean over 10 splits of the frames, shuffled by a generator of fixed seed.
    Higher is better. The real side plays no part. Source: Salimans et al. 2016, section 4;
    torch_fidelity/metric_isc.py.

    Raises MetricError with fewer than 10 features.
    """
    import torch

    with needed_for("inception scores", "torch-fidelity"):
        from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    if len(fake) < _SPLITS:
        raise MetricError(
            f"{len(fake)} fake features: the inception score is a mean over {_SPLITS} splits and needs at least "
            "one feature for each, and thousands for a score that means something"
        )
    found = isc_features_to_metric(torch.from_numpy(fake), splits=_SPLITS, shuffle=True, rng_seed=_SEED)
    return float(found[KEY_METRIC_ISC_MEAN])

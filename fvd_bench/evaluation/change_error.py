"""How sure the change between two scores is, where both are against the same real videos.

So chance comes only from the drawing of the fake videos, and where these are the same videos, or made from the same
seeds, only from what differs between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fvd_bench.evaluation.score import Score
from fvd_bench.metrics.uncertainty import Spread, standard_error


def change_error(
    scores: tuple[Score, Score], spreads: Sequence[Spread | None], *, together: bool
) -> tuple[float | None, int, bool]:
    """Return the standard error of the change from drawing the fake videos, how many videos, groups or batches it comes
    from, and whether these are paired.

    spreads: what each fake video contributes to either score, None where that is not known.
    together: whether both listings name the same videos.
    """
    parts = [spread.contributions("fake") if spread else None for spread in spreads]
    if parts[0] is not None and parts[1] is not None:
        by_video = all(spread is not None and spread.rule.aggregation == "all" for spread in spreads)
        if together and by_video and set(parts[0]) == set(parts[1]):
            gaps = [parts[1][video] - part for video, part in parts[0].items()]
            return standard_error(gaps), len(gaps), True
    errors, units = [], []
    for score, spread, part in zip(scores, spreads, parts, strict=True):
        error = spread.error("fake") if spread else score.error_fake
        if error is not None:
            errors.append(error)
            units.append(len(part) if part is not None else score.units_fake or score.fake.clips)
    if not errors:
        return None, scores[1].fake.clips, False
    return float(np.hypot(errors[0], errors[-1])), min(units), False  # a result without errors is as sure as the other

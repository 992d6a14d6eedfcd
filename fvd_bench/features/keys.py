"""Keys of features in the store: digests of everything that the features of a video depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from fvd_bench.protocols.rules import ClipRule, FeatureRule, Side

ENGINE = 2
"""Version of our own arithmetic, raised whenever it changes a feature or a frame: features of older engines are then
not used. Since 2, alpha is laid over black, and display matrices and EXIF are applied completely."""

UNNAMED_ENGINE = 2
"""The engine of files and states that do not name theirs: it was the second when they began to."""

_YOUNGER = {"most_frames": 0, "given_frames": 0, "channels": "rgb", "network": "", "short_side": None}
"""Fields of rules that came after `ENGINE` was last raised, and what they are where they change nothing."""

_RULES_FOR_LISTINGS = ("count", "selection", "short_videos")
"""Fields of a ClipRule that say which videos are used, not what is taken from one."""


def feature_keys(
    *,
    rule: ClipRule,
    side: Side,
    seed: int,
    features: FeatureRule,
    weights: Mapping[str, str],
    versions: Mapping[str, str],
) -> Callable[[str, int], str]:
    """Return the function of a video's content digest and place that gives its key: the sha256 of everything that the
    features of the video depend on.

    side, seed, and the place: matter only for random draws.
    weights: tensor digests of the network's weights.
    versions: versions of all software that can change the features.
    """
    alike = {
        "rule": {k: v for k, v in _choices(rule.effective()).items() if k not in _RULES_FOR_LISTINGS},
        "features": _choices(features),
        "weights": dict(weights),
        "versions": dict(versions),
        "engine": ENGINE,
    }
    if rule.content in ("still", "still-real") and rule.start == "all":
        alike["stills"] = "one for each clip"
    rest = json.dumps(alike, sort_keys=True)[1:]
    is_random = rule.is_random

    def key(content: str, place: int) -> str:
        # The JSON of all of it with sorted keys: only what differs between videos, which comes first, is made for each.
        own = json.dumps({"content": content, "draw": [side, seed, place] if is_random else None})
        return hashlib.sha256(f"{own[:-1]}, {rest}".encode()).hexdigest()

    return key


def _choices(rule: ClipRule | FeatureRule) -> dict[str, Any]:
    """Return the fields of a rule, without those that are younger than `ENGINE` and change nothing: features that were
    made before there was such a field are still those of the rule. A network that has an identity is known by it,
    wherever it was found."""
    chosen = _without_younger(asdict(rule))
    if "network" in chosen:
        del chosen["extractor"]
    return chosen


def _without_younger(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name not in _YOUNGER or value != _YOUNGER[name]}
    return {name: _without_younger(value) if isinstance(value, dict) else value for name, value in kept.items()}

"""Whether the choices of a protocol go together, whatever networks and metrics there are."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fvd_bench.errors import ProtocolError
from fvd_bench.protocols.rules import ClipRule, FeatureRule, MetricRule, Resize, Side


def check_possible(clips: Mapping[Side, ClipRule], features: FeatureRule, metric: MetricRule, where: str) -> None:
    """Raise ProtocolError, naming `where`, when rules of a protocol exclude each other.

    Whether its network and its metrics exist and go with it is checked by `networks.check` and `metrics.check`.
    """
    for side, rule in clips.items():
        if isinstance(rule.frames, str) and (rule.start != "first" or rule.content != "video"):
            raise ProtocolError(f'{where}: {side} frames = "{rule.frames}" takes whole videos: start must be "first"')
        if rule.most_frames and rule.frames != "whole":
            raise ProtocolError(f'{where}: most_frames = {rule.most_frames} goes with frames = "whole" only')
        if rule.selection == "repeated" and rule.count is None:
            raise ProtocolError(f'{where}: selection = "repeated" needs a number of {side} videos, not "all"')
    if clips["real"].takes_real:
        raise ProtocolError(f'{where}: content = "{clips["real"].content}" is for the fake side only')
    low, high = features.range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ProtocolError(f"{where}: range = [{low}, {high}]: expected two finite numbers, the smaller one first")
    for resize in (*(rule.resize for rule in clips.values()), features.resize):
        if resize is not None:
            _check_resize(resize, where)
    for rule in clips.values():
        if rule.rounding == "truncate-unit" and rule.resize is not None and not rule.resize.antialias:
            raise ProtocolError(f'{where}: rounding = "truncate-unit" goes with a resize of antialias = true only')
    if not metric.names or len(set(metric.names)) < len(metric.names):
        raise ProtocolError(f"{where}: metric names = {list(metric.names)}: expected at least one, each once")
    if metric.epsilon and metric.root != "exact":
        raise ProtocolError(f'{where}: epsilon = {metric.epsilon:g} goes with root = "exact" only')
    if (metric.aggregation == "batch-mean") != (metric.batch >= 2):
        raise ProtocolError(f'{where}: aggregation = "batch-mean" needs batch >= 2, and "all" takes no batch')


def _check_resize(resize: Resize, where: str) -> None:
    if resize.antialias and resize.kernel.endswith("-pillow"):
        raise ProtocolError(f"{where}: the kernel {resize.kernel} always antialiases: leave antialias out")
    if resize.antialias and resize.kernel.startswith("bilinear-"):
        raise ProtocolError(f"{where}: the kernel {resize.kernel} has no antialiasing")
    if resize.short_side is None:
        return
    if not resize.geometry.startswith("short-side-"):
        raise ProtocolError(f'{where}: short_side goes with a geometry of "short-side-…", not {resize.geometry!r}')
    if resize.short_side < resize.size:
        raise ProtocolError(f"{where}: short_side = {resize.short_side}: expected at least the size, {resize.size}")

"""Scores of two sides: at once, inside a training loop, against an earlier score, and under other protocols."""

__all__ = [
    "collection",
    "collection_result",
    "comparisons",
    "demo",
    "details",
    "evaluate",
    "evaluation",
    "manifest",
    "online",
    "own_network",
    "plan",
    "replay",
    "result",
    "result_features",
    "score",
    "selftest",
    "selftest_networks",
    "statistics",
    "studies",
    "window_scores",
]

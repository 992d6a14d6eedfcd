"""Scores: of two sides, inside a training loop, against another score, under other protocols."""

__all__ = [
    "audit",
    "comparison",
    "demo",
    "evaluate",
    "manifest",
    "online",
    "plan",
    "replay",
    "result",
    "result_features",
    "selftest",
    "statistics",
]

"""Scores of two sides: at once, inside a training loop, against an earlier score, and under other protocols."""

__all__ = [
    "comparison",
    "demo",
    "evaluate",
    "evaluation",
    "explain",
    "manifest",
    "online",
    "plan",
    "replay",
    "result",
    "result_features",
    "selftest",
    "statistics",
    "table4",
]

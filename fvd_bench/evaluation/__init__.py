"""Scores of two sides: at once, inside a training loop, against an earlier score, and under other protocols."""

__all__ = [
    "comparison",
    "curves",
    "demo",
    "evaluate",
    "evaluation",
    "explain",
    "manifest",
    "online",
    "plan",
    "ranking",
    "replay",
    "result",
    "result_features",
    "result_files",
    "selftest",
    "several",
    "statistics",
    "table4",
    "windows",
]

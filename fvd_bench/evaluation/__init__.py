"""Scores: of two sides, inside a training loop, against another score, under other protocols."""

__all__ = [
    "audit",
    "comparison",
    "demo",
    "evaluate",
    "kept",
    "manifest",
    "online",
    "plan",
    "replay",
    "result",
    "selftest",
    "statistics",
]

"""Results for people and for CI."""

__all__ = [
    "card",
    "comparison",
    "demo",
    "explain",
    "formats",
    "html",
    "inspection",
    "layout",
    "plan",
    "protocols",
    "scores",
    "selftest",
    "table4",
    "tables",
]

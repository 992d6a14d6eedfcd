"""Results for people and for CI."""

__all__ = [
    "card",
    "citation",
    "comparison",
    "curves",
    "demo",
    "explain",
    "formats",
    "inspection",
    "layout",
    "lengths",
    "page",
    "plan",
    "protocols",
    "ranking",
    "scores",
    "selftest",
    "svg",
    "table4",
    "tables",
]

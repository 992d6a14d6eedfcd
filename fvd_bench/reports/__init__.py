"""Results for people and for CI."""

__all__ = [
    "card",
    "citation",
    "comparison",
    "curves",
    "demo",
    "explain",
    "formats",
    "html",
    "inspection",
    "layout",
    "plan",
    "protocols",
    "ranking",
    "scores",
    "selftest",
    "table4",
    "tables",
]

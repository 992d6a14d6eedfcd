"""Results for people and for CI."""

__all__ = [
    "card",
    "charts",
    "citation",
    "comparison",
    "curves",
    "demo",
    "explain",
    "exports",
    "formats",
    "inspection",
    "layout",
    "page",
    "plan",
    "protocols",
    "ranking",
    "references",
    "scores",
    "selftest",
    "table4",
    "tables",
]

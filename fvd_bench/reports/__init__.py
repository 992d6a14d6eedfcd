"""Results for people and for CI."""

__all__ = [
    "card",
    "charts",
    "citation",
    "comparison",
    "curves",
    "demo",
    "explain",
    "formats",
    "inspection",
    "layout",
    "networks",
    "page",
    "plan",
    "protocols",
    "ranking",
    "scores",
    "selftest",
    "table4",
    "tables",
]

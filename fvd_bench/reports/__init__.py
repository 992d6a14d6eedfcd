"""Results for people and for CI."""

__all__ = [
    "comparison",
    "curves",
    "demo",
    "explain",
    "formats",
    "html",
    "inspection",
    "layout",
    "protocols",
    "ranking",
    "scores",
    "table4",
    "tables",
]

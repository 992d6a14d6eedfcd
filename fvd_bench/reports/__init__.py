"""Results for people and for CI."""

__all__ = [
    "comparison",
    "demo",
    "explain",
    "formats",
    "html",
    "inspection",
    "layout",
    "protocols",
    "scores",
    "table4",
    "tables",
]

"""Results for people and for CI."""

__all__ = ["comparison", "demo", "explain", "html", "inspection", "table4", "tables"]

"""Results for people and for CI."""

__all__ = ["audit", "comparison", "demo", "html", "inspection", "tables"]

"""Results for people and for CI."""

__all__ = ["comparison", "demo", "html", "inspection", "table4", "tables"]

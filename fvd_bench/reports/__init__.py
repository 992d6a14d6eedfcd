"""Results for people and for CI."""

__all__ = ["comparison", "demo", "explain", "html", "inspection", "plan", "selftest", "table4", "tables"]

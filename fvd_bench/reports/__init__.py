"""Results for people and for CI."""

__all__ = ["card", "comparison", "demo", "explain", "html", "inspection", "plan", "selftest", "table4", "tables"]

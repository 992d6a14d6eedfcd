"""What is wrong with videos, and how they move."""

__all__ = ["contents", "faults", "headers", "motion", "motion_panel", "sides"]

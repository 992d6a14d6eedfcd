"""What is wrong with videos, and how they move."""

__all__ = ["checkup", "faults", "headers", "motion", "motion_of_sides", "summary"]

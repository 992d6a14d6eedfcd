"""Models in files: our own, and those of the official code."""

__all__ = ["checkpoint", "files", "official"]

"""What is measured: a protocol holds every choice that makes a score, with a version and a digest."""

__all__ = ["aliases", "differences", "paired", "protocol", "rules", "variants", "windows"]

"""Training sets, and the clips and times that are drawn from them."""

__all__ = ["clips", "crops", "datasets", "folder", "labels", "preloaded", "preparing", "times"]

"""Features of the videos of a side: made, kept, and given."""

__all__ = [
    "batches",
    "distributed",
    "extraction",
    "feature_set",
    "foreign",
    "given",
    "moments",
    "online_features",
    "stats_file",
    "store",
]

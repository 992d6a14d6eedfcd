"""The features of a side's videos: computed, stored, and given in files."""

__all__ = [
    "batches",
    "distributed",
    "extraction",
    "feature_set",
    "foreign",
    "given",
    "moments",
    "noticed",
    "online_features",
    "references",
    "stats_file",
    "store",
]

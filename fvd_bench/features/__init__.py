"""Features of the videos of a side: made, kept, and given."""

__all__ = [
    "batches",
    "extraction",
    "feature_set",
    "foreign",
    "given",
    "moments",
    "processes",
    "stats_file",
    "store",
    "video_features",
]

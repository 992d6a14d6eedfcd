"""Features of the videos of a side: made, kept, and given."""

__all__ = [
    "batches",
    "extraction",
    "foreign",
    "gathered",
    "moments",
    "processes",
    "stats",
    "stats_file",
    "stats_source",
    "store",
]

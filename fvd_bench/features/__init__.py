"""The features of a side's videos: computed, stored, and given in files."""

__all__ = [
    "batches",
    "cluster",
    "distributed",
    "engine",
    "extraction",
    "feature_set",
    "foreign",
    "given",
    "jobs",
    "keys",
    "moments",
    "moments_file",
    "moments_in_pieces",
    "online_facts",
    "online_features",
    "opening",
    "references",
    "stats_file",
    "stats_places",
    "store",
]

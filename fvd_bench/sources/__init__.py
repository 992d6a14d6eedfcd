"""The sides of a comparison, in every form in which people have videos."""

from fvd_bench.sources.opening import Arrays, ClipSource, GeneratorSource, open_source

__all__ = [
    "Arrays",
    "ClipSource",
    "GeneratorSource",
    "addresses",
    "array_folder",
    "arrays",
    "clip_source",
    "distorted",
    "fetched",
    "iterables",
    "listing",
    "membership",
    "open_source",
    "opening",
    "reference_names",
    "zips",
]

"""Any frame of any video that a generator can make: as frames, in folders, as sheets, and scored."""

__all__ = ["folders", "sampler", "scoring", "sheets", "videos"]

"""The frames of one video, and the clips that are drawn from it."""

__all__ = [
    "absent",
    "arrays",
    "clips",
    "file",
    "files",
    "frame_names",
    "header",
    "images",
    "intervals",
    "prefetch",
    "preprocess",
    "probe",
    "sampling",
    "video",
]

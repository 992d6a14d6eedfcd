"""The frames of one video, and the clips that are drawn from it."""

__all__ = [
    "absent_video",
    "all_frames",
    "array_layout",
    "arrays",
    "clips",
    "distortion",
    "file",
    "files",
    "frame_names",
    "frame_times",
    "greys",
    "header",
    "images",
    "prefetch",
    "preprocess",
    "probe",
    "sampling",
    "video",
]

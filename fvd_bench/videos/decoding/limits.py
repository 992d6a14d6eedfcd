"""What decoding one video may take before it is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one decoding process. They are far above what honest videos need, so they are no settings.

    silence_seconds: time that a decoder may work without giving a frame or packet before it counts as hung. Time that
        the machine sleeps does not count.
    decode_seconds: processor time for one pass over a video, so that a small file cannot give frames for ever.
    memory_bytes: address space of the process, where the system can limit it.
    pixels: pixels of one frame.
    held_bytes: decoded frames that are kept after counting, so that a short video is decoded only once.
    """

    silence_seconds: float = 60.0
    decode_seconds: float = 3600.0
    memory_bytes: int = 8 * 2**30
    pixels: int = 2**27
    held_bytes: int = 64 * 2**20

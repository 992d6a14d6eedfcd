"""Decoding in a process of its own: what it asks FFmpeg and Pillow, and what it may cost."""

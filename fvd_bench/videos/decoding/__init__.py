"""Decoding in separate processes: what is asked of FFmpeg and Pillow, and what it may cost."""

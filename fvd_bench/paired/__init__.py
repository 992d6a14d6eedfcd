"""How videos score against their own originals, frame by frame."""

__all__ = ["evaluate", "pairing", "result", "selftest"]

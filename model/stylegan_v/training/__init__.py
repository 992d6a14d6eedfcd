"""A training run: its file, its steps, its state and what it writes."""

__all__ = ["loop", "run", "state_pieces"]

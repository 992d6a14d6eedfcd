"""A training run: its file, its steps, its state and what it writes."""

__all__ = ["ablations", "beginning", "loop", "pace", "run", "run_folder", "state_pieces"]

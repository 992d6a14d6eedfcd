"""Hostile inputs of every form: `python -m tests.hostile` writes them, feeds them in, and says what came of it."""

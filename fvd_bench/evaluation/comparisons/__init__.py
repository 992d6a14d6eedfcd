"""Scores against each other: a checkpoint and its baseline, and several generators in order."""

"""The frames of one video, and the clips that are drawn from it."""

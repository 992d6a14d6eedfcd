"""What the paper compares StyleGAN-V with, a file each, and all methods by name."""

__all__ = ["registry"]

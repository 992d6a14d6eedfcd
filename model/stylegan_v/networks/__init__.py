"""The networks of StyleGAN-V, their losses, and the augmentation that training puts before the discriminator."""

__all__ = [
    "adaptive",
    "augment",
    "config",
    "discriminator",
    "generator",
    "loss",
    "motion",
    "noise",
    "parameters",
    "pixels",
]

"""The networks of StyleGAN-V, their losses, and the augmentation that training puts before the discriminator."""

__all__ = [
    "adaptive_augment",
    "augment",
    "config",
    "discriminator",
    "generator",
    "loss",
    "motion",
    "noise",
    "parameter_counts",
    "pixels",
    "video_generator",
]

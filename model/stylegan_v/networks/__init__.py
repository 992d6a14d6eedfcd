"""The networks of StyleGAN-V, their losses, the augmentation before its discriminator, and what other methods share."""

__all__ = [
    "activation",
    "adaptive_augment",
    "attention",
    "augment",
    "clip_discriminator",
    "config",
    "discriminator",
    "generator",
    "layers",
    "loss",
    "motion",
    "noise",
    "parameter_counts",
    "patch_discriminator",
    "pixels",
    "recurrent",
    "video_generator",
]

"""What the paper shows of a trained model besides scores: a study is a file, and a command of `stylegan-v`."""

__all__ = [
    "clip",
    "content",
    "discriminator_pair",
    "editing",
    "encodings",
    "gradients",
    "perceptual",
    "pictures",
    "projection",
    "strip",
    "targets",
    "weights",
]

"""StyleGAN-V: a continuous video generator, its discriminator, training and sampling."""

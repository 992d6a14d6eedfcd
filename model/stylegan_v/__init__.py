"""StyleGAN-V: a continuous video generator, its discriminator, training and sampling."""

from fvd_bench.former_names import keep_former_names

keep_former_names(
    {"stylegan_v.checkpoint": "stylegan_v.checkpoints.checkpoint", "stylegan_v.sample": "stylegan_v.sampling.videos"}
)

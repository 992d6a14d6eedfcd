"""What a method is, what the trainers of all methods share, and StyleGAN-V as one of them."""

__all__ = ["config", "method", "parts", "settings", "step_clips", "style_trainer", "stylegan_v", "trainer"]

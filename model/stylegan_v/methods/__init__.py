"""What a method is, what the trainers of all methods share, and StyleGAN-V as one of them."""

__all__ = ["checkpoint_parts", "config", "method", "settings", "step_clips", "style_trainer", "stylegan_v", "trainer"]

"""What a method is, what the trainers of all methods share, and StyleGAN-V as one of them."""

__all__ = ["adversarial", "config", "method", "parts", "settings", "stylegan_v", "trainer"]

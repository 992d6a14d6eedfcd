"""What is measured: a protocol holds every choice that makes a score, with a version and a digest."""

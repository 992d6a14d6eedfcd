"""The references that ship: statistics files by their sha256, and the manifest that says what they are of."""

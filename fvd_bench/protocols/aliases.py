"""Short names of protocols: those that people ask for first. What is no name is the path of a file."""

from __future__ import annotations

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "fvd": "stylegan-v-fvd16",
    "fvd16": "stylegan-v-fvd16",
    "fvd128": "stylegan-v-fvd128",
    "fid": "stylegan-v-fid",
    "kid": "stylegan-v-kid",
    "is": "stylegan-v-is",
    "mind": "stylegan-v-mind",
    "disco-fvd": "disco-fvd-on-tfhub-weights",
    "lvdm": "lvdm-on-tfhub-weights",
    "vfid-inpainting": "vfid-inpainting-on-tfhub-weights",
    "vfid-tryon": "vfid-tryon-on-tfhub-weights",
}
"""Short name -> the protocol that it stands for. Results have the protocol's own name."""


def is_path(name_or_path: str) -> bool:
    """Return whether a protocol is named by its file, not by the name of one that ships."""
    return "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml")

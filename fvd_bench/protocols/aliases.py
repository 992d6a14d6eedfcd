"""Short names of protocols: those that people ask for first."""

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

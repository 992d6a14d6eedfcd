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
}
"""Short name -> the protocol that it stands for. Results have the protocol's own name."""

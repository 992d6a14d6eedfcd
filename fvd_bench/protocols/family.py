"""Protocols whose numbers of videos and frames stand in their name, as people write them: `fvd2048_100f`.

StyleGAN-V's code and what is made of it name metrics like this: fvd, the number of videos of each side, and the number
of frames of each; `_subsample8f` behind it takes every 8th of these frames. Each such protocol is the one of the
released code with other numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fvd_bench.errors import UnknownProtocolError
from fvd_bench.words import ordinal

BASE = "stylegan-v-fvd16-code"
"""The shipped protocol that all of them are made of."""

FEWEST_FRAMES = 9
"""How many frames the shortest clip has that its network can see."""

_PREFIX = "stylegan-v-"
_LIKE = re.compile(rf"(?:{_PREFIX})?fvd_?\d+[kf]?_")
_NAME = re.compile(rf"(?:{_PREFIX})?fvd([1-9]\d{{0,8}})_([1-9]\d{{0,8}})f(?:_subsample([1-9]\d{{0,8}})f)?")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers in such a name.

    videos: of each side. frames: of the video that a clip is taken from. stride: every how many of them are taken.
    """

    videos: int
    frames: int
    stride: int = 1

    @classmethod
    def of(cls, name: str) -> Numbers | None:
        """Read a name; None where it is none of this family. Raises UnknownProtocolError where it means to be one."""
        if not _LIKE.match(name):
            return None
        found = _NAME.fullmatch(name)
        if found is None:
            raise UnknownProtocolError(
                f"no protocol is named {name!r}; the numbers in a name are written fvd2048_16f, fvd10000_100f or "
                "fvd2048_128f_subsample8f: videos of each side, frames of each, and every how many of these are taken"
            )
        videos, frames, stride = (int(number or 1) for number in found.groups())
        if videos < 2:
            raise UnknownProtocolError(f"{name!r}: a covariance needs at least 2 videos of each side")
        if frames % stride:
            raise UnknownProtocolError(
                f"{name!r}: every {ordinal(stride)} frame is taken, and {frames} is no multiple of it"
            )
        if frames // stride < FEWEST_FRAMES:
            raise UnknownProtocolError(
                f"{name!r}: clips of {frames // stride} frames are too short for I3D, which needs {FEWEST_FRAMES}"
            )
        return cls(videos, frames, stride)

    @property
    def name(self) -> str:
        """The full name of the protocol."""
        every = f"_subsample{self.stride}f" if self.stride > 1 else ""
        return f"{_PREFIX}fvd{self.videos}_{self.frames}f{every}"

    def text(self, base: str) -> str:
        """Return the TOML text of the protocol. base: that of a version of `BASE`."""
        frames = f"{self.frames} frames"
        if self.stride > 1:
            frames = f"every {ordinal(self.stride)} of {frames}"
        stride = f"\nstride = {self.stride}" if self.stride > 1 else ""
        lines = {
            "name": f'"{self.name}"',
            "summary": f'"FVD on {frames} of {self.videos} videos a side, as the code of {BASE} computes it; bug kept: '
            'JPEG quality 75 although the paper says 95; takes the first videos in sorted order"',
            "source": f'"that of {BASE}, with the numbers of {self.name.removeprefix(_PREFIX)}"',
            "frames": f"{self.frames // self.stride}{stride}",
            "real": f"{self.videos}",
            "fake": f"{self.videos}",
        }
        for key, value in lines.items():
            base, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", base)
            assert count == 1, f"{BASE} has {count} lines of {key}"
        return base

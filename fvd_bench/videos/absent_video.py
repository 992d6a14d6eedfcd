"""A video that is known, but is not here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from fvd_bench.errors import VideoError
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame


@dataclass(frozen=True, slots=True)
class AbsentVideo:
    """A stand-in for a video of which at most the content digest is known.

    digest: the digest of the video's content. None where it is not known.
    unread: the message for whoever asks for the content where it is not known.
    away: the message for whoever asks for the frames.
    """

    digest: str | None
    unread: str
    away: str

    @property
    def num_frames(self) -> int:
        raise VideoError(self.away)

    def frames(self, indices: Indices) -> Iterator[Frame]:
        raise VideoError(self.away)

    def content(self) -> str:
        if self.digest is None:
            raise VideoError(self.unread)
        return self.digest

    def state(self) -> str:
        return hashlib.sha256(f"absent\0{self.content()}".encode()).hexdigest()

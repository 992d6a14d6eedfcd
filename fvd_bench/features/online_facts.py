"""OnlineFacts: what was noticed of videos that came as arrays, a few at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fvd_bench.features.given import made_elsewhere
from fvd_bench.features.jobs import Collected
from fvd_bench.features.store import Facts
from fvd_bench.finding import Finding, noted, of_side
from fvd_bench.protocols.rules import Side
from fvd_bench.videos.array_layout import ValueRange
from fvd_bench.videos.frame_times import widest


@dataclass(frozen=True, slots=True)
class OnlineFacts:
    """What was noticed of the videos of one side. It stands for their source where findings are listed.

    notes: sentences about the first array that gave any, see `ArrayVideos`.
    value_range: the values of black and white that were stated last. None for uint8.
    levels: lowest and highest level of the frames. None where there are none yet.
    videos: the notes in `Facts`, by code and then by name of the video.
    made_with: the versions of all software that can change the features, once for each that some were made with.
    """

    notes: tuple[str, ...] = ()
    value_range: ValueRange | None = None
    levels: tuple[int, int] | None = None
    videos: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    made_with: tuple[Mapping[str, str], ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Facts], notes: tuple[str, ...], value_range: ValueRange | None) -> OnlineFacts:
        """Gather what the facts about videos say. facts: by name of the video."""
        whole = cls(notes, value_range)
        for name, found in facts.items():
            videos = {code: {name: detail} for code, detail in found.notes}
            whole = whole.joined(cls((), value_range, found.levels, videos))
        return whole

    def joined(self, later: OnlineFacts) -> OnlineFacts:
        """Return both together."""
        codes = {*self.videos, *later.videos}
        return OnlineFacts(
            self.notes or later.notes,
            self.value_range if later.levels is None else later.value_range,
            widest(self.levels, later.levels),
            {code: {**self.videos.get(code, {}), **later.videos.get(code, {})} for code in codes},
            (*self.made_with, *(made for made in later.made_with if made not in self.made_with)),
        )

    def findings(self, side: Side) -> list[Finding]:
        """List what is known before all videos have come: that values are cut off, for one."""
        return of_side(side, map(noted, self.notes))

    def elsewhere(self, side: Side, here: Mapping[str, str]) -> list[Finding]:
        """List which other software features were made with. here: the versions on this machine."""
        return [found for made in self.made_with for found in made_elsewhere(made, here, side)]

    def collected(self, places: list[int]) -> Collected:
        """Return it in the form in which findings are sought. places: the index of each video that is used."""
        notes = {code: dict(videos) for code, videos in self.videos.items()}
        return Collected(videos=places, places=places, notes=notes, levels=self.levels, not_jpeg=True)

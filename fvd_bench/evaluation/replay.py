"""Replay a manifest: score the same frames of the same videos, wherever they lie and whatever they are called here."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fvd_bench.errors import ManifestError
from fvd_bench.evaluation import manifest as manifests
from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.manifest import Drawn, Listed, Manifest, Used
from fvd_bench.evaluation.result import Result
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding, some, worst_first
from fvd_bench.networks import environment
from fvd_bench.networks.environment import NEUTRAL
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, labelled, silent
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.clip_source import columns_of, value_range_of
from fvd_bench.sources.opening import ClipSource, SourceLike, open_source
from fvd_bench.version import __version__
from fvd_bench.videos.absent_video import AbsentVideo
from fvd_bench.videos.array_layout import ValueRange
from fvd_bench.videos.video import Video
from fvd_bench.words import agreeing, counted


@dataclass(frozen=True)
class ReplayedSource:
    """A side that presents exactly the listing of a manifest.

    here: content of a video -> its index in the source that is at hand.
    """

    source: ClipSource
    listing: Sequence[Listed]
    here: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def kind(self) -> str:
        return self.source.kind

    @cached_property
    def names(self) -> Sequence[str]:
        return [listed.name for listed in self.listing]

    @property
    def notes(self) -> Sequence[str]:
        return ()

    @property
    def value_range(self) -> ValueRange | None:
        """The range that is stated for arrays of floats, None where none is."""
        return value_range_of(self.source)

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns of a list that the side is, in the order of the manifest. What is not here stands for itself."""
        places = [(self.here.get(listed.content or ""), listed.name) for listed in self.listing]
        return {
            column: [name if place is None else entries[place] for place, name in places]
            for column, entries in columns_of(self.source).items()
        }

    def video(self, index: int) -> Video:
        content = self.listing[index].content
        if content is None or content not in self.here:
            return AbsentVideo(content, "could not be read when the manifest was written", "is not here")
        return self.source.video(self.here[content])


def replay(
    manifest: Manifest,
    real: SourceLike,
    fake: SourceLike,
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Result:
    """Score the very frames that a manifest names.

    real, fake: as in `evaluate`; other names, another order and additional videos do not matter. Raises ManifestError
    when a video that was used is missing or would give other frames here, and what `evaluate` raises.
    """
    with open_replay(manifest, real, fake, settings=settings or Settings(), progress=progress) as evaluation:
        collection = collect(evaluation)
        check_frames(manifest, collection)
        return with_differences(manifest, result_of(collection))


@contextlib.contextmanager
def open_replay(
    manifest: Manifest, real: SourceLike, fake: SourceLike, *, settings: Settings, progress: Progress
) -> Iterator[Evaluation]:
    """Open the evaluation that a manifest describes, on videos found by their contents. Raises as `replay` does."""
    with contextlib.ExitStack() as stack:
        if settings.cache is None:  # a cache remembers contents, so that files are read once
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fvd-bench-"))
            settings = dataclasses.replace(settings, cache=folder)
        real, fake = (
            _find(manifest, side, open_source(given, progress), settings=settings, progress=progress)
            for side, given in zip(SIDES, (real, fake), strict=True)
        )
        yield stack.enter_context(
            open_evaluation(
                real,
                fake,
                manifest.protocols,
                repeats=manifest.repeats,
                seed=manifest.seed,
                settings=settings,
                progress=progress,
            )
        )


def check_frames(manifest: Manifest, collection: Collection) -> None:
    """Raise ManifestError, naming video and frames, where other frames would be used here than are recorded."""
    here = manifests.draws(collection)
    if len(here) != len(manifest.draws):
        raise ManifestError(
            f"the manifest holds {counted(len(manifest.draws), 'draw')}, and here {counted(len(here), 'draw', 'are')} "
            "made"
        )
    for recorded, found in zip(manifest.draws, here, strict=True):
        if recorded != found:
            raise ManifestError(f"{_difference(manifest, recorded, found)}; {_why_other_frames(manifest, collection)}")


def with_differences(manifest: Manifest, result: Result) -> Result:
    """Return the result, with a warning where its scores are not to the last digit the recorded ones."""
    scores = {score.digest: score.values for score in result.scores}
    protocols = {protocol.digest(): protocol for protocol in manifest.protocols}
    found = {
        (digest, metric): scores.get(protocols[digest].alone(metric).digest(), ()) if digest in protocols else ()
        for digest, metric, _ in manifest.values
    }
    warnings = [
        Finding(
            "replay-differs",
            f"{metric.upper()} of protocol {digest[:12]}: {list(values)} is recorded, and the same frames "
            f"of the same contents give {list(found[digest, metric])} here; {_cause(manifest, result)}",
        )
        for digest, metric, values in manifest.values
        if found[digest, metric] != values
    ]
    return dataclasses.replace(result, warnings=tuple(worst_first([*result.warnings, *warnings])))


def _find(
    manifest: Manifest, side: Side, source: ClipSource, *, settings: Settings, progress: Progress
) -> ReplayedSource:
    """Find the videos of a listing by their contents. Raises ManifestError that names used videos that are missing."""
    assert settings.cache is not None
    store = FeatureStore(Path(settings.cache))
    try:
        contents = Extraction(
            source,
            store,
            {},
            versions={},
            workers=settings.workers or processors(),
            progress=labelled(progress, f"looking for {side} videos"),
        ).contents
    finally:
        store.close()
    here = {content: index for index, content in sorted(contents.items(), reverse=True)}
    listing = manifest.listings[side]
    if not listing:
        raise ManifestError(f"the manifest lists no {side} video")
    named = {source.names[index]: content for index, content in contents.items()}
    missing: dict[str, str] = {}
    for drawn in manifest.draws:
        for used in drawn.videos if drawn.reads == side else ():
            listed = listing[used.place % len(listing)]
            if listed.content not in here:
                other = f"; the video of this name here has {named[listed.name]}" if listed.name in named else ""
                missing[listed.name] = f"sha256 {listed.content}{other}"
    if missing:
        raise ManifestError(
            f"{source.name}: of the {side} videos that the score was made from {len(missing)} "
            f"{agreeing(len(missing), 'are')} not there, by their contents: {some(missing)}; get the very files, their "
            "names do not matter"
        )
    return ReplayedSource(source, listing, here)


def _difference(manifest: Manifest, recorded: Drawn, found: Drawn) -> str:
    """Describe the first video that two draws do not agree on."""
    what = [(drawn.protocol[:12], drawn.side, drawn.reads, drawn.seed) for drawn in (recorded, found)]
    before, now = ({used.place: used for used in drawn.videos} for drawn in (recorded, found))
    others = [place for place in {*before, *now} if before.get(place) != now.get(place)]
    if what[0] != what[1] or not others:
        return f"a draw of {what[0]} is recorded where one of {what[1]} is made here"
    place = min(others)
    listing = manifest.listings[recorded.reads]
    return (
        f"{recorded.reads} video {listing[place % len(listing)].name}: {_frames(before.get(place))} of it were used, "
        f"and here it would be {_frames(now.get(place))}, although its contents are those that are recorded"
    )


def _why_other_frames(manifest: Manifest, collection: Collection) -> str:
    """Say what is known of the cause. Which frames are drawn follows from protocol, seed and the number of frames."""
    here = environment.feature_versions(collection.evaluation.device)
    before = {"fvd-bench": manifest.fvd_bench, **manifest.environment}
    now = {"fvd-bench": __version__, **here}
    others = [
        f"{name} is {now[name]} and was {before.get(name, 'not recorded')}"
        for name in _OF_DRAWS
        if now[name] != before.get(name)
    ]
    if not others:
        return "the software that reads and draws frames is the recorded one too: then the manifest was changed later"
    return f"with other software a video may decode to another number of frames, and {', '.join(others)}"


_OF_DRAWS = ("fvd-bench", "av", "pillow", "numpy")
"""The software that may change the draws, or the number of frames that are found in a video."""


def _frames(used: Used | None) -> str:
    if used is None:
        return "no frames"
    texts = [f"{kind} {list(frames)}" for kind, frames in used.clips[:2]]
    more = len(used.clips) - len(texts)
    return "frames " + ", ".join(texts) + (f" and {counted(more, 'more clip')}" if more else "")


def _cause(manifest: Manifest, result: Result) -> str:
    """Say what differs between this machine and the one where the manifest was written."""
    before = {**manifest.weights, **manifest.environment}
    now = {**result.weights, **result.environment}
    others = [name for name in sorted({*before, *now} - NEUTRAL) if before.get(name) != now.get(name)]
    return f"what differs: {', '.join(others)}" if others else "nothing that is recorded differs besides"

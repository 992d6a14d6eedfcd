"""What scores of windows say: how many videos reach each of them, and whether the generator drifts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.evaluation.change_error import change_error
from fvd_bench.evaluation.score import Score
from fvd_bench.finding import Finding
from fvd_bench.metrics.uncertainty import CONFIDENCE, Spread, holm, p_value
from fvd_bench.protocols.rules import SIDES, ClipRule
from fvd_bench.protocols.windows import WINDOW
from fvd_bench.words import counted, signed


def is_window(score: Score) -> bool:
    """Return whether a score is one of a window of the fake videos."""
    return score.row is not None and score.row.startswith(WINDOW)


def curves(scores: Sequence[Score]) -> dict[tuple[str, str], list[Score]]:
    """Return (metric, name of the protocol without its window) -> the scores of its windows, in order of time."""
    found: dict[tuple[str, str], list[Score]] = {}
    for score in filter(is_window, scores):
        found.setdefault((score.metric, score.protocol.removesuffix(f"-{score.row}")), []).append(score)
    return found


def findings(scores: Sequence[Score], spreads: Mapping[str, Spread], real: Mapping[str, ClipRule]) -> Iterator[Finding]:
    """Yield what people should know of windows.

    spreads: digest of a score -> what each video contributes to it. real: name of a protocol -> its rule for real
    clips.
    """
    for (metric, protocol), windows in curves(scores).items():
        name = f"{metric.upper()} of {protocol}"
        for side in SIDES:
            clips = [score.real.clips if side == "real" else score.fake.clips for score in windows]
            if min(clips) < clips[0]:
                fewest = clips.index(min(clips))
                yield Finding(
                    "short-for-windows",
                    f"{name}: the first window has {counted(clips[0], f'{side} clip')} and that of "
                    f"{frames(windows[fewest])} has {clips[fewest]}, since the other videos are too short: fewer "
                    "score worse for that alone, so compare windows of the same number",
                    side=side,
                )
        if all(real[score.protocol] == real[windows[0].protocol] for score in windows):
            yield from _drift(name, windows, spreads)


def _drift(name: str, windows: Sequence[Score], spreads: Mapping[str, Spread]) -> Iterator[Finding]:
    """Say which windows differ from the first by more than chance explains.

    The same real clips have to stand against each window: where the real side moves along, its chance is in the change
    too.
    """
    first, *later = windows
    judged = []
    for score in later:
        counts = [(s.value is not None, s.real.clips, s.fake.clips) for s in (first, score)]
        if counts[0] != counts[1] or not counts[0][0]:
            continue
        error, units, _ = change_error((first, score), [spreads.get(s.digest) for s in (first, score)], together=True)
        if error is not None:
            assert first.value is not None and score.value is not None
            judged.append((score, p_value(score.value - first.value, error, units)))
    corrected = holm([p for _, p in judged])
    differ = [score for (score, _), p in zip(judged, corrected, strict=True) if p < 1 - CONFIDENCE]
    if differ:
        assert first.value is not None and differ[-1].value is not None
        change = differ[-1].value - first.value
        many = counted(len(differ), "later window", "differ", of=len(judged))
        yield Finding(
            "drift",
            f"{name}: {many} from the first by more than chance explains, first {frames(differ[0])}; "
            f"{frames(differ[-1])} {signed(change)} (Holm's correction, the same videos compared with each other)",
            side="fake",
        )


def frames(score: Score) -> str:
    """Say which frames of the videos the score of a window is about."""
    assert score.row is not None
    first, _, last = score.row.removeprefix(WINDOW).partition("-")
    return f"frames {first} to {last}"

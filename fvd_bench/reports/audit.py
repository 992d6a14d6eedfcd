"""What metrics see of distorted videos, for people: a row for each distortion, and a picture."""

from __future__ import annotations

from rich.console import Group, RenderableType

from fvd_bench.estimate import ends
from fvd_bench.evaluation.studies.sensitivity import Audit, Sensitivity
from fvd_bench.reports.cells import number_or_blank
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.videos.distortion import STRENGTHS
from fvd_bench.words import number, percent


def audit_report(audit: Audit) -> Report:
    """Report an audit: content bias and floor of each metric, then what each says of every distortion."""
    parts: list[RenderableType] = [_metrics(audit), ""]
    for sensitivity in audit.sensitivities:
        if sensitivity.seen:
            parts += [Prose(f"{sensitivity.metric}, {sensitivity.protocol}", style="bold"), _rows([sensitivity]), ""]
    parts.append(
        Prose(
            "Each strength: how much worse the distorted videos score than the videos themselves. Of largest: as a "
            "part of the largest damage that the metric shows. Of floor: in multiples of what real videos score "
            "against others of their kind. Content bias: damage of frames bent all alike over that of frames bent "
            "each by itself, which are equally bad one by one; 1 for a metric that sees no motion."
        )
    )
    return Report(
        text=Group(*parts),
        grid=_rows(audit.sensitivities),
        records=_records(audit),
        to_json=audit.to_json,
        scores=[sensitivity.content_bias for sensitivity in audit.sensitivities],
        signatures=[s.signature for s in audit.sensitivities if s.undistorted is not None],
    )


def draw(audit: Audit, form: str) -> bytes:
    """Draw what each metric sees, and return the file. form: `.png` or `.svg`."""
    from fvd_bench.reports.charts.sensitivity_chart import picture

    return picture(audit, form)


def _metrics(audit: Audit) -> Grid:
    columns = [
        Column("metric"),
        Column("protocol"),
        Column("content bias", is_number=True, style="bold"),
        Column("undistorted", is_number=True),
        Column("floor", is_number=True),
        Column("why there is none", is_prose=True),
    ]
    rows = [
        [
            f"{s.metric} {'↓' if s.lower_is_better else '↑'}",
            s.protocol,
            number(s.content_bias),
            number_or_blank(s.undistorted),
            number_or_blank(s.floor),
            s.reason or "",
        ]
        for s in audit.sensitivities
    ]
    return Grid(columns, rows)


def _rows(sensitivities: tuple[Sensitivity, ...] | list[Sensitivity]) -> Grid:
    """Show metrics, a row for each distortion. One metric has no column for its name."""
    several = len(sensitivities) > 1
    columns = [
        Column("metric"),
        Column("protocol"),
        Column("distortion"),
        *(Column(strength, is_number=True) for strength in STRENGTHS),
        Column("of largest", is_number=True),
        Column("of floor", is_number=True),
        Column("why there is none", is_prose=True),
    ]
    rows = []
    for s in sensitivities:
        for distortion in dict.fromkeys(seen.distortion for seen in s.seen):
            seen = s.of(distortion)
            reasons = dict.fromkeys(one.score.reason for one in seen if one.score.reason)
            rows.append(
                [
                    s.metric if several else "",
                    s.protocol if several else "",
                    distortion,
                    *(number(one.damage) for one in seen),
                    percent(seen[-1].share),
                    "" if seen[-1].floors is None else f"{number(seen[-1].floors)} ×",
                    "; ".join(reasons),
                ]
            )
    return Grid(columns, rows)


def _records(audit: Audit) -> list[dict[str, object]]:
    ladder = {(rung.distortion, rung.strength): rung for rung in audit.ladder}
    return [
        {
            "protocol": s.protocol,
            "metric": s.metric,
            "distortion": seen.distortion,
            "strength": seen.strength,
            "says": ladder[seen.distortion, seen.strength].says,
            "changes": ladder[seen.distortion, seen.strength].changes,
            "psnr": ladder[seen.distortion, seen.strength].psnr,
            "value": seen.score.value,
            **ends("interval", seen.score.interval),
            "clips": seen.score.clips,
            "damage": seen.damage,
            "floors": seen.floors,
            "share": seen.share,
            "undistorted": s.undistorted,
            "floor": s.floor.value if s.floor else None,
            "content_bias": s.content_bias,
            "reason": seen.score.reason,
            "digest": s.digest,
        }
        for s in audit.sensitivities
        for seen in s.seen
    ]

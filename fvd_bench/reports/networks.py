"""Networks for people: which ones there are, and what a trial of one found."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group

from fvd_bench.errors import FvdBenchError
from fvd_bench.networks import NETWORKS, Network
from fvd_bench.networks import weights as weight_store
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose, Record

if TYPE_CHECKING:
    from fvd_bench.networks.trial import Trial


def listing() -> Report:
    """Report each network of this package, and of the others that are installed; those are imported for it."""
    state = {row.name: row for row in weight_store.installed()}
    records: list[dict[str, object]] = []
    for name in NETWORKS:
        network = NETWORKS[name]
        known = {weights: state[weights].state for weights in network.weights}
        licences = [network.licence] if network.licence else [state[weights].licence for weights in network.weights]
        records.append(_row(name, network, "fvd-bench", "; ".join(dict.fromkeys(licences)), known))
    for name, packages in NETWORKS.installed().items():
        package = " and ".join(packages)
        if name in NETWORKS.built_in:
            records.append(_unusable(name, package, "the name is that of a network of fvd-bench, which is taken"))
            continue
        try:
            network = NETWORKS.find(name)
        except FvdBenchError as error:
            records.append(_unusable(name, package, str(error)))
        else:
            records.append(_row(name, network, package, network.licence, {}))
    shown = [Record(str(r["network"]), _fields(r), more=str(r["from"])) for r in records]
    columns = ("network", "layers", "sees", "frames", "input", "devices", "software", "licence", "weights", "check")
    grid = Grid([Column(name) for name in columns], [[str(r[name] or "") for name in columns] for r in records])
    return Report(text=Group(*shown), grid=grid, records=records, to_json=lambda: json.dumps(records, indent=2) + "\n")


def trial_report(found: Trial) -> Report:
    """Report what a network did on synthetic clips."""
    rows = [[check.name, "ok" if check.ok else "FAILED", check.found] for check in found.checks]
    grid = Grid([Column("it"), Column(""), Column("found", is_prose=True)], rows)
    title = Prose(f"{found.identity}, layer {found.layer}: {found.dim} numbers", style="bold")
    return Report(
        text=Group(title, grid),
        grid=grid,
        records=[asdict(check) for check in found.checks],
        to_json=lambda: json.dumps(asdict(found) | {"ok": found.ok}, indent=2) + "\n",
    )


def _row(name: str, network: Network, package: str, licence: str, weights: dict[str, str]) -> dict[str, object]:
    most = network.most_frames
    frames = f"{network.fewest_frames} or more" if most is None else f"{network.fewest_frames} to {most}"
    low, high = network.range or (None, None)
    seen = [
        "any size" if network.size is None else f"{network.size} × {network.size}",
        "any range" if network.range is None else f"{low:g} to {high:g}",
    ]
    return {
        "network": name,
        "from": package,
        "layers": ", ".join(f"{layer}: {dim}" for layer, dim in network.layers.items()),
        "sees": network.sees,
        "frames": str(most) if most == network.fewest_frames else frames,
        "input": ", ".join(seen),
        "devices": ", ".join(network.devices),
        "software": ", ".join(network.software),
        "licence": licence,
        "weights": ", ".join(f"{weights_name} {state}" for weights_name, state in weights.items()) or "its own",
        "check": network.checked or f"fvd-bench networks check {name}",
    }


def _unusable(name: str, package: str, why: str) -> dict[str, object]:
    empty = dict.fromkeys(("layers", "sees", "frames", "input", "devices", "software", "licence", "weights"), "")
    return {"network": name, "from": package, **empty, "check": f"cannot be used: {why}"}


def _fields(record: dict[str, object]) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in record.items() if key not in ("network", "from") and value]

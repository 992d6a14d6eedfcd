"""Numbers that the pages state are those of benchmarks/results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvd_bench.networks import NETWORKS
from fvd_bench.protocols import protocol

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}-amd-epyc-2-cores.json").read_text("utf-8"))
    return found


def span(interval: list[float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the rows of the table whose first heading cell is this."""
    table = text[text.index(f"| {heading} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`*") for cell in row.strip("|").split("|")] for row in table]


def test_the_command_of_the_readme_prints_what_stands_below_it() -> None:
    found = results("readme")
    command, shown = re.findall(
        r"^```\n(fvd-bench compute .*)\n```\n\n```text\n(.*?)^```$", page("README.md"), re.M | re.S
    )[0]
    *lines, signature = found["output"]

    assert command == found["command"]
    assert shown.splitlines()[: len(lines)] == lines
    assert "".join(shown.splitlines()[len(lines) :]) == signature
    assert max(map(len, shown.splitlines())) <= 80


def test_ways_of_computing_fvd() -> None:
    scores = [score for score in results("fvd_variants")["scores"] if score["value"] is not None]
    first = next(s["value"] for s in scores if s["protocol"] == "stylegan-v-fvd16")
    expected = {
        s["protocol"]: [f"{s['value']:.2f}", f"{100 * (s['value'] / first - 1):+.1f} %", span(s["interval"])]
        for s in scores
    }
    expected["stylegan-v-fvd16"][1] = "–"

    found = {name: cells for name, *cells in rows(page("docs/table4.md"), "protocol")}

    assert found == {name: expected[name] for name in found}
    pitfalls = (
        r"stylegan-v-fvd16-(all-clips|first-frames|jpeg75|resize128|still)"  # those of Table 4 stand in its table
    )
    assert [name for name in expected.keys() - found.keys() if not re.fullmatch(pitfalls, name)] == []


@pytest.mark.parametrize(("file", "to"), [("docs/table4.md", "latte"), ("docs/faq.md", "videvalkit")])
def test_what_explains_two_protocols(file: str, to: str) -> None:
    explained = next(e for e in results("fvd_variants")["explained"] if e["to"]["protocol"] == to)
    expected = [["", f"{explained['from']['value']:.2f}"]]
    expected += [[f"{step['change']:+.2f}", f"{step['value']:.2f}"] for step in explained["steps"]]

    found = rows(page(file), f"from `stylegan-v-fvd16` to `{to}`")

    assert [cells[1:] for cells in found] == expected
    fields = [", ".join(f"`{f['field']}`: {f['from']} → {f['to']}" for f in s["fields"]) for s in explained["steps"]]
    assert [cells[0].replace("`", "") for cells in found[1:]] == [text.replace("`", "") for text in fields]


def test_what_is_said_of_videvalkit() -> None:
    score = next(s for s in results("fvd_variants")["scores"] if s["protocol"] == "videvalkit")
    floor, text = score["floor"], " ".join(page("docs/faq.md").split())

    assert f"{score['value']:.2f}" in text
    assert f"{floor['value']:.0f} ({floor['interval'][0]:.0f} to {floor['interval'][1]:.0f})" in text
    assert f"goes from {score['interval'][0]:.0f} to {score['interval'][1]:.0f}" in text


def test_table_4() -> None:
    alike = next(pair for pair in results("table4")["pairs"] if pair["pair"] == "alike")
    scores = {s["row"]: s for s in alike["scores"] if s["value"] is not None}
    proper = scores["proper"]["value"]
    expected = {
        row: [
            f"{s['value']:.2f} ± {s['std']:.2f}",
            span(s["interval"]),
            "–" if row == "proper" else f"{100 * (s['value'] / proper - 1):+.1f} %",
        ]
        for row, s in scores.items()
    }

    found = {name: cells[:3] for name, *cells in rows(page("docs/table4.md"), "row") if cells[0] != "–"}

    assert found == expected
    changes = [100 * (s["value"] / proper - 1) for s in scores.values()]
    assert f"\u2212{-min(changes):.0f} % to +{max(changes):.0f} %" in " ".join(page("docs/table4.md").split())
    assert f"\u2212{-min(changes):.0f} % to +" in " ".join(page("README.md").split())


def test_the_largest_change_between_ways_of_computing_fvd() -> None:
    values = {s["protocol"]: s["value"] for s in results("fvd_variants")["scores"]}
    largest = 100 * (max(v for v in values.values() if v is not None) / values["stylegan-v-fvd16"] - 1)

    for file in ("README.md", "docs/table4.md"):
        assert f"+{int(largest):,} %" in page(file)


def test_pairs() -> None:
    pairs = {pair["pair"]: pair for pair in results("pairs")["pairs"]}

    found = rows(page("docs/index.md"), "real")

    for name, cells in zip(("alike", "mixture", "far"), found, strict=True):
        score = next(s for s in pairs[name]["scores"] if s["metric"] == "fvd")
        assert cells[2:4] == [f"{score['value']:.2f} ± {score['std']:.2f}", span(score["interval"])]
        assert cells[4:] == [
            f"{score['floor']['value']:.2f}",
            re.sub(r".*n:(\d+)\+(\d+).*", r"\1 + \2", score["signature"]),
        ]


def test_the_gate() -> None:
    fails = {(row["videos"], row["increase"]): f"{100 * row['fails']:.1f}%" for row in results("gate")["rows"]}

    found = rows(page("docs/gate.md"), "fake videos")

    assert found == [[str(n), fails[n, 0.0], fails[n, 0.1]] for n in sorted({n for n, _ in fails})]


def test_collapses() -> None:
    measured = results("collapse")
    table = rows(page("docs/reviewers.md"), "fake side")
    found = {name.partition(":")[0]: cells for name, *cells in table}

    scale = [s["fvd"] for s in measured["scale"]]
    assert [cells[1] for cells in table if cells[0].startswith("scale")] == [f"{fvd:.2f}" for fvd in scale]
    for generator in measured["generators"]:
        assert found[generator["name"]] == [
            f"{generator['fvd']:.2f}",
            ", ".join(f["code"] for f in generator["found"]) or "nothing",
        ]


def test_single_numbers() -> None:
    install = json.loads((RESULTS / "install-linux-x86-64.json").read_text("utf-8"))
    hostile, published = results("hostile"), results("published")
    trust, start = " ".join(page("docs/trust.md").split()), page("docs/index.md")

    assert f"{install['selftest_full_seconds']:.0f} seconds" in trust
    assert f"{install['download_mb'] / 1000:.1f} GB" in start and f"{install['environment_gb']:.0f} GB" in start
    assert f"{hostile['files']} damaged" in trust
    assert f"{hostile['refused']} end in a message, {hostile['scored']} in a score" in trust
    assert f"All of the {published['passed']} published numbers" in trust
    assert f"{published['passed']} of {len(published['checks'])} published numbers" in page("README.md")
    of_others = [name for name in NETWORKS if name != "pixels"]
    assert f"[{len(protocol.names())} protocols](docs/protocols.md)" in page("README.md")
    assert f"on {len(of_others)} networks" in page("README.md")


def test_the_conventions_of_pairs() -> None:
    scores = {(s["protocol"], s["metric"], s["quantiser"]): s["value"] for s in results("conventions")["scores"]}
    text = page("docs/paired.md")

    for name, *cells in rows(text, "convention"):
        psnr = [f"{scores[name, 'psnr', quantiser]:.2f}" for quantiser in (20, 35, 50)]
        assert cells == [*psnr, *(f"{scores[name, 'ssim', quantiser]:.3f}" for quantiser in (20, 35, 50))]
    coarsest = {key[:2]: value for key, value in scores.items() if key[2] == 50}
    others = [value for (name, metric), value in coarsest.items() if metric == "psnr" and name != "tokenbench"]
    assert (
        round(coarsest["tokenbench", "psnr"] - max(others)) == round(coarsest["tokenbench", "psnr"] - min(others)) == 5
    )
    ssims = sorted(value for (_, metric), value in coarsest.items() if metric == "ssim")
    assert f"the five SSIMs go from {ssims[0]:.2f}\nto {ssims[-1]:.2f}" in text


def test_what_metrics_see() -> None:
    found, text = results("audit"), page("docs/audit.md")
    distortions = ("elastic-per-video", "elastic-per-frame", "jpeg", "shuffle", "freeze", "reverse")
    strong = {
        s["metric"]: [next(x for x in s["seen"] if x["distortion"] == d and x["strength"] == 3) for d in distortions]
        for s in found["sensitivities"]
    }
    bias = {s["metric"]: s["content_bias"] for s in found["sensitivities"]}

    for name, shown, *cells in rows(text, "metric"):
        assert shown == ("–" if bias[name] is None else f"{bias[name]:.2f}")
        assert cells == [f"{abs(x['share']):.0%}".replace("%", " %") if abs(x["share"]) < 0.005
                         else f"{x['share']:.0%}".replace("%", " %") for x in strong[name]]  # fmt: skip
    assert len(rows(text, "metric")) == len(bias)
    damage = {(x["distortion"], x["strength"]): x["damage"] for x in found["sensitivities"][0]["seen"]}
    ratios = [damage["elastic-per-video", k] / damage["elastic-per-frame", k] for k in (1, 2, 3)]
    assert f"the ratio of FVD is {', '.join(f'{ratio:.2f}' for ratio in ratios)}" in text
    assert f"FVD is {1 / bias['fvd']:.1f} times as bad" in text
    psnr = {(rung["distortion"], rung["strength"]): rung["psnr"] for rung in found["ladder"]}
    alike, apart = (", ".join(f"{psnr[f'elastic-per-{of}', k]:.1f}" for k in (1, 2, 3)) for of in ("video", "frame"))
    assert f"PSNR {alike} and {apart} dB" in text
    shuffled, still, backwards = (strong["fvd"][place]["floors"] for place in (3, 4, 5))
    assert max(shuffled, backwards) < 1 and f"({still:.1f} times the floor)" in text


def test_what_clips_cost() -> None:
    speed, overlap, scale, text = results("throughput"), results("overlap"), results("scale"), page("docs/scale.md")
    fastest = max(rate for name, rate in speed["clips_per_second"].items() if "fvd-bench" in name)
    network = speed["threads"] / fastest
    decoding = speed["threads"] * overlap["seconds"]["decoding"] / overlap["videos"]
    ours = scale["million"]["core_seconds_per_clip"]["our own work"]
    hours = (network + decoding + ours) * 1e6 / 3600

    shown = [seconds for _, seconds in rows(text, "of a clip of 16 frames")]
    assert shown == [f"{1000 * seconds:.0f} ms" for seconds in (network, decoding, ours)]
    assert scale["million"]["core_hours"] == round(hours)
    assert f"{hours:.0f} core hours, or {hours * 0.04:.0f} dollars" in text


def test_what_the_work_on_speed_brought() -> None:
    repeated, overhead, clocks = results("repeated_work"), results("clip_overhead"), results("end_to_end")["runs"]
    network, memory, states = results("winograd")["2 threads"], results("memory-short")["runs"], ("before", "now")
    rates, counts = results("throughput")["clips_per_second"], {"once": 1, "twice": 2, "3 times": 3, "5 times": 5}

    def task(name: str) -> list[str]:
        return [f"{repeated[name][f'cpu_seconds_{state}']:.1f} s" for state in states]

    def counted(name: str, what: str) -> list[int]:
        return [round(repeated["per_video"][name][state][what]) for state in states]

    def clip(what: str, digits: int) -> list[str]:
        return [f"{overhead[what][f'ms_{state}']:.{digits}f} ms" for state in states]

    def score(name: str) -> list[str]:
        return [f"{np.median(clocks[f'{name}, {whose}']['seconds']):.1f} s" for whose in ("cd-fvd", "fvd-bench")]

    expected = [
        *(task("first"), task("folders"), list(map(str, counted("folders", "files opened")))),
        *(counted("arrays", "arrays digested"), counted("function", "function called")),
        *map(task, ("repeats", "large", "small")),
        *(clip(f"prepare, {size}", 1) for size in ("128 x 128", "256 x 256", "640 x 480")),
        clip("gather, 256 x 256", 2),
        [f"{max(r for name, r in rates.items() if whose in name):.2f}" for whose in ("cd-fvd", "fvd-bench")],
        [f"{np.median(network['seconds'][algorithm]):.2f} s" for algorithm in ("direct", "winograd")],
        *map(score, ("default", "its recipe", "640 x 480")),
        [f"{run['all_peak_mib']:.0f} MiB" for run in memory],
    ]

    shown = rows(page("benchmarks/README.md"), "what")
    assert [[counts.get(cell, cell) for cell in row[1:3]] for row in shown] == expected
    for _, before, now, ratio, _ in shown:
        first, last = (float(str(counts.get(cell, cell)).split()[0]) for cell in (before, now))
        assert float(ratio) == pytest.approx(max(first, last) / min(first, last), rel=0.03)


def _cells(row: dict[str, Any]) -> list[str]:
    """What the page shows of a row of one of the paper's tables: frames, cost, score and interval."""
    score = row["scores"]["FVD16"]
    low, high = score["interval"]
    cost = "1" if row["cost"] == 1 else f"{row['cost']:.2f}"
    return [f"{row['frames_seen']:,}", cost, f"{score['value']:.1f}", f"{low:.0f} to {high:.0f}"]


METHODS = {
    "stylegan2": "image StyleGAN2",
    "stylegan-v": "StyleGAN-V",
    "mocogan": "MoCoGAN",
    "mocogan-hd": "MoCoGAN-HD",
    "mocogan-sg2": "MoCoGAN+SG2",
    "digan": "DIGAN",
    "videogpt": "VideoGPT",
}


def test_the_papers_first_table_on_faces() -> None:
    found, before = (results(name)["rows"] for name in ("table1-faces", "table1-faces-6-minutes"))
    by_score = sorted(found.values(), key=lambda row: row["scores"]["FVD16"]["value"])
    earlier = {row["label"]: f"{row['scores']['FVD16']['value']:.1f}" for row in before.values()}
    expected = {METHODS[row["label"]]: [*_cells(row), earlier[row["label"]]] for row in by_score}

    shown = {name: cells for name, *cells in rows(page("docs/paper.md"), "method")}
    assert list(shown.items()) == list(expected.items())
    assert ", ".join(shown) in " ".join(page("README.md").split())
    for row in by_score:
        assert f"{row['scores']['FVD16']['value']:.0f} for {METHODS[row['label']]}" in page("docs/paper.md")
    for name, (_, cost, *_) in shown.items():
        assert cost == "1" or f"{cost} for {name}" in page("docs/paper.md")


def test_the_papers_first_table_on_shapes() -> None:
    found, before = (results(name) for name in ("table1-shapes", "table1-shapes-6-minutes"))
    by_score = sorted(found["rows"].values(), key=lambda row: row["scores"]["FVD16"]["value"])
    answer, long_answer = (found["others of the same kind"]["scores"][name]["value"] for name in ("FVD16", "FVD128"))
    text = page("docs/paper.md")

    def both(row: dict[str, Any]) -> list[str]:
        values = [row["scores"][name]["value"] for name in ("FVD16", "FVD128")]
        return ["–" if value is None else f"{value:.1f}" for value in values]

    earlier = {row["label"]: ", ".join(both(row)) for row in before["rows"].values()}
    assert rows(text, "method on shapes") == [
        [METHODS[row["label"]], *_cells(row), both(row)[1], earlier[row["label"]]] for row in by_score
    ]
    assert f"score {answer:.0f} and {long_answer:.0f}\nagainst them" in text
    assert f"whose right answer is {answer:.0f}, all are at {by_score[0]['scores']['FVD16']['value']:.0f}" in text


@pytest.mark.parametrize(("table", "heading"), [("table2", "part"), ("table3", "clips")])
def test_the_papers_ablations_on_faces(table: str, heading: str) -> None:
    found = results(f"{table}-faces")["rows"]

    shown = {name: cells for name, *cells in rows(page("docs/paper.md"), heading)}
    assert list(shown.items()) == [(row["label"], _cells(row)) for row in found.values()]
    (line,) = (line for line in page("docs/paper.md").splitlines() if f"benchmarks/{table}.py DATA OUT`" in line)
    assert all(f"{row['scores']['FVD16']['value']:.0f}" in line for row in found.values())

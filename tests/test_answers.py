"""Numbers in the answers of benchmarks/README.md are those of the results that stand beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
ANSWERS = (BENCHMARKS / "README.md").read_text("utf-8").partition("## Answers")[2].partition("\n## ")[0]

Result = dict[str, Any]


def pairs(found: Result) -> list[str]:
    scores = [next(s for s in pair["scores"] if s["metric"] == "fvd") for pair in found["pairs"]]
    return [
        f"{s['value']:.2f} ± {s['std']:.2f} ({s['interval'][0]:.2f} to {s['interval'][1]:.2f}; "
        f"floor {s['floor']['value']:.2f})"
        for s in scores
    ]


def table4(found: Result) -> list[str]:
    values = {s["row"]: s["value"] for s in next(p for p in found["pairs"] if p["pair"] == "alike")["scores"]}
    names = {"jpeg-75": "JPEG 75", "all-clips": "all clips"}
    names |= {"first-frames": "first frames", "still-images": "still images"}
    return [f"{name} {100 * (values[row] / values['proper'] - 1):+.1f} %" for row, name in names.items()]


def fvd_variants(found: Result) -> list[str]:
    # Those of Table 4 are not counted.
    pitfalls = {f"stylegan-v-fvd16-{name}" for name in ("all-clips", "first-frames", "jpeg75", "resize128", "still")}
    scored = {s["protocol"]: s["value"] for s in found["scores"] if s["value"] is not None}
    values = {name: value for name, value in scored.items() if name not in pitfalls}
    return [
        f"{len(values)} protocols score the same {found['videos a side']} + {found['videos a side']} videos",
        f"from {min(values.values()):.2f} to {max(values.values()):.2f}; "
        f"the paper's words {values['stylegan-v-fvd16']:.2f}",
    ]


def coverage(found: Result) -> list[str]:
    def between(name: str) -> str:
        parts = [row[name] for row in found["rows"] if row.get(name) is not None]
        return f"{min(parts):.0%} to {max(parts):.0%}"

    return [
        f"held by {between('interval holds the score')}",
        f"at infinity by {between('at infinity holds the distance')}",
        f"bootstrap's by {between('bootstrap holds the score')} and {between('bootstrap holds the distance')}",
        f"{between('real sets under its upper end')} of real sets",
    ]


def certainty(found: Result) -> list[str]:
    *fvd, fid = found["runs"]
    all_of_it, alone = sorted(run["all_seconds"] for run in fvd), {f"{run['distance_seconds']:.1f}" for run in fvd}
    return [
        f"{all_of_it[0]:.1f} to {all_of_it[-1]:.1f} s (the distance alone {' to '.join(sorted(alone))} s)",
        f"{fid['features']:,} frames {fid['all_seconds']:.1f} s ({fid['distance_seconds']:.1f} s)",
        f"{max(run['peak_mib'] - run['sides_mib'] for run in found['runs']) / 1024:.1f} GiB above the features",
    ]


def gate(found: Result) -> list[str]:
    fails = {(row["videos"], row["increase"]): f"{row['fails']:.1%}" for row in found["rows"]}
    return [
        f"at 2048 fake videos {fails[2048, 0.0]} of builds fail for nothing, {fails[2048, 0.1]} of checkpoints",
        f"at 256 {fails[256, 0.0]} and {fails[256, 0.1]}",
    ]


def collapse(found: Result) -> list[str]:
    by_name = {generator["name"]: generator["fvd"] for generator in found["generators"]}
    assert by_name["looping"] == by_name["freezing"] == by_name["healthy"]
    return [f"({by_name['healthy']:.2f})"]


def throughput(found: Result) -> list[str]:
    ours, theirs = (
        max(rate for name, rate in found["clips_per_second"].items() if name.startswith(whose))
        for whose in ("fvd-bench", "cd-fvd")
    )
    return [
        f"{ours:.2f} clips/s",
        f"cd-fvd's {theirs:.2f}: a ratio of {found['ratio']}",
        f"{found['max_feature_difference']:.1e}".replace("e-0", "e-"),
    ]


def clip_overhead(found: Result) -> list[str]:
    sizes = [found[f"prepare, {size}"] for size in ("128 x 128", "256 x 256", "640 x 480")]
    now, ratios = [f"{size['ms_now']:.1f}" for size in sizes], [f"1 / {size['ratio']:.2f}" for size in sizes]
    gathering = found["gather, 256 x 256"]
    return [
        f"takes {now[0]} ms at 128², {now[1]} at 256² and {now[2]} at 640 × 480",
        f"{ratios[0]}, {ratios[1]} and {ratios[2]} of what it took at commit {found['before']}",
        f"gathering it {gathering['ms_now']:.2f} ms, 1 / {gathering['ratio']:.0f}",
    ]


def end_to_end(found: Result) -> list[str]:
    torch, processor, openvino = (
        [found["ratios"][f"{task}, {whose}"][what] for task in ("default", "its recipe", "640 x 480")]
        for whose, what in (
            ("fvd-bench", "seconds"),
            ("fvd-bench", "processor_seconds"),
            ("by OpenVINO", "seconds"),
        )
    )
    return [
        "{:.2f} times as fast as cd-fvd's own API, {:.2f} times on its recipe, {:.2f} times for 640".format(*torch),
        "1 / {:.2f}, 1 / {:.2f} and 1 / {:.2f} of its processor time".format(*processor),
        "{:.2f}, {:.2f} and {:.2f} times by OpenVINO".format(*openvino),
    ]


def engines(found: Result) -> list[str]:
    turns = len(found["seconds"]["torch"])
    return [
        f"{found['ratio']} times as fast as by torch, in {turns} turns",
        f"{found['max_feature_difference']:.1e}, of {found['largest_feature']:.1f}".replace("e-0", "e-"),
    ]


def winograd(found: Result) -> list[str]:
    one, two = (found[f"{threads} threads"]["ratio"] for threads in (1, 2))
    errors = {name: found["errors"][name]["root_mean_square"] for name in ("winograd", "direct")}
    said = f"off by {errors['winograd']:.1e} and by direct sums by {errors['direct']:.1e}".replace("e-0", "e-")
    return [f"{one:.2f} times as fast as by direct sums on one core, {two:.2f} times on two", said]


def networks_cpu(found: Result) -> list[str]:
    assert all(found[name]["same_bits"] for name in ("lanes", "pools"))
    for name in ("c3d", "inception"):
        ours, direct, _ = found[name]["errors"].values()
        assert ours < 1.1 * direct
    ratios = {name: f"{found[name]['ratio']:.2f}" for name in ("lanes", "pools", "c3d", "inception")}
    return [
        f"{ratios['lanes']} times as fast with micro-batches side by side",
        f"{ratios['pools']} times by pools axis by axis, to the same bits",
        f"C3D {ratios['c3d']} times by Winograd's algorithm, Inception {ratios['inception']} times channels-last",
    ]


def memory(found: Result) -> list[str]:
    few, many = found["runs"]
    assert abs(found["growth"]) < 0.045
    return [f"{few['peak_mib']:.0f} MiB for 64 videos, {many['peak_mib']:.0f} MiB for 1024: within 4 %"]


def memory_short(found: Result) -> list[str]:
    few, many = found["runs"]
    return [f"{few['all_peak_mib']:.0f} MiB of all processes for 64", f"{many['all_peak_mib']:.0f} MiB for 10,000"]


def scale(found: Result) -> list[str]:
    wrong = {kind: max(abs(r["ratio"] - 1) for r in found["runs"] if r["decoder"] == kind) for kind in ("free", "slow")}
    ours = 1000 * found["million"]["core_seconds_per_clip"]["our own work"]
    return [
        f"{found['million']['core_hours']} core hours, {found['million']['dollars']} dollars",
        f"within {math.ceil(100 * wrong['slow'])} %, and within {math.ceil(100 * wrong['free'])} %",
        f"{ours:.1f} ms of ours a clip",
    ]


def overlap(found: Result) -> list[str]:
    seconds = found["seconds"]
    return [
        f"decoding {seconds['decoding']:.1f} s, network on half of the cores {seconds['network']:.1f} s, "
        f"both together {seconds['both']:.1f} s"
    ]


def instructions(found: Result) -> list[str]:
    summary, settings = found["all"], found["settings"]
    for kind in ("{} threads", "{} threads, sums cut up"):
        assert len({settings[kind.format(threads)]["features"] for threads in (1, 2, 4, 8)}) == 1
    longer = summary["time_over_the_library's_order"] - 1
    return [
        f"at most {summary['largest_relative_difference']:.1e}".replace("e-0", "e-"),
        f"I3D {100 * longer:.1f} % longer",
    ]


def isolation(found: Result) -> list[str]:
    small, large, images = found["decoding"].values()
    more = [f"{each['processor_ratio'] - 1:.0%}".replace("%", " %") for each in (small, large, images)]
    return [
        f"{more[0]} (128²), {more[1]} (640 × 480) and {more[2]} (JPEG files) more processor time",
        f"at {small['speed_ratio']:.2f}, {large['speed_ratio']:.2f} and {images['speed_ratio']:.2f} of the speed",
    ]


def seeking(found: Result) -> list[str]:
    assert found["all"]["exact"] and 0.7 < found["all"]["decoded_ratio"] < 0.8
    four = sorted(video["decoded_ratio"] for video in found["videos"].values())[:4]
    return [
        f"every frame of {len(found['videos'])} videos exact",
        f"{four[0]:.0%} to {four[-1]:.0%}".replace("%", " %"),
    ]


def hostile(found: Result) -> list[str]:
    return [
        f"of {found['files']} files {found['refused']} end in a message and {found['scored']} in a score",
        f"at most {found['most_mib']} MiB and {found['most_seconds']} s each",
    ]


def toy(found: Result) -> list[str]:
    (_, untrained), (early, middle), (late, last) = found["curve"]
    frames_a_step = found["run"]["train"]["batch"] * found["run"]["model"]["frames"]
    return [
        f"{untrained:.1f} untrained, {middle:.1f} after {early} thousand frames",
        f"{last:.1f} after {late} ({1000 * late / frames_a_step:.0f} steps)",
    ]


def faces(found: Result) -> list[str]:
    (_, untrained, *_), *stages = found["curve [kimg, fvd, low, high]"]
    scores = [f"{fvd:.1f} ({low:.0f} to {high:.0f})" for _, fvd, low, high in stages]
    at = [f"{score} at {kimg:.1f}" for score, (kimg, *_) in zip(scores, stages, strict=True)]
    dated = [f"{score} after {kimg:.1f}" for score, (kimg, *_) in zip(scores, stages, strict=True)]
    return [
        f"{untrained:.1f} untrained, {scores[0]} after the first stage, {scores[1]} after the second",
        f"{dated[2]} thousand frames, {dated[3]}, with a new discriminator {dated[5]}, {dated[9]} and {dated[13]}",
        f"with smaller steps {dated[14]}, {at[16]} and {at[17]}",
        f"with faster waves and mismatched clips {at[19]}, {at[20]}, {at[21]} and {at[22]}",
        f"with smaller steps again {at[23]} and at full ones {scores[24]}",
        f"labels without effect at first {at[25]}, and with labels that part them at once {', '.join(at[26:])}",
    ]


def stillness(found: Result) -> list[str]:
    """What is said of the faces that have learned to move, and of those before."""
    near, far, farthest = (found["frames apart"].index(apart) for apart in (1, 16, 32))
    real, made = found["change of real frames"], found["change of generated frames"]
    return [
        f"differ by {made[near]:.1f} grey levels from the ones before and by {made[far]:.1f} from those sixteen before",
        f"real ones by {real[near]:.1f} and {real[far]:.1f}",
        f"logits of real frames 32 apart are {found['logits of real frames'][farthest]:.2f}, "
        f"of one twice {found['logits of real frames that stand still'][farthest]:.2f}",
        f"with a cosine of {found['cosine of what parts the means and of what stillness does']:.2f}",
        f"FVD of these 112 is {found['FVD of generated videos']:.0f}",
    ]


def faces_first_attempt(found: Result) -> list[str]:
    return [f"[{found['best']:.1f}]"]


def fvd16(found: Result) -> dict[str, float]:
    return {name: row["scores"]["FVD16"]["value"] for name, row in found["rows"].items()}


def table1_faces(found: Result) -> list[str]:
    values = fvd16(found)
    faces = values.pop("videogpt")
    return [f"{faces:.0f} for VideoGPT", f"{min(values.values()):.0f} to {max(values.values()):.0f} for the six"]


def table1_earlier(found: Result) -> list[str]:
    values = fvd16(found).values()
    return [f"with six minutes it was {min(values):.0f} to {max(values):.0f}"]


def table1_shapes(found: Result) -> list[str]:
    values = fvd16(found).values()
    answer = found["others of the same kind"]["scores"]["FVD16"]["value"]
    return [f"whose right answer is {answer:.0f}, it is {min(values):.0f} to {max(values):.0f}"]


def table2(found: Result) -> list[str]:
    values = fvd16(found)
    default = values.pop("default")
    return [
        f"{default:.0f} for StyleGAN-V as it is, and {min(values.values()):.0f} to {max(values.values()):.0f} without"
    ]


def table3(found: Result) -> list[str]:
    values = fvd16(found)
    few, usual, many = (values[f"frames-{frames}"] for frames in (2, 3, 16))
    return [f"{few:.0f} for 2 frames in a clip, {usual:.0f} for 3 and {many:.0f} for 16"]


def method_cost(found: Result) -> list[str]:
    times = {name: method["time_by_arithmetic"] for name, method in found["methods"].items()}
    ours, images, codes = (times.pop(name) for name in ("stylegan-v", "mocogan-hd image", "videogpt vqvae"))
    return [
        f"StyleGAN-V takes {ours:.2f}",
        f"all other methods at most {max(times.values()):.2f} but two stages",
        f"images of MoCoGAN-HD {images:.2f}",
        f"the VQ-VAE of VideoGPT {codes:.2f}",
    ]


def train_cpu(found: Result) -> list[str]:
    def ratio(name: str) -> list[str]:
        measured = found[name]
        return [f"1 / {measured['ratio']:.2f}", f"({min(measured['ratios']):.2f} to {max(measured['ratios']):.2f}"]

    return [
        *ratio("plain"),
        *ratio("augmented"),
        f"at commit {found['before']}",
        f"{found['plain']['frames_per_second_now']:.1f} and {found['augmented']['frames_per_second_now']:.1f} frames",
        f"{found['difference_of_losses_and_gradients']:.1e}".replace("e-0", "e-"),
    ]


def training_balance(found: Result) -> list[str]:
    losses = {name: (row["loss/generator"], row["loss/discriminator"]) for name, row in found["variants"].items()}
    (images, images_d), (clips, clips_d) = losses["images, gamma 0.1"], losses["clips, gamma 0.2"]
    one, eight = found["variants"]["one video"], found["variants"]["eight videos"]
    balanced = [pair for name, pair in losses.items() if "gamma 1," in name]
    (low, high), (low_d, high_d) = ((min(kind), max(kind)) for kind in zip(*balanced, strict=True))
    return [
        f"are {images:.1f} and {images_d:.2f} for images, {clips:.1f} and {clips_d:.2f} for clips",
        f"with γ = 1 they are {low:.1f} to {high:.1f} and {low_d:.2f} to {high_d:.2f}",
        f"After {one['steps']:,} steps on one video",
        f"{one['to_the_nearest_real_frame']:.1f} grey levels from the nearest real frame",
        f"on eight {eight['to_the_nearest_real_frame']:.1f}",
    ]


def published(found: Result) -> list[str]:
    return [f"{found['passed']} of {len(found['checks'])} reproduced"]


SAID: dict[str, Callable[[Result], list[str]]] = {
    "pairs": pairs,
    "table4": table4,
    "fvd_variants": fvd_variants,
    "coverage": coverage,
    "certainty": certainty,
    "gate": gate,
    "collapse": collapse,
    "throughput": throughput,
    "clip_overhead": clip_overhead,
    "end_to_end": end_to_end,
    "engines": engines,
    "winograd": winograd,
    "networks_cpu": networks_cpu,
    "memory": memory,
    "memory-short": memory_short,
    "scale": scale,
    "overlap": overlap,
    "instructions": instructions,
    "isolation": isolation,
    "seeking": seeking,
    "hostile": hostile,
    "toy": toy,
    "faces": faces,
    "faces-first-attempt": faces_first_attempt,
    "table1-faces": table1_faces,
    "table1-faces-6-minutes": table1_earlier,
    "table1-shapes": table1_shapes,
    "table1-shapes-6-minutes": table1_earlier,
    "table2-faces": table2,
    "table3-faces": table3,
    "method_cost": method_cost,
    "train_cpu": train_cpu,
    "stillness": stillness,
    "stillness-before": stillness,
    "training_balance": training_balance,
    "published": published,
}
"""What is said of each result: phrases with its numbers."""


def test_every_answer_is_held_to_its_result() -> None:
    assert set(re.findall(r"\(results/([\w-]+)-amd-epyc-2-cores\.json\)", ANSWERS)) == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_the_numbers_are_those_of_the_result(name: str) -> None:
    found = json.loads((BENCHMARKS / "results" / f"{name}-amd-epyc-2-cores.json").read_text("utf-8"))
    lines = [line for line in ANSWERS.splitlines() if f"/{name}-amd-epyc-2-cores.json)" in line]

    phrases = SAID[name](found)

    assert phrases and [phrase for phrase in phrases if not any(phrase in line for line in lines)] == []


def test_no_result_names_a_place_on_the_machine() -> None:
    texts = {file.name: file.read_text("utf-8") for file in (BENCHMARKS / "results").glob("*.json")}

    assert texts and [name for name, text in texts.items() if re.search("/(root|home|tmp|Users)/", text)] == []

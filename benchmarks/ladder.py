"""Question: which settings keep the two networks of a small training in balance, and how soon?

Command:  python benchmarks/ladder.py DATA OUT   (OUT: a folder for the runs; the same command goes on)
Time:     half an hour on a core.
Expected: with R1 as weak as StyleGAN2-ADA's rule has it for small batches, of clips as of images, the discriminator
          runs away within some hundred steps: its loss falls towards 0 and the generator's rises above 8. With γ = 1
          they stay in balance, at higher learning rates too.

Every variant is `small` with half of its channels at 8² and above, without augmentation, on the faces at 64², for the
thousands of frames that stand beside it. Losses are means over the last third of each run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from faces import SETTINGS, SIDE
from machine import write

from fvd_bench.evaluation.evaluate import silent
from stylegan_v.data.prepared import PrepareSettings
from stylegan_v.data.preparing import prepare
from stylegan_v.training.loop import train
from stylegan_v.training.run import load_run

VARIANTS: dict[str, tuple[float, int, dict[str, Any]]] = {
    "images, gamma 0.1": (2.88, 1, {"batch": 8, "r1_gamma": 0.1, "ema_kimg": 0.5}),
    "images, gamma 1, rate 0.008": (2.88, 1, {"batch": 8, "r1_gamma": 1.0, "learning_rate": 0.008, "ema_kimg": 0.25}),
    "clips, gamma 0.2": (4.32, 3, {"batch": 4, "r1_gamma": 0.2, "ema_kimg": 0.5}),
    "clips, gamma 1, rate 0.005": (4.8, 2, {"batch": 4, "r1_gamma": 1.0, "learning_rate": 0.005, "ema_kimg": 0.5}),
    "clips, gamma 1, rate 0.012": (4.8, 2, {"batch": 4, "r1_gamma": 1.0, "learning_rate": 0.012, "ema_kimg": 0.5}),
}
"""Thousands of frames, frames of a clip, and the settings that are not the default's."""


def main() -> None:
    data, out = Path(sys.argv[1]) / "train" / "grid_faces_128", Path(sys.argv[2])
    prepare(data, out / "videos", PrepareSettings(resolution=SIDE))
    table = {}
    for place, (name, (kimg, frames, settings)) in enumerate(VARIANTS.items(), 1):
        sections = {
            "model": {**SETTINGS["model"], "frames": frames},
            "data": {"path": str(out / "videos")},
            "train": {"ada": False, "kimg": kimg, **settings},
            "report": {"tick_kimg": 0.48, "snapshot_kimg": 2.4, "fvd_kimg": 0.0},
        }
        folder = out / f"variant-{place}"
        train(load_run(None, sections), folder, device="cpu", workers=1, minutes=None, progress=silent)
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
        last = [line for line in lines if 2 / 3 * kimg < line["kimg"] <= kimg + 1e-6]
        table[name] = {
            "steps": round(kimg * 1000 / frames / settings["batch"]),
            **{key: sum(line[key] for line in last) / len(last) for key in ("loss/generator", "loss/discriminator")},
        }
        print(name, table[name])
    write("ladder", __doc__, {"variants": table})


if __name__ == "__main__":
    main()

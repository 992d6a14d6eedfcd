"""Question: what does the reference model learn of real videos on a CPU, within hours?

Command:  python benchmarks/faces.py DATA OUT [--minutes M] [--further]   (OUT: for the run; the same command goes on)
Time:     as many minutes as are given, 100 unless; a core takes about 65 seconds for a thousand frames.
Expected: heads with hair and a ground within ten thousand frames, eyes and mouths within twenty thousand. FVD falls
          below a third of what the untrained generator scores, and rises on the way while videos look alike.

The `small` preset with half of its channels at 8² and above learns 112 talking faces at 64² in three stages, each of
which goes on with the networks of the one before: short steps at twice the usual rate, then larger ones at the usual
rate, then with augmentation for as long as there is time. docs/model.md says why. With --further, in an OUT of its own,
the kept generator learns to move and to make the speaker it is asked for: with faster waves and the speakers as classes
it goes on against a new discriminator, since that of its run was not kept, which learns from clips whose motion is
wrong, too, and which learns alone at first.

Writes the curve, and checkpoints/small-faces-64: the average generator of the best score in half precision, and the
settings of its run; and a sheet and a film of what that makes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from learning import CHECKPOINTS, go_on, learn
from pictures import samples

from stylegan_v.data.folder import PrepareSettings
from stylegan_v.data.labels import LABEL_FILE
from stylegan_v.data.preparing import prepare
from stylegan_v.training.run import load_run

SIDE = 64
NAME = f"small-faces-{SIDE}"

SETTINGS = {
    "model": {"preset": "small", "resolution": SIDE, "frames": 2, "channel_base": 1024},
    "report": {"tick_kimg": 0.96, "snapshot_kimg": 4.8, "fvd_kimg": 19.2, "fvd_videos": 128},
}

STAGES = (
    {"kimg": 20.2, "batch": 4, "learning_rate": 0.005, "r1_gamma": 1.0, "ema_kimg": 0.5, "ada": False},
    {"kimg": 20.4, "batch": 8, "learning_rate": 0.0025, "r1_gamma": 1.0, "ema_kimg": 2.0, "ada": False},
    {"kimg": 10000.0, "batch": 8, "learning_rate": 0.0025, "r1_gamma": 1.0, "ema_kimg": 2.0, "ada_kimg": 20.0},
)

SPEAKERS = ("s1", "s4")
"""The classes. The names of their videos begin with these."""

MOVING = {
    "min_period": 4,
    "max_period": 256,
    "motion_distance": 4,
    "concat_resolution": 32,
    "num_classes": len(SPEAKERS),
}
"""Waves four times as fast, a discriminator that sees frames together from 32² on, and the speakers as classes."""

_FURTHER = {**STAGES[-1], "mismatched_weight": 0.5, "r1_gamma": 0.3}

FURTHER = (
    {**_FURTHER, "r1_gamma": 0.1, "discriminator_kimg": 19.2, "kimg": 19.2},
    {**_FURTHER, "kimg": 76.8},
    {**_FURTHER, "learning_rate": 0.001, "ema_kimg": 4.0, "ema_rampup": 0.0},
)
"""What the kept generator goes on with: a new discriminator alone, then both networks, and smaller steps in the end."""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("data", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--minutes", type=float, default=100.0)
    options.add_argument("--further", action="store_true", help="go on from the kept generator")
    asked = options.parse_args()
    began = time.monotonic()
    videos = asked.out / "videos"
    prepare(asked.data / "train" / "grid_faces_128", videos, PrepareSettings(resolution=SIDE))
    names = sorted(folder.name for folder in videos.iterdir() if folder.is_dir())
    labels = [[name, SPEAKERS.index(name.partition("_")[0])] for name in names]
    (videos / LABEL_FILE).write_text(json.dumps({"labels": labels}), "utf-8")
    model = {**SETTINGS["model"], **(MOVING if asked.further else {})}
    runs = [
        load_run(None, {**SETTINGS, "model": model, "data": {"path": str(videos)}, "train": train})
        for train in (FURTHER if asked.further else STAGES)
    ]
    more: dict[str, Any] = {
        "minutes": asked.minutes - (time.monotonic() - began) / 60,
        "videos": len(names),
        "checkpoint_name": NAME,
    }
    if asked.further:
        go_on("faces", __doc__, runs, asked.out, **more)
    else:
        first, best = learn("faces", __doc__, runs, asked.out, **more)
        assert best < first / 3, "it did not learn"
    samples(CHECKPOINTS / f"{NAME}.pt", "faces")


if __name__ == "__main__":
    main()

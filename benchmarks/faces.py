"""Question: what does the reference model learn of real videos on a CPU, within hours?

Command:  python benchmarks/faces.py DATA OUT [MINUTES]   (OUT: a folder for the run; the same command goes on)
Time:     as many minutes as are given, 100 unless; a core takes about 65 seconds for a thousand frames.
Expected: heads with hair and a ground within ten thousand frames, eyes and mouths within twenty thousand. FVD falls
          below a third of what the untrained generator scores, and rises on the way while videos look alike.

The `small` preset with half of its channels at 8² and above learns 112 talking faces at 64² in three stages, each of
which goes on with the networks of the one before: short steps at twice the usual rate, then larger ones at the usual
rate, then with augmentation for as long as there is time. docs/model.md says why.

Writes the curve, and checkpoints/small-faces-64: the average generator of the best score in half precision, and the
settings of its run.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from learning import learn

from stylegan_v.data.folder import PrepareSettings
from stylegan_v.data.preparing import prepare
from stylegan_v.training.run import load_run

SIDE = 64

SETTINGS = {
    "model": {"preset": "small", "resolution": SIDE, "frames": 2, "channel_base": 1024},
    "report": {"tick_kimg": 0.96, "snapshot_kimg": 4.8, "fvd_kimg": 9.6, "fvd_videos": 128},
}

STAGES = (
    {"kimg": 20.2, "batch": 4, "learning_rate": 0.005, "r1_gamma": 1.0, "ema_kimg": 0.5, "ada": False},
    {"kimg": 20.4, "batch": 8, "learning_rate": 0.0025, "r1_gamma": 1.0, "ema_kimg": 2.0, "ada": False},
    {"kimg": 10000.0, "batch": 8, "learning_rate": 0.0025, "r1_gamma": 1.0, "ema_kimg": 2.0, "ada_kimg": 20.0},
)


def main() -> None:
    data, out = Path(sys.argv[1]) / "train" / "grid_faces_128", Path(sys.argv[2])
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 100.0
    began = time.monotonic()
    prepare(data, out / "videos", PrepareSettings(resolution=SIDE))
    stages = [load_run(None, {**SETTINGS, "data": {"path": str(out / "videos")}, "train": train}) for train in STAGES]
    left = minutes - (time.monotonic() - began) / 60
    videos = sum(1 for folder in (out / "videos").iterdir() if folder.is_dir())
    first, best = learn(
        "faces", __doc__, stages, out, minutes=left, videos=videos, checkpoint_name=f"small-faces-{SIDE}"
    )
    assert best < first / 3, "it did not learn"


if __name__ == "__main__":
    main()

"""Question: what does the reference model learn of real videos on a CPU, within hours?

Command:  python benchmarks/faces.py DATA OUT [MINUTES]   (OUT: a folder for the run; the same command goes on)
Time:     as many minutes as are given, 100 unless; a core takes about 85 seconds for a thousand frames.
Expected: the `small` preset makes faces of 112 talking faces at 64², blurred still: these are some thousand steps, and
          StyleGAN2 takes hundreds of thousands. FVD falls below a third of what the untrained generator scores.

Writes the curve, and checkpoints/small-faces-64: the average generator of the best score in half precision, and the
settings of its run.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from learning import learn

from stylegan_v.prepare import prepare
from stylegan_v.prepared import PrepareSettings
from stylegan_v.run import load_run

SIDE = 64

SETTINGS = {
    "model": {"preset": "small", "resolution": SIDE},
    "train": {"batch": 8, "kimg": 1000.0, "ema_kimg": 0.5, "r1_gamma": 2.0, "ada": False},
    "report": {"tick_kimg": 0.48, "snapshot_kimg": 4.8, "fvd_kimg": 14.4, "fvd_videos": 128},
}


def main() -> None:
    data, out = Path(sys.argv[1]) / "train" / "grid_faces_128", Path(sys.argv[2])
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 100.0
    began = time.monotonic()
    prepare(data, out / "videos", PrepareSettings(resolution=SIDE))
    run = load_run(None, {**SETTINGS, "data": {"path": str(out / "videos")}})
    left = minutes - (time.monotonic() - began) / 60
    videos = sum(1 for folder in (out / "videos").iterdir() if folder.is_dir())
    first, best = learn("faces", __doc__, run, out, minutes=left, videos=videos, checkpoint_name=f"small-faces-{SIDE}")
    assert best < first / 3, "it did not learn"


if __name__ == "__main__":
    main()

"""What toy.py and faces.py do: train for some minutes, score on the way, keep the best generator and its curve."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
from machine import write

from fvd_bench.evaluation import silent
from stylegan_v import checkpoint
from stylegan_v.evaluate import evaluate
from stylegan_v.generator import build_generator
from stylegan_v.run import Run
from stylegan_v.train import train

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def learn(name: str, question: str | None, run: Run, out: Path, *, minutes: float, videos: int, checkpoint_name: str
          ) -> tuple[float, float]:  # fmt: skip
    """Go on with a run in out/run for some minutes. Gives FVD untrained and at best.

    name: of the result. videos: real ones, for the result. checkpoint_name: of the files that are kept in checkpoints/.
    """
    began = time.monotonic()
    first = _untrained(run, out / "run" / "features")
    assert first is not None
    left = minutes - (time.monotonic() - began) / 60
    kimg = train(run, out / "run", device="cpu", workers=1, minutes=left, progress=silent)
    lines = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    curve = [[0.0, first]] + [[line["kimg"], line["fvd"]] for line in lines if "fvd" in line]
    best = min(fvd for _, fvd in curve)
    kept = CHECKPOINTS / f"{checkpoint_name}.pt"
    checkpoint.save(checkpoint.load(out / "run" / "best.pt").for_sampling(), kept)
    settings = dataclasses.replace(run, data=dataclasses.replace(run.data, path=""))
    kept.with_suffix(".toml").write_text(settings.to_toml(), "utf-8")
    seconds = float(np.median([line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]))
    print(f"FVD {first:.1f} untrained, {best:.1f} at best, after {kimg:.1f} kimg")
    write(
        name,
        question,
        {
            "run": {**run.as_dict(), "data": {"videos": videos}},
            "kimg": kimg,
            "seconds_per_kimg": seconds,
            "untrained": first,
            "best": best,
            "curve": curve,
        },
    )
    return first, best


def _untrained(run: Run, features: Path) -> float | None:
    """FVD of the generator that training begins with."""
    generator = build_generator(run.model, seed=run.train.seed).eval().requires_grad_(False)
    result = evaluate(
        generator,
        run.data.path,
        videos=run.report.fvd_videos,
        fps=run.data.fps,
        protocol=run.report.protocol,
        features=features,
    )
    return result.value

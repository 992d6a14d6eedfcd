"""Question: which settings keep the two networks of a small training in balance, and how soon?

Command:  python benchmarks/training_balance.py DATA OUT   (OUT: a folder for the runs; the same command goes on)
Time:     an hour on a core.
Expected: with R1 as weak as StyleGAN2-ADA's rule has it for small batches, of clips as of images, the discriminator
          runs away within some hundred steps: its loss falls towards 0 and the generator's rises above 8. With γ = 1
          they stay in balance, at higher learning rates too.

Every variant is `small` with half of its channels at 8² and above, without augmentation, on the faces at 64², for the
thousands of frames that stand beside it. Losses are means over the last third of each run. Distances of what it makes
to the nearest real frames say whether it has learned one video by heart, or eight.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faces import SETTINGS, SIDE
from machine import write

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint
from stylegan_v.data.clips import VideoDataset
from stylegan_v.data.folder import PrepareSettings
from stylegan_v.data.preparing import prepare
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.training.loop import train
from stylegan_v.training.run import load_run

BALANCED: dict[str, Any] = {"batch": 4, "r1_gamma": 1.0, "learning_rate": 0.005, "ema_kimg": 0.5}
VARIANTS: dict[str, tuple[int, float, int, dict[str, Any]]] = {
    "one video": (1, 9.6, 2, BALANCED),
    "eight videos": (8, 9.6, 2, BALANCED),
    "images, gamma 0.1": (112, 2.88, 1, {"batch": 8, "r1_gamma": 0.1, "ema_kimg": 0.5}),
    "images, gamma 1, rate 0.008": (
        112,
        2.88,
        1,
        {"batch": 8, "r1_gamma": 1.0, "learning_rate": 0.008, "ema_kimg": 0.25},
    ),
    "clips, gamma 0.2": (112, 4.32, 3, {"batch": 4, "r1_gamma": 0.2, "ema_kimg": 0.5}),
    "clips, gamma 1, rate 0.005": (112, 4.8, 2, BALANCED),
    "clips, gamma 1, rate 0.012": (112, 4.8, 2, {**BALANCED, "learning_rate": 0.012}),
}
"""Videos, thousands of frames, frames of a clip, and the settings that are not the default's."""

LOOKED_AT = 64


def choose(videos: Path, number: int, out: Path) -> Path:
    """A folder with so many of the videos, at equal distances in their order."""
    names = sorted(folder.name for folder in videos.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for name in names[:: len(names) // number][:number]:
        shutil.copytree(videos / name, out / name, dirs_exist_ok=True)
    return out


@torch.no_grad()
def distances(state: Path, videos: Path) -> dict[str, float]:
    """How far frames of the average generator are from the nearest real frame, and from each other.

    Root mean squares of pixels from 0 to 255, means over LOOKED_AT frames, the first of which come from the same codes
    and noise whatever the state.
    """
    generator = checkpoint.load(state).generator()
    config, numbers = generator.config, torch.arange(LOOKED_AT)
    dataset = VideoDataset.open(str(videos), resolution=config.resolution, frames=config.frames)
    lengths = enumerate(dataset.lengths)
    images = np.concatenate([dataset.frames(place, np.arange(length)) for place, length in lengths])
    real = torch.from_numpy(images).permute(0, 3, 1, 2).flatten(1).float()
    z = normal(0, Purpose.CONTENT, numbers, 0, config.z_dim)
    times = torch.arange(LOOKED_AT)[:, None].float()
    frames = generator(z, times, keyed_noise(0, numbers, config.noise_dim))
    made = frames.flatten(1).add(1).mul(127.5).clamp(0, 255)
    pixels = math.sqrt(real.shape[1])
    among = torch.cdist(made, made).sum() / (LOOKED_AT * (LOOKED_AT - 1))
    return {
        "to_the_nearest_real_frame": torch.cdist(made, real).amin(dim=1).mean().item() / pixels,
        "among_generated_frames": among.item() / pixels,
        "among_real_frames": torch.cdist(real, real).sum().item() / (len(real) * (len(real) - 1)) / pixels,
    }


def main() -> None:
    out = Path(sys.argv[2])
    videos = out / "videos"
    prepare(Path(sys.argv[1]) / "train" / "grid_faces_128", videos, PrepareSettings(resolution=SIDE))
    table = {}
    for place, (name, (number, kimg, frames, settings)) in enumerate(VARIANTS.items(), 1):
        data = choose(videos, number, out / f"videos-{number}")
        sections = {
            "model": {**SETTINGS["model"], "frames": frames},
            "data": {"path": str(data)},
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
            **distances(folder / "checkpoint.pt", data),
        }
        print(name, table[name])
    write("training_balance", __doc__, {"variants": table})


if __name__ == "__main__":
    main()

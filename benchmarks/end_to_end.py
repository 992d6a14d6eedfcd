"""Question: how long does a score take from video files on a disk, and how long with cd-fvd's own API?

Command:  python3.11 -m venv peer
          peer/bin/pip install torch==2.6.0 torchvision==0.21.0 'av<13' 'scipy<1.14' 'numpy<2' setuptools
          peer/bin/pip install --no-build-isolation cd-fvd
          python benchmarks/end_to_end.py DATA --peer peer/bin/python
Time:     45 minutes on 2 idle cores.
Expected: less than half of cd-fvd's time in each setting, by torch as by OpenVINO, which the extra `openvino` installs:
          its network takes more than twice the time of ours, see throughput.py, and it decodes, resizes and runs the
          network in turn.

cd-fvd's last release needs libraries of its time: torchvision reads no videos from 0.26 on, and SciPy's matrix root has
no `disp` from 1.18 on. Each run is a process of its own with everything in it, from the imports to the number, on the
same files, with the same tensors as weights. Rounds run every setting once, so that a busy neighbour slows all of them;
medians are compared. The settings:

    default     our default protocol, and cd-fvd's defaults, for the faces of 128 x 128
    its recipe  our version of its recipe, and cd-fvd's defaults, for the same files
    640 x 480   the first again, for the same videos enlarged to 640 x 480
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import torch
from machine import write
from PIL import Image
from throughput import fill
from torch import Tensor

from fvd_bench.networks import weights
from fvd_bench.networks.i3d_network import kernel_shapes
from fvd_bench.protocols import protocol

FACES = Path("dev", "faces_mp4_128")
LARGE = (640, 480)
ENGINES = {"fvd-bench": "cpu", "by OpenVINO": "openvino"}
"""Our engines of I3D on a processor, by the devices that `--device` names."""

PEER = """
import sys
from cdfvd import fvd

real, fake, checkpoint = sys.argv[1:]
score = fvd.cdfvd("i3d", ckpt_path=checkpoint, n_real="full", n_fake="full", device="cpu")
score.compute_real_stats(score.load_videos(real, data_type="video_folder"))
score.compute_fake_stats(score.load_videos(fake, data_type="video_folder"))
print("FVD", score.compute_fvd_from_stats())
"""


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        checkpoint = root / "i3d.pt"
        torch.save(peer_state(), checkpoint)
        small, large = root / "small", root / "large"
        link_videos(arguments.data / FACES, small, arguments.videos)
        for side in ("real", "fake"):
            for file in sorted((small / side).iterdir()):
                enlarge(file, large / side / file.name)
        recipe = root / "recipe.toml"
        text = re.sub(r"fake = 2048\nselection = .*", 'fake = "all"', protocol.text("cd-fvd-on-tfhub-weights"))
        named = re.sub(r"^name = .*\nversion = .*", 'name = "cd-fvd-once"\nversion = 1', text, flags=re.MULTILINE)
        recipe.write_text(named, "utf-8")
        settings = {
            "default": (small, "stylegan-v-fvd16"),
            "its recipe": (small, str(recipe)),
            "640 x 480": (large, "stylegan-v-fvd16"),
        }
        runs: dict[str, Sequence[str]] = {}
        for name, (videos, asked) in settings.items():
            real, fake = str(videos / "real"), str(videos / "fake")
            sides = ("--real", real, "--fake", fake, "-p", asked, "--no-cache")
            ours = (sys.executable, "-m", "fvd_bench", "compute", *sides)
            runs |= {f"{name}, {engine}": (*ours, "--device", device) for engine, device in ENGINES.items()}
            runs[f"{name}, cd-fvd"] = (str(arguments.peer), "-c", PEER, real, fake, str(checkpoint))
        measured = interleave(runs, arguments.rounds)
    table = {"videos_per_side": arguments.videos, "threads": torch.get_num_threads(), "runs": measured}
    table["ratios"] = {
        f"{name}, {engine}": ratios(measured[f"{name}, {engine}"], measured[f"{name}, cd-fvd"])
        for name in settings
        for engine in ENGINES
    }
    for name, found in table["ratios"].items():
        print(f"{name:22} {found}")
    write("end_to_end", __doc__, table)


def parse() -> argparse.Namespace:
    options = argparse.ArgumentParser()
    options.add_argument("data", type=Path)
    options.add_argument("--peer", type=Path, required=True, help="the Python of an environment with cd-fvd")
    options.add_argument("--videos", type=int, default=64, help="on each side (default: 64)")
    options.add_argument("--rounds", type=int, default=3)
    return options.parse_args()


def peer_state() -> dict[str, Tensor]:
    """Our tensors under cd-fvd's names."""
    tensors = weights.load("i3d-kinetics-400").tensors
    state: dict[str, Tensor] = {}
    for name in kernel_shapes():
        fill(state, tensors, name)
    return state


def link_videos(source: Path, target: Path, each: int) -> None:
    """Make the folders `real` and `fake`, of the first videos and of those that follow them."""
    files = sorted(source.iterdir())
    for place, side in enumerate(("real", "fake")):
        (target / side).mkdir(parents=True)
        for file in files[place * each : (place + 1) * each]:
            (target / side / file.name).symlink_to(file.resolve())


def enlarge(source: Path, target: Path) -> None:
    """Write a video as H.264 of 640 x 480."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream("libx264", rate=Fraction(25), options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *LARGE, "yuv420p"
        for frame in read.decode(video=0):
            image = frame.to_image().resize(LARGE, Image.Resampling.BICUBIC)
            written.mux(stream.encode(av.VideoFrame.from_image(image)))
        written.mux(stream.encode())


def interleave(runs: dict[str, Sequence[str]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the seconds and processor seconds of each run in each round, with all of its processes."""
    found: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "processor_seconds": []} for name in runs}
    for number in range(rounds):
        for name, command in runs.items():
            began, before = time.perf_counter(), os.times()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            after = os.times()
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            found[name]["seconds"].append(round(time.perf_counter() - began, 2))
            found[name]["processor_seconds"].append(round(spent, 2))
            print(f"round {number + 1}, {name}: {found[name]['seconds'][-1]} s", flush=True)
    return found


def ratios(ours: dict[str, list[float]], peers: dict[str, list[float]]) -> dict[str, float]:
    """Return cd-fvd's medians over ours."""
    return {key: round(statistics.median(peers[key]) / statistics.median(ours[key]), 2) for key in ours}


if __name__ == "__main__":
    main()

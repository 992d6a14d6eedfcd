"""Question: what do the ways of computing PSNR and SSIM that are in use make of the very same reconstructions?

Command:  python benchmarks/conventions.py DATA      (DATA: a folder with dev/, see benchmarks/README.md)
Time:     about 3 minutes on 2 cores.
Expected: scores of the mildest compression within a tenth of a decibel, PSNR in uint8 arithmetic far above the others
          for the strongest, and five SSIMs each time.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from machine import write
from rich.console import Console

from fvd_bench.paired.evaluate import evaluate_paired
from fvd_bench.protocols import paired
from fvd_bench.reports.paired import paired_grid
from fvd_bench.settings import Settings
from fvd_bench.sources import open_source
from fvd_bench.videos.all_frames import all_frames

VIDEOS = 10
QUANTISERS = (20, 35, 50)


def coded(folder: Path, videos: dict[str, np.ndarray], quantiser: int) -> Path:
    """A folder of the videos, each coded as H.264 at a quantiser: 0 to 51, the higher the coarser."""
    folder.mkdir()
    for name, frames in videos.items():
        with av.open(str(folder / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25))
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            stream.options = {"qp": str(quantiser), "threads": "1"}
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    return folder


def main(data: Path) -> None:
    source = open_source(data / "dev" / "faces_mp4_128")
    videos = {
        Path(name).stem: np.stack([frame.pixels for frame in all_frames(source.video(index))])
        for index, name in enumerate(source.names[:VIDEOS])
    }
    found, scores = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        for quantiser in QUANTISERS:
            copies = coded(Path(temporary) / str(quantiser), videos, quantiser)
            result = evaluate_paired(
                videos, copies, paired.names(), metrics=("psnr", "ssim", "flickering"), settings=Settings(cache=None)
            )
            found[f"qp {quantiser}"] = result
            scores += [
                {"quantiser": quantiser, **{k: v for k, v in asdict(s).items() if k not in ("curve", "skipped")}}
                for s in result.scores
            ]
    Console(width=200).print(paired_grid(found))
    write("conventions", __doc__, {"videos": VIDEOS, "scores": scores})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A content that was found, not drawn, and how it looks with several motions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from fvd_bench.errors import cause
from fvd_bench.videos.video import Pixels
from stylegan_v.errors import CheckpointError, ModelError
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.pixels import to_uint8
from stylegan_v.sampling.sheets import tile, whole_or_nothing, write_video
from stylegan_v.studies.pictures import labelled, write_picture
from stylegan_v.studies.weights import read_weights

SHEET, VIDEO, REPORT, TENSORS = "sheet.png", "motions.mp4", "report.json", "content.safetensors"
"""Names of the files that a study of a content writes into its folder."""

_SHOWN_FRAMES = 64
_COLUMN_FRAMES = 8
_BATCH_FRAMES = 16

Row = Callable[[Sequence[float]], Sequence[Pixels]]
"""A function from times, in frames of the training videos, to a frame for each."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a video shows, without its motion. ws: a style for each layer, [1, num_ws, w_dim]. label: [1, num_classes].

    The label is that of the motion: the styles have theirs in them.
    """

    generator: Generator
    ws: Tensor
    label: Tensor | None = None

    def moving(self, noise: Noise) -> Row:
        """Return the frames of this content with a motion, each made by its time alone."""

        def frames(times: Sequence[float]) -> list[Pixels]:
            found: list[Pixels] = []
            for first in range(0, len(times), _BATCH_FRAMES):
                part = torch.tensor([times[first : first + _BATCH_FRAMES]], dtype=torch.float64, device=self.ws.device)
                with torch.inference_mode():
                    rendered = self.generator.render(self.ws, part, noise, self.label)[0]
                found += [*to_uint8(rendered).permute(0, 2, 3, 1).cpu().numpy()]
            return found

        return frames


def of_video(generator: Generator, seed: int, video: int, label: Tensor | None = None) -> Content:
    """Return the content of a video of a seed, the same style for all layers. label: [1, num_classes]."""
    number = torch.tensor([video], device=generator.mapping.w_mean.device)
    w = generator.styles(normal(seed, Purpose.CONTENT, number, 0, generator.config.z_dim), label)
    return Content(generator, w[:, None].expand(-1, generator.config.num_ws, -1), label)


def motion(generator: Generator, seed: int, video: int) -> Noise:
    """Return the motion noise of a video of a seed."""
    number = torch.tensor([video], device=generator.mapping.w_mean.device)
    return keyed_noise(seed, number, generator.config.noise_dim)


def with_motions(content: Content, seed: int, videos: Iterable[int]) -> dict[str, Row]:
    """Return a content with the motion of each of these videos of a seed, by the names of the rows."""
    return {f"motion {video}": content.moving(motion(content.generator, seed, video)) for video in videos}


def held(frames: Sequence[Pixels], at: Sequence[float]) -> Row:
    """Return given frames at any time: the last one that has come by then. at: their times, ascending."""
    return lambda times: [frames[max(int(np.searchsorted(at, time, "right")) - 1, 0)] for time in times]


def make_folder(out: Path) -> None:
    """Make the folder of a study, where there is none with anything in it. Raises ModelError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = sorted(entry.name for entry in out.iterdir())
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {cause(error)}") from error
    if found:
        raise ModelError(f"{out} holds {found[0]}: name a folder that is empty or not there yet")


def write_rows(out: Path, rows: Mapping[str, Row], fps: float) -> None:
    """Write the rows into a folder: as a sheet of moments below each other, and as a video side by side.

    rows: name -> its frames. fps: frames per second of the training videos. Raises ModelError.
    """
    frames = {name: row([float(t) for t in range(_SHOWN_FRAMES)]) for name, row in rows.items()}
    moments = range(0, _SHOWN_FRAMES, _COLUMN_FRAMES)
    cells = [[shown[t] for t in moments] for shown in frames.values()]
    write_picture(out / SHEET, labelled(cells, rows=list(frames), columns=[f"t = {t}" for t in moments]))
    write_video(out / VIDEO, (tile(np.stack(images)[None]) for images in zip(*frames.values(), strict=True)), fps)


def write_content(out: Path, content: Content, learned: Tensor | None, report: Mapping[str, Any]) -> None:
    """Write styles, and learned noise where there is some, and the report, plain values, into a folder.

    report: has the digest of the generator as `generator`; the class of the motion is added to it. Raises ModelError.
    """
    report = {**report, "class": None if content.label is None else int(content.label.argmax())}
    tensors = {"ws": content.ws[0]} | ({} if learned is None else {"noise": learned[0]})
    data = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    with whole_or_nothing(out / TENSORS) as partial:
        partial.write_bytes(data)
    with whole_or_nothing(out / REPORT) as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def read_content(folder: Path, generator: Generator, digest: str) -> Content:
    """Read what `write_content` wrote. digest: of the generator. Raises CheckpointError.

    The label is None without classes, and where an older version named no class since it was drawn.
    """
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
        found = report["generator"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} is no folder of `stylegan-v project` or `edit`: no {REPORT} to read"
        ) from error
    if found != digest:
        raise CheckpointError(f"{folder} holds styles of another generator: take the checkpoint that made them")
    number, classes = report.get("class"), generator.config.num_classes
    if number is not None and (not isinstance(number, int) or not 0 <= number < classes):
        raise CheckpointError(f"{folder / REPORT} names the class {number!r:.50}: the model has {classes} classes")
    shape = (generator.config.num_ws, generator.config.w_dim)
    ws = read_weights(folder / TENSORS, "the styles of a content", {"ws": shape})["ws"]
    device = generator.mapping.w_mean.device
    label = None if number is None else torch.eye(classes, device=device)[None, number]
    return Content(generator, ws[None].to(device), label)

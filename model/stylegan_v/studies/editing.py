"""Editing: a content that goes with a text, by gradient descent on a style for each layer.

Appendix B.2 of the paper: the optimisation of StyleCLIP (Patashnik et al. 2021), whose image is the frame at t = 0.
Motion is drawn anew in every step, so that the edit is one of content and goes with any motion. StyleCLIP's loss for
the identity of a face is left out, since it needs a network that knows faces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fvd_bench.progress import Progress, silent
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.studies.clip import Score
from stylegan_v.studies.content import Content
from stylegan_v.studies.descent import descend
from stylegan_v.studies.perceptual import PerceptualDistance

STEPS = 300
PULL = 0.008
"""StyleCLIP's: steps, and the weight of the squared distance from the styles that the edit began with."""

_JUDGED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A part of the frames that an edit is to leave alone. mask: [R, R], 1 where it is and 0 elsewhere."""

    mask: Tensor
    distance: PerceptualDistance

    def change(self, frames: Tensor, before: Tensor) -> Tensor:
        """Return how different this part looks in two batches of frames, [N, 3, R, R] each: a mean."""
        after, then = (self.distance.features(images * self.mask) for images in (frames, before))
        return self.distance.between(after, then).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What was found. before, after: the mean similarity of frames at t = 0 with the text, with four motions."""

    content: Content
    before: float
    after: float


def edit(
    content: Content,
    score: Score,
    *,
    steps: int = STEPS,
    pull: float = PULL,
    kept: Kept | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Edit:
    """Change a content until its frames go with a text.

    score: says how well they do. pull: weight of the squared distance from the styles as they were. kept: a part that
    is to look as before with the same motion. seed: of the motions, which are those of videos 0, 1, …
    Raises ModelError.
    """
    first = content.ws
    ws = first.clone().requires_grad_()

    def frame(styles: Tensor, motion: int) -> Tensor:
        noise = keyed_noise(seed, torch.tensor([motion], device=first.device), content.generator.config.noise_dim)
        start = torch.zeros(1, 1, dtype=torch.float64, device=first.device)
        return content.generator.render(styles, start, noise, content.label)[0]

    @torch.no_grad()
    def judged(styles: Tensor) -> float:
        return score(torch.cat([frame(styles, motion) for motion in range(_JUDGED)])).mean().item()

    def loss(step: int) -> Tensor:
        shown = frame(ws, step)
        found = 1 - score(shown).mean() + pull * (ws - first).square().sum()
        if kept is None:
            return found
        with torch.no_grad():
            unchanged = frame(first, step)
        return found + kept.change(shown, unchanged)

    before = judged(first)
    descend([ws], loss, steps=steps, what="editing", progress=progress)
    return Edit(replace(content, ws=ws.detach()), before, judged(ws.detach()))

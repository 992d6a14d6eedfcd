"""How networks learn: settings of a training that all methods share, with those that most of them have a use for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "float32", "float16", "bfloat16"]

OF_STYLEGAN_V = frozenset({"mismatched_weight", "compile", "cuda_graphs"})
"""Settings of the step of StyleGAN-V. Methods with a step of their own have no use for any of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun:
    """How networks learn. The defaults are those of the released code of StyleGAN-V.

    A method may have defaults of its own, and no use for some of these: see `Method`.
    kimg: thousands of frames to train on. batch: videos per step over all processes.
    micro_batch: videos at a time in one process, 0 for all of its share.
    learning_rate: 0 for 0.0025, or 0.002 from 1024² on. r1_gamma: 0 for 0.0002 · resolution² / batch.
    r1_interval: steps between R1 penalties.
    lazy_interval: steps between penalties of the generator's regulariser, of which only the factor on the learning rate
    is left.
    ema_kimg: thousands of videos in which the average of the generator forgets half. The released code has 10 / 32 of
    the batch, which is 20 for 64 videos.
    ema_rampup: upper limit of that, as a share of the frames seen; 0 for no limit.
    discriminator_kimg: thousands of frames at the beginning in which the discriminator learns alone, so that a new one
    can follow a generator that has learned already.
    mismatched_weight: weight in the discriminator's loss of real clips whose motion is wrong, see `mismatched`; 0 for
    none, as in the paper.
    ada: whether to augment. ada_target: mean sign of real logits that it aims at. ada_kimg: thousands of videos in
    which its probability can move by 1.
    precision: type of the blocks of high resolution; auto is float16 on a GPU and float32 elsewhere. Samples and scores
    have it on a GPU alone, and float32 elsewhere.
    tf32: let a GPU round the factors of products in float32 to 10 bits, as StyleGAN2-ADA can and by default does not.
    compile: let torch compile what needs no second derivative. cuda_graphs: record a step on a GPU, and replay it.
    """

    kimg: float = 25000.0
    batch: int = 64
    micro_batch: int = 0
    learning_rate: float = 0.0
    r1_gamma: float = 0.0
    r1_interval: int = 16
    lazy_interval: int = 4
    ema_kimg: float = 20.0
    ema_rampup: float = 0.0
    discriminator_kimg: float = 0.0
    mismatched_weight: float = 0.0
    ada: bool = True
    ada_target: float = 0.6
    ada_kimg: float = 100.0
    seed: int = 0
    precision: Precision = "auto"
    tf32: bool = False
    compile: bool = False
    cuda_graphs: bool = False

"""StyleGAN-V with motion codes of an LSTM in place of v(t): the rows "w LSTM codes" of the paper's Table 2.

The codes lie `motion_distance` frames apart, 16 and 1 in the table. Between two of them, v(t) goes straight from one to
the other, and through two layers. Its sizes are those of universome/stylegan-v, whose code of it does not run as
released.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from stylegan_v.baselines.variant import PRESETS, check_motion
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers
from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.layers import FullyConnected, normalise
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.recurrent import Walk
from stylegan_v.networks.video_generator import Clip, Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTMCodesConfig(ModelConfig):
    """A `ModelConfig` whose waves and whose kernel of motion have no use."""

    method: ClassVar[str] = "lstm-codes"

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        check_motion(self)


class LSTMEncoder(nn.Module):
    """From times and noise to time embeddings v(t): an LSTM's outputs at equal distances, a line between them, and two
    layers with a hundredth of the learning rate.

    distance, reach: as in `MotionEncoder`; a code needs all noise vectors before its place too.
    """

    reach = 1

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.distance = config.motion_distance
        self.steps = (config.max_frames - 1) // config.motion_distance + 2
        self.lstm = nn.LSTM(config.noise_dim + config.num_classes, config.u_dim, batch_first=True)
        widths = (config.u_dim, config.v_dim)
        self.layers = nn.Sequential(
            *(FullyConnected(width, config.v_dim, lr_multiplier=0.01, activation="lrelu") for width in widths)
        )

    def forward(self, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return v: [B, T, v_dim]. times: [B, T], not negative. labels: [B, num_classes]."""
        tokens, blend = self.places(times)
        waits = self.training and times.device.type != "cpu"  # reading a time would wait for the device
        length = self.steps if waits else int(tokens.max()) + 2
        steps = torch.arange(length, device=times.device).expand(len(times), -1)
        with _gradients(training=self.training):
            outputs, _ = self.lstm(self.inputs(noise, steps, labels))
        left, right = (
            outputs.gather(1, (tokens + side)[:, :, None].expand(-1, -1, outputs.shape[2])) for side in (0, 1)
        )
        return self.between(left, right, blend)

    def places(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens on the left of times, int64, and how far from there to the next they are, 0 to 1."""
        tokens = torch.div(times, self.distance, rounding_mode="floor")
        return tokens.long(), (times / self.distance - tokens).to(next(self.lstm.parameters()).dtype)

    def inputs(self, noise: Noise, tokens: Tensor, labels: Tensor | None) -> Tensor:
        """Return what the LSTM reads at tokens, int64 [B, N]: noise, beside labels where there are any."""
        vectors = noise(tokens)
        if labels is None:
            return vectors
        return torch.cat([vectors, labels[:, None].expand(-1, tokens.shape[1], -1)], dim=2)

    def between(self, left: Tensor, right: Tensor, blend: Tensor) -> Tensor:
        """Return v at places between outputs of the LSTM: [..., v_dim]. left, right: [..., u_dim]; blend: [...]."""
        v: Tensor = self.layers(normalise(torch.lerp(left, right, blend[..., None])))
        return v


@contextlib.contextmanager
def _gradients(*, training: bool) -> Iterator[None]:
    """Let an LSTM have gradients outside of training too, where cuDNN has none and torch's own kernels have."""
    cudnn = torch.backends.cudnn
    before = cudnn.enabled
    cudnn.enabled = before and (training or not torch.is_grad_enabled())
    try:
        yield
    finally:
        cudnn.enabled = before


class LSTMCodesGenerator(Generator):
    """A generator of StyleGAN-V whose motion has to be made from the first code on."""

    recurrent = "motion codes: a step of an LSTM for each, from the first one on"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.motion = LSTMEncoder(config)

    def open(self, draw: Draw) -> list[Clip]:
        """Return a video whose LSTM goes on from the last frame that was asked for."""
        z = normal(draw.seed, Purpose.CONTENT, draw.content, 0, self.config.z_dim)
        w = self.styles(z, draw.labels, truncation=draw.truncation)
        noise = keyed_noise(draw.seed, draw.motion, self.config.noise_dim)
        motion: LSTMEncoder = self.motion
        walk = Walk(motion.lstm, lambda tokens: motion.inputs(noise, tokens[None], draw.motion_labels)[0])
        known: dict[int, Tensor] = {}

        def clip(times: Tensor) -> Tensor:
            tokens, blend = motion.places(times)
            wanted = sorted({token + side for token in tokens.tolist() for side in (0, 1)})
            new = [token for token in wanted if token not in known]
            known.update(zip(new, walk.at(new), strict=True) if new else ())
            left, right = (torch.stack([known[token + side] for token in tokens.tolist()]) for side in (0, 1))
            last = {token: known[token] for token in wanted[-2:]}  # where the next frames may begin
            known.clear()
            known.update(last)
            v = motion.between(left, right, blend)[None]
            return self.frames(w, v)[0]

        return [clip]


class LSTMCodesTrainer(StyleTrainer):
    """A step of StyleGAN-V."""

    makes: ClassVar[Makers] = {"generator": LSTMCodesGenerator, "discriminator": Discriminator}


class LSTMCodes(Method):
    """StyleGAN-V with LSTM codes."""

    name = "lstm-codes"
    config = LSTMCodesConfig
    presets: ClassVar = PRESETS
    budgets: ClassVar = BUDGETS
    unused_sizes = frozenset({"motion_kernel", "min_period", "max_period"})

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(LSTMCodesTrainer),)


METHOD = LSTMCodes()

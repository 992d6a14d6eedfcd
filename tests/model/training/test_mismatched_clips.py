"""Real clips whose motion is made wrong, and what a discriminator learns of them."""

from __future__ import annotations

import pytest
import torch

from stylegan_v.data.clips import batches
from stylegan_v.errors import ConfigError
from stylegan_v.methods.mismatched_clips import mismatched
from stylegan_v.methods.step_clips import Reals

pytestmark = pytest.mark.usefixtures("one_thread")


def test_mismatched_clips_are_too_slow_or_of_two_videos() -> None:
    frames = torch.rand(8, 3, 3, 4, 4)
    times = torch.tensor([[3.0, 4.0, 5.0], [0.0, 1.0, 3.0], [7.0, 8.0, 39.0], [1.0, 2.0, 3.0], *[[0.0, 5.0, 9.0]] * 4])
    reals = Reals(frames, times, None, None, None)

    found = mismatched(reals, max_span=32)

    still = [frame.expand(3, -1, -1, -1) for frame in frames[:, 0]]
    mixed = [torch.cat([frames[a, :1], frames[b, 1:]]) for a, b in ((4, 7), (5, 4), (6, 5), (7, 6))]
    assert torch.equal(found.frames, torch.stack([frames[0], still[1], still[2], frames[3], *mixed]))
    assert found.times.tolist() == [[3, 19, 35], [0, 1, 3], [7, 8, 39], [1, 17, 33], *[[0, 5, 9]] * 4]


def test_a_discriminator_learns_to_reject_mismatched_clips(make_trainer) -> None:
    trainer = make_trainer(mismatched_weight=1.0, learning_rate=0.02, ada=False)
    _, fakes, reals = trainer._draw(
        torch.arange(4), next(batches(trainer.dataset, trainer.samples(), seed=0, workers=1))
    )
    for _ in range(12):
        trainer.update_discriminator(fakes, reals)

    with torch.no_grad():
        real, wrong = (
            trainer.discriminator(clips.frames, clips.times).mean() for clips in (reals, mismatched(reals, max_span=32))
        )
    assert wrong < real - 3


def test_mismatched_clips_weigh_as_much_as_they_should(make_trainer) -> None:
    plain, weighed = make_trainer(), make_trainer(mismatched_weight=0.5)
    _, fakes, reals = plain._draw(torch.arange(4), next(batches(plain.dataset, plain.samples(), seed=0, workers=1)))
    loss = plain.update_discriminator(fakes, reals)["loss/discriminator"]

    logs = weighed.update_discriminator(fakes, reals)

    wrong = mismatched(reals, max_span=32)
    with torch.no_grad():
        logits = make_trainer().discriminator(wrong.frames, wrong.times)
    assert float(logs["loss/discriminator"] - loss) == pytest.approx(0.5 * float(logits.exp().log1p().mean()), rel=1e-5)
    assert float(logs["logits/mismatched"]) == pytest.approx(float(logits.mean()), rel=1e-5)


def test_mismatched_clips_need_frames_and_clips_to_mix(make_trainer) -> None:
    with pytest.raises(ConfigError, match=r"mismatched_weight = 0\.5 mixes .* these are 4 of 1; set it to 0"):
        make_trainer(preset="image", frames=1, mismatched_weight=0.5)
    with pytest.raises(ConfigError, match="these are 2 of 3"):
        make_trainer(batch=2, mismatched_weight=0.5)

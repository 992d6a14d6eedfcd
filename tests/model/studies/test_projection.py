"""Projection: schedules as figures, contents that are found again, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from stylegan_v.baselines import registry
from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, DataError, ModelError
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.studies.descent import learning_rate
from stylegan_v.studies.projection import Projection, project, straying
from stylegan_v.studies.targets import as_tensor

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("part", "rate", "strays"),
    [
        (0, 0, 0.05),
        (0.025, 0.05, 0.05 * (29 / 30) ** 2),
        (0.05, 0.1, 0.05 * (14 / 15) ** 2),
        (0.75, 0.1, 0),
        (0.875, 0.05, 0),
        (1, 0, 0),
    ],
)
def test_schedules(part: float, rate: float, strays: float) -> None:
    assert learning_rate(part) == pytest.approx(rate)
    assert straying(part) == pytest.approx(strays)


@pytest.fixture(scope="module")
def find(tiny_generator, colours):
    """Project frames of video 1 at t = 0 and 8 in few steps."""
    generator = tiny_generator()
    frames = list(VideoSampler(generator, seed=7).frames(1, [0, 8]))

    def run(count: int = 1, **given) -> Projection:
        times = [8.0 * place for place in range(count)]
        return project(generator, as_tensor(frames[:count], "cpu"), times, colours, **{"steps": 24, **given})

    return run


@pytest.fixture
def lstm_generator() -> Generator:
    method = registry.method("lstm-codes")
    generator: Generator = method.makers()["generator"](method.configure("tiny")).eval().requires_grad_(False)
    return generator


def test_a_generated_frame_is_found_again(find) -> None:
    found = find()

    assert found.after < found.before / 3
    assert found.content.ws.shape == (1, 8, 8) and found.learned is None
    assert found.content.ws[0].std(dim=0).min() > 0.01  # a style for each layer


def test_the_same_seed_gives_the_same_bits(find) -> None:
    assert find(steps=3).after == find(steps=3).after
    other, tokens = find(steps=3, seed=1), torch.arange(40)[None]
    assert find(steps=3).after != other.after
    assert torch.equal(other.noise(tokens), keyed_noise(1, torch.tensor([0]), 8)(tokens))


def test_motion_is_kept_unless_it_is_to_be_optimised(find) -> None:
    kept, optimised = find(2, steps=60), find(2, steps=60, motion="optimised")

    assert optimised.after < kept.after
    tokens = torch.arange(40)[None]
    drawn, moved = kept.noise(tokens)[0], optimised.noise(tokens)[0]
    assert optimised.learned is not None and optimised.learned.shape == (1, 22, 8)  # codes 0 and 1 need 22 vectors
    torch.testing.assert_close(moved[:22], optimised.learned[0])
    assert (moved[:22] != drawn[:22]).any(dim=1).all()
    torch.testing.assert_close(moved[22:], drawn[22:], rtol=0, atol=0)


def test_a_model_without_motion_keeps_it(tiny_generator, colours) -> None:
    generator = tiny_generator(preset="image")
    target = torch.zeros(1, 3, 32, 32)

    first, other = (project(generator, target, [0.0], colours, steps=2, seed=seed).after for seed in (0, 1))
    assert 0 < first != other  # as styles stray by the seed
    with pytest.raises(ModelError, match="no motion to optimise"):
        project(generator, target, [0.0], colours, steps=2, motion="optimised")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_motion_of_an_lstm_can_be_optimised_too(lstm_generator, colours, device: str) -> None:
    """Codes 0 and 1, around t = 8, are made of two noise vectors."""
    generator = lstm_generator.to(device)

    found = project(
        generator, torch.zeros(2, 3, 32, 32, device=device), [0.0, 8.0], colours, steps=2, motion="optimised"
    )

    assert found.learned is not None and found.learned.shape == (1, 2, 8)


def test_gradients_of_an_lstm_outside_of_training_are_not_asked_of_cudnn(lstm_generator) -> None:
    motion, enabled = lstm_generator.motion, []
    motion.lstm.register_forward_pre_hook(lambda *_: enabled.append(torch.backends.cudnn.enabled))
    times, noise = torch.tensor([[0.0, 8.0]]), keyed_noise(0, torch.tensor([0]), motion.lstm.input_size)

    motion(times, noise)
    with torch.no_grad():
        motion(times, noise)
    motion.train()(times, noise)

    assert enabled == [False, True, True] and torch.backends.cudnn.enabled


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(tmp_path / "image.png")
    return tmp_path / "image.png"


class TestCommand:
    def test_ends_in_a_sheet_a_video_and_a_report(
        self, tiny_checkpoint, image: Path, seeded_vgg: Path, lpips_heads: Path, tmp_path: Path
    ) -> None:
        import av  # absent where only the tests for a GPU run

        out = tmp_path / "out"
        lpips = ("--vgg", seeded_vgg, "--lpips", lpips_heads)
        done = run("project", image, "--checkpoint", tiny_checkpoint(), "--out", out, "--steps", 2, *lpips)

        assert done.exit_code == 0, (done.output, done.exception)
        assert "1 image projected in 2 steps, with motion kept" in done.stdout
        assert "compared by LPIPS by VGG16, with the weights that were given: the distance went from" in done.stdout
        report = json.loads((out / "report.json").read_text())
        assert report["distance"]["name"] == "lpips-vgg16" and set(report["distance"]["weights"]) == {"vgg16", "lpips"}
        with av.open(str(out / "motions.mp4")) as container:
            video = container.streams.video[0]
            assert (video.frames, video.width, video.height) == (64, 5 * 32, 32)
        with Image.open(out / "sheet.png") as sheet:
            assert sheet.height == 5 * 96 + 21

        again = run("project", image, "--checkpoint", tiny_checkpoint(), "--out", out)
        assert isinstance(again.exception, ModelError) and "name a folder that is empty" in str(again.exception)

    def test_more_videos_than_a_file_holds_side_by_side_are_refused_at_once(
        self, tiny_checkpoint, image: Path, tmp_path: Path
    ) -> None:
        given = ("--checkpoint", tiny_checkpoint(resolution=1024), "--out", tmp_path / "out")

        done = run("project", image, *given, "--motions", 15, "--steps", 1)

        assert done.exit_code == 2 and "1 × 17 videos of 1024² make frames of 17408 × 1024 pixels" in done.output
        assert not (tmp_path / "out").exists()

    def test_i3d_compares_where_lpips_is_not_given(self, tiny_checkpoint, image: Path, tmp_path: Path) -> None:
        given = ("--checkpoint", tiny_checkpoint(), "--out", tmp_path / "out", "--steps", 1, "--motion", "optimised")
        done = run("project", image, image, *given, "--motions", 0)

        assert done.exit_code == 0, (done.output, done.exception)
        assert "I3D's first three convolutions on stills, since VGG16 and LPIPS' heads were not both" in done.stdout
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        assert report["distance"]["name"] == "i3d-first-layers" and report["images"] == ["image.png"] * 2

    def test_what_was_found_is_kept_before_it_is_shown(
        self, tiny_checkpoint, image: Path, colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("stylegan_v.studies.perceptual.perceptual_distance", lambda *_: colours)
        monkeypatch.setattr("stylegan_v.studies.content.write_rows", interrupt)
        run("project", image, "--checkpoint", tiny_checkpoint(), "--out", tmp_path / "out", "--steps", 1)

        assert {file.name for file in (tmp_path / "out").iterdir()} == {"content.safetensors", "report.json"}

    def test_half_of_lpips_is_a_usage_error(self, tiny_checkpoint, image: Path, seeded_vgg: Path) -> None:
        done = run("project", image, "--checkpoint", tiny_checkpoint(), "--out", "out", "--vgg", seeded_vgg)

        assert done.exit_code == 2 and "--vgg is one half of LPIPS: give --lpips as well" in done.stderr

    def test_images_that_are_none_are_named(self, tiny_checkpoint, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("no image")
        given = ("--checkpoint", tiny_checkpoint(), "--out", tmp_path / "out")

        damaged, missing = run("project", tmp_path / "a.png", *given), run("project", tmp_path / "b.png", *given)

        assert isinstance(damaged.exception, DataError) and "a.png is no image" in str(damaged.exception)
        assert isinstance(missing.exception, CheckpointError) and "b.png" in str(missing.exception)
        assert not (tmp_path / "out").exists()

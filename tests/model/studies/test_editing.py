"""Editing: a score that can be computed by hand, and open_clip's own classes with seeded weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, ConfigError, ModelError
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.studies.clip import text_score
from stylegan_v.studies.content import Content, of_video
from stylegan_v.studies.editing import Kept, edit

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def content(tiny_generator) -> Content:
    return of_video(tiny_generator(), 1, 0)


def brightness(images: Tensor) -> Tensor:
    return images.tanh().mean(dim=(1, 2, 3))


def test_a_content_goes_where_the_score_leads(content: Content) -> None:
    free, pulled = edit(content, brightness, steps=12, pull=0), edit(content, brightness, steps=12, pull=10)

    assert free.after > free.before + 0.1
    assert pulled.after < free.after
    assert (pulled.content.ws - content.ws).norm() < (free.content.ws - content.ws).norm() / 3
    assert edit(content, brightness, steps=3).after == edit(content, brightness, steps=3).after


def test_motion_is_drawn_anew_in_every_step(content: Content) -> None:
    seen: list[Tensor] = []

    def score(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return brightness(images)

    edit(content, score, steps=2, seed=6)

    first = seen[1:3]  # after the four frames that judge the content as it was; the first step has a rate of 0
    for step, frame in enumerate(first):
        noise = keyed_noise(6, torch.tensor([step]), 8)
        start = torch.zeros(1, 1, dtype=torch.float64)
        torch.testing.assert_close(frame, content.generator.render(content.ws, start, noise)[0])
    assert not torch.equal(*first)


def test_what_is_kept_changes_less(content: Content, colours) -> None:
    mask = torch.zeros(32, 32)
    mask[:, :16] = 1
    noise = keyed_noise(0, torch.tensor([0]), 8)
    change = {}
    for name, kept in (("free", None), ("kept", Kept(mask, colours))):
        ws = edit(content, brightness, steps=12, pull=0, kept=kept).content.ws
        start = torch.zeros(1, 1, dtype=torch.float64)
        after, before = (content.generator.render(styles, start, noise)[0, 0] for styles in (ws, content.ws))
        change[name] = (after - before).abs()[..., :16].mean().item()

    assert change["kept"] < change["free"] / 2


TINY_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
TINY_CLIP = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": TINY_TEXT,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a CLIP of open_clip's own classes, small and seeded, whose shape open_clip knows as tiny-clip.

    It knows a wider-clip as well, and one with parts that are elsewhere.
    """
    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY_CLIP))
    (folder / "wider-clip.json").write_text(json.dumps(TINY_CLIP | {"embed_dim": 32}))
    (folder / "elsewhere.json").write_text(json.dumps(TINY_CLIP | {"text_cfg": TINY_TEXT | {"hf_tokenizer_name": "x"}}))
    open_clip.add_model_config(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(open_clip.CLIP(**TINY_CLIP).state_dict(), folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


def test_the_score_is_open_clips(clip: Path) -> None:
    import open_clip

    network, _, prepared = open_clip.create_model_and_transforms("tiny-clip", pretrained=str(clip))
    network.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    with torch.no_grad():
        image = network.encode_image(prepared(Image.fromarray(pixels))[None])
        text = network.encode_text(open_clip.get_tokenizer("tiny-clip")(["a red face"]))

        score = text_score("a red face", clip, "tiny-clip", "cpu")
        found = score(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)

    torch.testing.assert_close(found, torch.cosine_similarity(image, text), rtol=1e-4, atol=1e-5)


def test_the_command_edits_a_video_and_then_its_edit(clip: Path, tiny_checkpoint, tmp_path: Path) -> None:
    model = (
        tiny_checkpoint(),
        "--clip",
        clip,
        "--clip-model",
        "tiny-clip",
        "--text",
        "a red face",
        "--motions",
        1,
        "--steps",
        2,
    )
    Image.new("L", (32, 32), 255).save(tmp_path / "mask.png")

    done = run("edit", *model, "--out", tmp_path / "a", "--keep", tmp_path / "mask.png")
    more = run("edit", *model, "--out", tmp_path / "b", "--projection", tmp_path / "a")

    assert (done.exit_code, more.exit_code) == (0, 0), (done.output, done.exception, more.exception)
    assert "'a red face' in 2 steps; the similarity went from" in done.stdout
    assert "what was to be kept: compared by I3D's first" in done.stdout
    first, second = (json.loads((tmp_path / name / "report.json").read_text()) for name in "ab")
    assert (first["video"], second["video"], second["text"]) == (0, None, "a red face")
    assert first["after"] == pytest.approx(second["before"], abs=1e-6)
    assert {file.name for file in (tmp_path / "a").iterdir()} == {
        "sheet.png",
        "motions.mp4",
        "report.json",
        "content.safetensors",
    }


def test_an_edit_of_an_edit_keeps_the_class_of_its_motion(clip: Path, tiny_checkpoint, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(num_classes=2)
    model = (checkpoint, "--clip", clip, "--clip-model", "tiny-clip", "--text", "x", "--motions", 0, "--steps", 1)

    def classes(name: str, *given: object) -> list[int]:
        """Of an edit, and of an edit of that with another seed."""
        folder, again = tmp_path / name, tmp_path / f"{name}-again"
        assert run("edit", *model, *given, "--out", folder).exit_code == 0
        assert run("edit", *model, "--projection", folder, "--out", again, "--seed", 5).exit_code == 0
        return [json.loads((of / "report.json").read_text())["class"] for of in (folder, again)]

    drawn, kept = classes("drawn")
    other = 1 - drawn
    assert drawn in (0, 1) and kept == drawn
    assert classes("given", "--class", other) == [other, other]


def test_a_model_that_is_none_was_typed_wrong_and_weights_are_bad_input(
    clip: Path, tiny_checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "damaged.pt").write_text("x")
    given = ("edit", tiny_checkpoint(), "--text", "x", "--out", tmp_path / "out")

    typed = run(*given, "--clip", clip, "--clip-model", "tiny-clop")
    damaged = run(*given, "--clip", tmp_path / "damaged.pt", "--clip-model", "tiny-clip")

    assert typed.exit_code == 2 and "open_clip has no model 'tiny-clop'" in " ".join(typed.stderr.split())
    assert isinstance(damaged.exception, CheckpointError) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["none", "elsewhere", "hf-hub:a/b"])
def test_models_that_are_elsewhere_are_refused(clip: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="open_clip"):
        text_score("x", clip, name, "cpu")


def test_weights_of_another_model_are_refused(clip: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected \[\d+"):
        text_score("x", clip, "wider-clip", "cpu")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)

    with pytest.raises(ModelError, match="need open_clip_torch, which is not installed: pip install open_clip_torch"):
        text_score("x", tmp_path / "none", "ViT-B-32", "cpu")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("given", "says"),
    [(("--video", 1, "--projection", "a"), "--video and --projection"), (("--vgg", "a", "--lpips", "b"), "--keep")],
)
def test_options_that_contradict(tiny_checkpoint, given: tuple[object, ...], says: str) -> None:
    done = run("edit", tiny_checkpoint(), "--text", "x", "--clip", "c", "--out", "o", *given)

    assert done.exit_code == 2 and says in done.stderr

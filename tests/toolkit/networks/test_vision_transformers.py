"""Networks of transformers: files that the library writes, read by us, and features against the library's own forward.

All of them are small and seeded.
"""

import dataclasses
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from torch import Tensor

from fvd_bench.errors import FeatureError, WeightsError
from fvd_bench.evaluation import selftest_networks
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.metrics.gaussian_kernel import gaussian_kernel_distance
from fvd_bench.metrics.kernel import biased_kernel_distance
from fvd_bench.networks import NETWORKS, clip, create, dinov2, pretrained, videomae, vjepa, weights
from fvd_bench.networks.clip_network import MeanCLIP, UnitCLIP
from fvd_bench.networks.dinov2_network import DINOv2, places
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.networks.normalisation import IMAGENET, OPENAI_CLIP
from fvd_bench.networks.token_arithmetic import Patches
from fvd_bench.networks.videomae import BASE
from fvd_bench.networks.videomae_network import VideoMAE, VideoMAEv2
from fvd_bench.networks.vjepa2_network import VJEPA2
from fvd_bench.networks.vjepa_network import VJEPA
from fvd_bench.networks.weights import files
from fvd_bench.networks.weights import vision_transformers as layouts
from fvd_bench.networks.weights.vision_transformers import Layout, Size
from fvd_bench.protocols.protocol import read
from fvd_bench.settings import Settings
from fvd_bench.videos.preprocess import network_input
from tests.lazy_module import LazyModule
from tests.toolkit.networks.transformer_tensors import SMALL, SMALL_IMAGE, Plain, Tensors, same, seeded

transformers, v2 = LazyModule("transformers"), LazyModule("torchvision.transforms.v2")


@pytest.fixture(scope="module")
def clips() -> Tensor:
    return torch.rand(3, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def images(clips: Tensor) -> Tensor:
    return clips[:, :, 0].contiguous()


@pytest.fixture
def saved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[Tensors, torch.nn.Module]]:
    """Make a model of the library with random weights, none of which is 0 or 1, and save it as the library does.

    Returns its tensors, as we read them from the file, and the model.
    """

    def save(model: torch.nn.Module, layout: Layout) -> tuple[Tensors, torch.nn.Module]:
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
        model.eval().save_pretrained(tmp_path)
        file = tmp_path / "model.safetensors"
        read = files.read_tensors(file, name="x", accepted="", forms=("safetensors",), sdist=None)
        return layout.arrange(read, str(file)), model

    return save


@torch.no_grad()
def test_videomae_is_the_librarys(saved, clips) -> None:
    config = transformers.VideoMAEConfig(
        image_size=32, patch_size=8, num_frames=4, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, use_mean_pooling=False, decoder_hidden_size=24, decoder_num_attention_heads=2,
        decoder_intermediate_size=24, decoder_num_hidden_layers=1,
    )  # fmt: skip
    tensors, model = saved(transformers.VideoMAEForPreTraining(config), layouts.videomae(SMALL))

    found = VideoMAE(tensors, SMALL)(clips)

    pixels = v2.functional.normalize(clips.transpose(1, 2), *map(list, IMAGENET))
    same(found, model.videomae(pixels).last_hidden_state.mean(dim=1))


@torch.no_grad()
def test_videomae_v2_is_the_plain_forward(clips) -> None:
    tensors = seeded(layouts.videomae_v2(SMALL))
    plain = Plain(tensors, SMALL)
    steps = np.arange(32)[:, None] / 10000 ** (2 * (np.arange(48) // 2) / 48)
    table = torch.from_numpy(np.where(np.arange(48) % 2 == 0, np.sin(steps), np.cos(steps)))

    found = VideoMAEv2(tensors, SMALL)(clips)

    tokens = [plain.blocks(plain.patches(clip) + table, 1e-6) for clip in clips]
    same(found.double(), torch.stack([plain.norm("fc_norm", x.mean(0), 1e-6) for x in tokens]))


@torch.no_grad()
def test_vjepa2_is_the_librarys(saved, clips) -> None:
    config = transformers.VJEPA2Config(
        crop_size=32, patch_size=8, frames_per_clip=4, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
        mlp_ratio=2, pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1,
    )  # fmt: skip
    tensors, model = saved(transformers.VJEPA2Model(config), layouts.vjepa2(SMALL))
    network = VJEPA2(tensors, SMALL)

    found = network(clips)

    pixels = v2.functional.normalize(clips.transpose(1, 2), *map(list, IMAGENET))
    same(found, model(pixels, skip_predictor=True).last_hidden_state.mean(dim=1))
    assert network(clips[:, :, :2]).shape == found.shape
    with pytest.raises(FeatureError, match="2 frames at a time, and a clip has 3: expected a multiple of 2"):
        network(clips[:, :, :3])


@torch.no_grad()
def test_dinov2_is_the_librarys_at_the_size_of_its_training(saved, images) -> None:
    config = transformers.Dinov2Config(
        image_size=32, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2
    )
    tensors, model = saved(transformers.Dinov2Model(config), layouts.dinov2(SMALL_IMAGE))

    found = DINOv2(tensors, SMALL_IMAGE, image=32)(images)

    same(found, model(v2.functional.normalize(images, *map(list, IMAGENET))).pooler_output)


@torch.no_grad()
def test_dinov2_at_another_size_has_its_authors_places(images) -> None:
    """Trained at 5 × 5 patches and run at 4 × 4: facebookresearch/dinov2 scales by 4.1 / 5."""
    size = dataclasses.replace(SMALL_IMAGE, image=40)
    tensors = seeded(layouts.dinov2(size))
    table = torch.from_numpy(tensors["pos_embed"])
    square = table[:, 1:].reshape(1, 5, 5, 48).permute(0, 3, 1, 2)
    shrunk = F.interpolate(square, scale_factor=4.1 / 5, mode="bicubic").permute(0, 2, 3, 1).reshape(16, 48)
    plain = Plain(tensors, size)

    found = DINOv2(tensors, size, image=32)(images)

    expected = []
    for image in v2.functional.normalize(images.double(), *map(list, IMAGENET)):
        tokens = torch.cat([plain.tensors["cls_token"][0] + table[0, :1], plain.patches(image) + shrunk])
        expected.append(plain.norm("norm", plain.blocks(tokens, 1e-6), 1e-6)[0])
    same(found.double(), torch.stack(expected))
    ratio = F.interpolate(square, size=(4, 4), mode="bicubic").permute(0, 2, 3, 1).reshape(16, 48)
    assert float((torch.from_numpy(places(tensors["pos_embed"], size, 32))[0, 1:] - ratio).abs().max()) > 1e-3


@torch.no_grad()
def test_clip_is_the_librarys(saved, clips, images) -> None:
    tower = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    vision = tower | {"image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(vision_config=vision, text_config=tower | {"vocab_size": 60}, projection_dim=16)
    tensors, model = saved(transformers.CLIPModel(config), layouts.clip(SMALL_IMAGE, 16, "CLIP"))

    lengths, means = UnitCLIP(tensors, SMALL_IMAGE)(images), MeanCLIP(tensors, SMALL_IMAGE)(clips)

    frames = v2.functional.normalize(clips.transpose(1, 2).flatten(0, 1), *map(list, OPENAI_CLIP))
    embeddings = model.visual_projection(model.vision_model(pixel_values=frames).pooler_output).reshape(3, 4, 16)
    same(lengths, embeddings[:, 0] / embeddings[:, 0].norm(dim=1, keepdim=True))
    same(means, embeddings.mean(dim=1))


def test_features_depend_on_no_neighbour_and_on_no_thread() -> None:
    size = dataclasses.replace(SMALL, image=48, frames=4)
    network = dataclasses.replace(BASE, layers={"mean": 48}, size=48, fewest_frames=4)
    rule = dataclasses.replace(read("fastvideo-eval-videomae").features, resize=None)
    module = VideoMAE(seeded(layouts.videomae(size)), size)
    extractor = TorchExtractor(module, rule, network, device="cpu", weights={}, batch_frames=8)
    frames = np.random.default_rng(0).integers(0, 256, (5, 4, 48, 48, 3), dtype=np.uint8)
    before = torch.get_num_threads()

    together = np.concatenate(extractor(list(frames)))
    try:
        torch.set_num_threads(3)
        alone = np.concatenate([extractor([clip])[0] for clip in frames[::-1]])[::-1]
    finally:
        torch.set_num_threads(before)

    np.testing.assert_array_equal(together, alone)
    assert len(np.unique(together, axis=0)) == 5


@pytest.mark.parametrize("shape", [(7, 16, 16), (6, 19, 25)])
def test_patches_are_a_convolution_that_drops_what_is_over(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    for convolution in (torch.nn.Conv3d(3, 5, (2, 4, 4), (2, 4, 4)), torch.nn.Conv2d(3, 5, 4, 4, bias=False)):
        x = torch.rand(2, 3, *shape[-len(convolution.kernel_size) :])

        torch.testing.assert_close(Patches(convolution)(x), convolution(x), atol=1e-6, rtol=0)


def test_tensors_that_the_library_does_not_take_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    """As releases of transformers 5 did with the biases of VideoMAE, of which they told in a report alone."""
    tensors = seeded(layouts.videomae(SMALL))
    renamed = {name.replace("q_bias", "lost_bias"): tensor for name, tensor in tensors.items()}
    short = tensors | {"layernorm.bias": np.zeros(5, np.float32)}

    with pytest.raises(WeightsError, match=r"did not take encoder\.layer\.0\.\S+\.lost_bias, .* and has no tensor for"):
        VideoMAE(renamed, SMALL)
    with pytest.raises(WeightsError, match=r"^transformers \S+ did not take layernorm\.bias.*VideoMAEModel is not the"):
        VideoMAE(short, SMALL)
    assert capfd.readouterr() == ("", "")


def test_tensors_that_the_library_takes_and_does_not_use_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its report says: the values themselves are looked for in the model."""

    original = transformers.VideoMAEModel.from_pretrained

    def forgetful(*args, **kwargs):
        model, report = original(*args, **kwargs)
        for layer in model.encoder.layer:
            layer.attention.attention.value.bias.data.zero_()
        return model, report

    monkeypatch.setattr(transformers.VideoMAEModel, "from_pretrained", forgetful)

    with pytest.raises(WeightsError, match=r"did not take encoder\.layer\.0\.attention\.attention\.v_bias, .*1\."):
        VideoMAE(seeded(layouts.videomae(SMALL)), SMALL)


def test_the_settings_of_the_library_stay_as_they_are() -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    with pretrained._silence():
        pass

    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


THIN = Size(width=16, depth=1, heads=2, hidden=32, patch=32, image=224, frames=16)
THIN_IMAGE = dataclasses.replace(THIN, frames=0)
THIN_NETWORKS = {
    "fastvideo-eval-videomae": (videomae, "BASE", {"VIDEOMAE_BASE": THIN}, {"videomae-base": layouts.videomae(THIN)}),
    "jedi": (
        vjepa,
        "FIRST",
        {"VJEPA_H": THIN},
        {"vjepa-h": layouts.vjepa(THIN), "vjepa-h-ssv2-probe": layouts.vjepa_probe(THIN)},
    ),
    "vjepa2-l-fd": (
        vjepa,
        "SECOND",
        {"VJEPA2_L": dataclasses.replace(THIN, image=256)},
        {"vjepa2-l": layouts.vjepa2(THIN)},
    ),
    "edm2-dinov2": (dinov2, "NETWORK", {"DINOV2_L": THIN_IMAGE}, {"dinov2-l": layouts.dinov2(THIN_IMAGE)}),
    "cmmd-frames": (
        clip,
        "LARGE",
        {"CLIP_L14_336": dataclasses.replace(THIN_IMAGE, image=336, patch=48)},
        {"clip-l14-336": layouts.clip(dataclasses.replace(THIN_IMAGE, image=336, patch=48), 16, "CLIP")},
    ),
}
"""Protocol -> the module of its network, what describes it there, sizes that stand in for those of the paper, and the
layouts of its weights."""


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """Make all of these networks thin, and write weights of theirs; returns what `--weights` says."""
    given = {}
    for module, described, sizes, sets in THIN_NETWORKS.values():
        for name, size in sizes.items():
            monkeypatch.setattr(module, name, size)
        network = getattr(module, described)
        small = dataclasses.replace(network, layers=dict.fromkeys(network.layers, 16))
        monkeypatch.setattr(module, described, small)
        monkeypatch.setitem(NETWORKS.built_in, network.name, small)
        for name, layout in sets.items():
            spec = dataclasses.replace(weights.WEIGHTS[name], arrange=layout.arrange)
            monkeypatch.setitem(weights.WEIGHTS, name, spec)
            given[name] = tmp_path / f"{name}.safetensors"
            save_file(seeded(layout), given[name])
    return given


def test_from_videos_to_scores(thin: dict[str, Path], moving_frames) -> None:
    """All in one run, which decodes once; JEDi and CMMD are made a second time, from frames to number."""
    sides = [[moving_frames(16, 60, 48, seed=seed) for seed in seeds] for seeds in (range(2), range(10, 12))]
    settings = Settings(cache=None, weights=thin)

    result = evaluate(*sides, protocol=list(THIN_NETWORKS), settings=settings)

    scores = {score.protocol: score for score in result.scores}
    assert [scores[name].metric for name in THIN_NETWORKS] == ["fvd", "jedi", "fd", "fd", "cmmd"]
    assert all(score.value is not None and score.value > 0 for score in scores.values())
    assert scores["cmmd-frames"].real.clips == scores["edm2-dinov2"].fake.clips == 32
    assert {warning.code for warning in result.warnings} >= {"weights-unverified"}
    assert result.environment["transformers"] == transformers.__version__
    assert set(result.weights) == set(thin)
    network = VJEPA(*(seeded(layout) for layout in THIN_NETWORKS["jedi"][3].values()), THIN)
    pooled = [
        torch.stack([network_input(torch.from_numpy(video), read("jedi").features) for video in side]) for side in sides
    ]
    with torch.no_grad():
        expected = biased_kernel_distance(*(network(clips).numpy() for clips in pooled))
    assert scores["jedi"].value == pytest.approx(expected, rel=1e-5)


def test_features_of_one_network_are_not_taken_for_anothers(
    thin: dict[str, Path], moving_frames, tmp_path: Path
) -> None:
    """The store knows other weights, and another release of transformers; I3D's and the pixels' keys know neither."""
    sides = [[moving_frames(16, 60, 48, seed=seed) for seed in seeds] for seeds in (range(2), range(2, 4))]
    settings = Settings(cache=tmp_path / "store", weights=thin)
    before = evaluate(*sides, protocol="edm2-dinov2", settings=settings).scores[0].value

    save_file(seeded(layouts.dinov2(THIN_IMAGE), seed=1), thin["dinov2-l"])
    after = evaluate(*sides, protocol="edm2-dinov2", settings=settings).scores[0].value

    assert before != after


def _archive_of_cifar10(file: Path) -> list[np.ndarray]:
    """Write noise as CIFAR-10 lies in its archive, 4 images a batch, and return its training and its test images."""
    rng = np.random.default_rng(0)
    sets = [rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8) for count in (20, 12)]
    batches = {f"data_batch_{number + 1}": sets[0][4 * number : 4 * number + 4] for number in range(5)}
    with tarfile.open(file, "w:gz") as archive:
        for name, images in {**batches, "test_batch": sets[1]}.items():
            planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
            data = np.hstack([np.full((len(images), 1), 7, np.uint8), planes]).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sets


def test_published_numbers_run_where_weights_and_pictures_are(
    thin: dict[str, Path], photograph, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    """Of thin networks no number is the published one; what is found is that of the same network by hand."""
    layout = layouts.videomae_classifier(THIN, 3)
    spec = dataclasses.replace(weights.WEIGHTS["videomae-base-kinetics"], arrange=layout.arrange)
    monkeypatch.setitem(weights.WEIGHTS, spec.name, spec)
    monkeypatch.setattr(selftest_networks, "VIDEOMAE_BASE", THIN)
    monkeypatch.setattr(selftest_networks, "VJEPA2_L", dataclasses.replace(THIN, image=256))
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    monkeypatch.setattr(selftest_networks, "_IMAGES", 8)
    nothing = selftest_networks.run("cpu")
    folder = selftest_networks.folder()
    folder.mkdir(parents=True)
    for name in ("clip-l14-336", "vjepa2-l", "dinov2-l"):
        monkeypatch.setenv(weights.WEIGHTS[name].environment, str(thin[name]))
    monkeypatch.setenv(spec.environment, str(folder / "kinetics.safetensors"))
    save_file(seeded(layout), folder / "kinetics.safetensors")
    without_pictures = selftest_networks.run("cpu")
    photograph = np.ascontiguousarray(photograph[:100, :90])
    for name, picture in (("glowing_512_1.png", photograph), ("glowing_512_2.png", photograph[::-1])):
        Image.fromarray(picture).save(folder / name)
    Image.fromarray(photograph).save(folder / "000000039769.jpg")
    np.save(folder / "eating_spaghetti.npy", np.repeat(photograph[None], 16, axis=0))
    cifar10 = _archive_of_cifar10(folder / "cifar-10-binary.tar.gz")

    found = {(number.name, number.expected): number for number in selftest_networks.run("cpu")}

    (folder / "cifar-10-binary.tar.gz").write_bytes(b"none")
    selftest_networks._features_of_cifar10.cache_clear()
    unread = next(n for n in selftest_networks.run("cpu") if n.name.startswith("FD on DINOv2"))
    assert unread.reason.startswith("cifar-10-binary.tar.gz cannot be read: ")
    assert all(isinstance(number, selftest_networks.NotRun) for number in (*nothing, *without_pictures))
    assert nothing[1].reason == "the weights clip-l14-336 are not here"
    assert nothing[0].reason == "the weights i3d-kinetics-400 are not here"
    assert "lacks glowing_512_1.png (reference_images of sayakpaul/cmmd-pytorch) and" in without_pictures[1].reason
    assert len(found) == len(nothing) == 12
    _, cmmd, vjepa2, videomae_logits, fd, *_, content_debiased = found.values()
    extractor = create(read("dgm-eval-dinov2").features, device="cpu", weights=thin, progress=lambda done, total: None)
    chosen = [[4, 5, 7, 8, 9, 10, 11, 14], [3, 4, 5, 6, 7, 9, 10, 11]]  # np.random.seed(13579), np.random.choice
    drawn = [images[these] for images, these in zip(cifar10, chosen, strict=True)]
    assert fd.found == pytest.approx(frechet_distance(*extractor(drawn), ddof=1), rel=1e-6)

    def seen(frame: NDArray[np.uint8]) -> Tensor:
        return network_input(torch.from_numpy(frame[None]), read("cmmd-frames").features).transpose(0, 1)

    network = UnitCLIP(seeded(THIN_NETWORKS["cmmd-frames"][3]["clip-l14-336"]), clip.CLIP_L14_336)
    with torch.no_grad():
        embeddings = [network(seen(side)).numpy() for side in (photograph, photograph[::-1].copy())]
    assert cmmd.found == pytest.approx(gaussian_kernel_distance(*embeddings), rel=1e-4)
    assert not cmmd.ok and not vjepa2.ok and not videomae_logits.ok
    assert all(np.isfinite(number.found) and number.found > 0.1 for number in (vjepa2, videomae_logits))
    assert "PyTorch's generator" in content_debiased.reason

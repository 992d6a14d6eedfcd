"""Files of vision transformers: which are read, which are refused by name, and where they are looked for."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from fvd_bench.errors import NetworkError
from fvd_bench.networks import NETWORKS, create, environment, weights
from fvd_bench.networks.weights import files
from fvd_bench.networks.weights import vision_transformers as layouts
from fvd_bench.networks.weights.vision_transformers import Layout
from tests.toolkit.networks.transformer_tensors import SMALL, SMALL_IMAGE, Tensors, seeded

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    """Let a name stand for weights of a smaller network; returns tensors of it."""

    def use(name: str, layout: Layout) -> Tensors:
        spec = dataclasses.replace(weights.WEIGHTS[name], arrange=layout.arrange)
        monkeypatch.setitem(weights.WEIGHTS, name, spec)
        return seeded(layout)

    return use


def torch_tensors(tensors: Tensors, prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": torch.from_numpy(tensor) for name, tensor in tensors.items()}


def test_an_extra_that_is_not_installed_is_told_before_weights_are_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_version", lambda package: "absent")
    monkeypatch.setattr(weights, "load", lambda *given, **more: pytest.fail("it sought weights"))

    for name in ("dinov2-l", "clip-b32", "videomae-base", "vjepa2-l"):
        with pytest.raises(NetworkError, match=rf"{name} needs transformers, .*: pip install 'fvd-bench\[networks\]'"):
            create(NETWORKS[name].rule(name), device="cpu", weights={}, progress=lambda done, total: None)


def test_a_checkpoint_with_more_in_it_has_the_digest_of_its_tensors(small, tmp_path: Path) -> None:
    """V-JEPA's holds two encoders, a predictor and an optimiser beside the one that is used."""
    tensors = small("vjepa-h", layouts.vjepa(SMALL))
    state = torch_tensors(tensors, "module.backbone.")
    other = {name: tensor + 1 for name, tensor in state.items()}
    file, plain = tmp_path / "vith16.pth.tar", tmp_path / "plain.safetensors"
    checkpoint = {"encoder": other, "opt": {"state": {0: torch.ones(2)}}, "target_encoder": state, "epoch": 300}
    torch.save(checkpoint, file)
    save_file(tensors, plain)

    loaded = weights.load("vjepa-h", path=file)

    assert loaded.digest == files.tensor_digest(tensors) == weights.load("vjepa-h", path=plain).digest
    assert "could not be verified" in loaded.unverified[0]


def test_heads_that_are_not_read_are_left_out(small, tmp_path: Path) -> None:
    tensors = small("vjepa-h-ssv2-probe", layouts.vjepa_probe(SMALL))
    state = torch_tensors(tensors, "module.pooler.") | {"module.linear.weight": torch.ones(174, 48)}
    torch.save({"classifier": state}, tmp_path / "probe.pth.tar")

    loaded = weights.load("vjepa-h-ssv2-probe", path=tmp_path / "probe.pth.tar")

    assert set(loaded.tensors) == set(tensors)


def test_dinov2_of_the_hub_has_the_digest_of_the_authors_own_file(small, tmp_path: Path) -> None:
    tensors = small("dinov2-l", layouts.dinov2(SMALL_IMAGE))
    torch.save(torch_tensors(tensors) | {"mask_token": torch.zeros(1, 48)}, tmp_path / "dinov2_vitl14_pretrain.pth")
    names = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings", "norm.": "layernorm."}
    names |= {"patch_embed.proj": "embeddings.patch_embeddings.projection"}
    names |= {"attn.proj": "attention.output.dense", "ls1.gamma": "layer_scale1.lambda1"}
    names |= {"ls2.gamma": "layer_scale2.lambda1", "blocks.": "encoder.layer."}
    hub: Tensors = {"embeddings.mask_token": np.zeros((1, 48), np.float32)}
    for name, tensor in tensors.items():
        theirs = name
        for ours, other in names.items():
            theirs = theirs.replace(ours, other) if ours != "norm." or theirs.startswith("norm.") else theirs
        parts = zip(("query", "key", "value"), np.split(tensor, 3) if "qkv" in name else [tensor], strict=False)
        hub |= {theirs.replace("attn.qkv", f"attention.attention.{part}"): values for part, values in parts}
    save_file({name: np.ascontiguousarray(values) for name, values in hub.items()}, tmp_path / "model.safetensors")

    digests = {weights.load("dinov2-l", path=file).digest for file in tmp_path.iterdir() if file.is_file()}

    assert digests == {files.tensor_digest(tensors)}


def test_biases_that_a_library_lost_are_refused_by_name(small, weights_error, tmp_path: Path) -> None:
    tensors = small("videomae-base", layouts.videomae(SMALL))
    save_file(tensors | {"mask_token": np.zeros((1, 1, 48), np.float32)}, tmp_path / "right.safetensors")
    for name in tensors:
        if name.endswith("v_bias"):
            tensors[name] = np.zeros_like(tensors[name])
    save_file(tensors, tmp_path / "lost.safetensors")

    assert weights.load("videomae-base", path=tmp_path / "right.safetensors").tensors
    with weights_error("VideoMAE base as it was trained", "all 2 tensors named …v_bias are zero"):
        weights.load("videomae-base", path=tmp_path / "lost.safetensors")


def test_missing_extra_and_other_tensors_are_named(small, weights_error, tmp_path: Path) -> None:
    tensors = small("clip-b32", layouts.clip(SMALL_IMAGE, 16, "CLIP ViT-B/32"))
    file = tmp_path / "other.safetensors"

    save_file(tensors | {"vision_model.new.weight": np.zeros(2, np.float32)}, file)
    with weights_error("does not hold CLIP ViT-B/32: vision_model.new.weight is none of its tensors"):
        weights.load("clip-b32", path=file)
    wide = tensors | {"visual_projection.weight": np.zeros((16, 64), np.float32)}
    save_file(wide, file)
    with weights_error("visual_projection.weight has the shape (16, 64), expected (16, 48)"):
        weights.load("clip-b32", path=file)
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, file)
    with weights_error("vision_model.embeddings.class_embedding is missing, ", f"and {len(tensors) - 1} more"):
        weights.load("clip-b32", path=file)


def test_the_published_sizes_are_those_of_the_papers() -> None:
    """In millions of weights: ViT-B has 86, ViT-g 1011, ViT-H 632 and a table of places, ViT-L 304, each without a
    head; CLIP's towers come with their projection."""
    sizes = {
        name: sum(int(np.prod(shape)) for shape in spec.arrange.__self__.shapes.values()) / 1e6  # type: ignore[union-attr]
        for name, spec in weights.WEIGHTS.items()
        if spec.arrange is not None and hasattr(spec.arrange, "__self__")
    }

    assert {name: round(size) for name, size in sizes.items()} == {
        "videomae-base": 86,
        "videomae-base-kinetics": 87,
        "videomae-v2-g-ssv2": 1012,
        "vjepa-h": 634,
        "vjepa-h-ssv2-probe": 20,
        "vjepa2-l": 304,
        "dinov2-l": 304,
        "clip-l14-336": 304,
        "clip-b32": 88,
    }


def hub_file(cache: Path, repository: str, name: str) -> Path:
    """Put a file where the hub's libraries keep it, as huggingface_hub describes its cache."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123456789abcdef")
    file = folder / "snapshots" / "0123456789abcdef" / name
    file.parent.mkdir(parents=True)
    return file


def test_the_cache_of_the_hub_is_looked_at(small, weights_error, monkeypatch, tmp_path: Path, store: Path) -> None:
    from huggingface_hub import constants

    tensors = small("clip-b32", layouts.clip(SMALL_IMAGE, 16, "CLIP ViT-B/32"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    with weights_error("openai/clip-vit-base-patch32 on the Hugging Face hub: not asked, FVD_BENCH_OFFLINE is set"):
        weights.load("clip-b32")
    file = hub_file(tmp_path / "hub", "openai/clip-vit-base-patch32", "pytorch_model.bin")
    torch.save(torch_tensors(tensors) | {"logit_scale": torch.tensor(4.6)}, file)

    assert weights.load("clip-b32").path == file
    row = next(row for row in weights.installed() if row.name == "clip-b32")
    assert (row.path, row.present, row.source) == (file, True, "cache of the Hugging Face hub")
    assert not store.exists()
    assert set(load_file(weights.import_file("clip-b32", file))) == set(tensors)
    assert weights.load("clip-b32").path.parent == store


def test_a_hub_that_may_not_be_asked_says_so(small, weights_error, monkeypatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    small("clip-b32", layouts.clip(SMALL_IMAGE, 16, "CLIP ViT-B/32"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with weights_error("clip-b32 are not here and cannot be fetched", "on the Hugging Face hub: ", "model.safetensors"):
        weights.load("clip-b32")

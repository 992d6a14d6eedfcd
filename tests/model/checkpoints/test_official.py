"""Exports of official tensors become checkpoints of the same networks; other files are refused unharmed."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from stylegan_v.checkpoints.checkpoint import load, load_part, save
from stylegan_v.checkpoints.official import channels, import_official
from stylegan_v.checkpoints.official_names import DISCRIMINATOR, GENERATOR, official_name
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.networks.config import ModelConfig, model_config
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.generator import build_generator
from stylegan_v.networks.motion import keyed_noise

pytestmark = pytest.mark.usefixtures("one_thread")

Tensors = dict[str, torch.Tensor]


def official(config: ModelConfig, *parts: str) -> Tensors:
    """Tensors as the official state dicts of such networks hold them, constants included."""
    tensors: Tensors = {}
    for seed, part in enumerate(parts):
        if part == "D":
            network, table = build_discriminator(config, seed=seed), DISCRIMINATOR
            constants = {"b16.resample_filter": torch.ones(4, 4), "b16.conv1.resample_filter": torch.ones(4, 4)}
        else:
            generator = build_generator(config, seed=seed)
            network, table = generator, GENERATOR
            encoder = "synthesis.motion_encoder.time_encoder."
            encoding = generator.motion.encoding
            constants = {
                "synthesis.b8.resample_filter": torch.ones(4, 4),
                encoder + "freqs": encoding.frequencies[None],
                encoder + "phase_scales": encoding.phase_scales[None],
            }
        state = {official_name(name, table): tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"{part}.{name}": tensor.clone() for name, tensor in {**state, **constants}.items()}
    return tensors


def npz(tensors: Mapping[str, torch.Tensor], file: Path, *, compressed: bool = False) -> Path:
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file


@pytest.fixture
def export(tiny_config, tmp_path: Path) -> Callable[..., Path]:
    """Path of an .npz of a tiny G_ema and D, some tensors changed; None takes one away."""

    def write(changes: Mapping[str, Any] = {}, **config: Any) -> Path:
        tensors = official(tiny_config(**config), "G_ema", "D")
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()} | dict(changes)
        np.savez(tmp_path / "export.npz", **{name: array for name, array in arrays.items() if array is not None})
        return tmp_path / "export.npz"

    return write


CONFIGS: dict[str, dict[str, Any]] = {
    "64, 2 frames": {"resolution": 64, "frames": 2},
    "64, 3 frames": {"resolution": 64, "frames": 3},
    "128, 4 frames, 3 classes": {"resolution": 128, "frames": 4, "num_classes": 3},
    "64, narrow above 16": {"resolution": 64, "channel_base": 160, "channel_max": 10},
    "64, far codes": {"resolution": 64, "min_period": 256, "motion_distance": 256},
    "64, undivided, other sizes": {
        "resolution": 64,
        "frame_divisor": 1,
        "mapping_layers": 3,
        "z_dim": 6,
        "noise_dim": 5,
        "u_dim": 7,
        "v_dim": 12,
        "motion_kernel": 5,
        "max_frames": 512,
        "max_period": 512,
        "time_dim": 9,
    },
    "32, images with classes": {"frames": 1, "num_classes": 2},
    "32, images": {"frames": 1},
}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        *(pytest.param(changes, "npz", id=name) for name, changes in CONFIGS.items()),
        pytest.param(next(iter(CONFIGS.values())), "safetensors", id="safetensors"),
    ],
)
def test_an_export_comes_back_as_the_same_networks(
    tiny_config, tmp_path: Path, changes: dict[str, Any], kind: str
) -> None:
    config: ModelConfig = tiny_config(**changes)
    tensors = official(config, "G_ema", "G", "D")
    file = tmp_path / f"export.{kind}"
    if kind == "npz":
        npz(tensors, file)
    else:
        safetensors.torch.save_file(tensors, file)

    save(import_official(file, fps=30), tmp_path / "ours.pt")
    found = load(tmp_path / "ours.pt")

    assert found.fps == 30
    if "channel_base" not in changes:
        expected = config.as_dict()
        if config.frames == 1:  # there is no time table, and nothing that is divided
            expected |= {"time_dim": found.model.time_dim, "max_frames": found.model.max_frames}
        assert found.model.as_dict() == expected
    ema, average = build_generator(config, seed=0), found.generator()
    for part, network in (
        ("ema", ema),
        ("generator", build_generator(config, seed=1)),
        ("discriminator", build_discriminator(config, seed=2)),
    ):
        state, stored = network.state_dict(), found.part(part)
        assert state.keys() == stored.keys()
        assert all(torch.equal(state[name], stored[name]) for name in state)
    z, times = torch.randn(2, config.z_dim), torch.tensor([[0.0, 7.5, 300.0]] * 2)
    labels = torch.eye(2, config.num_classes) if config.num_classes else None
    noise = keyed_noise(0, torch.arange(2), config.noise_dim)
    torch.testing.assert_close(average(z, times, noise, labels), ema(z, times, noise, labels), rtol=0, atol=0)
    opponent = build_discriminator(found.model)
    load_part(opponent, found.part("discriminator"), "discriminator")
    clip = torch.randn(2, config.frames, 3, config.resolution, config.resolution)
    at = torch.arange(config.frames).expand(2, -1)
    expected_logits = build_discriminator(config, seed=2)(clip, at, labels)
    torch.testing.assert_close(opponent(clip, at, labels), expected_logits, rtol=0, atol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resolution": 1024},
        {"channel_base": 4096, "channel_max": 192},
        {"channel_base": 16384, "resolution": 512},
        {"channel_base": 100_000, "channel_max": 300},  # above the usual base, so that all are equally wide
        {"channel_base": 1000, "channel_max": 40},
    ],
    ids=str,
)
def test_widths_are_those_of_the_values_that_are_found_for_them(changes: dict[str, int]) -> None:
    config = model_config("release", **changes)
    widths = {r: config.channels(r) for r in config.resolutions}

    found = model_config("release", resolution=config.resolution, **channels(widths))

    assert {r: found.channels(r) for r in config.resolutions} == widths
    assert (found.channel_base == 0) == (config.channel_base == 0)


@pytest.mark.parametrize("prefix", ["", "G."])
def test_a_generator_alone_becomes_the_average_one(tiny_config, tmp_path: Path, prefix: str) -> None:
    config = tiny_config(min_period=32, motion_distance=32)
    tensors = {prefix + name.removeprefix("G."): tensor for name, tensor in official(config, "G").items()}

    found = import_official(npz(tensors, tmp_path / "a.npz"), frames=4)

    assert (found.model.frames, found.model.min_period, found.model.motion_distance) == (4, 32, 32)
    assert {name.partition(".")[0] for name in found.tensors} == ({"ema", "generator"} if prefix else {"ema"})
    assert found.generator().config == found.model


def test_what_a_file_does_not_say_is_asked_for(tiny_config, tmp_path: Path) -> None:
    tensors = official(tiny_config(), "G_ema")
    del tensors["G_ema.synthesis.motion_encoder.time_encoder.freqs"]
    file = npz(tensors, tmp_path / "a.npz")

    assert (import_official(file).model.min_period, import_official(file).model.frames) == (16, 3)
    asked = import_official(file, min_period=256, frames=2).model
    assert (asked.min_period, asked.motion_distance, asked.frames) == (256, 256, 2)
    with pytest.raises(ConfigError, match=r"^frames = 5: allowed are 1, 2, 3"):
        import_official(file, frames=5)
    with pytest.raises(ConfigError, match=r"^max_period = 1024 is not above min_period = 2000"):
        import_official(file, min_period=2000)


def test_what_a_file_says_otherwise_is_refused(export) -> None:
    file = export()

    with pytest.raises(ConfigError, match=r"frames = 4 .* sees 3"):
        import_official(file, frames=4)
    with pytest.raises(ConfigError, match=r"min_period = 256 .* is 16"):
        import_official(file, min_period=256)
    with pytest.raises(ConfigError, match="fps = 0"):
        import_official(file, fps=0)
    assert import_official(file, frames=3, min_period=16).model.frames == 3


def test_arrays_of_any_order_and_precision_are_read(tiny_config, tmp_path: Path) -> None:
    tensors = official(tiny_config(), "G_ema")
    arrays = {name: np.asfortranarray(tensor.numpy().astype(">f8")) for name, tensor in tensors.items()}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    halves = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(halves, tmp_path / "a.safetensors")

    exact, rough = (import_official(tmp_path / f"a.{kind}", min_period=16) for kind in ("npz", "safetensors"))

    for name, tensor in build_generator(tiny_config()).state_dict().items():
        assert exact.tensors[f"ema.{name}"].dtype == rough.tensors[f"ema.{name}"].dtype == torch.float32
        assert torch.equal(exact.tensors[f"ema.{name}"], tensor)
        torch.testing.assert_close(rough.tensors[f"ema.{name}"], tensor, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"G_ema.mapping.fc1.bias": None}, r"G_ema has no 'mapping\.fc1\.bias'"),
        ({"G_ema.synthesis.b8.noise": np.zeros(2, np.float32)}, r"G_ema has 'synthesis\.b8\.noise', which no"),
        ({"D.b8.conv1.bias": None}, r"D has no 'b8\.conv1\.bias'"),
        ({"D.b8.conv1.bias": np.zeros(9, np.float32)}, r"D\.b8\.conv1\.bias has shape \[9\], expected \[8\]"),
        ({"D.b16.conv0.weight": None}, r"no b16\.conv0\.weight"),
        ({"D.b32.conv1.weight": np.zeros((9, 8, 3, 3), np.float32)}, "cannot be built: frames = 1|frame_divisor = 0"),
        ({"G_ema.mapping.w_avg": np.zeros((2, 4), np.float32)}, r"w_avg has shape \[2, 4\], expected 1 sizes"),
        ({"G_ema.mapping.w_avg": np.zeros(0, np.float32)}, r"w_avg has shape \[0\]"),
        ({"G_ema.mapping.fc0.bias": np.zeros(8, np.int64)}, "fc0.bias is of type int64, expected floating"),
        ({"G_ema.synthesis.b4.torgb.weight": None}, "has no"),
        ({"augment_pipe.p": np.zeros(1, np.float32)}, r"holds 'augment_pipe\.p'"),
        ({"../../../tmp/evil": np.zeros(1, np.float32)}, r"holds '\.\./\.\./\.\./tmp/evil'"),
        ({f"x{n}": np.zeros(1, np.float32) for n in range(9)}, "'x0', 'x1', 'x2' and 6 more"),
        ({"G_ema.synthesis.motion_encoder.time_encoder.freqs": np.zeros((1, 4), np.float32)}, "no frequencies"),
        ({"G_ema.mapping.fc0.bias": np.array([{}] * 8, dtype=object)}, "an array of objects, a pickle; export"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_exports_of_other_tensors_are_refused(export, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        import_official(export(changes))


class _Touch:
    """Unpickling it would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.npz", "a.safetensors"])
@pytest.mark.parametrize("container", ["pickle", "torch", "old torch"])
def test_pickles_are_refused_unread(tmp_path: Path, name: str, container: str) -> None:
    content = {"G_ema": _Touch(tmp_path / "made")}
    if container == "pickle":
        (tmp_path / name).write_bytes(pickle.dumps(content))
    else:
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=container == "torch")

    with pytest.raises(CheckpointError, match=r"is a pickle.*stylegan-v import --help"):
        import_official(tmp_path / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".pth", ".PT"])
def test_what_is_named_like_a_pickle_is_refused_whatever_it_holds(tiny_config, tmp_path: Path, suffix: str) -> None:
    npz(official(tiny_config(), "G_ema"), tmp_path / "a.npz").rename(tmp_path / f"a{suffix}")

    with pytest.raises(CheckpointError, match="named like one"):
        import_official(tmp_path / f"a{suffix}")


def test_an_object_array_is_not_unpickled(export, tmp_path: Path) -> None:
    evil = np.array([_Touch(tmp_path / "made")], dtype=object)

    with pytest.raises(CheckpointError, match="array of objects"):
        import_official(export({"G_ema.evil": evil}))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_damaged_files_are_refused(tiny_config, tmp_path: Path, kind: str) -> None:
    tensors = official(tiny_config(), "G_ema")
    whole = tmp_path / f"whole.{kind}"
    if kind == "npz":
        npz(tensors, whole, compressed=True)
    else:
        safetensors.torch.save_file(tensors, whole)
    content = whole.read_bytes()
    rng = np.random.default_rng(0)

    for cut in (0, 5, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(CheckpointError, match=r"damaged|neither"):
            import_official(_written(tmp_path / f"a.{kind}", content[:cut]))
    structure = range(len(content) - 6000, len(content)) if kind == "npz" else range(6000)  # names, shapes and places
    for place in (*rng.choice(structure, 40), *rng.integers(0, len(content), 10)):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        with contextlib.suppress(CheckpointError, ConfigError):
            import_official(_written(tmp_path / f"a.{kind}", bytes(changed)))


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def _member(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return out.getvalue() + data


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (_member((10**6, 10**6)), "claims shape"),
        (_member((2**62, 4)), "claims shape"),
        (_member((-1,)), "has shape"),
        (_member((4,), b"12345678"), "claims shape"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "damaged"),
        (b"\x93NUMPY\x07\x00", "damaged"),
        (b"no array", "damaged"),
    ],
)
def test_a_header_that_lies_costs_nothing(tmp_path: Path, member: bytes, message: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("G_ema.mapping.w_avg.npy", member)

    with pytest.raises(CheckpointError, match=message):
        import_official(tmp_path / "a.npz")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """9 MiB of zeros in 9 kB stand for more than the limit, which is lowered to a mebibyte."""
    monkeypatch.setattr("stylegan_v.checkpoints.exports.LARGEST_BYTES", 2**20)
    size = 9 * 2**20
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("G_ema.mapping.w_avg.npy", _member((size // 4,), bytes(size)))

    with pytest.raises(CheckpointError, match=r"claims to hold 9,437,312 bytes; 1,048,576 are the most"):
        import_official(tmp_path / "a.npz")


def test_members_that_are_no_arrays_or_come_twice_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"holds 'readme\.txt', which is no array"):
        import_official(tmp_path / "a.npz")

    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", _member((1,), b"1234"))
        archive.writestr("a.npy", _member((1,), b"1234"))
    with pytest.raises(CheckpointError, match="twice"):
        import_official(tmp_path / "b.npz")


@pytest.mark.parametrize("content", [{"a.npy": _member((1,), b"1234")}, {}], ids=["other tensors", "none"])
def test_files_without_a_generator_are_refused(tmp_path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)

    with pytest.raises(CheckpointError, match="holds no generator"):
        import_official(tmp_path / "a.npz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.npz cannot be read: No such file"):
        import_official(tmp_path / "none.npz")

"""Checkpoints: tensors and JSON, no code."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from stylegan_v.checkpoints.checkpoint import Checkpoint, dump, load, save
from stylegan_v.checkpoints.exports import open_export
from stylegan_v.errors import CheckpointError
from stylegan_v.networks.config import model_config
from stylegan_v.networks.generator import build_generator
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.training.run import load_run

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

TINY = dict.fromkeys(("z_dim", "w_dim", "noise_dim", "u_dim", "v_dim", "channel_max", "time_dim"), 8)


@pytest.fixture
def checkpoint() -> Checkpoint:
    model = model_config("release", resolution=32, **TINY)
    tensors = {f"ema.{name}": tensor for name, tensor in build_generator(model, seed=3).state_dict().items()}
    return Checkpoint(model, tensors, fps=30.0, run={"train": {"batch": 4}}, state={"kimg": 1.5})


def test_a_checkpoint_comes_back_as_it_was(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save(checkpoint, tmp_path / "a.pt")

    found = load(tmp_path / "a.pt")

    assert (found.model, found.fps, found.run, found.state) == (
        checkpoint.model,
        30.0,
        checkpoint.run,
        checkpoint.state,
    )
    assert found.tensors.keys() == checkpoint.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


def test_the_file_needs_no_trust(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save(checkpoint, tmp_path / "a.pt")

    content = torch.load(tmp_path / "a.pt", weights_only=True)

    assert isinstance(content["header"], str)


def test_a_file_for_sampling_is_half_as_precise_and_gives_nearly_the_same_generator(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    tensors = {**checkpoint.tensors, "discriminator.x": torch.zeros(9)}
    whole = replace(checkpoint, tensors=tensors, run={"data": {"path": "here", "fps": 30.0}})
    save(whole.for_sampling(), tmp_path / "a.pt")

    found = load(tmp_path / "a.pt")

    assert found.run == {"data": {"path": "", "fps": 30.0}}
    assert all(name.startswith("ema.") and tensor.dtype == torch.float16 for name, tensor in found.tensors.items())
    expected, parameters = checkpoint.part("ema"), dict(found.generator().named_parameters())
    for name, parameter in parameters.items():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("said", "known"),
    [("float32", "float32"), ("bfloat16", "bfloat16"), (None, "auto"), ("int8", "auto"), ([], "auto")],
)
def test_the_precision_of_the_run_is_known_where_it_is_one(checkpoint: Checkpoint, said, known: str) -> None:
    of_run = replace(checkpoint, run={"train": {} if said is None else {"precision": said}})

    assert of_run.precision == known
    assert replace(checkpoint, run=None).precision == "auto"


@pytest.mark.parametrize(
    ("protocol", "left"),
    [("/home/me/mine.toml", "mine.toml"), ("../mine.toml", "mine.toml"), ("stylegan-v-fvd16@1", "stylegan-v-fvd16@1")],
)
def test_a_file_for_sampling_has_no_path(checkpoint: Checkpoint, protocol: str, left: str) -> None:
    run = {"data": {"path": "/home/me/videos"}, "report": {"protocol": protocol, "fvd_videos": 8}}

    found = replace(checkpoint, run=run).for_sampling()

    assert found.run == {"data": {"path": ""}, "report": {"protocol": left, "fvd_videos": 8}}
    assert run["report"]["protocol"] == protocol


def test_making_a_generator_leaves_the_stream_of_random_numbers_as_it_was(checkpoint: Checkpoint) -> None:
    before = torch.get_rng_state()

    checkpoint.generator()

    assert torch.equal(torch.get_rng_state(), before)


class _Touch:
    """Unpickling it would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def _bytes(content: object) -> bytes:
    out = io.BytesIO()
    torch.save(content, out)
    return out.getvalue()


def _headed(**values: object) -> bytes:
    header = {"format": 2, "model": {}, "fps": 1, "run": None, "state": None, **values}
    return _bytes({"header": json.dumps(header), "tensors": {}})


def _zipped(pickled: bytes) -> bytes:
    """A file as torch writes it, whose pickle is what is given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (("data.pkl", pickled), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"archive/{name}", data)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no checkpoint",
        pickle.dumps({"G": 1}),
        _bytes({"G": torch.zeros(3)}),
        _bytes({"header": "{}", "tensors": {}}),
        _bytes({"header": "[]", "tensors": {}}),
        _bytes({"header": "{", "tensors": {"a": torch.zeros(1)}}),
        _bytes({"header": "{}", "tensors": {"a": "text"}}),
        _bytes({"header": '{"a": ' + "[" * 100_000, "tensors": {}}),
        _headed(model=[]),
        _headed(run=[1]),
        _headed(run={"train": [1]}),
        _headed(state="kimg"),
        _headed(fps=10**400),
        _headed(format=1, model={"depth": 3}),
        _bytes([1, 2]),
        _zipped(pickle.PROTO + b"\x02" + pickle.STOP),
    ],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    file.write_bytes(content)

    with pytest.raises(CheckpointError, match=r"a\.pt"):
        load(file)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"header": _Touch(tmp_path / "made"), "tensors": {}}, tmp_path / "a.pt")

    with pytest.raises(CheckpointError, match="damaged"):
        load(tmp_path / "a.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("cut", [10, 500, -100])
def test_a_truncated_file_is_refused(checkpoint: Checkpoint, tmp_path: Path, cut: int) -> None:
    save(checkpoint, tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:cut])

    with pytest.raises(CheckpointError, match="damaged"):
        load(tmp_path / "a.pt")


def test_one_wrong_byte_in_a_tensor_is_seen(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """torch reads it as another number, and the videos of such a generator look like others."""
    save(checkpoint, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        tensors = [member for member in archive.infolist() if "/data/" in member.filename]
        member = max(tensors, key=lambda member: member.file_size)
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[member.header_offset + member.file_size] ^= 1
    (tmp_path / "a.pt").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"a\.pt is damaged, in its part .*/data/"):
        load(tmp_path / "a.pt")


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_ends_a_write_is_not_hidden(checkpoint: Checkpoint, ends: BaseException) -> None:
    class Ending(io.BytesIO):
        def write(self, data: Buffer) -> int:
            if self.tell() > 2000:
                raise ends
            return super().write(data)

    with pytest.raises(type(ends)):
        dump(checkpoint, Ending())


def test_what_half_precision_cannot_hold_stays_as_it_is(checkpoint: Checkpoint) -> None:
    name = "ema.mapping.layers.0.weight"
    large = torch.full_like(checkpoint.tensors[name], 1e6)

    found = replace(checkpoint, tensors={**checkpoint.tensors, name: large}).for_sampling()

    assert torch.equal(found.tensors[name], large)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pt cannot be read: No such file"):
        load(tmp_path / "none.pt")


def test_another_models_tensors_are_refused(checkpoint: Checkpoint) -> None:
    name = "ema.mapping.layers.0.weight"
    fewer = {k: t for k, t in checkpoint.tensors.items() if k != name}

    with pytest.raises(CheckpointError, match="has no mapping"):
        replace(checkpoint, tensors=fewer).generator()
    with pytest.raises(CheckpointError, match="unknown extra"):
        replace(checkpoint, tensors={**checkpoint.tensors, "ema.extra": torch.zeros(1)}).generator()
    with pytest.raises(CheckpointError, match=r"shape \[8, 9\]"):
        replace(checkpoint, tensors={**checkpoint.tensors, name: torch.zeros(8, 9)}).generator()
    with pytest.raises(CheckpointError, match="no part 'ema'"):
        replace(checkpoint, tensors={}).generator()


@pytest.mark.parametrize("name", ["small-shapes-64", "small-faces-64"])
def test_a_committed_generator_is_that_of_its_settings_and_makes_videos(name: str) -> None:
    file = Path(__file__).parents[3] / "benchmarks" / "checkpoints" / f"{name}.pt"

    found = load(file)

    run = load_run(str(file.with_suffix(".toml")), {})
    assert file.stat().st_size < 10 * 2**20
    assert (found.model, load_run(None, found.run or {})) == (run.model, run)  # settings since then at their defaults
    frames = np.stack(list(VideoSampler(found.generator()).frames(0, range(16))))
    assert frames.shape == (16, 64, 64, 3)
    assert frames.std(axis=0).mean() > 0.5  # it moves


def test_older_files_are_read_unless_they_hold_the_paper_preset_as_it_was(tmp_path: Path) -> None:
    for preset, format_ in itertools.product(("release", "small", "paper"), (1, 2, 3)):
        model = model_config(preset, resolution=32, **TINY)
        save(Checkpoint(model, {}), tmp_path / "a.pt")
        content = torch.load(tmp_path / "a.pt", weights_only=True)
        header = {**json.loads(content["header"]), "format": format_}
        torch.save({**content, "header": json.dumps(header)}, tmp_path / "a.pt")

        if format_ == 3:
            with pytest.raises(CheckpointError, match="has format 3; this version reads 1 and 2"):
                load(tmp_path / "a.pt")
        elif (preset, format_) == ("paper", 1):
            with pytest.raises(CheckpointError, match=r"other than those of the paper's Eq\. 5.*: train it again"):
                load(tmp_path / "a.pt")
        else:
            assert load(tmp_path / "a.pt").model == model


@pytest.mark.parametrize("read", [load, open_export])
def test_a_pipe_is_not_waited_for(read, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CheckpointError, match="is a pipe: expected a regular file"):
        read(tmp_path / "pipe")

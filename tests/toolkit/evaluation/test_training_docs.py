"""The examples of docs/training.md run as they stand, on a small protocol and small videos."""

import json
import re
import socket
from pathlib import Path

import pytest
import torch

from fvd_bench import Settings, evaluate
from fvd_bench.integrations.loggers import log_result

PAGE = Path(__file__).parents[3] / "docs" / "training.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Generator(torch.nn.Module):
    """Noise that moves, called as either kind of generator is."""

    z_dim, c_dim = 4, 0

    def forward(self, z: object, c: object = None, t: torch.Tensor | None = None) -> torch.Tensor:
        batch = z if isinstance(z, int) else len(z)
        ground = torch.rand(batch, 1, 3, 24, 24) * 2 - 1
        frames = ground + torch.linspace(0, 0.2, 16).view(1, -1, 1, 1, 1)
        return frames if t is None else frames.flatten(0, 1)


EXAMPLES = CODE.findall(PAGE.read_text("utf-8"))


def run(examples: list[str], names: dict[str, object], sides: tuple[Path, Path], protocol: str) -> dict[str, object]:
    """Run examples one after another on small videos, with these names and what the ones before made."""
    for example in examples:
        text = example.replace('"stylegan-v-fvd16"', repr(protocol)).replace("stylegan-v-fvd16/", "pixels/")
        text = text.replace("data/real", str(sides[0])).replace("data/fake", str(sides[1])).replace("2048", "16")
        exec(compile(text, str(PAGE), "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore")  # advice of Lightning
def test_the_examples_run(two_sides, pixels_protocol, tmp_path, monkeypatch, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    loader = [Generator()(4).requires_grad_() for _ in range(2)]
    names = {"generator": Generator(), "G_ema": Generator(), "loader": loader}
    examples = [example for example in EXAMPLES if "wandb" not in example]
    try:
        made = run(examples, names, two_sides, pixels_protocol())
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    assert len(examples) == 10
    assert re.match(r"FVD \d+\.\d\n", capsys.readouterr().out)
    assert float(made["batch_values"]["fvd"]) > 0
    assert [*tmp_path.glob("runs/first/events*")]


@pytest.mark.slow  # a service of Weights & Biases writes the file; what is logged is tested with other loggers
def test_the_example_for_weights_and_biases_runs(two_sides, pixels_protocol, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (example,) = [example for example in EXAMPLES if "wandb" in example]
    result = evaluate(*two_sides, pixels_protocol(), settings=Settings(cache=None))

    made = run([example], {"log_result": log_result, "result": result}, two_sides, pixels_protocol())

    made["wandb"].teardown()  # its service writes in its own time
    assert made["run"].offline
    (kept,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")  # numbers as JSON, in records without compression
    assert b"pixels/fvd" in kept.read_bytes() and json.dumps(result.value).encode() in kept.read_bytes()

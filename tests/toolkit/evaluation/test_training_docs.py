"""The examples of docs/training.md run as they stand, on a small protocol and small videos."""

import re
import socket
from pathlib import Path

import torch

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


def test_the_examples_run(two_sides, pixels_protocol, monkeypatch, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(pixels_protocol()).parent))
    loader = [Generator()(4).requires_grad_() for _ in range(2)]
    names = {"generator": Generator(), "G_ema": Generator(), "loader": loader}
    examples = CODE.findall(PAGE.read_text("utf-8"))
    try:
        for example in examples:
            text = example.replace("stylegan-v-fvd16", pixels_protocol()).replace("data/real", str(two_sides[0]))
            exec(compile(text.replace("2048", "16"), str(PAGE), "exec"), names)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    assert len(examples) == 6
    assert re.match(r"FVD \d+\.\d\n", capsys.readouterr().out)

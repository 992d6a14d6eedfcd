"""What is wrong with processes that were started together is told before they meet. Runs of two are in test_loop.py."""

import pytest
import torch

from stylegan_v.distributed import process_group
from stylegan_v.errors import ConfigError


def test_every_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 2, "LOCAL_RANK": 2, "WORLD_SIZE": 3, "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    told = "process 2 of this machine, counted from 0, has no GPU: there are 2"
    with pytest.raises(ConfigError, match=told), process_group("cuda"):
        pass

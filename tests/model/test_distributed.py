"""What is wrong with processes that were started together is told before they meet, and later that one of them is gone.
Runs of two are in test_loop.py."""

import socket
from datetime import timedelta

import pytest
import torch

from fvd_bench.errors import ArgumentError
from fvd_bench.features import distributed
from fvd_bench.features.distributed import processes, refuse_several
from stylegan_v.distributed import process_group
from stylegan_v.errors import ConfigError
from tests.forked import ranks


def test_every_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 2, "LOCAL_RANK": 2, "WORLD_SIZE": 3, "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    told = "process 2 of this machine, counted from 0, has no GPU: there are 2"
    with pytest.raises(ConfigError, match=told), process_group("cuda"):
        pass


@pytest.mark.parametrize(
    "described",
    [
        {"RANK": "a"}, {"RANK": "1"}, {"RANK": "-1"}, {"WORLD_SIZE": "b"}, {"WORLD_SIZE": "0"}, {"MASTER_PORT": None},
        {"MASTER_PORT": "65536"},
    ],
)  # fmt: skip
def test_a_run_that_no_process_can_join_is_told_at_once(described: dict[str, str | None], monkeypatch) -> None:
    """As where a cluster sets some of the variables for purposes of its own."""
    whole = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in (whole | described).items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    told = "are set as for one of several processes, and these do not meet"
    for join in (lambda: process_group("cpu"), processes):
        with pytest.raises(ArgumentError, match=told), join():
            pass
    if described == {"WORLD_SIZE": "b"}:
        with pytest.raises(ArgumentError, match=told):
            refuse_several("demo")


@pytest.mark.parametrize("rank", ["0", "1"])
def test_processes_that_nobody_joins_do_not_wait_for_ever(rank: str, monkeypatch) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        alone = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        for name, value in (alone | {"MASTER_PORT": str(place.getsockname()[1])}).items():
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "_MEETING", timedelta(seconds=1))

    with pytest.raises(ArgumentError, match=r"do not meet: .*imed out after \d+"), processes():
        pass


@pytest.mark.parametrize("exchange", ["average([torch.ones(3)])", "agree(True)", "on_first(lambda: None)"])
def test_a_process_that_is_gone_is_told_as_such(exchange: str) -> None:
    """It was called a fault of stylegan-v itself, in words of torch."""
    code = f"""
import os, torch
from fvd_bench.errors import EndedElsewhereError
from stylegan_v.distributed import *
with process_group("cpu"):
    {exchange}
    if rank() == 1:
        os._exit(9)
    try:
        for _ in range(1000):
            average([torch.ones(3)])
            {exchange}
    except EndedElsewhereError as error:
        print(error.exit_code, error)
        os._exit(0)
"""

    first, second = ranks(2, "-c", code)

    assert (first.returncode, second.returncode) == (0, 9), first.stderr
    assert first.stdout.startswith("3 a process of this run has failed or ended")

"""Control groups as Linux tells of them, in folders of our own."""

import os
from pathlib import Path

import pytest

from fvd_bench.processors import processors

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs processes bound to processors")

V1 = "11:memory:/box\n4:cpu,cpuacct:/box\n"
MOUNT = "sys/fs/cgroup"


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 64, raising=False)


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "9900000 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/a/b\n", f"{MOUNT}/a/b/cpu.max": "800000 100000\n"}, 8),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                f"{MOUNT}/a/b/cpu.max": "max 100000\n",
                f"{MOUNT}/a/cpu.max": "300000 100000\n",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/not/seen/here\n", f"{MOUNT}/cpu.max": "400000 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": V1,
                f"{MOUNT}/cpu,cpuacct/box/cpu.cfs_quota_us": "50000\n",
                f"{MOUNT}/cpu,cpuacct/box/cpu.cfs_period_us": "10000\n",
            },
            5,
        ),
        (
            {
                "proc/self/cgroup": V1,
                f"{MOUNT}/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                f"{MOUNT}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/docker/0123\n0::/\n",  # both versions at a time
                f"{MOUNT}/cpu/cpu.cfs_quota_us": "600000\n",
                f"{MOUNT}/cpu/cpu.cfs_period_us": "100000\n",
            },
            6,
        ),
        ({"proc/self/cgroup": "0::/\n", f"{MOUNT}/cpu.max": "0 0\n"}, 64),
        ({"proc/self/cgroup": "nonsense\n0::/\n", f"{MOUNT}/cpu.max": "200000 100000\n"}, 2),
    ],
)
def test_quotas_of_control_groups_count(many: None, tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert processors(_tree(tmp_path, files)) == expected


def test_processors_that_it_is_bound_to_count(tmp_path: Path) -> None:
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        assert processors(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, usable)
    assert processors(tmp_path) == len(usable)


def test_here_there_is_at_least_one() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)

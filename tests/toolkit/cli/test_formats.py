"""Results for other programs, short names, silence and completion on the command line."""

import csv
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.cli.command import SHORT
from tests.program import fvd_bench

PAGE = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text("utf-8")
COMMANDS = [line.partition("#")[0].strip() for line in re.findall(r"^fvd-bench .*$", PAGE, re.MULTILINE)]


@pytest.fixture(scope="module")
def compute(two_sides, write_pixels_protocol, tmp_path_factory):
    """Run `compute` with one store for all tests, so that each video is read once."""
    folder = tmp_path_factory.mktemp("formats")
    file = write_pixels_protocol(folder)

    def run(*arguments: object, **environment: str):
        sides = ["-r", two_sides[0], "-f", two_sides[1], "-p", file, "--cache", folder / "s"]
        return fvd_bench("compute", *sides, *arguments, **environment)

    return run


def test_every_form_has_the_same_number(compute) -> None:
    value = json.loads(compute("--json", "-").stdout)["scores"][0]["value"]
    forms = {form: compute("--format", form).stdout for form in ("score", "json", "csv", "markdown", "latex")}

    (row,) = csv.DictReader(io.StringIO(forms["csv"]))
    assert float(forms["score"]) == json.loads(forms["json"])["scores"][0]["value"] == float(row["value"]) == value
    assert row["signature"].startswith("fvd|pixels@1|")
    assert all(f"{value:.3g}"[:3] in forms[form] for form in ("markdown", "latex"))
    assert forms["latex"].startswith("\\begin{tabular}") and forms["markdown"].startswith("| protocol |")


def test_a_score_that_is_missing_keeps_its_line_and_has_no_signature(compute, pixels_protocol) -> None:
    long = pixels_protocol(name="long", frames=400)

    alone, shown = compute("-p", long, "--format", "score"), compute("-p", long)

    assert alone.stdout.split()[1] == "nan"
    assert "|long@1|" not in shown.stdout and shown.stdout.count("fvd|pixels@1|") == 1
    assert "400" not in shown.stderr and "400" in shown.stdout


def test_quiet_says_nothing_but_the_result(compute, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", of="an older result")

    loud, quiet = (compute("-j", tmp_path / "r.json", "-F", "score", *more) for more in ([], ["-q"]))

    assert f"wrote {tmp_path / 'r.json'}\n" in loud.stderr and loud.stderr.count("warning: ") > 1
    assert "r.npz holds the features of an older result" in loud.stderr
    assert quiet.stderr == "" and quiet.stdout == loud.stdout
    assert "does not exist" in fvd_bench("inspect", "nothing", "-q").stderr


def test_each_file_that_is_written_is_named(compute, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("json", "html", "manifest")}

    done = compute(*(part for name, file in files.items() for part in (f"--{name}", file)), "--keep-features")

    written = [line.removeprefix("wrote ") for line in done.stderr.splitlines() if line.startswith("wrote ")]
    assert sorted(written) == sorted(map(str, [*files.values(), tmp_path / "json.npz"]))
    assert all(Path(file).exists() for file in written)


def test_the_worst_finding_comes_first_and_each_comes_once(two_sides, pixels_protocol) -> None:
    sides = ["-r", two_sides[0], "-f", two_sides[0], "-p", pixels_protocol(count="fake = 2048")]
    done = fvd_bench("compute", *sides, "--no-cache")

    warnings = [line for line in done.stderr.splitlines() if "warning:" in line]
    assert "hold the same videos" in warnings[0]
    assert len(set(warnings)) == len(warnings) > 1
    assert "both sides hold the same videos, and" in done.stdout


@pytest.mark.parametrize(
    ("words", "found", "missing"),
    [
        ("fvd-bench comp", {"compute", "compare"}, {"check"}),
        ("fvd-bench compute --prot", {"--protocol"}, set()),
        ("fvd-bench compute --protocol f", {"fvd", "fvd16", "fvd128", "fid"}, {"latte"}),
        ("fvd-bench protocols show stylegan-v-fvd1", {"stylegan-v-fvd16", "stylegan-v-fvd128"}, {"fvd16"}),
        ("fvd-bench compute --format ", {"score", "json", "csv", "markdown", "latex"}, set()),
    ],
)
def test_shells_complete_commands_options_and_protocols(words: str, found: set[str], missing: set[str]) -> None:
    place = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}

    done = fvd_bench(_FVD_BENCH_COMPLETE="bash_complete", **place)

    offered = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert done.returncode == 0 and done.stderr == ""
    assert found <= offered and not missing & offered


def test_the_script_for_a_shell_is_printed() -> None:
    assert "complete -o nosort" in fvd_bench(_FVD_BENCH_COMPLETE="bash_source").stdout
    assert "#compdef fvd-bench" in fvd_bench(_FVD_BENCH_COMPLETE="zsh_source").stdout
    assert fvd_bench(_FVD_BENCH_COMPLETE="other_source").returncode == 2


def test_the_documented_commands_run(two_sides, pixels_protocol, tmp_path: Path, monkeypatch) -> None:
    """With a protocol that needs no network in place of the usual one."""
    monkeypatch.chdir(tmp_path)
    for name, side in zip(("real", "fake"), two_sides, strict=True):
        (tmp_path / name).symlink_to(side)
    pixels = pixels_protocol()

    assert len(COMMANDS) >= 7
    for command in COMMANDS:
        _, *arguments = shlex.split(command.replace("-p fvd", f"-p {pixels}").replace("check i3d", "check pixels"))
        if "compute" in arguments and "-p" not in arguments:
            arguments += ["-p", pixels]
        assert fvd_bench(*arguments, FVD_BENCH_HOME=str(tmp_path / "home")).returncode == 0, command


def test_the_documented_short_names_are_those_of_the_options() -> None:
    pairs = dict(re.findall(r"`(--[a-z]+)` \| `(-[a-zA-Z])`", PAGE))

    assert pairs == {**SHORT, "--version": "-V"}

"""The pages: their anchors are there, the site builds, and every command on them is one that there is."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from fvd_bench.cli import cli
from fvd_bench.networks import NETWORKS
from stylegan_v.cli import cli as model_cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
PROGRAMS = {"fvd-bench": cli, "stylegan-v": model_cli}


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for of, text in found if of == language]


@dataclass(frozen=True)
class Written:
    """A command as a page has it. out: the file that its stdout goes to."""

    program: str
    arguments: tuple[str, ...]
    out: str | None


def commands(page: Path) -> list[Written]:
    """Each line in a block without a language that starts one of our programs."""
    found = []
    for line in "".join(blocks(page, "")).splitlines():
        if starter := re.match(r"(?:torchrun .* -m )?(fvd[-_]bench|stylegan[-_]v) ", line):
            words = shlex.split(line[starter.end() :], comments=True)
            out = words[words.index(">") + 1] if ">" in words else None
            arguments = words[: words.index(">")] if out else words
            found.append(Written(starter[1].replace("_", "-"), tuple(arguments), out))
    return found


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "benchmarks" / "README.md"], ids=lambda page: page.name)
def test_anchors_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text("utf-8"))
    targets = [(page.parent / file if file else page, anchor) for file, anchor in links]

    assert [(t.name, anchor) for t, anchor in targets if t.suffix == ".md" and anchor not in anchors(t)] == []


def test_extras_are_installed_from_the_clone_as_long_as_no_index_has_the_package() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    pages = [*PAGES, *sorted((ROOT / "benchmarks").glob("*.*"))]
    named = re.findall(r"pip install [\"']?(\S*?)\[(\w+)\]", "".join(page.read_text("utf-8") for page in pages))

    assert "on no package index yet" in (ROOT / "README.md").read_text("utf-8")
    assert {place for place, _ in named} <= {".", "fvd-bench"} and {extra for _, extra in named} <= known.keys()
    assert [extra for place, extra in named if place != "."] == ["h5"]  # where docs/index.md explains that of messages


def test_every_page_is_on_the_site_and_in_the_list_for_machines() -> None:
    def pages(items: list) -> list[str]:
        return [p for item in items for v in item.values() for p in (pages(v) if isinstance(v, list) else [v])]

    names = sorted(page.name for page in PAGES[1:])

    assert sorted(pages(SITE["nav"])) == names
    assert sorted(re.findall(r"\]\((\w[\w-]*\.md)\)", (DOCS / "llms.txt").read_text("utf-8"))) == names


def build(site: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(program, capture_output=True, text=True, env=environment, check=False)


def test_the_site_builds(tmp_path: Path) -> None:
    done = build(tmp_path / "site")

    assert done.returncode == 0, done.stderr
    html = (tmp_path / "site" / "model" / "index.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(https?:)?//(?!squidfunk)', html)  # but the theme's own name at the bottom
    listed = re.findall(r"\]\(([^)]+)\)", (tmp_path / "site" / "llms.txt").read_text("utf-8"))
    assert [name for name in listed if not (tmp_path / "site" / name).exists()] == []
    assert 'href="../paper/"' in html and "trainer.py" not in re.findall(r'href="([^"]*)"', html)


def test_the_site_does_not_build_with_dead_links(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[a](nowhere.md) [b](index.md#nowhere) [c](/top.md)\n")
    config = {**SITE, "nav": [{"Start": "index.md"}], "hooks": [str(DOCS / "site_hooks.py")]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))

    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")

    assert done.returncode == 1
    assert done.stderr.count("contains a") >= 3 and "nowhere.md" in done.stderr and "#nowhere" in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_there_is(page: Path) -> None:
    for written in commands(page):
        command: click.Command = PROGRAMS[written.program]
        name, arguments = written.program, list(written.arguments)
        while isinstance(command, click.Group) and not arguments[0].startswith("-"):
            name, *arguments = arguments
            command = command.commands[name]
        command.make_context(name, [word.rstrip("…") or "x" for word in arguments])  # a UsageError says what is wrong


RUN = (
    "index",
    "command-line",
    "choosing",
    "reviewers",
    "table4",
    "gate",
    "faq",
    "statistics",
    "manifest",
    "uncertainty",
    "protocols",
    "references",
    "result",
    "paired",
)
"""Pages whose commands are run, page by page in their order, in one folder."""

LONG = re.compile(r"fvd-bench (demo|selftest|weights pull)|fvd-bench-demo|elsewhere|refs:grid")
"""What is not run: networks at work for minutes, downloads, videos that stand elsewhere, and features of I3D."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    root: Path = tmp_path_factory.mktemp("docs")
    names = []
    for place, side in enumerate(("real", "fake", "new")):
        for seed, name in enumerate(("a/one_window1", "b/two_window1")):
            frames = moving_frames(49, 32, 32, seed=10 * place + seed)
            write_video(root / side / f"{name}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
            names.append(name)
    rows = "".join(f"{name},{place}\n" for place, name in enumerate(dict.fromkeys(names)))
    (root / "groups.csv").write_text("video,scene\n" + rows)
    for side in ("real", "fake"):
        listed = "".join(f"{file},{place}\n" for place, file in enumerate(sorted((root / side).rglob("*.mkv"))))
        (root / f"{side}.csv").write_text("video,scene\n" + listed)
    return root


@pytest.mark.parametrize("name", RUN)
def test_the_commands_run(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means of pixels stand in for I3D, whose features would take minutes, in a cache of their own."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    monkeypatch.setitem(NETWORKS.built_in, "i3d", dataclasses.replace(NETWORKS["pixels"], name="i3d", fewest_frames=9))
    ran = 0
    for written in commands(DOCS / f"{name}.md"):
        line = shlex.join([written.program, *written.arguments])
        if written.program == "fvd-bench" and not LONG.search(line):
            ran += 1
            done = CliRunner().invoke(cli, written.arguments)
            assert done.exit_code == 0, (line, done.output, done.exception)
            if written.out:
                Path(written.out).write_text(done.stdout)
    assert ran

"""What people see in a real terminal of 80, 100 and 200 columns: no number, name or path is ever cut."""

import json
import re
from pathlib import Path

import pytest

from fvd_bench.evaluation.result import Result
from fvd_bench.protocols import protocol
from fvd_bench.words import number, span
from tests.forked import in_terminal
from tests.program import fvd_bench

PROGRAM = """
import json, sys
from fvd_bench.cli import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["fvd-bench", *command]
    print("\\x1cstart", flush=True)
    try:
        main()
    except SystemExit as end:
        print("\\x1cfailed", end.code, flush=True)
"""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

LONG = "a-protocol-whose-name-is-as-long-as-any-that-ships"


@pytest.fixture(scope="module")
def place(tmp_path_factory, moving_frames, write_video, write_pixels_protocol) -> Path:
    """A folder with three sides of 8 videos, and results of two protocols, one of which has a long name."""
    folder: Path = tmp_path_factory.mktemp("widths")
    for kind, side in enumerate(("real", "fake", "other")):
        for seed in range(8):
            frames = moving_frames(12, 32, 32, seed=100 * kind + seed)
            write_video(folder / side / f"{seed}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    for name in ("pixels", LONG, "first"):
        file = Path(write_pixels_protocol(folder, name=name, count="fake = 2048"))
        if name == "first":
            file.write_text(file.read_text().replace('start = { real = "random", fake = "first" }', 'start = "first"'))
    for file, fake in (("a.json", "fake"), ("b.json", "other")):
        for prefix, more in (("one-", []), ("two-", ["-p", folder / f"{LONG}.toml"])):
            sides = ["-r", folder / "real", "-f", folder / fake, "-p", folder / "pixels.toml", *more]
            done = fvd_bench("compute", *sides, "--cache", folder / "s", "-j", folder / f"{prefix}{file}", "-q")
            assert done.returncode == 0 and done.stderr == ""
    return folder


@pytest.fixture(scope="module")
def commands(place: Path) -> dict[str, list[str]]:
    sides = ["-r", place / "real", "-f", place / "fake", "--cache", place / "s"]
    one, two = ["-p", place / "pixels.toml"], ["-p", place / "pixels.toml", "-p", place / f"{LONG}.toml"]
    listed: dict[str, list[object]] = {
        "one": ["compute", *sides, *one, "-j", place / "again.json"],
        "repeated": ["compute", *sides, *one, "-n", 2],
        "two": ["compute", *sides, *two, "--motion"],
        "plan": ["compute", *sides, *two, "--dry-run"],
        "compare": ["compare", place / "one-a.json", place / "one-b.json"],
        "compare two": ["compare", place / "two-a.json", place / "two-b.json"],
        "check": ["check", *sides, "-p", place / "pixels.toml", "--baseline", place / "one-a.json"],
        "inspect": ["inspect", place / "real", "--against", place / "fake"],
        "explain": ["protocols", "explain", place / "pixels.toml", place / "first.toml", *sides],
        "list": ["protocols", "list"],
        "diff": ["protocols", "diff", "stylegan-v-fvd16", "common-metrics-videogpt-on-tfhub-weights"],
        "weights": ["weights", "list"],
    }
    return {name: list(map(str, command)) for name, command in listed.items()}


@pytest.fixture(scope="module", params=[80, 100, 200])
def screen(request, commands: dict[str, list[str]]) -> tuple[int, dict[str, str]]:
    """The width of a terminal, and what each command shows in it, without progress."""
    program = ["-c", PROGRAM, json.dumps(list(commands.values()))]
    code, text = in_terminal(request.param, *program)
    assert code == 0 and "\x1cfailed" not in text, text
    _, *parts = text.split("\x1cstart\n")
    plain = ["\n".join(line for line in _CONTROL.sub("", part).splitlines() if "━" not in line) for part in parts]
    return request.param, dict(zip(commands, plain, strict=True))


def test_no_number_is_cut(screen, place: Path) -> None:
    _, shown = screen
    for name, file in (("one", "one-a.json"), ("two", "two-a.json")):
        for score in Result.from_json((place / file).read_text()).scores:
            assert score.interval is not None and score.floor is not None
            for text in (number(score.value), span(score.interval), number(score.floor.value)):
                assert text in shown[name]
    for name, prefix in (("compare", "one-"), ("compare two", "two-")):
        for file in ("a.json", "b.json"):
            for score in Result.from_json((place / f"{prefix}{file}").read_text()).scores:
                assert number(score.value) in shown[name]
    assert not [name for name, text in shown.items() if "…" in text]


def test_no_name_and_no_path_is_cut(screen, place: Path) -> None:
    _, shown = screen
    assert all(LONG in shown[name] for name in ("two", "plan", "compare two"))
    assert all(f"{name}@{n}" in shown["list"] for name in protocol.names() for n in protocol.versions(name))
    assert "common-metrics-videogpt-on-tfhub-weights" in shown["diff"]
    assert f"wrote {place / 'again.json'}\n" in shown["one"]
    assert all(str(place / side) in shown["inspect"] for side in ("real", "fake"))
    assert re.search(r"/\S+i3d\S+\.safetensors", shown["weights"])


def test_every_line_fits_but_for_what_must_not_be_broken(screen) -> None:
    columns, shown = screen
    for name, text in shown.items():
        for line in text.splitlines():
            longest = max(map(len, line.split()), default=0)
            assert len(line) <= columns or longest > columns - 30, f"{name}: {line}"


def test_the_score_comes_first_and_its_signature_last(screen) -> None:
    _, shown = screen
    lines = shown["one"].splitlines()

    assert lines[0].startswith("wrote") and lines[1].startswith("FVD ")
    assert lines[-1].startswith("fvd|pixels@1|")
    assert sum("fvd|" in line for line in lines) == 1
    warnings = [place for place, line in enumerate(lines) if line.startswith("warning: ")]
    assert warnings and warnings[0] > lines.index(next(line for line in lines if "floor" in line))

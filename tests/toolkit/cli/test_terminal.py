"""Stdout and stderr that are closed, full, or of few characters; and what names of files do to them."""

import errno
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Group

from fvd_bench.cli import cli, terminal
from fvd_bench.cli.streams import console
from fvd_bench.errors import OutputError
from fvd_bench.escapes import escaped
from fvd_bench.reports.layout import Column, Grid, Prose, Record
from stylegan_v.cli import cli as model_cli
from tests.forked import Program, in_terminal
from tests.program import fvd_bench

EVIL = "a\x1b[31m[red]x[/blue]\r\n::error::\x9b2J\u202e\udcff"
SHOWN = r"a\x1b[31m[red]x[/blue]\r\n::error::\x9b2J\u202e\xff"


def _bash(arguments: str, *, package: str = "fvd_bench", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line with redirections."""
    command = f"exec {shlex.quote(sys.executable)} -m {package} {arguments}"
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def _program(before: str) -> tuple[str, str]:
    """What follows `python` to do something and then be `fvd-bench`."""
    return "-c", f"import os, signal, sys\nfrom fvd_bench.cli import main\n{before}\nmain()"


@pytest.fixture
def sides(two_sides, pixels_protocol) -> list[str]:
    real, fake = map(str, two_sides)
    return ["--real", real, "--fake", fake, "--protocol", pixels_protocol(), "--no-cache", "--device", "cpu"]


@pytest.mark.parametrize(
    ("redirection", "code", "unbuffered"),
    [(">/dev/full", 3, ""), (">/dev/full", 3, "1"), (">&-", 0, ""), (">&- 2>&-", 0, "1"), (">/dev/full 2>&-", 3, "")],
)
def test_streams_that_take_nothing_end_in_no_traceback(redirection: str, code: int, unbuffered: str) -> None:
    done = _bash(f"protocols diff stylegan-v-fvd16 latte {redirection}", PYTHONUNBUFFERED=unbuffered)

    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code and "2>" not in redirection:
        assert done.stderr == "fvd-bench: error: stdout cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", ["--help", "compute --help", "weights list", "protocols show latte"])
def test_whatever_is_printed_may_find_a_full_disk(arguments: str) -> None:
    done = _bash(f"{arguments} >/dev/full")

    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr


@pytest.mark.parametrize("package", ["fvd_bench", "stylegan_v"])
def test_a_closed_pipe_has_its_exit_code(package: str) -> None:
    shown = "train --help" if package == "stylegan_v" else "protocols show stylegan-v-fvd16"
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", package, *shown.split()]

    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)

    os.close(write)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def test_characters_that_an_encoding_has_not_are_spelled(sides: list[str]) -> None:
    done = Program(*_program("sys.stdout.reconfigure(encoding='ascii')"), "compute", *sides).end()

    assert "Traceback" not in done.stderr
    assert "FVD " in done.stdout and "95 % interval" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_characters_that_an_encoding_has_are_left(encoding: str) -> None:
    command = [sys.executable, "-m", "fvd_bench", "protocols", "diff", "stylegan-v-fvd16", "latte"]

    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, check=True)

    assert done.stdout.decode(encoding).endswith(f"{'-' if encoding == 'latin-1' else '–'}: does not matter there\n")


def test_files_are_written_although_stdout_is_full(sides: list[str], tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("json", "html", "manifest")}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    full = _program("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)")

    done = Program(*full, "compute", *sides, *options, "--keep-features").end()

    assert done.returncode == 3
    assert "stdout cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert json.loads(files["json"].read_text())["scores"][0]["value"] > 0
    assert files["html"].read_text().endswith("</html>\n")
    assert json.loads(files["manifest"].read_text())["schema"] == 1
    assert (tmp_path / "json.npz").exists()


def test_the_table_is_printed_although_a_file_cannot_be_written(sides: list[str], tmp_path: Path) -> None:
    """The limit is on sizes of files: the page is longer, and stdout is a terminal. The signal ends a program by
    default; a full disk sends none."""
    limited = _program(
        "import resource\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))"
    )

    files = ["--html", tmp_path / "page", "--json", tmp_path / "json"]
    code, text = in_terminal(400, *limited, "compute", *sides, *files)

    assert code == 3, text
    for name in ("json", "page"):
        assert f"{tmp_path / name} cannot be written: File too large" in text
    assert "FVD" in text and "fvd|pixels@1" in text
    assert sorted(f.name for f in tmp_path.iterdir() if "page" in f.name or "json" in f.name) == []


def test_a_file_that_is_opened_later_is_no_stream() -> None:
    """With stdout closed, the next file that is opened would get its number."""
    program = """if True:
        import os, tempfile
        from fvd_bench.cli.terminal import standard_streams
        with standard_streams(), tempfile.TemporaryFile() as file:
            print("x")
            os._exit(0 if file.fileno() > 2 else 9)
    """
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} 0<&- >&- 2>&-"

    done = subprocess.run(["bash", "-c", command], check=False)

    assert done.returncode == 0


def test_a_stream_that_does_not_block_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = subprocess.Popen(["bash", "-c", "sleep 0.3; wc -c"], stdin=read, stdout=subprocess.PIPE, text=True)
    os.close(read)
    with terminal._Out(write, "wb") as out:
        buffered = io.BufferedWriter(out)
        buffered.write(b"x" * 500_000)
        buffered.flush()

    assert int(process.communicate(timeout=20)[0]) == 500_000


def test_control_characters_are_shown() -> None:
    assert escaped(EVIL) == SHOWN
    assert escaped("é 視頻 👩‍🔬 ± ↓") == "é 視頻 👩‍🔬 ± ↓"


def test_names_of_files_reach_no_terminal_as_they_are(
    tmp_path: Path, moving_frames, write_video, pixels_protocol
) -> None:
    evil = EVIL.replace("/", "_")
    real, fake = tmp_path / "real", tmp_path / f"fake {evil}"
    for seed in range(4):
        for side in (real, fake):
            write_video(side / f"{seed}.mkv", moving_frames(12, 32, 32, seed=seed), codec="rawvideo", pix_fmt="bgr24")
    (fake / f"{evil}.mp4").write_text("no video")
    sides = ["--real", str(real), "--fake", str(fake), "--protocol", pixels_protocol(), "--no-cache"]
    lines = [
        ["compute", *sides, "--html", str(tmp_path / "page.html")],
        ["compute", *sides, "--dry-run"],
        ["inspect", str(fake), "--against", str(real)],
        ["compute", "--real", str(fake / f"{evil}.mp4"), "--fake", str(fake)],
    ]

    done = Program("-c", _ONE_AFTER_ANOTHER, json.dumps(lines)).end()  # no byte that is no character: it is text
    text = done.stdout + done.stderr

    assert done.returncode == 0
    assert not set(text) & {"\x1b", "\r", "\x9b", "\u202e"}
    assert "\n::error::" not in text
    assert re.findall(r"^code (\d+)$", text, re.MULTILINE) == ["0", "0", "0", "3"]
    assert text.replace("\n", "").count(r"\x1b[31m[red]x") >= 5
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "\x1b" not in page and r"\x1b[31m[red]x" in page


_ONE_AFTER_ANOTHER = """
import json, sys
from fvd_bench.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["fvd-bench", *arguments]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    print("code", code, flush=True)
"""


def test_markup_in_a_table_is_text(capsys) -> None:
    text = "[red]x[/blue] :smile:"

    console().print(Group(Prose(text), Record(text, []), Grid([Column("")], [[text]])))

    assert capsys.readouterr().out == f"{text}\n" * 3


class TestEveryCommand:
    @staticmethod
    def commands():
        from fvd_bench.cli.command import Command, Commands

        waiting = [cli, model_cli]
        while waiting:
            group = waiting.pop()
            for command in group.commands.values():
                assert isinstance(command, Command | Commands)
                if isinstance(command, Commands):
                    waiting.append(command)
                else:
                    yield command

    def test_takes_each_option_of_one_value_once(self) -> None:
        tried = 0
        for command in self.commands():
            for option in command.params:
                if option.param_type_name != "option" or option.is_flag or option.multiple:
                    continue
                done = CliRunner().invoke(command, [option.opts[0], "1", option.opts[0], "2"])
                assert done.exit_code == 2, (command.name, option.opts)
                assert f"{option.opts[0]} is given 2 times and takes one value" in done.output
                tried += 1
        assert tried > 60

    def test_refuses_an_empty_value(self) -> None:
        """As of --fake "$FAKE" where there is no such variable, which scored the folder where one is."""
        tried = 0
        for command in self.commands():
            for option in command.params:
                if option.param_type_name != "option" or option.is_flag or option.default == "":
                    continue
                done = CliRunner().invoke(command, [option.opts[0], ""])
                assert done.exit_code == 2, (command.name, option.opts)
                assert f"{max(option.opts, key=len)} is empty" in done.output
                tried += 1
        assert tried > 60

    def test_takes_debug(self) -> None:
        for command in self.commands():
            assert "--debug" in CliRunner().invoke(command, ["--help"]).output


FAULTY = """
from {package}.cli import cli, main
def fault(*given, **more): raise ZeroDivisionError("a\\x1b\\nb")
cli.commands[{command!r}].callback = fault
main()
"""


@pytest.mark.parametrize(
    ("package", "command", "name"), [("fvd_bench", "demo", "fvd-bench"), ("stylegan_v", "info", "stylegan-v")]
)
def test_a_fault_of_ours_is_one_sentence_and_no_regression(package: str, command: str, name: str) -> None:
    program = ["-c", FAULTY.format(package=package, command=command), command]

    done, again = Program(*program).end(), Program(*program, "--debug").end()

    assert done.returncode == again.returncode == 70
    assert done.stderr == (
        f"{name}: error: a fault of {name} itself, ZeroDivisionError: a\\x1b\\nb; the same command with --debug says "
        "where, for a report of it\n"
    )
    assert again.stderr.endswith(done.stderr)
    assert "Traceback" in again.stderr and "in fault" in again.stderr


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            "__import__('torch').OutOfMemoryError('CUDA out of memory.')",
            "the device: end what else uses it, or take --device cpu",
        ),
        (
            'RuntimeError("DefaultCPUAllocator: can\'t allocate memory: you tried to allocate 9 bytes.")',
            "this machine: end what else uses it, ask for less at a time, or take one with more",
        ),
        (
            "ImportError('numpy.so: failed to map segment from shared object')",
            "this machine: end what else uses it, ask for less at a time, or take one with more",
        ),
    ],
)
def test_no_memory_left_is_one_sentence(fault: str, says: str) -> None:
    """Raised as torch and NumPy raise it, since there may be no GPU here, and memory is not to be filled."""
    raising = f"def fault(*given, **more): raise {fault}"
    faulty = FAULTY.replace('def fault(*given, **more): raise ZeroDivisionError("a\\x1b\\nb")', raising)

    done = Program("-c", faulty.format(package="stylegan_v", command="info"), "info").end()

    assert done.returncode == 3
    assert done.stderr == f"stylegan-v: error: out of memory on {says}\n"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "no further file can be opened: raise the limit (ulimit -n)"),
        (RuntimeError("can't start new thread"), "no further thread or process can be started"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "no further thread or process"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "a temporary file cannot be written: No space left on device",
        ),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in []"), "no folder for temporary files"),
    ],
)
def test_a_limit_of_the_system_is_one_sentence(fault: Exception, says: str, monkeypatch) -> None:
    def raising(*given: object) -> None:
        raise fault

    monkeypatch.setattr(cli.commands["weights"], "invoke", raising)

    done = fvd_bench("weights", "list")

    assert done.returncode == 3
    assert done.stderr.startswith(f"fvd-bench: error: {says}") and done.stderr.count("\n") == 1


def test_what_stdout_could_not_take_is_an_output_error() -> None:
    with open("/dev/full", "wb", buffering=0) as full, terminal._Out(full.fileno(), "wb", closefd=False) as out:  # noqa: PTH123
        with pytest.raises(OutputError, match="No space left"):
            out.write(b"x")
        assert out.write(b"later") == 5

"""Files are whole or as they were; links, devices and pipes stay what they are."""

import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fvd_bench.atomic import append_text, check_writable, destination, partial_file, partial_folder, write_text

TEXT = "a\n" * 50_000
"""Longer than a pipe holds."""


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def _reading(path: Path) -> Callable[[], str]:
    """Read a pipe meanwhile; gives what asks for the text."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(path.read_text("utf-8")))
    thread.start()

    def text() -> str:
        thread.join(timeout=20)
        return found[0]

    return text


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "result.json").write_text("old")
    (tmp_path / "middle").symlink_to("far/result.json")
    (tmp_path / "link").symlink_to(tmp_path / "middle")

    write_text(tmp_path / "link", TEXT)

    assert (tmp_path / "link").readlink() == tmp_path / "middle"
    assert not (tmp_path / "far" / "result.json").is_symlink()
    assert (tmp_path / "far" / "result.json").read_text() == TEXT
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["far", "link", "middle", "result.json"]


def test_what_a_killed_process_left_goes_a_day_later(tmp_path: Path) -> None:
    left = [tmp_path / f".a[1].json.{digit * 16}.part" for digit in "0f"]
    others = [tmp_path / ".a1.json.0000000000000000.part", tmp_path / ".a[1].json.mine.part"]
    for partial in (*left, *others):
        partial.write_text("half")
        os.utime(partial, (0, 0))
    os.utime(left[1])

    write_text(tmp_path / "a[1].json", TEXT)

    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a[1].json", left[1], *others])


def test_what_a_killed_process_of_this_machine_left_goes_with_the_next_write(tmp_path: Path) -> None:
    """What one that still runs has begun stays, also that of this process."""
    code = (
        "import os, sys; from pathlib import Path; from fvd_bench.atomic import partial_file\n"
        "with partial_file(Path(sys.argv[1])) as partial:\n    partial.touch(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.json")]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    for other in others:
        assert other.stdout and other.stdout.readline()
    others[0].kill()
    others[0].communicate()

    with partial_file(tmp_path / "a.json") as mine:
        mine.write_text(TEXT)
        write_text(tmp_path / "a.json", TEXT)
        left = len(list(tmp_path.glob(".*.part")))
    others[1].communicate()

    assert left == 2
    assert [*tmp_path.iterdir()] == [tmp_path / "a.json"]


def test_a_folder_that_a_killed_process_left_goes_a_day_after_the_last_file_in_it(tmp_path: Path) -> None:
    old, grows = (tmp_path / f".a.bin.{digit * 16}.part" for digit in "0f")
    for folder in (old, grows):
        folder.mkdir()
        (folder / "half").write_text("half")
        os.utime(folder / "half", None if folder == grows else (0, 0))
        os.utime(folder, (0, 0))

    with partial_folder(tmp_path / "a.bin") as mine:
        (mine / "whole").write_text(TEXT)

    assert [*tmp_path.iterdir()] == [grows]


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new.json")

    write_text(tmp_path / "link", TEXT)

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new.json").read_text() == TEXT


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        write_text(tmp_path / "a", TEXT)


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    text = _reading(tmp_path / "pipe")

    write_text(tmp_path / "link", TEXT)

    assert text() == TEXT
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_device_is_written_into_and_stays(tmp_path: Path) -> None:
    """A node of the kind that throws everything away, and a terminal."""
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        write_text(node, TEXT)
    except PermissionError:
        pytest.skip("device nodes can be made, and opened here, by root alone")
    ours, theirs = pty.openpty()
    try:
        write_text(Path(os.ttyname(theirs)), "a line\n")
        read = os.read(ours, 100)
    finally:
        os.close(ours)
        os.close(theirs)

    assert stat.S_ISCHR(node.stat().st_mode)
    assert node.stat().st_rdev == os.makedev(1, 3)
    assert read == b"a line\r\n"


def test_an_open_descriptor_is_written_where_it_stands(tmp_path: Path) -> None:
    """As --json /dev/stdout beside a table, where stdout is a file."""
    program = (
        "from pathlib import Path; from fvd_bench.atomic import write_text, append_text; import sys\n"
        "print('before', flush=True); write_text(Path(sys.argv[1]), 'x' * 9 + '\\n')\n"
        "append_text(Path(sys.argv[1]), 'y\\n'); print('after')"
    )
    for place in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", str(tmp_path / "link")):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to("/dev/stdout")
        with (tmp_path / "out").open("w") as out:
            subprocess.run([sys.executable, "-c", program, place], stdout=out, check=True)

        assert (tmp_path / "out").read_text() == "before\nxxxxxxxxx\ny\nafter\n", place


def test_another_process_is_written_to(tmp_path: Path) -> None:
    """As --json >(cat > file)."""
    program = (
        "import sys; from pathlib import Path; from fvd_bench.atomic import *; write_text(Path(sys.argv[1]), 'whole')"
    )
    command = f"'{sys.executable}' -c \"{program}\" >(cat > '{tmp_path}/got'; touch '{tmp_path}/done')"

    subprocess.run(["bash", "-c", f"{command}; wait $!"], check=True, timeout=60)

    assert (tmp_path / "got").read_text() == "whole"


@pytest.mark.parametrize("existing", [None, 0o600, 0o664])
def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path: Path, umask: None, existing) -> None:
    file = tmp_path / "a"
    if existing is not None:
        file.touch()
        file.chmod(existing)

    write_text(file, TEXT)

    assert stat.S_IMODE(file.stat().st_mode) == (0o640 if existing is None else existing)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    with pytest.raises(ZeroDivisionError), partial_file(tmp_path / "a") as partial:
        partial.write_text("half")
        raise ZeroDivisionError

    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_failure_reaches_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ZeroDivisionError), partial_file(tmp_path / "pipe") as partial:
        partial.write_text("half")
        raise ZeroDivisionError

    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from fvd_bench.atomic import write_text\n"
        "for _ in range(200): write_text(Path(sys.argv[1]), sys.argv[2] * 100_000)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a"), letter], stderr=subprocess.PIPE)
        for letter in "ab"
    ]

    errors = [process.communicate(timeout=60)[1] for process in running]

    assert errors == [b"", b""]
    assert (tmp_path / "a").read_text() in ("a" * 100_000, "b" * 100_000)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_long_name_may_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("é" * 127), TEXT)

    assert (tmp_path / ("é" * 127)).read_text() == TEXT


def test_what_can_be_written_is_known_before(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "link").symlink_to("missing/a")
    for name in ("new", "pipe"):
        check_writable(tmp_path / name)
    check_writable(Path("/dev/stdout"))
    for name in (".", "missing/a", "circle", "link"):
        with pytest.raises(OSError):
            check_writable(tmp_path / name)


def test_a_file_is_added_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = _reading(tmp_path / "pipe")
    for _ in range(2):
        append_text(tmp_path / "a", "é\n")
    append_text(tmp_path / "pipe", TEXT)

    assert (tmp_path / "a").read_text("utf-8") == "é\né\n"
    assert text() == TEXT


def test_one_place_has_one_destination(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a")

    assert destination(tmp_path / "link") == destination(tmp_path / "a") == tmp_path / "a"
    assert destination(Path("/dev/stdout")) == destination(Path("/dev/fd/1")) == 1

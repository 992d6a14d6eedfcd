"""Progress is shown where somebody looks. Notebooks have a test of their own."""

import contextlib
import io

import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.progress import bars, shown, silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_evaluate_shows_bars_on_a_terminal_unless_told_not_to(terminal, two_sides, pixels_protocol) -> None:
    protocol, settings = pixels_protocol(), Settings(cache=None, device="cpu")
    with contextlib.redirect_stderr(terminal):
        evaluate(*two_sides, protocol, settings=settings, progress=False)
        assert terminal.getvalue() == ""

        evaluate(*two_sides, protocol, settings=settings)

    assert "real videos" in terminal.getvalue() and "6/6" in terminal.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_in_a_log_nothing_is_shown(stream: io.StringIO | None) -> None:
    with contextlib.redirect_stderr(stream), shown(True, first=True) as show:
        assert show is silent


def test_a_function_is_called_in_every_process_and_bars_are_those_of_the_first(terminal) -> None:
    with contextlib.redirect_stderr(terminal):
        with shown(print, first=False) as show:
            assert show is print
        with shown(True, first=False) as show:
            assert show is silent


def test_what_is_printed_meanwhile_stays_in_its_stream(terminal) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as printed, bars(terminal) as show:
        show("videos", 1, 2)
        print("from a generator")

    assert printed.getvalue() == "from a generator\n"


def test_names_in_bars_are_not_obeyed(terminal) -> None:
    with bars(terminal) as show:
        show("[red]evil\x1b[2J", 1, 2)

    assert r"[red]evil\x1b[2J" in terminal.getvalue()


def test_what_has_no_known_number_of_parts_is_not_said_to_have_100(terminal) -> None:
    with bars(terminal) as show:
        show("videos", 0, 0)

    assert "0/?" in terminal.getvalue() and "100" not in terminal.getvalue()

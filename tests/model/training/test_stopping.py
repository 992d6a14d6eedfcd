"""Ctrl-C is answered while a long operation is under way, and stops nothing by itself the first time."""

import os
import signal
import threading
import time

import pytest
import torch

from stylegan_v.training.stopping import stoppable


def long_operation() -> None:
    """One operation of about a second, during which Python runs no handler."""
    torch.mm(torch.ones(2500, 2500), torch.ones(2500, 2500))


def later(*numbers: int) -> None:
    """Send signals to this process while it computes."""

    def send() -> None:
        for number in numbers:
            time.sleep(0.05)
            os.kill(os.getpid(), number)

    threading.Thread(target=send).start()


@pytest.fixture(autouse=True)
def handlers_as_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_answer_comes_before_the_operation_ends(number: int, one_thread) -> None:
    answers: list[tuple[bool, float]] = []
    with stoppable(lambda first: answers.append((first, time.monotonic()))) as stop:
        later(number)
        long_operation()
        ended = time.monotonic()
        assert stop.wait(5)

    assert [first for first, _ in answers] == [True]
    assert answers[0][1] < ended


def test_a_second_one_ends_what_is_under_way(one_thread) -> None:
    answers: list[bool] = []
    with pytest.raises(KeyboardInterrupt), stoppable(answers.append) as stop:
        later(signal.SIGINT, signal.SIGINT)
        long_operation()
        time.sleep(5)  # interrupted
        pytest.fail("nothing was interrupted")

    assert stop.is_set() and answers == [True, False]


def test_another_thread_is_not_asked() -> None:
    seen: list[bool] = []

    def inside() -> None:
        with stoppable(seen.append) as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()

    assert seen == [False]

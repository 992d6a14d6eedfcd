import threading
import time
from collections.abc import Iterator

import pytest

from fvd_bench.videos.prefetch import Budget, in_order


@pytest.mark.parametrize("workers", [1, 3])
def test_items_come_in_the_order_of_tasks(workers: int) -> None:
    def work(task: int) -> Iterator[int]:
        time.sleep(0.002 * (7 - task % 7))
        yield from range(task % 3)

    found = list(in_order(range(40), work, workers=workers))

    assert found == [(task, item) for task in range(40) for item in range(task % 3)]


def test_threads_stay_only_a_little_ahead() -> None:
    begun: list[int] = []

    def work(task: int) -> Iterator[int]:
        begun.append(task)
        yield task

    for task, _ in in_order(range(50), work, workers=2):
        time.sleep(0.005)
        assert len(begun) <= task + 1 + 2 * 2


def test_fewer_threads_than_are_wanted_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)

    most = 2
    assert [task for task, _ in in_order(range(9), lambda task: iter([task]), workers=5)] == list(range(9))
    most = len(started)
    with pytest.raises(RuntimeError, match="new thread"):
        next(in_order(range(9), lambda task: iter([task]), workers=5))


def test_a_long_task_waits_for_its_consumer() -> None:
    made: list[int] = []

    def work(task: int) -> Iterator[int]:
        for item in range(1000):
            made.append(item)
            yield item

    stream = in_order([0], work, workers=1)
    next(stream)
    time.sleep(0.3)

    assert len(made) < 10
    stream.close()  # type: ignore[attr-defined]


def test_an_exception_is_raised_at_its_place() -> None:
    def work(task: int) -> Iterator[int]:
        if task == 3:
            raise KeyError("three")
        yield task

    stream = in_order(range(9), work, workers=2)

    assert [next(stream) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(KeyError, match="three"):
        next(stream)


def test_threads_end_when_the_consumer_leaves() -> None:
    before = threading.active_count()

    def work(task: int) -> Iterator[int]:
        yield from range(100)

    for _ in in_order(range(100), work, workers=3):
        break

    time.sleep(0.5)
    assert threading.active_count() == before


def test_large_items_wait_for_room_and_never_for_each_other() -> None:
    """Sizes are taken before an item is made; what waits in front of the consumer's task could not be given back."""
    budget = Budget(100)
    in_use = most_in_use = 0
    lock = threading.Lock()

    def work(task: int) -> Iterator[int]:
        nonlocal in_use, most_in_use
        time.sleep(0.01 if task % 4 == 0 else 0)  # those behind get their room first
        for size in (60, 30):
            budget.take(size)
            with lock:
                in_use += size
                most_in_use = max(most_in_use, in_use)
            yield size

    found = []
    for task, size in in_order(range(30), work, workers=4, budget=budget):
        found.append((task, size))
        with lock:
            in_use -= size

    assert found == [(task, size) for task in range(30) for size in (60, 30)]
    assert most_in_use <= 100 + 60 + 60  # the consumer's task may exceed it, and an item is used until the next


def test_who_waits_for_room_ends_with_the_consumer() -> None:
    budget = Budget(10)

    def work(task: int) -> Iterator[int]:
        budget.take(10)
        yield task

    before = threading.active_count()
    stream = in_order(range(9), work, workers=3, budget=budget)
    next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before

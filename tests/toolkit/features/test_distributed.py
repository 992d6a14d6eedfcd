"""The metric in two real processes of torch.distributed."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import Settings, evaluate
from tests.forked import Program

WORKER = """
import json, socket, sys
import numpy as np, torch.distributed as dist
from fvd_bench import FrechetVideoDistance, FvdBenchError, Settings

rank, meet, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
asked = socket.create_connection(("127.0.0.1", port)).makefile("rw")
dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
for line in asked:
    folder, protocol, given, seeds = json.loads(line)
    real, fake = np.load(f"{folder}/real.npy"), np.load(f"{folder}/fake.npy")
    side = f"{folder}/real.npy" if given == "path" else None
    metric = FrechetVideoDistance(protocol, real=side, seed=seeds[rank], settings=Settings(cache=None, device="cpu"))
    for side, videos in (("real", real), ("fake", fake)):
        if side == "real" and given == "path" or given == "nothing":
            continue
        mine = videos[rank::2] if given != "one rank" else videos[:0] if rank else videos
        for video in mine:  # the ranks call update as often as they like
            metric.update(**{side: video[None]})
    try:
        answer = [metric.compute(), metric.scores()[0].interval, metric.counts["fake"]]
    except FvdBenchError as error:
        answer = str(error)
    print(json.dumps(answer), file=asked, flush=True)
dist.destroy_process_group()
"""


@pytest.fixture
def sides(tmp_path: Path, moving_frames) -> tuple[np.ndarray, np.ndarray]:
    """Seven real and five fake videos, as arrays in the folder of the test."""
    arrays = [np.stack([moving_frames(16, seed=first + i) for i in range(n)]) for first, n in ((0, 7), (100, 5))]
    for name, array in zip(("real", "fake"), arrays, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    return arrays[0], arrays[1]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[object]]]:
    """Lets two processes, which meet once for all tests, make a metric; gives what both answer."""
    meet = tmp_path_factory.mktemp("run") / "meet"
    running, asked = [], []
    for rank in range(2):
        with socket.create_server(("127.0.0.1", 0)) as place:
            place.settimeout(120)
            running.append(Program("-c", WORKER, rank, meet, place.getsockname()[1]))
            with place.accept()[0] as connection:
                asked.append(connection.makefile("rw"))

    def both(*given: object) -> list[object]:
        for process in asked:
            process.write(json.dumps(given) + "\n")
            process.flush()
        return [json.loads(process.readline()) for process in asked]

    def make(folder: Path, protocol: str, given: str, seeds: tuple[int, int] = (3, 3)) -> list[object]:
        patience = threading.Timer(120, lambda: [process.send(signal.SIGKILL) for process in running])
        patience.start()
        try:
            return both(str(folder), protocol, given, seeds)
        finally:
            patience.cancel()

    yield make
    for process in asked:
        process.close()
    assert [process.end(timeout=60).returncode for process in running] == [0, 0]


@pytest.mark.parametrize("given", ["both sides", "path"])
def test_all_ranks_get_the_score_of_all_videos(ask, tmp_path, sides, pixels_protocol, given: str) -> None:
    """Seven and five videos over two ranks: the ranks have different numbers of them."""
    protocol = pixels_protocol(count="fake = 4")
    (expected,) = evaluate(*sides, protocol, seed=3, settings=Settings(cache=None, device="cpu")).scores

    first, second = ask(tmp_path, protocol, given)

    assert first[:2] == second[:2]
    assert first[0] == pytest.approx(expected.value, rel=1e-9)
    assert first[1] == pytest.approx(expected.interval, rel=1e-9)
    assert (first[2], second[2]) == (3, 2)


def test_a_rank_without_videos_waits_for_no_one(ask, tmp_path, sides, pixels_protocol) -> None:
    """Its videos are numbered 0, 2, 4, …: no random draw is among them here, so that the score does not change."""
    protocol = Path(pixels_protocol())
    protocol.write_text(protocol.read_text("utf-8").replace('"random"', '"first"'))
    (expected,) = evaluate(*sides, str(protocol), settings=Settings(cache=None, device="cpu")).scores

    first, second = ask(tmp_path, str(protocol), "one rank")

    assert first[0] == second[0] == pytest.approx(expected.value, rel=1e-9)
    assert (first[2], second[2]) == (5, 0)


@pytest.mark.parametrize(
    ("given", "seeds", "message"), [("nothing", (3, 3), "no real videos yet"), ("both sides", (3, 4), "the same")]
)
def test_all_ranks_get_the_error(ask, tmp_path, sides, pixels_protocol, given: str, seeds, message: str) -> None:
    answers = ask(tmp_path, pixels_protocol(), given, seeds)

    assert answers[0] == answers[1] and message in str(answers[0])

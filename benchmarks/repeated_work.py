"""Question: what does a run do only once that it did several times, and how much processor time does that spare?

Command:  python benchmarks/repeated_work.py [ROUNDS]   (in a clone with its whole history)
Time:     20 minutes on an idle core for the default of 3 rounds.
Expected: scores are the same to the bit. Images of a frame folder are opened for their digest, for the clip and for the
          motion panel, and not for the number of frames. Arrays are digested once, functions called twice, features
          read once. A second run of 2,048 + 2,048 videos takes less than 3 seconds and does not load torch.

Both states of the code run each kind of work in processes of their own, which take turns, with one thread. Processor
time is that of the whole process and of its decoders. Networks are left out: the features are colours on a grid, so
that what remains is what a network would wait for.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from history import ROOT, unpack

BEFORE = "b172367"

PROTOCOL = """
name = "colours"
version = 1
summary = "the clips of stylegan-v-fvd16, and colours on a grid for features"
source = "benchmarks/repeated_work.py"

[clip]
frames = {frames}
start = {{ real = "random", fake = "first" }}

[frames]
order = {{ fake = "jpeg-then-resize" }}
jpeg = {{ fake = "unless-jpeg" }}
jpeg_quality = {{ fake = 95 }}

[features]
extractor = "pixels"

[metric]
names = ["fvd"]
"""

COUNTED = ("folders", "zip", "arrays", "function", "stored")
TIMED = ("first", "folders", "repeats", "large", "small", "import", "help")


@contextlib.contextmanager
def counted(calls: Counter[str], place: object, name: str, what: str) -> Iterator[None]:
    """Count the calls of a function, which stands in a module or a class."""
    original: Callable[..., Any] = getattr(place, name)

    def counting(*arguments: Any, **options: Any) -> Any:
        calls[what] += 1
        return original(*arguments, **options)

    setattr(place, name, counting)
    try:
        yield
    finally:
        setattr(place, name, original)


def work(task: str, data: Path, store: Path) -> None:
    """One run of one state of the code, in a process of its own. Prints its score, and what it did how often."""
    if task == "import":
        import fvd_bench  # noqa: F401

        return
    if task == "help":
        sys.argv = ["fvd-bench", "--help"]
        from fvd_bench.cli import main as command

        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            command()
        return
    from fvd_bench import GeneratorSource, Settings, evaluate

    protocol, repeats, sides = data / "colours16.toml", 1, (data / task / "real", data / task / "fake")
    given: tuple[Any, Any] = sides
    settings = Settings(cache=store if task in ("repeats", "large", "small", "stored") else None)
    if task in ("folders", "zip"):
        protocol = data / "colours9.toml"
    if task == "zip":
        given = (data / "zip" / "real.zip", data / "zip" / "fake.zip")
    if task == "repeats":
        repeats, given = 20, (data / "first" / "real", data / "first" / "fake")
    if task == "stored":
        given = (data / "large" / "real", data / "large" / "fake")
    calls: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        if task in COUNTED:
            from fvd_bench.features import store as features_store
            from fvd_bench.sources import functions, zips
            from fvd_bench.videos import arrays, files

            for place in (type(files.DISK), zips.Archive):
                stack.enter_context(counted(calls, place, "source", "files opened"))
            stack.enter_context(counted(calls, arrays, "frames_digest", "arrays digested"))
            stack.enter_context(counted(calls, functions.GeneratorSource, "make", "function called"))
            stack.enter_context(counted(calls, features_store, "_checksum", "entries checked"))
        if task == "arrays":
            import numpy as np

            given = tuple(np.load(data / "arrays" / f"{side}.npy") for side in ("real", "fake"))
        if task == "function":
            import numpy as np

            fake = np.load(data / "arrays" / "fake.npy")
            given = (data / "small" / "real", GeneratorSource(lambda index: fake[index], videos=len(fake)))
        result = evaluate(*given, str(protocol), repeats=repeats, settings=settings, progress=False)
    videos = len(fake) if task == "function" else result.real.videos + result.fake.videos
    each = {what: number / videos for what, number in calls.items()}
    loaded = [module for module in ("torch", "scipy") if module in sys.modules]
    print(json.dumps({"score": result.value, "each": each, "loaded": loaded}))


def run(tree: Path, task: str, data: Path, store: Path) -> dict[str, Any]:
    """The answer of `work`, with the seconds of the process and of its decoders."""
    home = store.parent / f"home of {store.name}"
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "FVD_BENCH_HOME": str(home)}
    command = [sys.executable, "-W", "ignore", __file__, "--work", task, str(data), str(store)]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{task} failed"
    seconds = {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - started}
    return {**(json.loads(said) if said else {}), **seconds}


def write_data(folder: Path) -> None:
    """Moving shapes in all the forms that are run."""
    import numpy as np
    from PIL import Image

    from fvd_bench.evaluation import demo

    folder.mkdir()
    for frames in (9, 16):
        (folder / f"colours{frames}.toml").write_text(PROTOCOL.format(frames=frames))
    for number, side in enumerate(("real", "fake")):
        for form in ("first", "folders", "large", "small"):
            (folder / form / side).mkdir(parents=True)
        for video in range(64):
            shapes = demo.moving_shapes(np.random.default_rng([number, video]), frames=75)
            demo.write_mp4(folder / "first" / side / f"{video:02d}.mp4", shapes)
            if video < 8:
                shutil.copy(folder / "first" / side / f"{video:02d}.mp4", folder / "small" / side)
            if video < 16:
                place = folder / "folders" / side / f"{video:02d}"
                place.mkdir()
                for t, frame in enumerate(shapes[:60]):
                    Image.fromarray(frame).save(place / f"{t:03d}.jpg", quality=90)
        rng = np.random.default_rng(number)
        for video in range(2048):
            small = rng.integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
            np.save(folder / "large" / side / f"{video:04d}.npy", small)
        (folder / "arrays").mkdir(exist_ok=True)
        np.save(folder / "arrays" / f"{side}.npy", rng.integers(0, 256, (16, 40, 64, 64, 3), dtype=np.uint8))
        (folder / "zip").mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "zip" / f"{side}.zip", "w") as archive:
            for file in sorted((folder / "folders" / side).rglob("*.jpg")):
                archive.write(file, file.relative_to(folder / "folders" / side))


def main() -> None:
    from machine import write

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        data, before = Path(folder) / "videos", Path(folder) / "before"
        write_data(data)
        unpack(BEFORE, before, "fvd_bench", "protocols")
        states = {"before": before, "now": ROOT}
        stores = {state: Path(folder) / f"store {state}" for state in states}
        counts: dict[str, Any] = {}
        for task in ("large", "small", *COUNTED):  # the first two fill the stores
            found = {state: run(tree, task, data, stores[state]) for state, tree in states.items()}
            assert found["before"]["score"] == found["now"]["score"], task
            counts[task] = {state: found[state]["each"] for state in states}
            print(task, counts[task], flush=True)
        seconds: dict[str, dict[str, list[float]]] = {task: {state: [] for state in states} for task in TIMED}
        wall: dict[str, dict[str, list[float]]] = {task: {state: [] for state in states} for task in TIMED}
        loaded: dict[str, Any] = {}
        for place in range(rounds + 1):
            for task in TIMED:
                for state, tree in states.items():
                    one = run(tree, task, data, stores[state])
                    loaded.setdefault(task, {})[state] = one.get("loaded", [])
                    if place > 0:  # the first round warms up, and fills the stores
                        seconds[task][state].append(one["cpu"])
                        wall[task][state].append(one["wall"])
                print(f"round {place}", task, {state: times[-1:] for state, times in seconds[task].items()}, flush=True)
    table: dict[str, Any] = {"before": BEFORE, "rounds": rounds, "per_video": {task: counts[task] for task in COUNTED}}
    for task in TIMED:
        ratios = [a / b for a, b in zip(*seconds[task].values(), strict=True)]
        table[task] = {
            **{f"cpu_seconds_{state}": statistics.median(times) for state, times in seconds[task].items()},
            **{f"wall_seconds_{state}": statistics.median(times) for state, times in wall[task].items()},
            "ratio": statistics.median(ratios),
            "ratios": ratios,
            "loaded_now": loaded[task]["now"],
        }
    print(json.dumps(table, indent=1))
    write("repeated_work", __doc__, table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()

"""Question: what does a run do for each clip beside the network, and how much processor time did that take?

Command:  python benchmarks/clip_overhead.py [ROUNDS]   (in a clone with its whole history)
Time:     2 minutes on an idle core for the default of 3 rounds.
Expected: the inputs of the network are the same to the bit. Preparing them takes less than the former time, and a third
          to a sixth where frames are large: the less, the faster the machine gives fresh memory. The thread that
          gathers clips spends less than 0.5 ms on each.

Both states of the code run in processes of their own, which take turns, with one thread. "prepare" makes the input of
I3D, 16 frames of 224 x 224, from a clip; "gather" puts clips of 256 x 256 into batches for a network that costs
nothing, one clip a video, and stores its features. Time is that of the processor, the best of several in a process.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from history import ROOT, unpack
from repeated_work import BEFORE

SIZES = {"prepare, 128 x 128": (128, 128), "prepare, 256 x 256": (256, 256), "prepare, 640 x 480": (480, 640)}
GATHER = "gather, 256 x 256"
PLACES = (*SIZES, GATHER)
REPEATS = 8


def best(call: Callable[[], Any]) -> float:
    """Return the milliseconds of processor time that a call takes in this thread, the least of several."""
    spent = []
    for _ in range(REPEATS):
        began = time.thread_time()
        call()
        spent.append(1000 * (time.thread_time() - began))
    return min(spent)


def work(task: str) -> None:
    """Do one task in one state of the code. Print its time for a clip, and the digest of what came out."""
    import numpy as np
    import torch

    from fvd_bench.protocols.protocol import load

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    protocol = load("stylegan-v-fvd16")
    if task in SIZES:
        from fvd_bench.videos.preprocess import network_input

        clip = torch.from_numpy(rng.integers(0, 256, (16, *SIZES[task], 3), dtype=np.uint8))
        spent = best(lambda: torch.stack([network_input(clip, protocol.features)]))
        made = network_input(clip, protocol.features).contiguous().numpy().tobytes()
    else:
        from fvd_bench.features.batches import Batches
        from fvd_bench.features.store import FeatureStore
        from fvd_bench.sources.arrays import ArrayVideos, Layout  # which has another home in the other state
        from fvd_bench.videos.clips import Draw, read_draws

        class Free:
            dim, weights, unverified = 400, {}, ()

            def batch_clips(self, frames: int) -> int:
                return 2

            def __call__(self, clips: Any) -> Any:
                return [np.full((1, 400), clip.flat[0], dtype=np.float32) for clip in clips]

        block = rng.integers(0, 256, (32, 16, 256, 256, 3), dtype=np.uint8)
        source = ArrayVideos.of_one("clips", "array", block, Layout(), stamp=None)
        draw = Draw(protocol.real, "real", 0)
        read = [(str(place), list(read_draws(video, [draw], place))) for place, video in enumerate(source.videos)]
        store = FeatureStore(None)

        def gather() -> None:
            batches = Batches(store, {protocol.features: Free()})
            for key, items in read:
                for item in items:
                    batches.add(key, key, protocol.features, item)
            batches.flush()

        spent = best(gather) / len(read)
        made = b"".join(store.get(key).features.tobytes() for key, _ in read)
    print(json.dumps({"ms": spent, "digest": hashlib.sha256(made).hexdigest()}))


def run(tree: Path, task: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "--work", task]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    from machine import write

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    spent: dict[str, dict[str, list[float]]] = {task: {"before": [], "now": []} for task in PLACES}
    with tempfile.TemporaryDirectory() as folder:
        unpack(BEFORE, Path(folder), "fvd_bench", "protocols")
        for _ in range(rounds):
            for task in PLACES:
                found = {"before": run(Path(folder), task), "now": run(ROOT, task)}
                assert found["before"]["digest"] == found["now"]["digest"], task
                for state, one in found.items():
                    spent[task][state].append(one["ms"])
    table: dict[str, Any] = {"before": BEFORE, "rounds": rounds}
    for task, states in spent.items():
        before, now = (statistics.median(times) for times in states.values())
        table[task] = {"ms_before": round(before, 3), "ms_now": round(now, 3), "ratio": round(before / now, 2)}
        print(task, table[task], flush=True)
    write("clip_overhead", __doc__, table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2])
    else:
        main()

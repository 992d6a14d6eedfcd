"""Ray Data as the engine of features: the stages on all machines of a cluster, overlapping.

listing -> tasks that read clips -> actors that run networks -> Parquet files -> the feature store of this process

A task or an actor that is lost with its machine is repeated by Ray. What was finished when the run itself ends is in
the store or in Parquet files, and the same command goes on from there: `ray.data.checkpoint` would record once more
what these hold.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from fvd_bench.errors import EngineError, FvdBenchError, is_out_of_memory
from fvd_bench.escapes import redact
from fvd_bench.features.cluster import stages
from fvd_bench.features.cluster.engine import ClusterEngine
from fvd_bench.features.cluster.last_words import LastWords
from fvd_bench.features.cluster.parquet import Folder
from fvd_bench.features.cluster.stages import Table, Work
from fvd_bench.sources.clip_source import ClipSource

_OBJECT_BYTES = 2**29
"""Memory for clips on their way between processes, where Ray is started on this machine alone."""

_LEAST_VIDEOS, _MOST_TASKS = 4, 10_000
"""The fewest videos of a task that reads, and how many tasks there are at most: each costs milliseconds."""

_ROWS_PER_FILE = 256
"""Clips of a Parquet file, after which their features are safe."""

_CPUS_TO_READ = 0.5
"""Processors of a task that reads: it waits for its decoder half of the time. A number unlike that of the actors keeps
Ray from making one stage of both, which would let networks wait for decoders."""

_PART_FOR_NETWORKS = 0.75
"""The most of all processors that networks take, where there are no GPUs, so that reading never waits for long."""

_PATIENCE_SECONDS = 10.0

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Environment of Ray: it tells nobody of its use, and does not write between our lines."""

_LOST = (
    "fvd-bench: error: ended before it had left Ray, as Ray ends it where its raylet on this machine is lost, for want "
    "of memory for one; what is finished is kept, and the same command goes on from there"
)

_AS_TABLES = {"batch_format": "pyarrow"}


@dataclass(slots=True, kw_only=True)
class RayEngine(ClusterEngine):
    """The workers of a Ray cluster, or processes of this machine where the environment variable RAY_ADDRESS names none.

    workers: how many processes, where Ray is started here.
    Ray is joined or started by the first work, and left when this is closed.
    """

    workers: int
    _last_words: LastWords | None = field(default=None, init=False)  # from when Ray was joined or started

    def digests(self, source: ClipSource, indices: Table) -> Iterator[Table]:
        """Yield DIGESTS, see `ClusterEngine`."""
        with self._running() as ray:
            shared = _share(ray, source)
            dataset = ray.data.from_arrow(_split(indices)).map_batches(
                lambda table: stages.digests(_shared(shared[0]), table), batch_size=None, **_AS_TABLES
            )
            yield from dataset.iter_batches(batch_size=None, **_AS_TABLES)

    def files(self, work: Work, videos: Table, folder: Folder, *, batch: int) -> Iterator[str]:
        """Yield the names of files with FEATURES, see `ClusterEngine`."""
        with self._running() as ray:
            shared = _share(ray, work)

            def read(table: Table) -> Iterator[Table]:
                yield from stages.clips(_shared(shared[0]), table)

            class Networks:
                loaded: stages.Networks | None = None

                def __call__(self, table: Table) -> Table:
                    if self.loaded is None:  # not when it begins, as Ray would lose the error
                        self.loaded = stages.Networks(_shared(shared[0]))
                    return self.loaded(table)

            def write(table: Table) -> Table:
                return pa.table({"file": [folder.write(table)]})

            actors, needs = self._actors(ray)
            dataset = ray.data.from_arrow(_split(videos))
            dataset = dataset.map_batches(read, batch_size=None, num_cpus=_CPUS_TO_READ, **_AS_TABLES)
            dataset = dataset.map_batches(Networks, batch_size=batch, compute=actors, **needs, **_AS_TABLES)
            dataset = dataset.map_batches(write, batch_size=_ROWS_PER_FILE, num_cpus=0.1, **_AS_TABLES)
            for table in dataset.iter_batches(batch_size=None, **_AS_TABLES):
                yield from table["file"].to_pylist()

    def close(self) -> None:
        """Leave the cluster, and end the processes that were started here."""
        if self._last_words is not None:
            import ray

            ray.shutdown()
            self._last_words.take_back()
            self._last_words = None

    def _actors(self, ray: Any) -> tuple[Any, dict[str, float]]:
        """Return how many workers run networks, and what each needs. Raises EngineError."""
        resources = ray.cluster_resources()
        if self.device == "cuda":
            if not (most := int(resources.get("GPU", 0))):
                raise EngineError("the Ray cluster has no GPU: expected some for --device cuda")
            return ray.data.ActorPoolStrategy(min_size=1, max_size=most), {"num_gpus": 1, "num_cpus": 0}
        if (processors := int(resources.get("CPU", 0))) < 2:
            raise EngineError(f"the Ray cluster has {processors} processors: expected at least 2, of which one reads")
        most = int(processors * _PART_FOR_NETWORKS)
        return ray.data.ActorPoolStrategy(min_size=1, max_size=most), {"num_cpus": 1}

    @contextlib.contextmanager
    def _running(self) -> Iterator[Any]:
        """Start Ray or join it, and turn its errors into sentences. Raises FvdBenchError."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        import ray
        import ray.data

        if not ray.is_initialized():
            self._start(ray)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # Ray prints when a worker is lost; stdout is for results
                yield ray
        except ray.exceptions.RayError as error:
            raise _told(error) from error

    def _start(self, ray: Any) -> None:
        address = os.environ.get("RAY_ADDRESS", "")
        where: dict[str, Any] = {"address": address}
        if not address:
            where = {"address": "local", "num_cpus": max(2, self.workers), "include_dashboard": False}
            where["object_store_memory"] = _OBJECT_BYTES
        try:
            _check_answers(address)
            with _no_stderr():
                ray.init(**where, log_to_driver=False, logging_level="error")
        except Exception as error:  # Ray raises that itself, where a process of its own does not begin in time
            place = f"at RAY_ADDRESS={redact(address)}" if address else "on this machine"
            reason = redact(str(error)).partition("\n")[0]
            raise EngineError(
                f"no Ray cluster can be used {place}: {reason}; start one with Ray's commands, or unset RAY_ADDRESS "
                "for processes of this machine alone"
            ) from error
        self._last_words = LastWords(_LOST)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.raise_original_map_exception = True  # the error of ours in a worker, and not that there was one
        context.max_consecutive_actor_init_deaths = 3  # one that was killed while it began is replaced
        if not address:
            context.op_resource_reservation_enabled = False  # it would keep half of two processors idle


def _check_answers(address: str) -> None:
    """Raise OSError where nothing answers at host:port. Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS):
            pass


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Drop what is written to this process's stderr: Ray's own says there, past all loggers, how loud it is."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a name, not a path
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _split(table: Table) -> list[Table]:
    """Split the rows among tasks."""
    size = max(_LEAST_VIDEOS, -(-len(table) // _MOST_TASKS))
    return [table.slice(first, size) for first in range(0, len(table), size)]


def _share(ray: Any, what: object) -> tuple[Any]:
    """Hand something to all workers. The reference is in a tuple, as Ray would read what it leads to for each task."""
    return (ray.put((str(Path.cwd()), what)),)


@functools.lru_cache(maxsize=2)
def _shared(reference: Any) -> Any:
    """Return what was handed to all workers, read once in each, which then looks for paths where the command did."""
    import ray

    folder, what = ray.get(reference)
    with contextlib.suppress(OSError):
        os.chdir(folder)
    return what


def _told(error: BaseException) -> FvdBenchError:
    """Return what people are told of an error of Ray: the error of ours behind it, where there is one."""
    chain = [error]
    while (behind := getattr(chain[-1], "cause", None) or chain[-1].__cause__) and behind not in chain:
        chain.append(behind)
    for found in reversed(chain):  # Ray makes copies of an error that are errors of its own, too
        if isinstance(found, FvdBenchError):
            return found
    again = "what is finished is kept, and the same command goes on from there"
    if any(map(is_out_of_memory, chain)):
        return EngineError(
            f"a worker of Ray ran out of memory: give each machine fewer workers, or more of it; {again}"
        )
    last = next((found for found in reversed(chain) if str(found).strip()), error)
    reason = str(last).strip().partition("\n")[0][:300]
    return EngineError(f"a worker of Ray was lost, or failed by {type(last).__name__}: {reason}; {again}")

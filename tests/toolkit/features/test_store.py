import contextlib
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import CacheError
from fvd_bench.features import store as store_module
from fvd_bench.features.store import Entry, Facts, FeatureStore


def _entry(seed: int = 0) -> Entry:
    features = np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32)
    return Entry(features, Facts(damaged=2, jpeg_qualities=(75, 95), not_jpeg=True))


def test_what_is_put_is_got_back_bit_for_bit_also_later(tmp_path: Path) -> None:
    FeatureStore(tmp_path).put([("a", _entry(1)), ("b", Entry(np.zeros((0, 1), np.float32), Facts("too short", 3)))])

    later = FeatureStore(tmp_path)

    found = later.get("a")
    assert found is not None
    np.testing.assert_array_equal(found.features, _entry(1).features)
    assert found.facts == _entry(1).facts
    skipped = later.get("b")
    assert skipped is not None
    assert (skipped.facts.skipped, skipped.facts.found, skipped.features.shape) == ("too short", 3, (0, 1))
    assert later.get("c") is None


def test_without_a_folder_entries_last_as_long_as_the_store() -> None:
    store = FeatureStore(None)
    store.check_writable()
    store.put([("a", _entry())])
    store.remember_contents([("state", "digest")])

    found = store.get("a")

    assert found is not None
    np.testing.assert_array_equal(found.features, _entry().features)
    assert store.content("state") == "digest"
    store.close()
    assert FeatureStore(None).get("a") is None


@pytest.mark.parametrize(
    "change",
    [
        "data = zeroblob(60)",
        "data = cast(data AS TEXT)",  # a blob and a text differ in one bit
        "facts = '{}'",
        "facts = cast(x'ff' AS TEXT)",
        "facts = cast(facts AS BLOB)",
        "dim = 3",
        "checksum = zeroblob(32)",
    ],
)
def test_a_damaged_entry_is_dropped_not_used(tmp_path: Path, change: str) -> None:
    FeatureStore(tmp_path).put([("a", _entry()), ("b", _entry())])
    with sqlite3.connect(tmp_path / "features.sqlite") as connection:
        connection.execute(f"UPDATE features SET {change} WHERE key = 'a'")
    connection.close()
    store = FeatureStore(tmp_path)

    assert store.get("a") is None
    assert store.get("b") is not None
    assert store.damaged == 1
    store.put([("a", _entry())])
    assert store.get("a") is not None


def test_an_entry_moved_to_another_key_is_dropped(tmp_path: Path) -> None:
    FeatureStore(tmp_path).put([("a", _entry())])
    with sqlite3.connect(tmp_path / "features.sqlite") as connection:
        connection.execute("UPDATE features SET key = 'b'")
    connection.close()

    assert FeatureStore(tmp_path).get("b") is None


@pytest.mark.parametrize("content", [b"not a database at all" * 100, None])
def test_a_damaged_file_is_put_aside(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "features.sqlite"
    FeatureStore(tmp_path).put([(str(i), _entry(i)) for i in range(200)])
    if content is None:
        data = bytearray(file.read_bytes())
        data[100:9000] = b"\xff" * 8900
        file.write_bytes(data)
    else:
        file.write_bytes(content)

    store = FeatureStore(tmp_path)
    found = [store.get(str(i)) for i in range(200)]
    store.put([("new", _entry())])

    assert store.damaged >= 1
    assert all(e is None or np.array_equal(e.features, _entry(i).features) for i, e in enumerate(found))
    assert store.get("new") is not None
    assert list(tmp_path.glob("features.sqlite.damaged-*"))


def test_contents_are_remembered_while_the_state_is_the_same(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.remember_contents([("one state", "digest")])

    assert store.content("one state") == "digest"
    assert store.content("another state") is None


@pytest.mark.parametrize(
    "change",
    [
        "digest = replace(digest, 'digest', 'digesT')",
        "digest = 'digest'",
        "digest = x'00'",
        "digest = cast(x'ff' AS TEXT)",
        "state = 'checked:another state'",
    ],
)
def test_a_damaged_text_is_not_used(tmp_path: Path, change: str) -> None:
    FeatureStore(tmp_path).remember_contents([("one state", "digest")])
    with sqlite3.connect(tmp_path / "features.sqlite") as connection:
        connection.execute(f"UPDATE contents SET {change} WHERE state != ''")
    connection.close()
    store = FeatureStore(tmp_path)

    assert (store.content("one state"), store.content("another state"), store.damaged) == (None, None, 1)
    store.remember_contents([("one state", "digest")])
    assert store.content("one state") == "digest"


def test_what_another_version_wrote_is_made_again_or_told_of(tmp_path: Path, monkeypatch) -> None:
    newer = {**asdict(_entry().facts), "more": 1}
    with monkeypatch.context() as patched:
        patched.setattr("fvd_bench.features.store.asdict", lambda facts: newer)
        FeatureStore(tmp_path).put([("a", _entry())])
    (tmp_path / "older").mkdir()
    with sqlite3.connect(tmp_path / "older" / "features.sqlite") as connection:
        connection.execute("CREATE TABLE features (key TEXT PRIMARY KEY, data BLOB)")
    connection.close()
    (tmp_path / "file").write_text("")

    assert FeatureStore(tmp_path).get("a") is None
    with pytest.raises(CacheError, match=r"is a database of another program or version \(no such column: facts\)"):
        FeatureStore(tmp_path / "older").get("a")
    with pytest.raises(CacheError, match=r"file is no folder\."):
        FeatureStore(tmp_path / "file")


def test_a_new_file_that_another_process_began_is_not_put_aside(tmp_path: Path) -> None:
    """Both see the damage; the second must find the first one's new file, not remove it."""
    first, second = FeatureStore(tmp_path), FeatureStore(tmp_path)
    first.put([(str(i), _entry(i)) for i in range(100)])
    data = bytearray((tmp_path / "features.sqlite").read_bytes())
    data[:] = b"\xff" * len(data)
    (tmp_path / "features.sqlite").write_bytes(data)

    assert second.get("1") is None
    second.put([("new", _entry())])
    found = first.get("new")

    assert found is not None
    assert len(list(tmp_path.glob("features.sqlite.damaged-*"))) == 1


@pytest.fixture
def read_only(tmp_path: Path) -> FeatureStore:
    """A store that holds two entries, the second of them damaged, in a file that can only be read."""
    FeatureStore(tmp_path).put([("a", _entry()), ("b", _entry(1))])
    with contextlib.closing(sqlite3.connect(tmp_path / "features.sqlite")) as connection, connection:
        connection.execute("UPDATE features SET checksum = x'00' WHERE key = 'b'")
    store = FeatureStore(tmp_path)
    store._connection.close()
    store._connection = sqlite3.connect(f"file:{tmp_path / 'features.sqlite'}?mode=ro", uri=True)
    return store


def test_a_store_that_cannot_be_written_says_so_when_features_have_to_be_made(read_only: FeatureStore) -> None:
    assert read_only.get("a") is not None
    with pytest.raises(CacheError, match=r"can be read but not written \(attempt to write a readonly database\)"):
        read_only.check_writable()


def test_what_a_store_that_cannot_be_written_does_not_take_is_there_for_the_run(
    read_only: FeatureStore, monkeypatch
) -> None:
    monkeypatch.setattr(store_module, "_MOST_KEPT_BYTES", 0)
    before = read_only.place

    assert read_only.get("b") is None and read_only.damaged == 1
    read_only.remember_contents([("state", "digest")])
    read_only.put([("b", _entry(2)), ("c", _entry(3))])
    read_only.commit()

    assert read_only.content("state") == "digest" and read_only.content("another state") is None
    for key, seed in {"a": 0, "b": 2, "c": 3}.items():
        found = read_only.get(key)
        assert found is not None
        np.testing.assert_array_equal(found.features, _entry(seed).features)
    assert before is not None and read_only.place is None
    read_only.close()


def test_features_are_not_lost_where_a_store_cannot_be_written_any_more(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.check_writable()
    (tmp_path / "features.sqlite").unlink()

    with pytest.raises(CacheError, match="readonly"):
        store.put([("a", _entry())])


def test_two_processes_share_a_store(tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from fvd_bench.features.store import Entry, Facts, FeatureStore\n"
        "store = FeatureStore(Path(sys.argv[1])); who = sys.argv[2]\n"
        "for i in range(60):\n"
        "    store.put([(f'{who}{i}', Entry(np.full((2, 4), i, np.float32), Facts()))])\n"
        "    assert store.get(f'{who}{i}') is not None\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), who]) for who in "ab"]

    assert [process.wait(60) for process in running] == [0, 0]
    store = FeatureStore(tmp_path)
    assert all(store.get(f"{who}{i}") is not None for who in "ab" for i in range(60))


def test_a_process_that_keeps_the_store_locked_is_told_of(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(store_module, "_BUSY_SECONDS", 0.1)
    store = FeatureStore(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "features.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(CacheError, match=r"another process, which may have been stopped, keeps it locked"):
            store.get("a")
    assert store.get("a") is None


def test_a_store_that_lasts_until_python_ends_says_nothing(monkeypatch) -> None:
    """The names of its module are None by then."""
    store, told = FeatureStore(None), []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    for name in ("contextlib", "sqlite3", "CacheError"):
        monkeypatch.setattr(store_module, name, None)

    del store

    assert not told


def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk; what still fits on it is kept."""
    program = (
        "import resource, signal, sys, numpy as np; from pathlib import Path\n"
        "from fvd_bench.features.store import Entry, Facts, FeatureStore\n"
        "from fvd_bench.errors import CacheError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = FeatureStore(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18))\n"
        "try:\n"
        "    store.put((str(i), Entry(np.zeros((10, 400), np.float32), Facts())) for i in range(100))\n"
        "    store.commit()\n"
        "except CacheError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)

    assert "--no-cache" in done.stdout
    kept = [FeatureStore(tmp_path).get(str(i)) is not None for i in range(100)]
    assert 3 < sum(kept) < 100 and kept == sorted(kept, reverse=True)


def test_entries_are_written_together_and_none_waits_for_long(tmp_path: Path, stored_entries, monkeypatch) -> None:
    clock = 100.0
    monkeypatch.setattr(store_module.time, "monotonic", lambda: clock)
    store = FeatureStore(tmp_path)
    store.put([("a", _entry())])
    assert stored_entries(tmp_path) == 1

    store.put([("b", _entry(1))])
    store.put([("c", _entry(2))])
    assert stored_entries(tmp_path) == 1  # what another process sees
    assert all(store.get(key) is not None for key in "abc")
    clock += 0.25
    store.put([("d", _entry(3))])
    assert stored_entries(tmp_path) == 4
    store.put([("e", _entry(4))])
    store.commit()
    assert stored_entries(tmp_path) == 5
    store.put([("f", _entry(5))])
    store.close()
    assert stored_entries(tmp_path) == 6


def test_a_store_that_is_left_by_an_error_has_written_everything(tmp_path: Path, stored_entries) -> None:
    with pytest.raises(KeyboardInterrupt), contextlib.closing(FeatureStore(tmp_path)) as store:
        for key in "abc":
            store.put([(key, _entry())])
        raise KeyboardInterrupt

    assert stored_entries(tmp_path) == 3


def test_an_entry_is_read_and_checked_once_while_it_fits(tmp_path: Path, monkeypatch) -> None:
    FeatureStore(tmp_path).put([("a", _entry()), ("b", _entry(1))])
    monkeypatch.setattr(store_module, "_MOST_KEPT_BYTES", _entry().features.nbytes)
    checked: list[str] = []
    original = store_module._checksum
    monkeypatch.setattr(store_module, "_checksum", lambda key, *rest: checked.append(key) or original(key, *rest))
    store = FeatureStore(tmp_path)

    for _ in range(3):
        for key in "ab":
            found = store.get(key)
            assert found is not None
            np.testing.assert_array_equal(found.features, _entry("ab".index(key)).features)

    assert checked == ["a", "b", "b", "b"]


def test_an_entry_that_is_put_again_takes_the_place_of_the_first(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(store_module, "_MOST_KEPT_BYTES", 2 * _entry().features.nbytes)
    store, second = FeatureStore(tmp_path), _entry(1)

    for entry in (_entry(), second, second):
        store.put([("a", entry)])
    store.put([("b", entry := _entry(2))])

    assert store.get("a") is second and store.get("b") is entry  # both are kept in memory


def test_more_than_can_wait_is_written_at_once(tmp_path: Path, stored_entries, monkeypatch) -> None:
    monkeypatch.setattr(store_module.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(store_module, "_MOST_WAITING_BYTES", 2 * _entry().features.nbytes)
    store = FeatureStore(tmp_path)

    for key, written in (("a", 1), ("b", 1), ("c", 1), ("d", 4), ("e", 4)):
        store.put([(key, _entry())])
        assert stored_entries(tmp_path) == written


def test_an_entry_that_waits_is_found_where_memory_keeps_none(tmp_path: Path, stored_entries, monkeypatch) -> None:
    monkeypatch.setattr(store_module.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(store_module, "_MOST_KEPT_BYTES", 0)
    store = FeatureStore(tmp_path)

    for seed, key in enumerate("ab"):
        store.put([(key, _entry(seed))])

    found = store.get("b")
    assert stored_entries(tmp_path) == 1 and found is not None
    np.testing.assert_array_equal(found.features, _entry(1).features)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(CacheError, match="`fvd-bench compute --cache` or for every command"):
        FeatureStore(tmp_path / "file" / "store")

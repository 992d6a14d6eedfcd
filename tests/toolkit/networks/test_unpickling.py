"""Pickles of plain data and arrays are read; nothing in any other is run."""

import os
import pickle
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.networks.weights import unpickling


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_pickle_protocol_is_read(protocol: int) -> None:
    given = {
        "text": "µ",
        "numbers": [1, 2.5, None, True, (3, 4)],
        "array": np.arange(6, dtype=">f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.float64(2.5),
    }

    found = unpickling.load(pickle.dumps(given, protocol), what="statistics")

    assert isinstance(found, dict) and {k: found[k] for k in ("text", "numbers")} == {
        k: given[k] for k in ("text", "numbers")
    }
    for name in ("array", "fortran"):
        array = unpickling.plain(found[name])
        assert isinstance(array, np.ndarray) and array.dtype == given[name].dtype
        np.testing.assert_array_equal(array, given[name])
    assert unpickling.plain(found["scalar"]) == 2.5


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: object, *args: object) -> None:
        self._call = function, args

    def __reduce__(self) -> object:
        return self._call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", ["system", "eval", "getattr", "class", "load"])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, kind: str, protocol: int) -> None:
    trace = tmp_path / "trace"
    hostile = {
        "system": Calls(os.system, f"touch {trace}"),
        "eval": Calls(eval, f"open({str(trace)!r}, 'w')"),
        "getattr": Calls(getattr, np.ndarray, "tofile"),
        "class": Path,
        "load": Calls(np.load, str(trace), None, True),
    }[kind]
    data = pickle.dumps({"mu": hostile}, protocol)

    with pytest.raises(pickle.UnpicklingError, match=r"wants to call .*, which statistics never do"):
        unpickling.load(data, what="statistics")

    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"no pickle at all",
        pickle.dumps(np.arange(1000.0))[:-100],
        pickle.dumps(np.array([object.__name__, None], dtype=object)),
        pickle.dumps(np.zeros(2, dtype=[("a", "f4")])),
        b"\x80\x04cnumpy\nndarray\n)R.",  # calls what is only handed over
        b"\x80\x04cnumpy\nndarray\n)\x81.",
        b"\x80\x04cnumpy\ndtype\n(\x8c\x02f8\x89\x88tR}\x8c\x01aK\x01sb.",  # attributes for a type of numbers
        b"\x80\x04cnumpy\ndtype\nN}\x8c\x05_callN\x86\x86b.",
        b"\x80\x04\x82\x01.",  # an entry of the registry of extensions
        b"\x80\x04\x8c\x01aQ.",  # a persistent object
        b"\x80\x05\x97.",  # a buffer beside the pickle
    ],
)
def test_damaged_and_odd_pickles_raise_what_is_listed(data: bytes) -> None:
    with pytest.raises(unpickling.READ_ERRORS):
        unpickling.plain(unpickling.load(data, what="statistics"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04Nr" + struct.pack("<I", 2**25) + b".",  # a note at a number that needs 512 MiB
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
        b"c_codecs\nencode\n(X" + struct.pack("<I", 10**6) + b"a" * 10**6 + b"Vlatin1\ntp0\n0c_codecs\nencode\np1\n("
        b"l" + b"g1\ng0\nRa" * 5000 + b".",
    ],
)
def test_absurd_pickles_take_no_memory(data: bytes) -> None:
    """The last of them names one text of a megabyte five thousand times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(unpickling.READ_ERRORS):
        unpickling.load(data, what="statistics")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_an_array_that_is_larger_than_its_bytes_is_refused() -> None:
    array = pickle.dumps(np.zeros(3), 4).replace(b"K\x03\x85", b"J\x00\x00\x00\x40\x85")

    with pytest.raises(ValueError, match="cannot reshape array of size 3"):
        unpickling.plain(unpickling.load(array, what="statistics"))


def test_deep_pickles_are_no_trouble() -> None:
    found = unpickling.load(b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".", what="statistics")

    assert isinstance(found, list)

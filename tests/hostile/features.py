"""Statistics of our own and of others, protocols, results: damaged, forged, or with code in them."""

from __future__ import annotations

import io
import os
import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.hostile.arrays import Payload
from tests.hostile.case import PROTOCOL, REAL, REPLAY, RESULT, WEIGHTS, Case, Good, broken


def make(good: Good, folder: Path) -> Iterator[Case]:
    yield from _statistics(good, folder)
    yield from _of_others(good, folder)
    yield from _texts(good, folder)
    for name in ("pipe.npy", "pipe.npz", "pipe.pkl"):
        os.mkfifo(folder / name)
        yield Case(f"features/{name}", str(folder / name), "refused", REAL)
    weights = folder / "weights.pt"
    weights.write_bytes(pickle.dumps(Payload(good.sentinel)))
    i3d = ("--protocol", "stylegan-v-fvd16")
    yield Case("text/weights-pickle", f"i3d-kinetics-400={weights}", "refused", WEIGHTS, i3d)


def _statistics(good: Good, folder: Path) -> Iterator[Case]:
    data = (good.root / "real.npz").read_bytes()
    for name, changed in broken(data, 7):
        yield _write(folder, f"damaged-{name}.npz", changed, "used-or-refused")
    with np.load(good.root / "real.npz", allow_pickle=False) as file:
        arrays = dict(file)
    for name, array in arrays.items():
        label = name.replace("/", "-")
        rest = {other: value for other, value in arrays.items() if other != name}
        yield _write(folder, f"without-{label}.npz", _npz(rest), "refused")
        if np.issubdtype(array.dtype, np.floating):
            yield _write(folder, f"nan-{label}.npz", _npz({**rest, name: np.full_like(array, np.nan)}), "refused")
            yield _write(folder, f"doubled-{label}.npz", _npz({**rest, name: array * 2}), "refused")
        yield _write(folder, f"short-{label}.npz", _npz({**rest, name: array.reshape(-1)[:1]}), "refused")
        objects = np.array([Payload(good.sentinel)], dtype=object)
        yield _write(folder, f"objects-{label}.npz", _npz({**rest, name: objects}), "refused")


def _of_others(good: Good, folder: Path) -> Iterator[Case]:
    payload = Payload(good.sentinel)
    mu, sigma = np.zeros(54), np.eye(54)
    for name, value in {
        "alone": payload,
        "in-a-dict": {"mu": mu, "sigma": payload},
        "beside": {"mu": mu, "sigma": sigma, "more": [payload]},
        "eval": _Reduced(eval, (f"open({str(good.sentinel)!r}, 'w')",)),
        "getattr": _Reduced(getattr, (Path, "home")),
        "class": Path("somewhere"),
    }.items():
        yield _write(folder, f"pickle-{name}.pkl", pickle.dumps(value), "refused")
    yield _write(folder, "deep.pkl", b"]" * 100000 + b".", "refused")
    yield _write(folder, "memo-bomb.pkl", b"\x80\x04" + b"2" * 64 + b".", "refused")
    yield _write(folder, "huge-string.pkl", b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.", "refused")
    for name, changed in broken(pickle.dumps({"mu": mu, "sigma": sigma}), 8):
        yield _write(folder, f"pickle-{name}.pkl", changed, "used-or-refused")
    for name, moments in {
        "not-square": {"mu": mu, "sigma": np.zeros((54, 53))},
        "other-size": {"mu": mu[:10], "sigma": np.eye(10)},
        "not-a-number": {"mu": mu * np.nan, "sigma": sigma},
        "not-symmetric": {"mu": mu, "sigma": np.triu(np.ones((54, 54)))},
        "negative": {"mu": mu, "sigma": -sigma},
        "no-sigma": {"mu": mu},
    }.items():
        yield _write(folder, f"moments-{name}.npz", _npz(moments), "refused")
    yield _write(folder, "moments-of-one-picture.npz", _npz({"mu": mu, "sigma": 0 * sigma}), "used-or-refused")


def _texts(good: Good, folder: Path) -> Iterator[Case]:
    for name, data in broken((good.root / "pixels.toml").read_bytes(), 9):
        file = folder / f"protocol-{name}.toml"
        file.write_bytes(data)
        yield Case(f"text/protocol-{name}", str(file), "used-or-refused", PROTOCOL)
    digits = folder / "protocol-of-5000-digits.toml"
    digits.write_text(f"version = {'9' * 5000}\n")
    yield Case("text/protocol-of-5000-digits", str(digits), "refused", PROTOCOL)
    result = (good.root / "result.json").read_bytes()
    for name, data in broken(result, 10):
        file = folder / f"result-{name}.json"
        file.write_bytes(data)
        yield Case(f"text/result-{name}", str(file), "used-or-refused", RESULT, (str(good.root / "result.json"),))
    value = re.search(rb'"value": ([0-9.]+)', result)
    assert value
    for name, data in {
        "deep": b"[" * 100000,
        "value-is-text": result.replace(value[0], b'"value": "' + value[1] + b'"', 1),
        "value-is-nan": result.replace(value[0], b'"value": NaN', 1),
        "value-of-5000-digits": result.replace(value[0], b'"value": ' + b"9" * 5000, 1),
        "no-scores": re.sub(rb'"scores": \[.*?\n  \]', b'"scores": []', result, flags=re.DOTALL),
    }.items():
        file = folder / f"forged-{name}.json"
        file.write_bytes(data)
        yield Case(f"text/result-{name}", str(file), "refused", RESULT, (str(good.root / "result.json"),))
    manifest = (good.root / "manifest.json").read_bytes()
    forged = {
        "deep": b"[" * 100000,
        "of-4000000000-repeats": re.sub(rb'"repeats": \d+', b'"repeats": 4000000000', manifest),
        "of-5000-digits": re.sub(rb'"seed": \d+', b'"seed": ' + b"9" * 5000, manifest),
    }
    for name, data in [*broken(manifest, 11), *forged.items()]:
        file = folder / f"manifest-{name}.json"
        file.write_bytes(data)
        yield Case(f"text/manifest-{name}", str(file), "used-or-refused", REPLAY)
    kept = folder / "kept.json"
    shutil.copy(good.root / "result.json", kept)
    kept.with_suffix(".npz").write_bytes(_npz({"of": np.array([Payload(good.sentinel)], dtype=object)}))
    yield Case("text/kept-objects", str(kept), "used-or-refused", RESULT, (str(good.root / "result.json"),))


class _Reduced:
    """Pickles to a call."""

    def __init__(self, function: object, arguments: tuple[object, ...]) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:  # type: ignore[override]
        return self._call


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _write(folder: Path, name: str, data: bytes, expected: str) -> Case:
    (folder / name).write_bytes(data)
    return Case(f"features/{name}", str(folder / name), expected, REAL)  # type: ignore[arg-type]

"""What a manifest says was used, against draws made by hand."""

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvd_bench.errors import ManifestError
from fvd_bench.evaluation import manifest
from fvd_bench.evaluation.manifest import Manifest, evaluate_and_record
from fvd_bench.evaluation.statistics.making import make_moments
from fvd_bench.protocols import protocol
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.settings import Settings


def recorded(real: Path, fake: Path, protocols: list[str], *, cache: Path, repeats: int = 1, seed: int = 0) -> Manifest:
    settings = Settings(cache=cache)
    return evaluate_and_record(real, fake, protocols, repeats=repeats, seed=seed, settings=settings)[1]


@pytest.fixture(scope="module")
def text(two_sides, write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The JSON of a manifest."""
    folder = tmp_path_factory.mktemp("manifest")
    return recorded(*two_sides, [write_pixels_protocol(folder)], cache=folder / "s").to_json()


def test_the_frames_are_those_of_the_documented_draws(two_sides, pixels_protocol, tmp_path: Path) -> None:
    made = json.loads(recorded(*two_sides, [pixels_protocol()], cache=tmp_path, repeats=2, seed=5).to_json())

    lengths = [12 + 3 * index for index in range(6)]  # of the fixture's real videos
    for draw, seed in zip(made["draws"][:2], (5, 6), strict=True):
        starts = [int(np.random.default_rng([seed, index]).integers(0, n - 9 + 1)) for index, n in enumerate(lengths)]
        assert (draw["side"], draw["reads"], draw["seed"]) == ("real", "real", seed)
        assert draw["videos"] == [[i, [{"range": [start, start + 9, 1]}]] for i, start in enumerate(starts)]
    assert made["draws"][2]["videos"] == [[index, [{"range": [0, 9, 1]}]] for index in range(5)]
    digests = [hashlib.sha256((two_sides[0] / f"{i}.mkv").read_bytes()).hexdigest() for i in range(6)]
    assert made["listings"]["real"] == [[f"{i}.mkv", digest] for i, digest in enumerate(digests)]
    assert (made["seed"], made["repeats"], made["scores"][0]["metric"]) == (5, 2, "fvd")


@pytest.mark.parametrize(
    ("frames", "clip", "taken"),
    [
        (5, 'stride = 2\ncontent = { fake = "reversed-real" }', {"range": [8, -1, -2]}),
        (5, "stride = 2", {"range": [0, 9, 2]}),
        (9, 'content = { fake = "still" }', None),
    ],
)
def test_frames_are_ranges_where_they_can_be(
    two_sides, pixels_protocol, tmp_path: Path, frames: int, clip: str, taken: dict[str, list[int]] | None
) -> None:
    protocol = pixels_protocol(frames=frames, clip=clip)
    text = Path(protocol).read_text().replace('start = { real = "random", fake = "first" }', 'start = "first"')
    Path(protocol).write_text(text)

    made = json.loads(recorded(*two_sides, [protocol], cache=tmp_path / "s").to_json())

    clips = [clip for place, clips in made["draws"][1]["videos"] if place == 0 for clip in clips]
    still = int(np.random.default_rng([0, 0, 2]).integers(0, 30))  # of 30 frames, by the documented stream
    assert clips == [taken or {"list": [still] * 9}]


def test_a_side_without_videos_has_none(two_sides, pixels_protocol, tmp_path: Path) -> None:
    make_moments(two_sides[0], "real", pixels_protocol(), settings=Settings(cache=None)).write(tmp_path / "real.npz")
    with pytest.raises(ManifestError, match="the real side is statistics without single videos"):
        recorded(tmp_path / "real.npz", two_sides[1], [pixels_protocol()], cache=tmp_path / "s")


def test_it_survives_json(two_sides, pixels_protocol, tmp_path: Path) -> None:
    protocols = [
        pixels_protocol(name="a", images='resize = { size = 20 }\njpeg = { fake = "unless-jpeg" }'),
        pixels_protocol(name="b", clip='content = { fake = "shuffled-real" }'),
        pixels_protocol(name="c", clip='content = { fake = "still" }', count="fake = 3"),
        pixels_protocol(name="d", clip='content = { fake = "reversed-real" }\nstride = 2', frames=9),
    ]
    made = recorded(*two_sides, protocols, cache=tmp_path / "s", repeats=2)

    assert Manifest.from_json(made.to_json()) == made
    kinds = {kind for draw in made.draws for video in draw.videos for kind, _ in video.clips}
    assert kinds == {"range", "list"}


@pytest.mark.parametrize("name", protocol.names())
def test_every_shipped_protocol_comes_back(name: str) -> None:
    loaded = protocol.load(name)

    table = json.loads(json.dumps(loaded.to_table()))

    assert Protocol.from_table(table, where="here") == loaded


def test_lengths_come_from_the_store_and_are_counted_where_it_is_older(
    two_sides, pixels_protocol, tmp_path: Path
) -> None:
    """An entry of an older version has no length; its checksum is over the text that it has."""
    first = recorded(*two_sides, [pixels_protocol()], cache=tmp_path / "s")
    cached = recorded(*two_sides, [pixels_protocol()], cache=tmp_path / "s")
    with sqlite3.connect(tmp_path / "s" / "features.sqlite") as store:
        for key, text, dim, data, _ in store.execute("SELECT * FROM features").fetchall():
            facts = json.loads(text)
            del facts["num_frames"]
            older = json.dumps(facts)
            checksum = hashlib.sha256(f"{key}\0{older}\0{dim}\0".encode() + data).digest()
            store.execute("UPDATE features SET facts = ?, checksum = ? WHERE key = ?", (older, checksum, key))
    store.close()

    older_store = recorded(*two_sides, [pixels_protocol()], cache=tmp_path / "s")

    assert first.draws == cached.draws == older_store.draws


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop("draws"),
        lambda table: table.update(schema=2),
        lambda table: table["draws"][0]["videos"][0].__setitem__(0, "0"),
        lambda table: table["draws"][0]["videos"][0].__setitem__(0, -1),
        lambda table: table["draws"][0].update(side="left"),
        lambda table: table["draws"][0].update(protocol=5),
        lambda table: table["draws"][0].update(seed="0"),
        lambda table: table["listings"]["real"].append([3, 4]),
        lambda table: next(iter(table["protocols"].values()))["real"].update(frames=10),
        lambda table: next(iter(table["protocols"].values())).pop("summary"),
        lambda table: next(iter(table["protocols"].values())).update(assumptions=3),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path, change: Any) -> None:
    table = json.loads(text)
    change(table)
    (tmp_path / "m.json").write_text(json.dumps(table))

    with pytest.raises(ManifestError, match=r"m\.json"):
        manifest.load(tmp_path / "m.json")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b"\xff")

    for file in (tmp_path / "m.json", tmp_path / "absent.json"):
        with pytest.raises(ManifestError, match="cannot be read"):
            manifest.load(file)

"""Statistics files: the digits of the videos that they were made of, whole or in shards."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import allow_code
from fvd_bench.errors import ArgumentError, NotComparableError, ProtocolError, SourceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.online.metric import FrechetVideoDistance
from fvd_bench.evaluation.statistics.making import make, make_moments, merge
from fvd_bench.features import headed_arrays
from fvd_bench.features.moments_file import MomentsFile
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.networks import NETWORKS, environment
from fvd_bench.settings import Settings
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None)
RANDOM_SUBSET = "real = 4\nfake = 3"


def written(file: StatsFile, path: Path) -> str:
    file.write(path)
    return str(path)


@pytest.mark.parametrize("count", ["", RANDOM_SUBSET])
def test_a_file_scores_as_its_videos(sides, pixels_protocol, tmp_path: Path, count: str) -> None:
    protocol = pixels_protocol(count=count, images='jpeg = { fake = "unless-jpeg" }')
    videos = evaluate(*sides, protocol, repeats=3, settings=NO_CACHE)
    files = [
        written(make(path, side, protocol, repeats=3, settings=NO_CACHE), tmp_path / f"{side}.npz")
        for path, side in zip(sides, ("real", "fake"), strict=True)
    ]

    for real, fake in ((files[0], sides[1]), (sides[0], files[1]), files):
        found = evaluate(real, fake, protocol, repeats=3, settings=NO_CACHE)
        assert found.scores == videos.scores
        assert found.motion == videos.motion
        assert (found.real.fingerprint, found.fake.fingerprint) == (videos.real.fingerprint, videos.fake.fingerprint)
    assert [skipped.video for skipped in videos.scores[0].real.skipped][:1] in ([], ["1a.mkv"])


def test_more_than_ten_videos_are_read_back(sides, pixels_protocol, tmp_path: Path, stored) -> None:
    """Numbers as keys sort otherwise than the texts that JSON makes of them."""
    file = make(sides[1], "fake", pixels_protocol(), repeats=1, settings=stored)
    names, contents = tuple(f"{i:02d}.mkv" for i in range(12)), {i: f"{i:064x}" for i in range(12)}

    found = StatsFile.read(
        Path(written(dataclasses.replace(file, names=names, contents=contents), tmp_path / "12.npz"))
    )

    assert (found.names, dict(found.contents)) == (names, contents)


def test_fewer_seeds_and_the_first_of_several_protocols_are_served(sides, pixels_protocol, stored) -> None:
    protocols = [pixels_protocol(), pixels_protocol(name="longer", frames=11)]
    file = make(sides[0], "real", protocols, repeats=3, settings=stored)

    assert {p.name for p in file.protocols} == {"pixels", "longer"}


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("count", ["", RANDOM_SUBSET])
def test_shards_give_the_digits_of_the_whole(sides, pixels_protocol, tmp_path: Path, shards: int, count: str) -> None:
    """Seven videos do not divide by two or three, and one of them has to be replaced."""
    protocol = pixels_protocol(count=count)
    whole = evaluate(*sides, protocol, repeats=2, settings=NO_CACHE)
    parts = {
        f"{i}.npz": make(sides[0], "real", protocol, repeats=2, shard=(i, shards), settings=NO_CACHE)
        for i in range(shards, 0, -1)
    }

    real = written(merge(parts, source=sides[0] if count else None), tmp_path / "real.npz")

    assert evaluate(real, sides[1], protocol, repeats=2, settings=NO_CACHE).scores == whole.scores


def test_shards_of_features_that_were_there_measure_motion_too(sides, pixels_protocol, tmp_path: Path) -> None:
    """As a training loop leaves them, which looks at no motion."""
    settings, protocol = Settings(cache=tmp_path / "store"), pixels_protocol()
    loop = FrechetVideoDistance(protocol, real=sides[0], settings=settings)
    loop.update(fake=np.zeros((2, 16, 32, 32, 3), np.uint8))
    loop.compute()

    shards = {str(i): make(sides[0], "real", protocol, shard=(i, 2), settings=settings) for i in (1, 2)}

    assert {len(shard.motion) for shard in shards.values()} == {3}
    assert merge(shards).motion.keys() == make(sides[0], "real", protocol, settings=NO_CACHE).motion.keys()


def test_a_shard_that_is_used_as_a_whole_side_is_the_worst_finding(
    sides, pixels_protocol, tmp_path: Path, stored
) -> None:
    part = written(make(sides[0], "real", pixels_protocol(), shard=(1, 2), settings=stored), tmp_path / "part.npz")

    warnings = evaluate(part, sides[1], pixels_protocol(), settings=NO_CACHE).warnings

    assert warnings[0].code == "shard-alone" and "merge all shards first" in warnings[0].message
    assert sum("shard" in warning.message for warning in warnings) == 1


def test_files_of_several_networks_become_one(
    sides, pixels_protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored
) -> None:
    """Of two networks of equal and of other protocols, in shards too; each scores as from the videos."""
    monkeypatch.setitem(NETWORKS.built_in, "coarse", dataclasses.replace(NETWORKS["pixels"], name="coarse"))
    first, second = pixels_protocol(), pixels_protocol(name="second", frames=10)
    other = Path(pixels_protocol(name="other"))
    other.write_text(other.read_text().replace('"pixels"\n\n[metric]', '"coarse"\n\n[metric]'))
    shards = {str(i): make(sides[0], "real", first, shard=(i, 2), settings=stored) for i in (1, 2)}
    wholes = {str(p): make(sides[0], "real", p, settings=stored) for p in (second, other)}

    file = written(merge({**wholes, **shards}), tmp_path / "real.npz")

    protocols = [first, second, str(other)]
    assert len({p.features.extractor for p in StatsFile.read(Path(file)).protocols}) == 2
    found = evaluate(file, sides[1], protocols, settings=NO_CACHE)
    assert found.scores == evaluate(*sides, protocols, settings=NO_CACHE).scores
    whole = wholes[second]
    with pytest.raises(SourceError, match=r"1: 0\.mkv has other contents than in another file"):
        merge({**shards, "changed": dataclasses.replace(whole, contents={**whole.contents, 0: "x"})})
    fewer = {i: digest for i, digest in whole.contents.items() if i}
    unread = dataclasses.replace(whole, contents=fewer, unreadable={**whole.unreadable, 0: "no video"})
    with pytest.raises(SourceError, match="not of the same videos: one has some that the other lacks"):
        merge({str(other): wholes[str(other)], "unread": unread})


class TestWhatDoesNotFit:
    def test_the_other_side(self, sides, pixels_protocol, tmp_path: Path, stored) -> None:
        real = written(make(sides[0], "real", pixels_protocol(), settings=stored), tmp_path / "real.npz")

        with pytest.raises(NotComparableError, match="holds features for the real side, and is given as the fake one"):
            evaluate(sides[0], real, pixels_protocol(), settings=NO_CACHE)

    def test_fake_features_as_the_real_side(self, sides, pixels_protocol, tmp_path: Path, stored) -> None:
        fake = written(make(sides[1], "fake", pixels_protocol(), settings=stored), tmp_path / "fake.npz")

        with pytest.raises(NotComparableError, match="holds features for the fake side, and is given as the real one"):
            evaluate(fake, sides[1], pixels_protocol(), settings=NO_CACHE)

    @pytest.mark.parametrize("change", [{"seed": 5}, {"repeats": 3}, {"frames": 10}])
    def test_what_the_file_was_not_made_for(self, sides, pixels_protocol, tmp_path: Path, change, stored) -> None:
        real = written(make(sides[0], "real", pixels_protocol(), settings=stored), tmp_path / "real.npz")
        protocol = pixels_protocol(name="asked", frames=change.pop("frames", 9))

        with pytest.raises(SourceError, match="it was made for pixels, with the seed 0, and the weights none"):
            evaluate(real, sides[1], protocol, settings=NO_CACHE, **change)

    def test_a_statistics_file_as_the_source_of_another(self, sides, pixels_protocol, tmp_path: Path) -> None:
        real = written(make(sides[0], "real", pixels_protocol(), settings=NO_CACHE), tmp_path / "real.npz")

        with pytest.raises(SourceError, match="is a statistics file already"):
            make(real, "real", pixels_protocol(), settings=NO_CACHE)


def test_a_protocol_whose_network_is_not_here_is_not_left_out(
    sides, pixels_protocol, store, monkeypatch: pytest.MonkeyPatch, stored
) -> None:
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    with pytest.raises(SourceError, match="no features can be made for stylegan-v-fid: the weights"):
        make(sides[0], "real", [pixels_protocol(), "stylegan-v-fid"], settings=stored)


def test_a_training_loop_scores_against_a_file(sides, pixels_protocol, tmp_path: Path, moving_frames, stored) -> None:
    protocol = pixels_protocol()
    real = written(make(sides[0], "real", protocol, settings=stored), tmp_path / "real.npz")
    fakes = np.stack([moving_frames(12, seed=seed) for seed in range(4)])
    metrics = [FrechetVideoDistance(protocol, real=side, settings=NO_CACHE) for side in (real, sides[0])]
    for metric in metrics:
        metric.update(fake=fakes)

    assert metrics[0].compute() == metrics[1].compute() == evaluate(real, fakes, protocol, settings=NO_CACHE).value


def test_files_of_networks_with_libraries_of_their_own_become_one(
    sides, plugins, pixels_protocol, own_protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored
) -> None:
    """The library of one network is none of the other's, in a file that is made for both as in one that is joined."""
    plugins.package("of-layers")
    allow_code(plugins.network(software=("of-layers",)))
    protocols = [pixels_protocol(), own_protocol("of_mine:means")]
    files = {p: make(sides[0], "real", p, settings=stored) for p in protocols}
    both = make(sides[0], "real", protocols, settings=stored)

    joined = merge(files)

    assert joined.entries.keys() == both.entries.keys() and joined.versions == both.versions
    for number, whole in enumerate((joined, both)):
        file = written(whole, tmp_path / f"{number}.npz")
        for protocol in protocols:
            expected = evaluate(*sides, protocol, settings=NO_CACHE)
            assert evaluate(file, sides[1], protocol, settings=NO_CACHE).scores == expected.scores
    plugins.forget()  # as where another process joins them
    assert merge(files).entries.keys() == both.entries.keys()
    plugins.forget()
    monkeypatch.setattr("fvd_bench.plugins._allowed", set())
    with pytest.raises(ProtocolError, match="--allow-code of_mine:means"):
        merge(files)
    allow_code("of_mine:means")
    plugins.package("of-layers", version="2.0")
    found = evaluate(file, sides[1], protocols[1], settings=NO_CACHE)
    assert "of-layers 1.0 (here 2.0)" in next(f.message for f in found.warnings if f.code == "made-elsewhere")


def test_features_made_elsewhere_are_used_and_named(
    sides, pixels_protocol, tmp_path: Path, monkeypatch, stored
) -> None:
    here = environment.feature_versions
    monkeypatch.setattr(environment, "feature_versions", lambda device: {**here(device), "torch": "1.0"})
    real = written(make(sides[0], "real", pixels_protocol(), settings=stored), tmp_path / "real.npz")
    monkeypatch.undo()

    found = evaluate(real, sides[1], pixels_protocol(), settings=NO_CACHE)

    here = evaluate(*sides, pixels_protocol(), settings=NO_CACHE)
    assert (found.value, found.motion) == (here.value, here.motion)
    (message,) = [warned.message for warned in found.warnings if warned.code == "made-elsewhere"]
    assert message.startswith("the real features were made with torch 1.0 (here ")


def test_software_that_a_file_does_not_know_is_named(
    sides, pixels_protocol, tmp_path: Path, monkeypatch, stored
) -> None:
    here = environment.feature_versions
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(environment, "feature_versions", lambda device: {"device": device})
        real = written(make(sides[0], "real", pixels_protocol(), settings=stored), tmp_path / "real.npz")

    found = evaluate(real, sides[1], pixels_protocol(), settings=NO_CACHE)

    (message,) = [warned.message for warned in found.warnings if warned.code == "made-elsewhere"]
    assert f"torch None (here {here('cpu')['torch']})" in message


def test_features_that_are_not_finite_are_refused(sides, pixels_protocol, tmp_path: Path, stored) -> None:
    """Their checksum fits: somebody made them so."""
    file = make(sides[0], "real", pixels_protocol(), settings=stored)
    entries = {k: dataclasses.replace(e, features=e.features * np.float32("nan")) for k, e in file.entries.items()}
    real = written(dataclasses.replace(file, entries=entries), tmp_path / "real.npz")

    with pytest.raises(SourceError, match=r"cannot be read as a statistics file: features of [0-9a-f]{12} are not fin"):
        evaluate(real, sides[1], pixels_protocol(), settings=NO_CACHE)


def test_what_a_file_claims_reaches_no_other_run(sides, pixels_protocol, tmp_path: Path, stored) -> None:
    file = make(sides[0], "real", pixels_protocol(), settings=stored)
    forged = {k: dataclasses.replace(e, features=e.features + np.float32(1)) for k, e in file.entries.items()}
    settings = Settings(cache=tmp_path / "store")
    dataclasses.replace(file, entries=forged).write(tmp_path / "real.npz")

    changed = evaluate(tmp_path / "real.npz", sides[1], pixels_protocol(), settings=settings)

    true = evaluate(*sides, pixels_protocol(), settings=settings)
    assert true.value == evaluate(*sides, pixels_protocol(), settings=NO_CACHE).value != changed.value


def test_a_head_that_lacks_an_entry_is_told_what_it_lacks(sides, pixels_protocol, tmp_path: Path) -> None:
    file = tmp_path / "real.npz"
    headed_arrays.write(file, "fvd_bench_stats", {"schema": 1}, {})

    with pytest.raises(SourceError, match=r"as a statistics file: it has no 'checksum'; make it again"):
        evaluate(file, sides[1], pixels_protocol(), settings=NO_CACHE)


def test_damaged_files_are_refused(sides, pixels_protocol, tmp_path: Path, stored) -> None:
    file = tmp_path / "real.npz"
    make(sides[0], "real", pixels_protocol(), settings=stored).write(file)
    with np.load(file) as members:
        arrays = dict(members)
    name = "features_54"  # skipped videos have an array of their own, without rows
    np.savez(file, **{**arrays, name: arrays[name] * 2})

    with pytest.raises(SourceError, match="cannot be read as a statistics file: its checksum does not fit"):
        evaluate(file, sides[1], pixels_protocol(), settings=NO_CACHE)


class TestCommands:
    def test_shards_are_merged_and_scored(self, sides, pixels_protocol, tmp_path: Path) -> None:
        protocol = ("--protocol", pixels_protocol())
        for i in (1, 2):
            shard = ("--shard", f"{i}/2", "--out", str(tmp_path / f"{i}.npz"), "--no-cache")
            done = fvd_bench("stats", str(sides[0]), "--side", "real", *protocol, *shard)
            assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{tmp_path / '2.npz'}: 3 real videos (shard 2/2) for pixels")
        merged = fvd_bench(
            "merge", str(tmp_path / "1.npz"), str(tmp_path / "2.npz"), "--out", str(tmp_path / "real.npz")
        )
        assert merged.stdout == f"{tmp_path / 'real.npz'}: 7 real videos of 2 files\n", merged.stderr

        fake = ("--fake", str(sides[1]), *protocol, "--no-cache", "--json", "-")
        scored = [fvd_bench("compute", "--real", str(real), *fake) for real in (tmp_path / "real.npz", sides[0])]

        values = [next(line for line in done.stdout.splitlines() if '"value"' in line) for done in scored]
        assert values[0] == values[1]

    def test_a_skipped_video_is_named_and_counted_once(self, sides, pixels_protocol, tmp_path: Path) -> None:
        protocols = ("-p", pixels_protocol(), "-p", pixels_protocol(name="longer", frames=11))
        shutil.copy(sides[0] / "1a.mkv", sides[0] / "9.mkv")

        for shard, said in {
            "1/1": "2 real videos are skipped: 1a.mkv, 9.mkv",
            "2/2": "1 real video is skipped: 9.mkv",
        }.items():
            out = ("--shard", shard, "--repeats", "2", "--no-cache", "--out", tmp_path / "real.npz")
            done = fvd_bench("stats", sides[0], "--side", "real", *protocols, *out)

            assert done.stdout.endswith(f" for pixels, longer, {said[0]} skipped\n")
            assert f"fvd-bench: warning: {said} (" in done.stderr

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b"])
    def test_shards_are_numbered_from_one(self, shard: str, tmp_path: Path) -> None:
        done = fvd_bench("stats", ".", "--side", "real", "--shard", shard, "--out", str(tmp_path / "a.npz"))

        assert done.returncode == 2
        assert "expected the number of a shard" in done.stderr

    def test_the_file_has_the_ending_of_its_form(self, tmp_path: Path) -> None:
        done = fvd_bench("stats", ".", "--side", "real", "--out", str(tmp_path / "a.stats"))

        assert (done.returncode, "expected a file that ends in .npz" in done.stderr) == (2, True)


def test_nothing_is_not_merged() -> None:
    with pytest.raises(ArgumentError, match="no statistics files are given"):
        merge({})


@pytest.mark.parametrize("made", [make, make_moments])
@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_there_is_none_of_is_refused(made, shard: tuple[int, int], two_sides) -> None:
    with pytest.raises(SourceError, match=f"shard {shard[0]}/{shard[1]}: expected the number of a shard, from 1 on"):
        made(two_sides[0], "real", shard=shard)


@pytest.mark.parametrize("kind", [StatsFile, MomentsFile])
def test_a_pipe_is_none_to_make_again(tmp_path: Path, kind: type[StatsFile | MomentsFile]) -> None:
    os.mkfifo(tmp_path / "a.npz")

    with pytest.raises(SourceError) as caught:
        kind.read(tmp_path / "a.npz")

    assert str(caught.value).endswith("a.npz is a pipe: expected a regular file, or a link to one")

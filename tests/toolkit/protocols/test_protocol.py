import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from fvd_bench.errors import ProtocolError, UnknownProtocolError
from fvd_bench.protocols import paired, protocol
from fvd_bench.protocols.rules import Resize
from tests.toolkit.protocols.pinned import PINNED, PINNED_WHOLE

EVERY = [f"{name}@{version}" for name in protocol.names() for version in protocol.versions(name)]


def test_shipped_protocols_keep_their_digests() -> None:
    """Caches and baselines depend on them: a changed default must not go unnoticed."""
    found = {n: protocol.load(n).digest()[:12] for n in EVERY}

    assert found == PINNED
    assert all(f"{protocol.load(n).name}@{protocol.load(n).version}" == n for n in EVERY)


YOUNGER = {
    "frame_order": "natural",
    "most_frames": 0,
    "given_frames": 0,
    "channels": "rgb",
    "network": "",
    "versions": (),
}
"""Keys that came after these pins, and their defaults."""


def test_no_default_has_changed() -> None:
    """Digests leave defaults out: one that changed would move numbers under the same digest."""
    found = {}
    for name in EVERY:
        loaded = dataclasses.asdict(protocol.load(name))
        for section in ("real", "fake", "features"):
            if (resize := loaded[section]["resize"]) is not None and resize["short_side"] is None:
                del resize["short_side"]  # younger than these pins as well
        everything = {
            rule: {k: v for k, v in loaded[rule].items() if k not in YOUNGER or v != YOUNGER[k]}
            for rule in ("real", "fake", "features", "metric")
        }
        found[name] = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]

    assert found == PINNED_WHOLE


def test_the_paper_is_followed() -> None:
    fvd16 = protocol.load("stylegan-v-fvd16")

    assert (fvd16.real.start, fvd16.real.count, fvd16.real.frames, fvd16.real.stride) == ("random", None, 16, 1)
    assert (fvd16.fake.start, fvd16.fake.count, fvd16.real.jpeg) == ("first", 2048, "never")
    assert (fvd16.fake.jpeg, fvd16.fake.jpeg_quality, fvd16.fake.jpeg_subsampling) == ("unless-jpeg", 95, "4:2:0")
    assert fvd16.features.resize == Resize(size=224, geometry="stretch", kernel="bilinear", antialias=False)
    assert (fvd16.features.range, fvd16.features.precision, fvd16.metric.ddof) == ((-1.0, 1.0), "float32", 0)
    assert protocol.load("stylegan-v-fvd128").real.frames == 128


@pytest.fixture
def toml() -> str:
    return protocol.text("stylegan-v-fvd16")


def _load(tmp_path: Path, text: str) -> protocol.Protocol:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return protocol.read(str(file))


def test_prose_name_and_spelled_out_defaults_do_not_change_the_digest(tmp_path: Path, toml: str) -> None:
    changed = toml.replace('name = "stylegan-v-fvd16"', 'name = "mine"').replace("version = 1", "version = 7")
    changed = changed.replace("frames = 16", 'frames = 16\nstride = 1\nlength_rule = "span"\nmin_frames = 0')
    changed = changed.replace("ddof = 0", 'ddof = 0\naggregation = "all"')

    assert _load(tmp_path, changed).digest() == protocol.load("stylegan-v-fvd16").digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("frames = 16", "frames = 17"),
        ("frames = 16", "frames = 16\nstride = 2"),
        ("frames = 16", "frames = 16\nstride = { fake = 2 }"),
        ("frames = 16", 'frames = 16\nlength_rule = "frames-times-stride"'),
        ("frames = 16", 'frames = 16\nframe_order = "text"'),
        ("frames = 16", "frames = 16\nmin_frames = 40"),
        ("frames = 16", 'frames = 16\nshort_videos = "error"'),
        ("frames = 16", 'frames = 16\ncontent = { fake = "still" }'),
        ('real = "random"', 'real = "all"'),
        ("fake = 2048", 'fake = 2048\nselection = "first-sorted"'),
        ("= 95", "= 75"),
        ('"unless-jpeg"', '"always"'),
        ('kernel = "bilinear"', 'kernel = "bilinear-tf1"'),
        ("[-1, 1]", "[-0.5, 0.5]"),
        ("ddof = 0", "ddof = 1"),
        ("ddof = 0", 'root = "float32-svd"'),
        ("ddof = 0", "epsilon = 1e-6"),
        ("ddof = 0", 'aggregation = "batch-mean"\nbatch = 2'),
        ("[-1, 1]", '[-1, 1]\nprecision = "tf32"'),
        ("[-1, 1]", '[-1, 1]\nchannels = "bgr"'),
        ("frames = 16", "frames = 16\ngiven_frames = 1"),
        ('real = "random"', 'real = "every"'),
        ('real = "random"', 'real = "first-repeated"'),
    ],
)
def test_each_choice_changes_digest_and_signature(tmp_path: Path, toml: str, old: str, new: str) -> None:
    assert old in toml
    original, changed = protocol.load("stylegan-v-fvd16"), _load(tmp_path, toml.replace(old, new))

    assert changed.digest() != original.digest()
    assert changed.signature().rsplit("|", 1)[0] != original.signature().rsplit("|", 1)[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frames = 16", "frames = 16\nstrid = 2", r"unknown key 'strid'; did you mean 'stride'"),
        ("[metric]", "[metrics]", r"unknown key 'metrics'; did you mean 'metric'"),
        ("frames = 16", "frames = 16.0", r"expected int, found float"),
        ("frames = 16", "frames = true", r"expected int, found bool"),
        ('real = "random"', 'real = "middle"', r"'middle': allowed are 'random', 'first', 'all'"),
        ("= 95", "= 101", r"expected 1 to 100"),
        ("fake = 2048", "fake = 1", r"count = 1: expected 2 to 1000000000"),
        ("fake = 2048", f"fake = {10**30}", r"expected 2 to 1000000000"),
        ("frames = 16", f"frames = {10**30}", r"frames = 10*: expected 1 to 1000000000"),
        ("frames = 16", f"frames = 3\nstride = {2**63 - 1}", r"stride = 9223372036854775807: expected 1 to 1000000000"),
        ("size = 224", f"size = {10**30}", r"expected 1 to 65535"),
        ("version = 1", "", r"'version' is missing"),
        ('extractor = "i3d"', "extractor = 3", r"expected str"),
        ("[-1, 1]", "[1]", r"list of two numbers"),
        ("size = 224,", "", r"'size' is missing"),
        ("ddof = 0", 'aggregation = "batch-mean"', r"batch >= 2"),
        ("frames = 16", 'frames = 16\ncontent = { real = "still-real" }', r"for the fake side"),
        ("frames = 16", "frames = ", r"not valid TOML"),
        ("[-1, 1]", "[1, 1]", r"the smaller one first"),
        ("[-1, 1]", "[nan, 1]", r"range = nan: expected a finite number"),
        ('["fvd"]', "[]", r"at least one"),
        ('["fvd"]', '["fvd", "fvd"]', r"each once"),
        ('kernel = "bilinear"', 'kernel = "bilinear-tf1", antialias = true', r"has no antialiasing"),
        ('kernel = "bilinear"', 'kernel = "bilinear-align-corners", antialias = true', r"has no antialiasing"),
        ('kernel = "bilinear"', 'kernel = "bicubic-pillow", antialias = true', r"always antialiases: leave antialias"),
        ('kernel = "bilinear"', 'kernel = "bilinear", short_side = 256', r"short_side goes with .*, not 'stretch'"),
        (
            'geometry = "stretch"',
            'geometry = "short-side-crop", short_side = 99',
            r"= 99: expected at least the size, 224",
        ),
        ('name = "stylegan-v-fvd16"', 'name = "a|b"', r"expected letters"),
        ("jpeg_quality = { fake = 95 }", "resize = {}", r"'size' is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, toml: str, old: str, new: str, message: str) -> None:
    assert old in toml

    with pytest.raises(ProtocolError, match=message) as error:
        _load(tmp_path, toml.replace(old, new))

    assert "mine.toml" in str(error.value)


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("fvd", "stylegan-v-fvd16"),
        ("fvd16", "stylegan-v-fvd16"),
        ("fvd128", "stylegan-v-fvd128"),
        ("fid", "stylegan-v-fid"),
        ("kid", "stylegan-v-kid"),
        ("is", "stylegan-v-is"),
        ("mind", "stylegan-v-mind"),
        ("disco-fvd", "disco-fvd-on-tfhub-weights"),
        ("lvdm", "lvdm-on-tfhub-weights"),
        ("vfid-inpainting", "vfid-inpainting-on-tfhub-weights"),
        ("vfid-tryon", "vfid-tryon-on-tfhub-weights"),
    ],
)
def test_short_names_stand_for_protocols(short: str, name: str) -> None:
    assert protocol.load(short) == protocol.load(name) == protocol.load(f"{short}@1")
    assert protocol.load(name).name == name


def test_kid_alone_is_the_kid_of_the_panel() -> None:
    assert protocol.load("kid").digest() == protocol.load("stylegan-v-fid-panel").alone("kid").digest()


@pytest.mark.parametrize("wrong", ["fvd61", "stylegan-v-fvd1", "stylegan-v-fvd16-cod", "latt"])
def test_a_wrong_name_gets_a_few_suggestions(wrong: str) -> None:
    with pytest.raises(UnknownProtocolError) as error:
        protocol.load(wrong)

    hint = str(error.value).partition("did you mean ")[2].partition("?")[0]
    assert 1 <= len(hint.split(" or ")) <= 5
    assert len(str(error.value)) < 400
    assert error.value.exit_code == 2


def test_unknown_names_and_missing_files_say_what_there_is() -> None:
    with pytest.raises(UnknownProtocolError, match=r"did you mean stylegan-v-fvd16 or "):
        protocol.load("stylegan-fvd16")
    with pytest.raises(UnknownProtocolError, match=r"named 'FVD'; did you mean fvd or "):
        protocol.load("FVD")
    with pytest.raises(UnknownProtocolError, match=r"named 'xyz'; `fvd-bench protocols list` names all"):
        protocol.load("xyz")
    with pytest.raises(ProtocolError, match=r"\./none\.toml.*No such file"):
        protocol.load("./none.toml")


def test_a_value_may_be_given_for_one_side(tmp_path: Path, toml: str) -> None:
    mine = _load(tmp_path, toml.replace("frames = 16", "frames = { real = 16, fake = 12 }\nstride = { real = 3 }"))

    assert (mine.real.frames, mine.real.stride, mine.fake.frames, mine.fake.stride) == (16, 3, 12, 1)
    assert mine.real.frames_needed == 46


class TestNamesThatShip:
    """A result that calls itself by one of our names must be made by what ships under it."""

    def test_an_unedited_copy_is_what_it_says(self, tmp_path: Path, toml: str) -> None:
        (tmp_path / "mine.toml").write_text(toml + "\n# digest: as `protocols show` prints it\n")

        assert protocol.load(str(tmp_path / "mine.toml")) == protocol.load("stylegan-v-fvd16")

    @pytest.mark.parametrize("edit", [("= 95", "= 75"), ("version = 1", "version = 2")], ids=["choice", "version"])
    def test_an_edited_copy_needs_another_name(self, tmp_path: Path, toml: str, edit: tuple[str, str]) -> None:
        file = tmp_path / "mine.toml"
        file.write_text(toml.replace(*edit))

        with pytest.raises(
            ProtocolError, match=r"mine\.toml: it is named stylegan-v-fvd16@.*another name.*protocols diff"
        ):
            protocol.load(str(file))

        file.write_text(file.read_text().replace('"stylegan-v-fvd16"', '"mine"'))
        assert protocol.load(str(file)).name == "mine"

    def test_one_that_is_built_in_python_too(self) -> None:
        shipped = protocol.load("stylegan-v-fvd16")
        edited = dataclasses.replace(shipped, metric=dataclasses.replace(shipped.metric, ddof=1))

        with pytest.raises(ProtocolError, match=r"the protocol stylegan-v-fvd16@1: .*digest is [0-9a-f]{12}, that of"):
            protocol.load(edited)

        assert protocol.load(shipped) is shipped
        assert protocol.load(dataclasses.replace(edited, name="mine")).metric.ddof == 1


class TestVersions:
    def test_the_plain_name_is_the_newest(self) -> None:
        assert protocol.versions("latte") == [2, 1]
        assert protocol.load("latte") == protocol.load("latte@2")
        assert protocol.load("latte@1").real.frame_order == "natural"
        assert protocol.versions("no-such") == []

    def test_no_two_compute_the_same(self) -> None:
        assert len({protocol.load(name).digest() for name in EVERY}) == len(EVERY)

    def test_older_ones_say_why(self) -> None:
        older = [n for n in EVERY if int(n.rpartition("@")[2]) < protocol.load(n.partition("@")[0]).version]

        assert len(older) == 7
        assert all(protocol.load(n).assumptions[0].startswith("Superseded by version 2: ") for n in older)

    def test_one_that_is_not_there_is_named(self) -> None:
        with pytest.raises(ProtocolError, match=r"no version '3' of latte; there is latte@2, latte@1"):
            protocol.load("latte@3")


class TestDigestOfAScore:
    """Of its own metric alone, and of what reaches that."""

    def test_it_is_the_same_beside_other_metrics(self) -> None:
        fvd16, panel = protocol.load("stylegan-v-fvd16"), protocol.load("stylegan-v-fvd16-panel")

        assert panel.alone("fvd").digest() == fvd16.digest() == fvd16.alone("fvd").digest()
        assert panel.alone("kvd").digest() not in (panel.digest(), fvd16.digest())
        assert len({panel.alone(name).digest() for name in panel.metric.names}) == 7

    @pytest.mark.parametrize("name", [n for n in EVERY if len(protocol.load(n).metric.names) == 1])
    def test_of_a_single_metric_it_is_the_protocols(self, name: str) -> None:
        loaded = protocol.load(name)

        assert loaded.alone(loaded.metric.names[0]).digest() == loaded.digest()

    def test_what_does_not_reach_a_metric_is_not_in_it(self) -> None:
        panel = protocol.load("stylegan-v-fvd16-panel")
        unbiased = dataclasses.replace(panel, metric=dataclasses.replace(panel.metric, ddof=1, epsilon=1e-6))

        assert unbiased.alone("kvd").digest() == panel.alone("kvd").digest()
        assert unbiased.alone("fvd").digest() != panel.alone("fvd").digest()


@pytest.mark.parametrize("nothing", [None, 3])
def test_nothing_is_no_protocol(nothing: object) -> None:
    for load, kind in ((protocol.load, ""), (paired.load, "paired ")):
        with pytest.raises(ProtocolError, match=f"{nothing} is no {kind}protocol: expected a name, a path or a "):
            load(nothing)

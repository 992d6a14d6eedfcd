"""Networks that are not of fvd-bench are found by entry point and by module, and no file runs code unasked."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from fvd_bench import allow_code
from fvd_bench.errors import ArgumentError, NetworkError, ProtocolError, WeightsError
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.metrics import METRICS
from fvd_bench.networks import NETWORKS, Network, create
from fvd_bench.networks.i3d_network import MIN_FRAMES, NUM_CLASSES
from fvd_bench.networks.network import FeatureExtractor


def made(name: str) -> FeatureExtractor:
    rule = NETWORKS.find(name).rule(name)
    return create(rule, device="cpu", weights={}, progress=lambda done, total: None)


def test_an_installed_package_offers_a_network_under_a_short_name(plugins, own_protocol) -> None:
    plugins.network("of_others")
    plugins.package("of-others", extractors={"means": "of_others:means"})

    assert NETWORKS.installed() == {"means": ["of-others 1.0"]}
    assert "of_others" not in sys.modules and "means" not in NETWORKS
    protocol = load(own_protocol("means"))
    assert "of_others" in sys.modules and NETWORKS["means"].layers == {"features": 6}
    assert protocol.features.network.startswith("means@1#")


def test_names_of_fvd_bench_do_not_look_at_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **group: pytest.fail("it looked"))

    for name in NETWORKS:
        assert NETWORKS.find(name).name == name
        load("stylegan-v-fvd16")
    with pytest.raises(pytest.fail.Exception, match="it looked"):
        NETWORKS.find("another")


def test_the_descriptions_are_those_of_the_networks() -> None:
    i3d = NETWORKS["i3d"]

    assert (i3d.fewest_frames, dict(i3d.layers)) == (
        MIN_FRAMES,
        {"logits": NUM_CLASSES, "logits-all": NUM_CLASSES, "pool": 1024},
    )
    assert all(isinstance(NETWORKS[name], Network) and not NETWORKS[name].version for name in NETWORKS)


def test_two_packages_with_one_name_are_told_apart_by_nobody(plugins) -> None:
    plugins.network("of_others")
    plugins.package("first", extractors={"means": "of_others:means"})
    plugins.package("second", extractors={"means": "of_others:means"})

    with pytest.raises(ProtocolError, match=r"first 1\.0 and second 1\.0 each have a network of this name"):
        NETWORKS.find("means")


def test_code_runs_only_where_the_user_names_it(plugins, own_protocol, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    plugins.module("of_mine", f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n")
    file = own_protocol("of_mine:means", ("of_mine:gap",))

    with pytest.raises(ProtocolError, match=r"own\.toml: extractor = 'of_mine:means' .* --allow-code of_mine:means"):
        load(file)
    allow_code("of_mine:other", "other:means", "of_mine.means:means")  # none of them is the same name
    with pytest.raises(ProtocolError, match="runs only where you name it yourself"):
        load(file)
    with pytest.raises(ProtocolError, match="names = 'of_mine:gap' is code outside"):
        load(own_protocol("pixels", ("of_mine:gap",)))
    assert "of_mine:means" not in NETWORKS and "of_mine:gap" not in METRICS  # looking is not finding
    assert NETWORKS.get("of_mine:means") is None
    assert not trace.exists() and "of_mine" not in sys.modules
    allow_code("of_mine:means")
    with pytest.raises(ProtocolError, match=r"the module of_mine has no means$"):
        load(own_protocol("of_mine:means"))
    allow_code("of_mine:pathlip")
    with pytest.raises(ProtocolError, match=r"the module of_mine has no pathlip; did you mean of_mine:pathlib\?"):
        load(own_protocol("of_mine:pathlip"))
    assert trace.exists()


@pytest.mark.parametrize("name", ["i3d", "module", "../module:f", "module:f()", "os.system:'x'", "given:M", ""])
def test_what_names_no_code_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ArgumentError, match="names no code") as caught:
        allow_code(name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("means = 3", ProtocolError, "of_mine:means is of type int: expected a network, as @fvd_bench.network"),
        ("def means(): pass", ProtocolError, "of_mine:means is of type function: expected a network"),
        ("1 / 0", ProtocolError, "importing of_mine failed: ZeroDivisionError: division by zero .*of_mine.py, line 1"),
        (
            "import not_there_at_all",
            ProtocolError,
            "'not_there_at_all' .*of_mine.py, line 1.: install it",
        ),
        (
            "import fvd_bench.networks as n\nmeans = n.Network(name='means', create=None, layers={'features': 6})",
            ProtocolError,
            "states no version",
        ),
        (
            "{declared}(dim=6, size=None, range=(0, 1), name='m')(lambda: 1 / 0)",
            NetworkError,
            "making it failed: ZeroDivisionErr",
        ),
        ("{declared}(dim=6, size=None, range=(0, 1), name='m')(lambda: 3)", NetworkError, "m returned a int: expected"),
        (
            "{declared}(dim=6, size=None, range=(0, 1), name='m', software=('not-there',))(lambda: 1)",
            NetworkError,
            "m names the library 'not-there', and no package of that name is installed: install it, or name it as pip",
        ),
        (
            "{declared}(dim=6, size=None, range=(0, 1), software='timm')(lambda: 3)",
            ArgumentError,
            "expected a tuple of",
        ),
        ("{declared}(dim=0, size=None, range=(0, 1))(lambda: 3)", ArgumentError, "dim = 0: expected 1 or more"),
        ("{declared}(dim=6, size=None, range=(0, 1), digest='no!')(lambda: 3)", ArgumentError, "digest = 'no!'"),
        ("{declared}(dim=6, size=None, range=(0, 1), name='a|b')(lambda: 3)", ArgumentError, "'a|b': expected letters"),
        (
            "{declared}(dim=6, size=None, range=(0, 1), name='m', digest='0123abcd')(lambda: torch.nn.Linear(1, 1))",
            WeightsError,
            "the weights of m have the digest [0-9a-f]{64}, expected 0123abcd",
        ),
        (
            "{declared}(dim=6, size=None, range=(0, 1), name='m')(lambda: torch.nn.Linear(1, 1))",
            None,
            "",
        ),
    ],
)
def test_mistakes_are_told_in_a_sentence(plugins, code: str, error: type[Exception] | None, message: str) -> None:
    declared = "import torch, fvd_bench\nmeans = fvd_bench.network"
    plugins.module("of_mine", code.format(declared=declared) if "{declared}" in code else code)
    allow_code("of_mine:means")

    if error is None:
        assert len(made("of_mine:means").weights["m"]) == 64
        return
    with pytest.raises(error, match=message.replace("|", r"\|")):
        made("of_mine:means")


def test_a_missing_module_and_an_unknown_name_are_told(plugins) -> None:
    plugins.package("of-others", extractors={"means": "not_there:means"})
    allow_code("not_there:means")

    with pytest.raises(
        ProtocolError,
        match=r"not_there:means: there is no module not_there: run the command in the folder that not_there\.py",
    ):
        NETWORKS.find("not_there:means")
    with pytest.raises(ProtocolError, match=r"means of of-others 1\.0: importing not_there:means failed"):
        NETWORKS.find("means")
    with pytest.raises(ProtocolError, match=r"allowed are 'i3d', .*'pixels', 'means', and module:object"):
        NETWORKS.find("mean")
    with pytest.raises(ProtocolError, match=r"was handed over in Python as an object"):
        NETWORKS.find("given:M")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("frames=16", "real frames = 9, but of_mine:means sees clips of 16 frames alone"),
        ("frames=(2, 8)", "real frames = 9, but of_mine:means sees at most 8 frames a clip"),
        ("frames=(10, None)", "needs at least 10 frames a clip"),
        ("size=32", r"own.toml: means sees 32 × 32 pixels: resize must have size = 32, not none"),
        ("range=(-1, 1)", r"means sees values of -1 to 1: range must be \[-1, 1\], not \[0, 1\]"),
        ("layer='pool'", "means has the layer \"pool\", not 'features'"),
    ],
)
def test_a_protocol_has_to_fit_what_the_network_states(plugins, own_protocol, stated: str, message: str) -> None:
    values = {"size": "size=None", "range": "range=(0, 1)", stated.partition("=")[0]: stated}
    plugins.module(
        "of_mine", f"import fvd_bench\n@fvd_bench.network(dim=6, {', '.join(values.values())})\ndef means(): 1 / 0\n"
    )
    allow_code("of_mine:means")

    with pytest.raises(ProtocolError, match=message):
        load(own_protocol("of_mine:means"))


def test_the_version_is_that_of_the_file_unless_stated(plugins) -> None:
    allow_code("of_mine:means")
    versions = []
    for change in ("", "", "# edited\n"):
        plugins.network(version=None)
        with (plugins.folder / "of_mine.py").open("a") as file:
            file.write(change)
        versions.append(NETWORKS.find("of_mine:means").version)

    assert versions[0] == versions[1] != versions[2]
    assert all(version.startswith("file-") for version in versions)

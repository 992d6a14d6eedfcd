"""What a paper is told to say of its scores."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fvd_bench.cli import cli
from fvd_bench.metrics import METRICS
from fvd_bench.protocols import protocol as protocols
from fvd_bench.reports.citation import _OF_METRICS, citation, references
from fvd_bench.version import __version__

ROOT = Path(__file__).parents[3]


def test_every_metric_has_a_reference() -> None:
    assert set(_OF_METRICS) == set(METRICS)


@pytest.mark.parametrize("name", ["stylegan-v-fvd16", "stylegan-v-fvd16-panel", "stylegan-v-fid-panel", "latte"])
def test_what_the_sentence_cites_is_there_once(name: str) -> None:
    text = citation(protocols.load(name))

    (cited,) = re.findall(r"\\cite\{([^}]+)\}", text)
    assert cited.split(", ") == re.findall(r"^@\w+\{([^,]+),$", text, re.MULTILINE)
    assert len(set(cited.split(", "))) == len(cited.split(", "))
    assert protocols.load(name).digest()[:12] in text
    assert text.count("{") == text.count("}")


def test_protocols_cite_what_they_rest_on() -> None:
    keys = {
        name: [r.key for r in references(protocols.load(name))] for name in ("stylegan-v-is", "latte", "ucf101-c3d-is")
    }

    assert keys["stylegan-v-is"] == ["fvdbench", "salimans2016is", "skorokhodov2022styleganv"]
    assert keys["ucf101-c3d-is"] == [
        "fvdbench", "salimans2016is", "tran2015c3d", "saito2017tgan", "skorokhodov2022styleganv",
    ]  # fmt: skip
    assert keys["latte"] == ["fvdbench", "unterthiner2018fvd", "carreira2017i3d"]


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(cli, ["cite", "--protocol", "stylegan-v-fid"], catch_exceptions=False)

    assert done.stdout == citation(protocols.load("stylegan-v-fid")) + "\n"


def test_the_file_for_machines_has_the_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))

    assert found["version"] == __version__
    assert (found["cff-version"], found["type"], found["license"]) == ("1.2.0", "software", "Apache-2.0")

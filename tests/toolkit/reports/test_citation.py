"""What a paper is told to say of its scores."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fvd_bench.cli import cli
from fvd_bench.evaluation.result import Result
from fvd_bench.metrics import METRICS
from fvd_bench.protocols import protocol as protocols
from fvd_bench.reports.citation import _OF_METRICS, citation, result_citation
from fvd_bench.version import __version__
from tests.program import fvd_bench

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
    keys = {name: re.findall(r"^@\w+\{([^,]+),$", citation(protocols.load(name)), re.MULTILINE)
            for name in ("stylegan-v-is", "latte", "ucf101-c3d-is", "vjepa2-l-mmd")}  # fmt: skip

    assert keys["stylegan-v-is"] == ["fvdbench", "salimans2016is", "skorokhodov2022styleganv"]
    assert keys["ucf101-c3d-is"] == [
        "fvdbench", "salimans2016is", "tran2015c3d", "saito2017tgan", "skorokhodov2022styleganv",
    ]  # fmt: skip
    assert keys["latte"] == ["fvdbench", "unterthiner2018fvd", "carreira2017i3d"]
    assert keys["vjepa2-l-mmd"] == ["fvdbench", "luo2025jedi", "assran2025vjepa2"]


@pytest.fixture(scope="module")
def result(showing) -> Result:
    """With a name that LaTeX would obey, and with I3D."""
    found, _, _ = showing
    (score,) = found.scores
    named = replace(score, protocol="my_50%_$x$")
    choices = {digest: {**of, "features.extractor": "i3d"} for digest, of in found.protocols.items()}
    return replace(found, scores=(named,), protocols=choices)


def test_a_network_whose_name_is_no_text_is_not_known(result: Result) -> None:
    choices = {digest: {**of, "features.extractor": ["i3d"]} for digest, of in result.protocols.items()}

    assert "of 18 fake and 20 real features" in result_citation({"": replace(result, protocols=choices)})


def test_a_result_is_reported_whole(result: Result) -> None:
    (score,) = result.scores

    words, said, tex, *entries = result_citation({"": result}).split("\n\n")

    assert said == "In LaTeX:"
    low, high = score.interval
    for text in (
        f"FVD {score.value:.2f} ± ", "over 2 draws", f"95 % interval {low:.2f} to {high:.2f}",
        f"floor {score.floor.value:.2f}", "of 18 fake and 20 real clips", "my_50%_$x$ (version 1, digest ",
        score.digest[:12], f"by fvd-bench {__version__}.",
    ):  # fmt: skip
        assert text in words
    sentence, signature = tex.split("\n")
    assert r"my\_50\%\_\$x\$" in sentence and r"$\pm$" in sentence and "95 \\% interval" in sentence
    assert signature == f"% {score.signature}"
    (cited,) = re.findall(r"\\cite\{([^}]+)\}", sentence)
    assert cited.split(", ") == [entry.partition("{")[2].partition(",")[0] for entry in entries]
    assert cited == "fvdbench, unterthiner2018fvd, carreira2017i3d"


def test_a_score_without_interval_says_why_and_a_ranking_names_its_generators(result: Result) -> None:
    bare = replace(result.scores[0], interval=None, floor=None, unknown={"interval": "one video"})

    text = result_citation({"ours": replace(result, scores=(bare,)), "theirs": result})

    assert re.search(r"^ours: FVD [\d.]+ ± [\d.]+ over 2 draws \(interval unknown: one video\), of", text)
    assert "\ntheirs: FVD " in text and text.count("@software{fvdbench") == 1


def test_names_in_a_result_start_no_lines(result: Result) -> None:
    evil = replace(result.scores[0], protocol="a\n\\input{/etc/passwd}", signature="b\n\\input{x}")

    text = result_citation({"": replace(result, scores=(evil,))})

    assert not re.search(r"^\\input", text, re.MULTILINE)
    assert r"\textbackslash{}input\{" in text


def test_the_command_takes_a_result(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "r.json")

    done = fvd_bench("cite", tmp_path / "r.json")
    both = fvd_bench("cite", tmp_path / "r.json", "--protocol", "fvd")

    assert done.stdout == result_citation({"": result}) + "\n"
    assert (done.returncode, both.returncode) == (0, 2)


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(cli, ["cite", "--protocol", "stylegan-v-fid"], catch_exceptions=False)

    assert done.stdout == citation(protocols.load("stylegan-v-fid")) + "\n"


def test_the_file_for_machines_has_the_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))

    assert found["version"] == __version__
    assert (found["cff-version"], found["type"], found["license"]) == ("1.2.0", "software", "Apache-2.0")

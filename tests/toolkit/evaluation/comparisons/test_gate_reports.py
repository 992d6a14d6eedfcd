"""Reports of the gate for CI: JUnit, Markdown and JSON, of comparisons and of errors."""

import dataclasses
import json
from xml.etree import ElementTree

from fvd_bench.errors import NotComparableError
from fvd_bench.evaluation.result import Result
from fvd_bench.reports import comparison as gate_tables


class TestReports:
    def test_an_error_is_in_every_report(self) -> None:
        error = NotComparableError("frames\x1b of a\n# <b>|`[x](y) differ\ufffe")

        (case,) = ElementTree.fromstring(gate_tables.junit_error(error)).iter("error")
        assert case.get("message") == r"frames\x1b of a\n# <b>|`[x](y) differ" + "\N{REPLACEMENT CHARACTER}"
        *_, line = gate_tables.markdown_error(error).rstrip("\n").split("\n")
        assert line == r"frames\\x1b of a\\n# \<b\>\|\`\[x\](y) differ" + "\ufffe"
        assert json.loads(gate_tables.json_error(error))["type"] == "NotComparableError"

    def test_the_declared_encoding_is_the_one_that_is_written(self, monkeypatch) -> None:
        monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "cp1252")
        monkeypatch.setattr("locale.getencoding", lambda: "cp1252")

        assert "encoding='utf-8'" in gate_tables.junit_error(NotComparableError("é"))

    def test_junit_has_a_case_per_score_and_fails_on_a_regression(self, check, baseline) -> None:
        file = baseline()

        good, bad = (ElementTree.fromstring(gate_tables.junit(check(name, file))) for name in ("also_good", "bad"))

        assert [case.get("name") for case in good.iter("testcase")] == ["FVD pixels"]
        assert (good.get("failures"), len(list(good.iter("failure")))) == ("0", 0)
        assert (bad.get("failures"), len(list(bad.iter("failure")))) == ("1", 1)

    def test_names_that_xml_cannot_hold_are_escaped_in_junit(self, check, baseline) -> None:
        compared = check("also_good", baseline())
        named = [dataclasses.replace(score, protocol="a\x1b", row="b\0") for score in compared.scores]

        junit = ElementTree.fromstring(gate_tables.junit(dataclasses.replace(compared, scores=tuple(named))))

        assert [case.get("name") for case in junit.iter("testcase")] == [r"FVD a\x1b b\x00"]

    def test_markdown_is_a_table(self, check, baseline) -> None:
        lines = gate_tables.markdown(check("bad", baseline())).splitlines()

        assert lines[0] == "### fvd-bench: regression"
        cells = [line.count("|") for line in lines if line.startswith("|")]
        assert len(set(cells)) == 1 and len(cells) == 3

    def test_json_holds_the_new_result_whole(self, check, baseline) -> None:
        compared = check("also_good", baseline())

        table = json.loads(gate_tables.comparisons_json(compared))

        assert Result.from_json(json.dumps(table["now"])) == compared.now
        assert (table["failed"], table["scores"][0]["verdict"]) == (False, "same")

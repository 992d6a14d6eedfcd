"""docs/notebooks.md as a notebook: a real kernel runs its cells, and shows what people see."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.lazy_module import LazyModule

nbclient, nbformat = LazyModule("nbclient"), LazyModule("nbformat.v4")

PAGE = Path(__file__).parents[3] / "docs" / "notebooks.md"
CELLS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

PROGRESS = """
from IPython.utils.capture import capture_output

fvd_bench.progress._NOTEBOOK_SECONDS = 0  # each update, however fast the machine is
with capture_output() as shown:
    fvd_bench.evaluate("data/real", "data/fake", "stylegan-v-fvd16", settings=fvd_bench.Settings(cache=None))
print([output.data.get("text/html", "") for output in shown.outputs])
with capture_output() as shown:
    fvd_bench.evaluate("data/real", "data/fake", "stylegan-v-fvd16", progress=False)
print(shown.outputs)
"""


@pytest.fixture(scope="module")
def outputs(two_sides, write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> list[list[SimpleNamespace]]:
    """The outputs of each cell of the page, and of a last one that watches progress."""
    folder = tmp_path_factory.mktemp("notebook")
    protocol = write_pixels_protocol(folder)
    (folder / "data").mkdir()
    for side, path in zip(("real", "fake"), two_sides, strict=True):
        (folder / "data" / side).symlink_to(path)
    home = f"import os; os.environ['FVD_BENCH_HOME'] = {str(folder / 'home')!r}"
    sources = [home, *CELLS, PROGRESS]
    cells = [nbformat.new_code_cell(source.replace('"stylegan-v-fvd16"', repr(protocol))) for source in sources]
    notebook = nbformat.new_notebook(cells=cells)

    nbclient.NotebookClient(
        notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": folder}}
    ).execute()

    return [cell.outputs for cell in notebook.cells[1:]]


def texts(outputs: list[SimpleNamespace], name: str) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == name)


def last(outputs: list[SimpleNamespace]) -> dict[str, str]:
    """The value of a cell, by the type of what shows it."""
    (value,) = [output.data for output in outputs if output.output_type == "execute_result"]
    return value


def test_a_result_shows_its_score_a_chart_and_its_findings(outputs) -> None:
    shown = last(outputs[0])

    headline, sides, found = shown["text/plain"].splitlines()
    assert re.fullmatch(r"<Result: FVD [\d.]+ by pixels, 95 % interval [\d.]+ to [\d.]+", headline)
    assert sides == " 5 fake videos of data/fake against 6 real ones of data/real"
    assert "few-videos" in found and found.endswith("; see .warnings>")
    html = shown["text/html"]
    assert headline.removeprefix("<Result: ") in html
    assert html.count("<svg") == 1 and ">pixels</text>" in html
    assert "<li>6 real videos for" in html


def test_findings_are_warnings_until_they_are_left_out(outputs) -> None:
    assert texts(outputs[0], "stderr").count("FvdBenchWarning: 6 real videos for") == 1
    assert "few-videos []" in texts(outputs[2], "stdout")
    assert "FvdBenchWarning" not in texts(outputs[-1], "stderr")


def test_other_cells_give_what_the_page_says(outputs) -> None:
    assert float(last(outputs[1])["text/plain"]) >= 0
    assert "stylegan" not in last(outputs[3])["text/html"] and "pixels" in last(outputs[3])["text/html"]
    assert float(last(outputs[4])["text/plain"]) == pytest.approx(16, rel=0.3)


def test_progress_is_shown_while_a_cell_runs_and_cleared(outputs) -> None:
    bars, none = texts(outputs[-1], "stdout").splitlines()

    assert "<progress" in bars and "real videos: " in bars and bars.endswith("'']")
    assert none == "[]"
    assert [output.data["text/html"] for output in outputs[0] if output.output_type == "display_data"] == [""]

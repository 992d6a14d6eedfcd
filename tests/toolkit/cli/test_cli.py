"""The command line: streams, exit codes, messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fvd_bench.features.store import FeatureStore
from tests.forked import Program
from tests.program import fvd_bench


@pytest.fixture
def compute(two_sides, pixels_protocol, tmp_path: Path):
    def run(*arguments: object, real: object = None, fake: object = None, protocol: str | None = None):
        sides = ["--real", real or two_sides[0], "--fake", fake or two_sides[1]]
        return fvd_bench(
            "compute", *sides, "--protocol", protocol or pixels_protocol(), "--cache", tmp_path / "s", *arguments
        )

    return run


def test_a_table_is_printed_for_people(compute) -> None:
    done = compute("--repeats", 2)

    assert done.returncode == 0
    assert "FVD " in done.stdout and " ± " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("fvd|pixels@1|features:pixels")
    assert "Traceback" not in done.stderr


def test_json_on_stdout_is_alone_there(compute) -> None:
    done = compute("--json", "-")

    assert json.loads(done.stdout)["scores"][0]["value"] > 0
    assert "warning" in done.stderr


def test_json_goes_to_a_file(compute, tmp_path: Path) -> None:
    done = compute("--json", tmp_path / "r.json")

    assert json.loads((tmp_path / "r.json").read_text())["schema"] == 1
    assert "FVD" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("stats", "side.npz", "--side", "fake", "--out", "./side.npz"),
        ("merge", "part.npz", "--source", "side.npz", "--out", "side.npz"),
        ("merge", "part.npz", "side.npz", "--out", "side.npz"),
        ("compute", "--real", "real", "--fake", "fake", "--replay", "side.csv", "--json", "side.csv"),
        ("check", "--real", "real", "--fake", "fake", "--baseline", "side.csv", "--json", "side.csv"),
        ("compare", "part.npz", "side.csv", "--json", "side.csv"),
        ("compute", "--real", "real", "--fake", "side.csv", "--per-video", "side.csv"),
        ("compute", "--real", "real", "--fake", "a", "--fake", "side.npz", "--json", "side.npz"),
        ("compute", "--real", "side.npz", "--real-axes", "NTHWC", "--fake", "fake", "--json", "side.npz"),
        ("paired", "--real", "real", "--fake", "fake", "--pairs", "side.csv", "--per-video", "side.csv"),
        ("inspect", "real", "--against", "side.csv", "--json", "side.csv"),
        ("compute", "--real", "real", "--fake", "fake", "--group-by", "side.csv:g", "--per-video", "side.csv"),
        ("compute", "--real", "real", "--fake", "fake", "--classes", "./side.csv:g", "--per-video", "side.csv"),
        ("compute", "--real", "real", "--fake", "fake", "-p", "fid", "-p", "./side.csv", "--json", "side.csv"),
        ("stats", "real", "--side", "real", "--weights", "i3d-kinetics-400=side.npz", "--out", "side.npz"),
        ("protocols", "explain", "fvd", "./side.csv", "--real", "real", "--fake", "fake", "--json", "side.csv"),
    ],
)
def test_what_is_read_is_not_replaced(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As arrays of videos and statistics of them, which end alike."""
    monkeypatch.chdir(tmp_path)
    for file in ("side.npz", "side.csv", "part.npz"):
        Path(file).write_text("hours of work")

    done = fvd_bench(*command)

    assert done.returncode == 2 and "is read, and would be replaced: give what is written another name" in done.stderr
    assert Path("side.npz").read_text() == Path("side.csv").read_text() == "hours of work"


def test_two_results_do_not_replace_each_other_through_links_of_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")

    for one, other in (("folder", "link"), ("folder", "folder/../link")):
        files = ["--json", tmp_path / one / "result", "--html", tmp_path / other / "result"]
        done = fvd_bench("compute", "--real", "real", "--fake", "fake", *files)
        assert done.returncode == 2 and "can take one kind of result, not two" in done.stderr


def test_a_page_goes_to_a_file_or_alone_to_stdout(compute, tmp_path: Path) -> None:
    to_file = compute("--html", tmp_path / "r.html")
    alone = compute("--html", "-")
    both = compute("--html", "-", "--json", "-")

    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert "FVD" in to_file.stdout
    assert alone.stdout.startswith("<!doctype html>") and alone.stdout.endswith("</html>\n")
    assert both.returncode == 2


def test_the_scale_of_motion_is_printed_beside_the_score(compute) -> None:
    done = compute("--motion")

    assert "The real videos against themselves" in done.stdout
    assert all(f"pixels    {name}" in done.stdout for name in ("shuffled", "frozen", "reversed"))


def test_a_dry_run_tells_and_does_nothing(compute, tmp_path: Path, pixels_protocol) -> None:
    done = compute("--dry-run", protocol=pixels_protocol(frames=20))

    flat = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert "nothing was scored" in flat
    assert "real 0.mkv: too short: 12 frames decode, the clip needs 20" in flat
    assert "seconds on this device" in flat
    assert FeatureStore(tmp_path / "s").get("any") is None
    assert (tmp_path / "s" / "features.sqlite").stat().st_size < 2**16


def test_a_dry_run_fetches_no_weights(tmp_path: Path) -> None:
    """Nothing asks the mirror that has them. Where they are said to lie here, the run goes on."""
    mirror = tmp_path / "mirror.safetensors"
    mirror.write_bytes(b"weights")
    home = {"FVD_BENCH_HOME": str(tmp_path / "home"), "FVD_BENCH_I3D_URL": mirror.as_uri()}
    command = ["compute", "--real", tmp_path / "none", "--fake", tmp_path / "none", "--protocol", "fvd", "--dry-run"]

    absent, given = fvd_bench(*command, **home), fvd_bench(*command, **home, FVD_BENCH_I3D=str(mirror))

    assert absent.returncode == given.returncode == 3
    assert "a dry run fetches nothing, and the weights i3d-kinetics-400 are not here" in absent.stderr
    assert "none does not exist" in given.stderr
    assert not (tmp_path / "home" / "weights").exists()


def test_a_dry_run_says_when_there_would_be_no_score(compute, pixels_protocol) -> None:
    done = compute("--dry-run", "--strict", protocol=pixels_protocol(frames=20))

    assert done.returncode == 3
    assert "nothing was scored" in done.stdout and "real 0.mkv: too short" in " ".join(done.stdout.split())
    assert "no score is possible: pixels: real video 0.mkv: too short: 12 frames decode" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compute"], 2, "Missing option '--real'"),
        (["compute", "--real", "x", "--fake", "y", "--repeats", "0"], 2, "--repeats"),
        (["compute", "--real", "x", "--fake", "y", "--cache", "a", "--no-cache"], 2, "exclude each other"),
        (["compute", "--real", "x", "--fake", "y", "--weights", "a.ckpt"], 2, "NAME=FILE"),
        (["nonsense"], 2, "No such command"),
        (["compute", "--real", "missing-folder", "--fake", "y"], 3, "missing-folder does not exist"),
        (["compute", "--real", "x", "--fake", "y", "--protocol", "nope"], 2, "no protocol is named 'nope'"),
        (["protocols", "show", "nope"], 2, "no protocol is named 'nope'"),
        (["weights", "pull", "nope"], 2, "nope"),
        (["stats", "x", "--side", "real", "--out", "x.json"], 2, "a file that ends in .npz"),
        (["compute", "--real", "x", "--fake", "y", "--seed", "4294967295", "--repeats", "2"], 2, "0 to 2^32 - repeats"),
        (["compute", "--real", "x", "--fake", "y", "--format", "csv", "--json", "-"], 2, "one kind of result"),
    ],
)
def test_mistakes_have_their_exit_code_and_one_clear_line(arguments: list[str], code: int, message: str) -> None:
    done = fvd_bench(*arguments)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_protocol_is_checked_before_the_sides(tmp_path: Path, two_sides) -> None:
    done = fvd_bench("compute", "--real", two_sides[0], "--fake", tmp_path / "none", "--protocol", tmp_path / "no.toml")

    assert done.returncode == 3
    assert "no.toml" in done.stderr


def test_skips_are_told_and_strict_forbids_them(compute, tmp_path: Path, moving_frames, write_video) -> None:
    for seed in range(3):
        write_video(tmp_path / "fake" / f"{seed}.mkv", moving_frames(12, seed=seed), codec="rawvideo", pix_fmt="bgr24")
    (tmp_path / "fake" / "broken.mp4").write_text("no video")

    loose, strict = compute(fake=tmp_path / "fake"), compute("--strict", fake=tmp_path / "fake")

    assert loose.returncode == 0
    assert "broken.mp4" in loose.stderr
    assert strict.returncode == 3
    assert "broken.mp4" in strict.stderr


def test_one_protocol_of_two_may_fail(compute, pixels_protocol) -> None:
    done = compute("--protocol", pixels_protocol(name="long", frames=400), "--json", "-")

    scores = json.loads(done.stdout)["scores"]
    assert done.returncode == 0
    assert [s["value"] is None for s in scores] == [False, True]
    assert "400" in scores[1]["reason"]


@pytest.mark.parametrize(
    ("command", "takes"), [("compute", True), ("check", True), ("table4", False), ("paired", False)]
)
def test_statistics_are_named_where_they_are_taken(command: str, takes: bool) -> None:
    help_text = " ".join(fvd_bench(command, "--help").stdout.split())

    assert ("or statistics (.npz, .pkl, refs:NAME)" in help_text) == takes
    assert "Videos: a folder, archive" in help_text


def test_commands_are_listed_in_the_order_of_the_work() -> None:
    lines = fvd_bench("--help").stdout.split("Commands:")[1].split("\n")

    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("   ")]

    assert names == [
        "compute",
        "paired",
        "audit",
        "table4",
        "check",
        "compare",
        "report",
        "stats",
        "merge",
        "refs",
        "inspect",
        "protocols",
        "networks",
        "weights",
        "selftest",
        "demo",
        "cite",
        "export",
    ]


@pytest.mark.parametrize("columns", ["40", "80"])
def test_what_a_command_does_is_said_in_a_whole_sentence(columns: str) -> None:
    text = fvd_bench("--help", COLUMNS=columns).stdout

    assert "..." not in text.partition("Commands:")[2]
    assert "list, pull, import and verify them." in " ".join(text.split())


def test_an_option_before_the_command_is_told_where_it_stands() -> None:
    done = fvd_bench("--real", "a", "compute", "--fake", "b")

    assert done.returncode == 2
    assert "--real stands behind the name of its command, such as compute, paired, " in " ".join(done.stderr.split())
    assert "No such option '--nothing'" in fvd_bench("--nothing").stderr


def test_a_copied_protocol_has_to_be_renamed(two_sides, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(fvd_bench("protocols", "show", "stylegan-v-fvd16").stdout.replace("fake = 95", "fake = 90"))

    done = fvd_bench("compute", "--real", two_sides[0], "--fake", two_sides[1], "--protocol", file)
    shown = fvd_bench("protocols", "diff", "stylegan-v-fvd16", file)

    assert (done.returncode, done.stdout) == (3, "")
    assert "give it another name" in done.stderr.replace("\n", " ").lower()
    assert shown.returncode == 0 and "jpeg_quality" in shown.stdout


def test_protocols_are_listed_and_shown() -> None:
    panel = fvd_bench("protocols", "show", "stylegan-v-fvd16-panel").stdout
    assert "# digest: 6d076d3ece4f" in panel and "# digest of its fvd: 2ede59eac204" in panel
    shown = fvd_bench("protocols", "show", "stylegan-v-fvd16").stdout

    assert "stylegan-v-fvd128" in fvd_bench("protocols", "list").stdout
    assert "Appendix C" in shown
    assert "# digest: 2ede59eac204" in shown


def test_weights_are_listed_without_fetching_any(tmp_path: Path) -> None:
    done = fvd_bench("weights", "list", FVD_BENCH_HOME=str(tmp_path), FVD_BENCH_OFFLINE="1")

    assert done.returncode == 0
    assert "i3d-kinetics-400" in done.stdout
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("place", ["", "missing/r.json"])
def test_a_result_that_cannot_be_written_is_known_before_the_work(compute, tmp_path: Path, place: str) -> None:
    done = compute("--json", tmp_path / place)

    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_dry_run_has_no_json(compute) -> None:
    assert compute("--dry-run", "--json", "-").returncode == 2


def test_the_signature_is_one_line_in_a_pipe(compute) -> None:
    lines = compute().stdout.splitlines()

    assert any(line.startswith("fvd|pixels@1") and line.endswith("fvd-bench:0.1.0") for line in lines)


def test_a_closed_pipe_is_no_regression() -> None:
    """Exit code 1 is reserved."""
    command = f"{sys.executable} -m fvd_bench protocols show stylegan-v-fvd16 | true; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode in (0, 141)
    assert "Traceback" not in done.stderr


def test_the_demo_touches_no_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "holiday.mp4").write_bytes(b"x")

    done = fvd_bench("demo", "--folder", tmp_path)

    assert done.returncode == 3
    assert "holiday.mp4" in done.stderr
    assert [f.name for f in (tmp_path / "real").iterdir()] == ["holiday.mp4"]


def _empty(folder: Path) -> None:
    folder.mkdir()


def _flat(folder: Path) -> None:
    folder.mkdir()
    for t in range(3):
        (folder / f"{t}.png").write_bytes(b"x")


def _undecodable(folder: Path) -> None:
    folder.mkdir()
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_empty, "holds no video: expected files ending in"),
        (_flat, "has no folders of frames but 3 single images, and pixels needs 9 frames of each fake video"),
        (_undecodable, "none of its 2 videos can be decoded; the first is empty.mp4"),
    ],
)
def test_a_side_that_cannot_be_used_is_explained(compute, tmp_path: Path, make, message: str) -> None:
    make(tmp_path / "fake")

    done = compute(fake=tmp_path / "fake")

    assert done.returncode == 3
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_too_short_for_all_says_what_is_needed_and_what_there_is(compute, pixels_protocol) -> None:
    done = compute(protocol=pixels_protocol(frames=100))

    assert done.returncode == 3
    assert "a clip needs 100 frames and the longest of the short videos has 27" in done.stderr


def test_two_runs_at_once_share_a_store(two_sides, pixels_protocol, tmp_path: Path) -> None:
    command = ["-m", "fvd_bench", "compute", "--real", two_sides[0], "--fake", two_sides[1]]
    command += ["--protocol", pixels_protocol(), "--cache", tmp_path / "s", "--json", "-", "--repeats", "5"]
    running = [Program(*command) for _ in range(2)]

    values = [json.loads(program.end().stdout)["scores"][0]["values"] for program in running]

    assert values[0] == values[1]

"""generate, import and info on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fvd_bench.errors import ArgumentError
from fvd_bench.sources.opening import open_source
from stylegan_v.checkpoints.checkpoint import Checkpoint, load
from stylegan_v.checkpoints.official_names import GENERATOR, official_name
from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, ConfigError, ModelError
from stylegan_v.networks import generator
from tests.forked import Program

pytestmark = pytest.mark.usefixtures("one_thread")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_line_starts_without_heavy_modules() -> None:
    heavy = ["torch", "av", "PIL", "numpy", "safetensors"]
    program = f"import sys, stylegan_v.cli; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "given",
    [
        ("generate", "a.pt", "--hours", "nan"),
        ("strip", "a.pt", "--at", "nan"),
        ("project", "a.png", "--checkpoint", "a.pt", "--stride", "inf"),
        ("edit", "a.pt", "--text", "x", "--clip", "c", "--pull", "nan"),
        ("import", "a.npz", "--fps", "nan"),
        ("train", "--minutes", "nan"),
    ],
)
def test_numbers_are_finite(given: tuple[str, ...]) -> None:
    done = run(*given, "--out", "out")

    assert done.exit_code == 2 and f"{given[-1]} is no finite number" in done.stderr


@pytest.mark.parametrize("command", sorted(cli.commands.keys() - {"train"}))
def test_nothing_but_training_is_done_by_each_of_several_processes(command: str, monkeypatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)

    done = run(command, "none")

    assert isinstance(done.exception, ArgumentError)
    assert f"{command} is not divided, and 2 processes would each do all of it" in str(done.exception)


class TestGenerate:
    def test_writes_frames_that_the_toolkit_reads_and_goes_on(self, tiny_checkpoint, tmp_path: Path) -> None:
        common = ("generate", tiny_checkpoint(), "--out", tmp_path / "out", "--frames", 3, "--device", "cpu")

        done, more = run(*common, "--videos", 2), run(*common, "--videos", 3)

        assert (done.exit_code, more.exit_code) == (0, 0), (done.output, more.output)
        assert done.stdout == f"{tmp_path / 'out'}: 2 videos of 3 frames made\n"
        assert more.stdout == f"{tmp_path / 'out'}: 1 video of 3 frames made, and 2 were there\n"
        source = open_source(tmp_path / "out")
        assert source.names == ("000000", "000001", "000002")
        assert next(source.video(0).frames(np.array([2]))).jpeg_quality == 95

    @pytest.mark.parametrize(("option", "value"), [("--videos", 3), ("--format", "png")])
    def test_a_grid_is_of_one_kind(self, option: str, value: object, tiny_checkpoint, tmp_path: Path) -> None:
        done = run("generate", tiny_checkpoint(), "--out", tmp_path / "a.mp4", "--decompose", "2x2", option, value)

        assert done.exit_code == 2
        assert f"so {option} says nothing" in done.output

    def test_any_stretch_of_an_hour(self, tiny_checkpoint, tmp_path: Path) -> None:
        start, common = 30 * 3600 - 2, ("--videos", 1, "--format", "png")
        checkpoint = tiny_checkpoint()
        done = run("generate", checkpoint, "--out", tmp_path / "a", *common, "--start", start, "--hours", 4 / 30 / 3600)
        alone = run("generate", checkpoint, "--out", tmp_path / "b", *common, "--start", start + 2, "--frames", 1)
        both = run("generate", checkpoint, "--out", tmp_path / "c", "--frames", 2, "--hours", 4 / 30 / 3600)

        assert (done.exit_code, alone.exit_code, both.exit_code) == (0, 0, 2), (done.output, alone.output)
        assert [file.name for file in sorted((tmp_path / "a" / "000000").iterdir())][-1] == "000003.png"
        in_run, by_itself = (
            np.asarray(Image.open(tmp_path / f)) for f in ("a/000000/000002.png", "b/000000/000000.png")
        )
        np.testing.assert_array_equal(in_run, by_itself)

    def test_numbers_of_videos_have_an_end(self, tiny_checkpoint, tmp_path: Path) -> None:
        done = run("generate", tiny_checkpoint(), "--out", tmp_path / "out", "--first", 10**30)

        assert done.exit_code == 2

    def test_options_reach_the_sampler(self, tiny_checkpoint, tmp_path: Path) -> None:
        file = tiny_checkpoint(num_classes=3)
        options = {
            "seed": 5,
            "start": 2.5,
            "fps": 60,
            "truncation": 0.5,
            "batch-frames": 4,
            "class": 1,
            "precision": "float16",
            "format": "png",
            "first": 9,
            "frames": 2,
            "videos": 1,
        }

        done = run("generate", file, "--out", tmp_path / "out", *(f"--{k}={v}" for k, v in options.items()))

        assert done.exit_code == 0, done.output
        settings = json.loads((tmp_path / "out" / "generated.json").read_text())["settings"]
        assert len(settings.pop("generator")) == 64
        assert settings == {
            "seed": 5,
            "start": 2.5,
            "fps": 60.0,
            "train_fps": 30.0,
            "truncation": 0.5,
            "batch_frames": 4,
            "edition": 2,
            "class": 1,
            "precision": "float16",
            "device": settings["device"],
            "format": "png",
            "frames": 2,
        }
        assert (tmp_path / "out" / "000009" / "000001.png").exists()

    @pytest.mark.parametrize(("given", "taken"), [((), "bfloat16"), (("--precision", "float16"), "float16")])
    def test_unless_another_is_given_the_precision_is_that_of_scores(
        self, given: tuple[str, ...], taken: str, tiny_checkpoint, tmp_path: Path, monkeypatch
    ) -> None:
        """On a GPU, which something else is here, that of the training."""
        monkeypatch.setattr(Checkpoint, "precision", "bfloat16")
        monkeypatch.setattr(generator, "sampling_precision", generator.half_precision)

        done = run("generate", tiny_checkpoint(), "--out", tmp_path / "out", "--videos", 1, "--frames", 1, *given)

        assert done.exit_code == 0, (done.output, done.exception)
        assert json.loads((tmp_path / "out" / "generated.json").read_text())["settings"]["precision"] == taken

    def test_a_home_folder_is_one_after_an_equals_sign_too(self, tiny_checkpoint, tmp_path: Path, monkeypatch) -> None:
        """Shells leave it as it is there."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)

        done = run("generate", tiny_checkpoint(), "--out=~/out", "--videos", 1, "--frames", 1)

        assert done.exit_code == 0, (done.output, done.exception)
        assert (tmp_path / "out" / "000000").exists() and not (tmp_path / "~").exists()

    @pytest.mark.parametrize(
        ("option", "value", "says"),
        [("--class", 3, "class 3 is asked for; the model has classes 0 to 2"), ("--start", 1e300, "times end before")],
    )
    def test_what_no_video_has_was_typed_wrong(
        self, tiny_checkpoint, tmp_path: Path, option: str, value: object, says: str
    ) -> None:
        done = run("generate", tiny_checkpoint(num_classes=3), "--out", tmp_path / "out", option, value)

        assert done.exit_code == 2 and says in " ".join(done.stderr.split())

    def test_mp4_files_play_at_the_rate_of_the_training_videos(self, tiny_checkpoint, tmp_path: Path) -> None:
        done = run("generate", tiny_checkpoint(), "--out", tmp_path / "out", "--videos", 1, "--format", "mp4")

        assert done.exit_code == 0, done.output
        with av.open(str(tmp_path / "out" / "000000.mp4")) as container:
            assert (container.streams.video[0].average_rate, container.streams.video[0].frames) == (30, 16)

    @pytest.mark.parametrize("name", ["grid.mp4", "grid.webp"])
    def test_a_grid_takes_content_and_motion_apart(self, tiny_checkpoint, tmp_path: Path, name: str) -> None:
        out = tmp_path / name
        done = run("generate", tiny_checkpoint(), "--out", out, "--decompose", "2x3", "--frames", 4)

        assert done.exit_code == 0, done.output
        if name.endswith(".webp"):
            with Image.open(out) as image:
                assert (image.n_frames, image.size) == (4, (96, 64))
        else:
            with av.open(str(out)) as container:
                frames = [frame.to_ndarray(format="rgb24").shape for frame in container.decode(video=0)]
            assert frames == [(64, 96, 3)] * 4

    @pytest.mark.parametrize("grid", ["2", "0x3", "2x", "axb", "2x3x4"])
    def test_a_grid_that_is_none_is_a_usage_error(self, tiny_checkpoint, tmp_path: Path, grid: str) -> None:
        done = run("generate", tiny_checkpoint(), "--out", tmp_path / "a.mp4", "--decompose", grid)

        assert done.exit_code == 2
        assert f"{grid}: expected rows and columns, such as 4x6" in done.stderr

    def test_frames_need_no_pyav_and_mp4_says_that_it_does(self, tiny_checkpoint, tmp_path: Path) -> None:
        file = tiny_checkpoint()
        program = (
            "import sys; sys.modules['av'] = None\n"
            "from stylegan_v.cli import main\n"
            "given = sys.argv[1:]\n"
            "for form in ('jpg', 'mp4'):\n"
            "    sys.argv[1:] = [*given, '--out', form, '--format', form]\n"
            "    main()\n"
        )

        done = Program("-c", program, "generate", file, "--videos=1", "--frames=2", cwd=tmp_path).end()

        assert len(list((tmp_path / "jpg" / "000000").iterdir())) == 2, done.stderr
        assert done.returncode == 3
        assert "stylegan-v: error: mp4 files need PyAV, which is not installed: pip install av" in done.stderr
        assert not (tmp_path / "mp4").exists()

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            (("generate", "--videos", 10**20), "numbers end before 2^32"),
            (("generate", "--videos", 2**32, "--frames", 10**6), "and the disk of"),
            (("generate", "--batch-frames", 10**12), "GiB of memory at the very least"),
            (("generate", "--decompose", "9999x9999"), "of a file have at most 16384 a side"),
            (("strip", "--videos", 10**9), "GiB of memory at the very least"),
            (("evaluate", "--real", "toys", "--videos", 2**32), "GiB of memory at the very least"),
        ],
    )
    def test_more_than_there_can_be_is_told_at_once(self, tiny_checkpoint, tmp_path: Path, command, told: str) -> None:
        out = [] if command[0] == "evaluate" else ["--out", tmp_path / ("a.png" if command[0] == "strip" else "a.mp4")]

        done = run(command[0], tiny_checkpoint(), *command[1:], *out)

        assert isinstance(done.exception, ConfigError | ModelError | SystemExit), done.exception
        assert told in f"{done.exception}{done.stderr}"
        assert [file.name for file in tmp_path.iterdir()] == ["tiny.pt"]

    def test_a_file_that_is_no_checkpoint_is_named(self, tmp_path: Path) -> None:
        done = run("generate", tmp_path / "none.pt", "--out", tmp_path / "out")

        assert isinstance(done.exception, CheckpointError)
        assert "none.pt" in str(done.exception)

    def test_other_settings_are_refused(self, tiny_checkpoint, tmp_path: Path) -> None:
        common = ("generate", tiny_checkpoint(), "--out", tmp_path / "out", "--frames", 1, "--videos", 1)
        run(*common)

        done = run(*common, "--seed", 1)

        assert isinstance(done.exception, ModelError)
        assert "seed was 0 and is 1" in str(done.exception)


def test_a_batch_that_no_memory_holds_is_told_before_videos_are_read(tmp_path: Path) -> None:
    given = ("--preset", "small", "--resolution", 64, "--batch", 10**14, "--device", "cpu")
    (tmp_path / "videos").mkdir()

    done = run("train", "--data", tmp_path / "videos", "--out", tmp_path / "run", *given)

    assert isinstance(done.exception, ConfigError), done.exception
    assert "batch = 100000000000000 takes" in str(done.exception)
    assert not (tmp_path / "run").exists()


class TestImport:
    @pytest.fixture
    def export(self, tiny_generator, tmp_path: Path) -> Path:
        state = tiny_generator(min_period=64, motion_distance=64).state_dict()
        arrays = {f"G_ema.{official_name(name, GENERATOR)}": tensor.numpy() for name, tensor in state.items()}
        np.savez(tmp_path / "export.npz", **arrays)
        return tmp_path / "export.npz"

    def test_a_checkpoint_that_generates(self, export: Path, tmp_path: Path) -> None:
        out = tmp_path / "ours.pt"
        done = run("import", export, "--out", out, "--fps", 24, "--frames", 2, "--min-period", 64)
        made = run("generate", out, "--out", tmp_path / "videos", "--videos", 1, "--frames", 1)

        assert (done.exit_code, made.exit_code) == (0, 0), (done.output, made.output)
        assert done.stdout == f"{out}: 32 × 32, 2 frames, 0 classes, shortest period 64; ema\n"
        assert (load(out).fps, load(out).model.frames, load(out).model.min_period) == (24, 2, 64)

    def test_the_help_shows_how_to_export(self) -> None:
        text = run("import", "--help").stdout

        assert "networks = pickle.load(file)" in text and "numpy.savez" in text

    def test_the_export_is_not_overwritten(self, export: Path) -> None:
        before = export.read_bytes()

        done = run("import", export, "--out", export)

        assert isinstance(done.exception, CheckpointError) and "name another file" in str(done.exception)
        assert export.read_bytes() == before


class TestInfo:
    def test_json_of_a_preset(self) -> None:
        found = json.loads(run("info", "--preset", "release", "--resolution", 256, "--frames", 3, "--json").stdout)

        assert found["generator"]["total"] == 32_105_941
        assert found["discriminator"]["total"] == 25_333_568
        assert list(found["discriminator"])[:3] == ["total", "time_table", "mapping"]
        assert list(found) == ["preset", "resolution", "frames", "classes", "generator", "discriminator"]
        assert json.loads(run("info", "--json").stdout) == found

    def test_a_table_for_people(self) -> None:
        title, head, _, *lines = run("info", "--preset", "paper").stdout.splitlines()
        rows = [line.split() for line in lines]

        assert title == "paper: 256 × 256, 3 frames, 0 classes"
        assert head.split() == ["parameters", "generator", "discriminator"]
        assert rows[0][0] == "mapping"
        assert [row[0] for row in rows[-3:]] == ["b128", "b256", "total"]
        assert rows[-1] == ["total", rows[-1][1], "32,372,736"]
        assert ["time_mlp", "273,408"] in rows and lines[-1].endswith("32,372,736")
        assert max(map(len, lines)) <= 80

    def test_a_checkpoint_says_more(self, tiny_checkpoint) -> None:
        file = tiny_checkpoint(num_classes=2)

        found = json.loads(run("info", file, "--json").stdout)

        assert (found["resolution"], found["classes"], found["fps"], found["parts"]) == (32, 2, 30.0, ["ema"])
        assert "30 frames per second; holds ema" in " ".join(run("info", file).stdout.split())

    @pytest.mark.parametrize("option", [("--preset", "none"), ("--resolution", "100"), ("--frames", "5")])
    def test_values_that_do_not_exist(self, option: tuple[str, str]) -> None:
        done = run("info", *option)

        assert done.exit_code == 2 and "allowed are" in done.stderr

    @pytest.mark.parametrize("option", [("--preset", "paper"), ("--classes", 0), ("--frames", 3)])
    def test_a_checkpoint_is_what_it_is(self, tiny_checkpoint, option: Any) -> None:
        done = run("info", tiny_checkpoint(), *option)

        assert done.exit_code == 2 and "give none of them" in done.stderr

"""Generated videos on disk: streamed, whole or not there, and of one making."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fvd_bench.sources.opening import open_source
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.folder_lock import locked
from stylegan_v.networks.generator import Generator
from stylegan_v.sampling import folders
from stylegan_v.sampling.folders import Generated, generate
from stylegan_v.sampling.sampler import VideoSampler

pytestmark = pytest.mark.usefixtures("one_thread")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_folders_of_frames_are_what_the_sampler_gives(tiny_generator, tmp_path: Path) -> None:
    sampler = VideoSampler(tiny_generator(), seed=1, batch_frames=4)

    done = generate(tmp_path / "a" / "b", sampler, videos=2, frames=5, form="png", first=7)

    source = open_source(tmp_path / "a" / "b")
    assert done == Generated(2, 0)
    assert (source.names, source.notes) == (("000007", "000008"), ())
    for index in range(2):
        found = [frame.pixels for frame in source.video(index).frames(np.arange(5))]
        np.testing.assert_array_equal(found, list(sampler.frames(7 + index, range(5))))
        assert source.video(index).num_frames == 5


def test_jpegs_are_pillows_of_quality_95(tiny_generator, tmp_path: Path) -> None:
    sampler = VideoSampler(tiny_generator())

    generate(tmp_path, sampler, videos=1, frames=1, form="jpg")

    (frame,) = sampler.frames(0, [0])
    expected = io.BytesIO()
    Image.fromarray(frame).save(expected, "JPEG", quality=95)
    assert (tmp_path / "000000" / "000000.jpg").read_bytes() == expected.getvalue()
    (found,) = open_source(tmp_path).video(0).frames(np.array([0]))
    assert found.jpeg_quality == 95


def test_a_larger_run_adds_videos_and_makes_none_again(tiny_generator, tmp_path: Path) -> None:
    sampler = VideoSampler(tiny_generator())
    generate(tmp_path / "whole", sampler, videos=4, frames=3, form="jpg")
    generate(tmp_path / "parts", sampler, videos=2, frames=3, form="jpg")
    (tmp_path / "parts" / "000001" / "000000.jpg").write_bytes(b"mine")

    done = generate(tmp_path / "parts", sampler, videos=4, frames=3, form="jpg")
    again = generate(tmp_path / "parts", sampler, videos=2, frames=3, form="jpg", first=1)

    assert (done, again) == (Generated(2, 2), Generated(0, 2))
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "parts") == {**whole, "000001/000000.jpg": b"mine"}


@pytest.mark.parametrize("form", ["jpg", "mp4"])
def test_an_interruption_leaves_whole_videos_and_can_be_gone_on_from(
    tiny_generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    sampler = VideoSampler(tiny_generator(), batch_frames=2)
    render, calls = Generator.render, iter(range(100))

    def interrupted(self: Generator, *args: Any) -> torch.Tensor:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return render(self, *args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Generator, "render", interrupted)
        generate(tmp_path / "parts", sampler, videos=3, frames=6, form=form)
    left = {path.name for path in (tmp_path / "parts").iterdir()}
    done = generate(tmp_path / "parts", sampler, videos=3, frames=6, form=form)

    assert left == {"generated.json", "000000" if form == "jpg" else "000000.mp4"}
    assert done == Generated(2, 1)
    generate(tmp_path / "whole", sampler, videos=3, frames=6, form=form)
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert form == "mp4" or whole == parts  # libx264 does not give the same bytes each time


def test_what_a_killed_run_left_is_replaced(tiny_generator, tmp_path: Path) -> None:
    (tmp_path / ".000000.part").mkdir()
    (tmp_path / ".000000.part" / "000007.jpg").write_bytes(b"")

    generate(tmp_path, VideoSampler(tiny_generator()), videos=1, frames=2, form="jpg")

    assert contents(tmp_path).keys() == {"generated.json", "000000/000000.jpg", "000000/000001.jpg"}


def test_what_a_killed_run_left_goes_when_the_next_one_begins_alone(tiny_generator, tmp_path: Path) -> None:
    """Of films as of frames, also of videos that are not made again. A run that is at work keeps what it writes."""
    sampler, names = VideoSampler(tiny_generator()), (f".000000.mp4.{16 * '0'}.part", f".000007.{16 * 'a'}.part")
    generate(tmp_path, sampler, videos=1, frames=2, form="mp4")
    (tmp_path / names[0]).write_bytes(b"half a film")
    (tmp_path / names[1]).mkdir()
    (tmp_path / names[1] / "000000.jpg").write_bytes(b"half a video")
    (tmp_path / ".mine.part").write_bytes(b"something else")

    with locked(tmp_path / "generated.json", ModelError("held"), shared=True):
        generate(tmp_path, sampler, videos=1, frames=2, form="mp4")
    beside = {path.name for path in tmp_path.iterdir()}
    generate(tmp_path, sampler, videos=1, frames=2, form="mp4")

    assert beside == {"generated.json", "000000.mp4", ".mine.part", *names}
    assert {path.name for path in tmp_path.iterdir()} == beside - {*names}


def test_frames_are_written_as_they_are_rendered(
    tiny_generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So memory does not grow with the number of frames."""
    render = Generator.render
    written: list[int] = []

    def watched(self: Generator, *args: Any) -> torch.Tensor:
        written.append(len(list(tmp_path.rglob("*.jpg"))))
        return render(self, *args)

    monkeypatch.setattr(Generator, "render", watched)
    generate(tmp_path, VideoSampler(tiny_generator(), batch_frames=4), videos=2, frames=20, form="jpg")

    assert written == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"fps": 50.0}, "fps was 25.0 and is 50.0"),
        ({"start": 1.0}, "start was 0.0 and is 1.0"),
        ({"truncation": 0.5}, "truncation was 1.0 and is 0.5"),
        ({"batch_frames": 4}, "batch_frames was 16 and is 4"),
        ({"frames": 3}, "frames was 2 and is 3"),
        ({"label": 1}, "class was not given and is 1"),
        ({"form": "png"}, "format was jpg and is png"),
        ({"generator": 9}, r"generator was [0-9a-f]{8} and is [0-9a-f]{8}"),
        ({"half": True}, "precision was float32 and is float16"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_videos_of_other_settings_are_refused(
    tiny_generator, tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    def run(*, generator: int = 3, half: bool = False, **given: Any) -> Generated:
        network = tiny_generator(seed=generator, num_classes=2)
        network.use_half(torch.float16 if half else None)
        options = {"frames": 2, "form": "jpg", "label": None} | {
            name: given.pop(name) for name in ("frames", "form", "label") if name in given
        }
        return generate(tmp_path, VideoSampler(network, **given), videos=2, **options)

    run()
    before = contents(tmp_path)

    with pytest.raises(ModelError, match=message):
        run(**other)
    assert contents(tmp_path) == before


def test_settings_that_no_video_was_made_with_are_forgotten(
    tiny_generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Generator, *args: Any) -> torch.Tensor:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Generator, "render", interrupted)
        generate(tmp_path, VideoSampler(tiny_generator(), seed=1), videos=1, frames=2, form="jpg")

    generate(tmp_path, VideoSampler(tiny_generator(), seed=2), videos=1, frames=2, form="jpg")
    assert json.loads((tmp_path / "generated.json").read_text())["settings"]["seed"] == 2


def test_a_run_of_other_settings_is_refused_before_the_first_video_is_there(tiny_generator, tmp_path: Path) -> None:
    """And one of the same settings makes its videos beside the other."""
    second = VideoSampler(tiny_generator(), seed=2)

    def meanwhile(what: str, done: int, total: int) -> None:
        if done or meanwhile.ran:
            return
        meanwhile.ran = True
        before = contents(tmp_path)
        with pytest.raises(ModelError, match=r"another process makes videos of other settings .* seed was 1 and is 2;"):
            generate(tmp_path, second, videos=1, frames=2, form="jpg")
        assert contents(tmp_path) == before
        same = VideoSampler(tiny_generator(), seed=1)
        assert generate(tmp_path, same, videos=1, frames=2, form="jpg", first=1) == Generated(1, 0)

    meanwhile.ran = False
    done = generate(
        tmp_path, VideoSampler(tiny_generator(), seed=1), videos=2, frames=2, form="jpg", progress=meanwhile
    )

    assert (done, meanwhile.ran) == (Generated(1, 1), True)
    assert json.loads((tmp_path / "generated.json").read_text())["settings"]["seed"] == 1


def test_a_folder_that_something_else_holds_is_not_waited_for_long(tiny_generator, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(folders, "_CLAIM_SECONDS", 0.05)

    with locked(tmp_path, ModelError("held")), pytest.raises(ModelError, match="another process works in"):
        generate(tmp_path, VideoSampler(tiny_generator()), videos=1, frames=1, form="jpg")

    assert not [*tmp_path.iterdir()]


def test_runs_that_begin_together_have_one_of_the_settings(tiny_generator, tmp_path: Path) -> None:
    """All videos are of one of them, and the others are refused."""
    samplers = [VideoSampler(tiny_generator(), seed=seed) for seed in range(8)]

    def make(sampler: VideoSampler) -> Generated | str:
        try:
            return generate(tmp_path, sampler, videos=2, frames=1, form="jpg")
        except ModelError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        ends = [*pool.map(make, samplers)]

    (seed,) = [seed for seed, end in enumerate(ends) if isinstance(end, Generated)]
    assert all("other settings" in str(end) for number, end in enumerate(ends) if number != seed)
    assert json.loads((tmp_path / "generated.json").read_text())["settings"]["seed"] == seed


@pytest.mark.parametrize("name", ["000000.jpg", "notes.txt"])
def test_a_folder_of_another_making_is_refused(tiny_generator, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(ModelError, match=rf"holds {name} and no generated\.json"):
        generate(tmp_path, VideoSampler(tiny_generator()), videos=1, frames=1, form="jpg")
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("text", ["", "[]", "[" * 10**5, '{"format": 7, "settings": {}}', '{"format": 1}'])
def test_a_damaged_settings_file_is_named(tiny_generator, tmp_path: Path, text: str) -> None:
    (tmp_path / "generated.json").write_text(text)

    with pytest.raises(ModelError, match=r"generated\.json says nothing"):
        generate(tmp_path, VideoSampler(tiny_generator()), videos=1, frames=1, form="jpg")


def test_what_cannot_be_done_is_said_before_anything_is_written(tiny_generator, tmp_path: Path) -> None:
    sampler = VideoSampler(tiny_generator())
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="class 1 is asked for; the model has no classes"):
        generate(tmp_path / "out", sampler, videos=1, frames=1, form="jpg", label=1)
    with pytest.raises(ModelError, match="file cannot be written"):
        generate(tmp_path / "file", sampler, videos=1, frames=1, form="jpg")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]

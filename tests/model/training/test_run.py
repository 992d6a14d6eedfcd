"""Runs as TOML files."""

import os
from pathlib import Path

import pytest

from stylegan_v.errors import ConfigError
from stylegan_v.networks.config import PRESETS, model_config
from stylegan_v.training.run import Run, load_run, shipped_runs


@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_is_the_file_that_it_writes(preset: str, tmp_path: Path) -> None:
    run = load_run(None, {"model": {"preset": preset}, "data": {"path": 'a "b" \\ c\n\t\x7f é'}, "train": {"kimg": 3}})
    (tmp_path / "run.toml").write_text(run.to_toml())

    assert load_run(str(tmp_path / "run.toml"), {}) == run


def test_a_path_that_no_run_file_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.path = 'a\\udcff': a run's file is in UTF-8 and cannot hold it"):
        load_run(None, {"data": {"path": os.fsdecode(b"a\xff")}})


def test_the_papers_datasets_ship() -> None:
    runs = {name: load_run(name, {}) for name in shipped_runs()}

    assert sorted(runs) == ["ffs", "mead", "rainbow_jelly", "sky_timelapse", "ucf101"]
    assert {run.model.preset for run in runs.values()} == {"release"}
    assert {name: run.model.resolution for name, run in runs.items() if run.model.resolution != 256} == {"mead": 1024}
    assert (runs["sky_timelapse"].model.motion_distance, runs["sky_timelapse"].model.min_period) == (256, 256)
    assert (runs["mead"].model.frames, runs["mead"].train.batch) == (2, 16)
    for run in runs.values():  # as the released code has them, mirrored videos and an average by the batch
        assert (run.data.mirror, run.train.ema_kimg) == (True, run.train.batch * 10 / 32)


def test_defaults_are_those_of_the_released_code() -> None:
    run = Run(model=model_config())

    assert (run.train.batch, run.train.kimg, run.train.ada_kimg, run.train.ada_target) == (64, 25000, 100, 0.6)
    assert (run.train.r1_interval, run.train.lazy_interval, run.train.ema_kimg, run.train.ema_rampup) == (16, 4, 20, 0)
    assert run.total_steps == 130208


def test_small_has_a_budget_that_ends() -> None:
    run = load_run(None, {"model": {"preset": "small", "resolution": 64}})
    other = load_run(None, {"model": {"preset": "small"}, "train": {"kimg": 3}, "report": {"fvd_kimg": 0}})

    train = run.train
    assert (train.kimg, train.batch, train.r1_gamma, train.ema_kimg, train.ada_kimg) == (100, 8, 1, 2, 20)
    assert run.total_steps % run.steps_in(run.report.fvd_kimg) < 5  # the last score is at the end
    assert (other.train.kimg, other.train.batch, other.report.fvd_kimg, other.report.fvd_videos) == (3, 8, 0, 256)
    assert load_run(None, {"model": {"preset": "middle"}}).train == Run(model=model_config()).train


def test_changes_replace_what_the_file_says() -> None:
    run = load_run("mead", {"model": {"resolution": 64}, "train": {"batch": 8}})

    assert (run.model.resolution, run.model.frames, run.train.batch) == (64, 2, 8)


def test_another_preset_replaces_the_sizes_of_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(load_run(None, {"model": {"resolution": 64, "frames": 2}}).to_toml())

    run = load_run(str(tmp_path / "run.toml"), {"model": {"preset": "small"}})

    assert run.model == model_config("small", resolution=64, frames=2)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"preset": "paper"}, {"motion_distance": 256, "min_period": 256, "encoding": "paper"}),
        ({"preset": "small", "resolution": 64}, {"motion_distance": 256, "min_period": 256, "w_dim": 224}),
        ({"method": "without-our-discriminator", "preset": "small"}, {"motion_distance": 256, "min_period": 256}),
        ({"method": "lstm-codes"}, {"motion_distance": 256, "min_period": 16}),
        ({"method": "without-our-generator"}, {"motion_distance": 16}),
        ({"method": "mocogan-sg2"}, {"preset": "paper", "resolution": 256}),
    ],
    ids=lambda value: " ".join(map(str, value.values())),
)
def test_what_a_set_says_of_its_motion_holds_for_every_preset_and_method(change: dict, kept: dict) -> None:
    """Clouds are slow: the paper has δ = 256 for SkyTimelapse in all its experiments."""
    model = load_run("sky_timelapse", {"model": change}).model

    assert {name: getattr(model, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\ndepth = 3", "a model has no 'depth'"),
        ("[model]\npreset = 3", "preset = 3: allowed are release, paper, middle, small, image"),
        ("[model]\nresolution = 64\nconcat_resolution = 4", "concat_resolution = 4: allowed are 8, 16, 32"),
        ("[model]\nresolution = 64\nconcat_resolution = 24", "concat_resolution = 24: allowed are 8, 16, 32"),
        ("[model]\nchannel_base = 16", "channel_base = 16: no channel is left at 256²"),
        ("[model]\nmax_frames = 2", "max_frames = 2: expected 3 or more"),
        ('[model]\npreset = "big"', "preset = 'big': allowed are release, paper, middle, small, image"),
        ("[model]\nresolution = 100", "resolution = 100: allowed are 32, 64"),
        ("[model]\nresolution = 64.0", "resolution = 64.0: expected a value of type int"),
        ("[model]\nframes = 5", "frames = 5: allowed are 1, 2, 3, 4, 8, 16"),
        ('[model]\nspans = "odd"', "spans = 'odd': allowed are powers, uniform"),
        ("[model]\nz_dim = 0", "z_dim = 0: expected 1 or more"),
        ("[model]\nv_dim = 0", "v_dim = 0 is a model without motion, which learns from frames = 1, not 3"),
        ("[model]\nnum_classes = -1", "num_classes = -1: expected 0 or more"),
        ("[model]\nmax_period = 16", "max_period = 16 is not above min_period = 16"),
        ("[optimizer]\nlr = 3", "no section 'optimizer'"),
        (f"[train]\nkimg = 0x1{'0' * 5000}", r"train.kimg is above 10\^308"),
        (f'[model]\nmethod = "mocogan"\nnoise = 1{"0" * 400}', r"noise is above 10\^308"),
        ("[model]\nframe_divisor = 1024", "frame_divisor = 1024: expected 512 or less, the channels at 16²"),
        ("[train]\nbatch = true", "train.batch = True: expected a value of type int"),
        ("[train]\nbatch = 0", "train.batch = 0: expected a number above 0"),
        ('[train]\nprecision = "int8"', "allowed are auto, float32, float16, bfloat16"),
        ('[data]\npreload = "maybe"', "allowed are auto, always, never"),
        ("[train]\nkimg = inf", "train.kimg = inf: expected a number above 0"),
        ("[train]\nkimg = 1e300", r"expected a number above 0, below 10\^15"),
        ("[train]\nlearning_rate = -1", "train.learning_rate = -1.0: expected 0 or more"),
        ("[train]\nada_target = nan", "train.ada_target = nan: expected a mean of signs, from -1 to 1"),
        ("[train]\nr1_gamma = -1", "train.r1_gamma = -1.0: expected 0 or more"),
        ("[report]\nlines = 3", r"\[report\] has no 'lines'"),
        ("batch = 3", "stands outside of the sections"),
        ("[train", "no TOML"),
    ],
)
def test_mistakes_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)

    with pytest.raises(ConfigError, match=message):
        load_run(str(tmp_path / "run.toml"), {})


def test_a_missing_file_lists_the_runs_that_ship() -> None:
    with pytest.raises(ConfigError, match="ffs, mead, rainbow_jelly, sky_timelapse, ucf101"):
        load_run("celebs", {})


def test_paper_and_small_say_what_they_change() -> None:
    paper, small = model_config("paper"), model_config("small", resolution=64)

    assert (paper.encoding, paper.spans, paper.frame_divisor, paper.hyper_modulation) == ("paper", "uniform", 1, True)
    assert (small.encoding, small.spans, small.frame_divisor, small.hyper_modulation) == ("release", "powers", 2, False)
    assert small.channels(4) == small.w_dim == small.u_dim == 224

"""Statistics of other programs as a real side: the score of the features behind them, flagged, or a clear refusal."""

import io
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import FrechetVideoDistance, Settings, evaluate
from fvd_bench.errors import SourceError
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.opening import open_side
from fvd_bench.finding import FvdBenchWarning
from fvd_bench.reports.citation import result_citation
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None, device="cpu")
ROUNDED = 1e-6
"""Relative: the covariance comes from float64 sums here, and from the centred features there."""

REAL_VIDEOS = 60


@pytest.fixture(scope="module")
def videos(moving_frames) -> tuple[np.ndarray, np.ndarray]:
    """Sixty real videos, more than features, and ten fake ones: uint8 [N, 9, 16, 16, 3]."""
    real = [moving_frames(9, 16, 16, seed=seed) for seed in range(REAL_VIDEOS)]
    return np.stack(real), np.stack([moving_frames(9, 16, 16, seed=100 + seed) for seed in range(10)])


@pytest.fixture(scope="module")
def protocol(write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two metrics, and the covariance divisor of np.cov."""
    file = Path(write_pixels_protocol(tmp_path_factory.mktemp("protocol")))
    file.write_text(file.read_text("utf-8").replace('["fvd"]', '["fvd", "kvd"]\nddof = 1'))
    return file


@pytest.fixture(scope="module")
def features(videos, protocol) -> np.ndarray:
    """Of the real videos, float32 [60, 54]."""
    metric = FrechetVideoDistance(protocol, settings=NO_CACHE)
    metric.update(real=videos[0])
    found: np.ndarray = metric.state_dict()["real"]["features"].numpy()
    return found


def stylegan(features: np.ndarray, **changed: object) -> dict[str, object]:
    """FeatureSet.__dict__ of StyleGAN2-ADA, metrics/metric_utils.py, as `save` pickles it."""
    wide = features.astype(np.float64)
    state = {
        "capture_all": False,
        "capture_mean_cov": True,
        "max_items": None,
        "num_items": len(wide),
        "num_features": wide.shape[1],
        "all_features": None,
        "raw_mean": wide.sum(axis=0),
        "raw_cov": wide.T @ wide,
    }
    return state | changed


def _write(folder: Path, form: str, features: np.ndarray) -> Path:
    mu, sigma = features.mean(axis=0, dtype=np.float64), np.cov(features.astype(np.float64), rowvar=False)
    file = folder / f"{form}.{'npz' if form == 'pytorch-fid' else 'pkl'}"
    if form == "pytorch-fid":
        np.savez_compressed(file, mu=mu, sigma=sigma)
    elif form == "edm2":
        file.write_bytes(pickle.dumps({"fid": {"mu": mu, "sigma": sigma}, "fd_dinov2": {"mu": mu[:3]}}))
    elif form == "all":
        parts = np.array_split(features, 4)
        state = stylegan(features, capture_all=True, all_features=parts, raw_mean=None, raw_cov=None)
        file.write_bytes(pickle.dumps(state))
    else:
        file.write_bytes(pickle.dumps(stylegan(features)))
    return file


def _scores(result: Result) -> tuple[Score, Score]:
    fvd, kvd = result.scores
    return fvd, kvd


@pytest.mark.parametrize("form", ["pytorch-fid", "stylegan", "edm2"])
def test_moments_score_as_the_videos_behind_them(tmp_path, videos, protocol, features, form: str) -> None:
    (expected, _) = _scores(evaluate(*videos, protocol, settings=NO_CACHE))

    result = evaluate(_write(tmp_path, form, features), videos[1], protocol, settings=NO_CACHE)

    fvd, kvd = _scores(result)
    assert fvd.value == pytest.approx(expected.value, rel=ROUNDED)
    assert fvd.interval is fvd.floor is fvd.infinite is fvd.error_real is None
    assert kvd.value is None and "of the real side only mean and covariance are given" in str(kvd.reason)
    assert [w.code for w in result.warnings].count("unknown-protocol") == 1
    assert not any(w.code == "few-videos" and "real" in w.message for w in result.warnings)
    assert fvd.real.clips == (REAL_VIDEOS if form == "stylegan" else 0)
    assert len(result.real.fingerprint) == 64 and result.real.videos == 0
    assert Result.from_json(result.to_json()) == result


@pytest.mark.parametrize(("form", "told"), [("stylegan", True), ("all", True), ("pytorch-fid", False)])
def test_few_features_are_told_where_their_number_is_known(
    tmp_path, videos, protocol, features, form: str, told: bool
) -> None:
    """By a score and by the training metric, as of videos."""
    file = _write(tmp_path, form, features[:20])
    metric = FrechetVideoDistance(protocol, real=file, settings=NO_CACHE)
    metric.update(fake=videos[1])
    with pytest.warns(FvdBenchWarning):
        metric.compute()

    for found in (evaluate(file, videos[1], protocol, settings=NO_CACHE).warnings, metric.findings):
        few = [each.message for each in found if (each.code, each.side) == ("few-videos", "real")]
        assert [message.partition(":")[0] for message in few] == ["20 real videos for 54 features"] * told


@pytest.mark.parametrize("form", ["pytorch-fid", "stylegan", "edm2", "all"])
def test_a_fingerprint_is_that_of_the_file(tmp_path, form: str) -> None:
    """Or a gate would take other statistics for those of its baseline."""
    sets = [np.random.default_rng(seed).normal(size=(20, 5)).astype(np.float32) for seed in (0, 1)]
    files = []
    for name, features in (("one", sets[0]), ("copy", sets[0]), ("other", sets[1])):
        (tmp_path / name).mkdir()
        files.append(_write(tmp_path / name, form, features))
    files[1].write_bytes(files[0].read_bytes())

    one, copy, other = (open_side(file, "real").fingerprint({}) for file in files)

    assert one == copy != other


def test_features_score_as_the_videos_behind_them_in_every_metric(tmp_path, videos, protocol, features) -> None:
    expected = _scores(evaluate(*videos, protocol, settings=NO_CACHE))

    result = evaluate(_write(tmp_path, "all", features), videos[1], protocol, settings=NO_CACHE)

    for found, wanted in zip(_scores(result), expected, strict=True):
        assert (found.value, found.interval, found.floor) == (wanted.value, wanted.interval, wanted.floor)
    assert "unknown-protocol" in [w.code for w in result.warnings]


def test_the_divisor_is_that_of_the_protocol_where_the_number_is_known(features) -> None:
    cov = np.cov(features.astype(np.float64), rowvar=False, ddof=0)
    known = FeatureSet.of_moments(features.mean(axis=0), cov, count=60, ddof=0)
    unknown = FeatureSet.of_moments(features.mean(axis=0), cov, count=None, ddof=0)

    np.testing.assert_allclose(known.cov(1), FeatureSet.of(features).cov(1), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(unknown.cov(1), unknown.cov(0))


def test_moments_may_be_as_rough_as_single_precision() -> None:
    rough = np.array([[1, 1 + 3e-6], [1 + 1e-6, 1]])  # not quite symmetric, and an eigenvalue of -2e-6

    cov = FeatureSet.of_moments(np.zeros(2), rough, count=2, ddof=0).cov(0)

    np.testing.assert_array_equal(cov, (rough + rough.T) / 2)
    with pytest.raises(SourceError, match="made of 1 feature:"):
        FeatureSet.of_moments(np.zeros(2), rough, count=1, ddof=0)


def test_the_training_metric_takes_them_too(tmp_path, videos, protocol, features) -> None:
    file = _write(tmp_path, "stylegan", features)
    metric = FrechetVideoDistance(protocol, real=file, settings=NO_CACHE)
    metric.update(fake=videos[1])

    fvd, kvd = metric.scores()

    assert metric.compute() == fvd.value == evaluate(file, videos[1], protocol, settings=NO_CACHE).scores[0].value
    assert fvd.interval is None and kvd.value is None


def test_the_command_line_takes_them_as_the_real_side_only(tmp_path, two_sides, protocol, features) -> None:
    file = str(_write(tmp_path, "pytorch-fid", features))
    real, fake = map(str, two_sides)
    kept = str(tmp_path / "kept.json")

    good = _compute("--real", file, "--fake", fake, "--protocol", str(protocol), "--json", kept, "--keep-features")
    bad = _compute("--real", real, "--fake", file, "--protocol", str(protocol))
    dry = _compute("--real", file, "--fake", fake, "--protocol", str(protocol), "--dry-run")
    shown = _compute("--real", file, "--fake", fake, "--protocol", str(protocol), "--html", str(tmp_path / "page.html"))

    assert good.returncode == dry.returncode == shown.returncode == 0, good.stderr + dry.stderr + shown.stderr
    assert '"unknown-protocol"' in Path(kept).read_text("utf-8")
    assert "? + 5" in good.stdout
    assert "of 5 fake and an unknown number of real clips" in result_citation({"": Result.read(Path(kept))})
    assert "under an unknown protocol" in " ".join((shown.stdout + shown.stderr).split())
    assert bad.returncode == 3 and "can be the real side only" in bad.stderr
    again = comparison.check(Path(file), fake, Path(kept), protocol=[protocol], settings=NO_CACHE)
    assert (
        not again.failed
        and again.now.scores[0].value == Result.from_json(Path(kept).read_text("utf-8")).scores[0].value
    )


def _compute(*options: str) -> subprocess.CompletedProcess[str]:
    return fvd_bench("compute", *options, "--no-cache")


def test_protocols_that_cannot_use_them_say_why(tmp_path, two_sides, protocol, pixels_protocol, features) -> None:
    shuffled = Path(pixels_protocol(name="shuffled", clip='content = { fake = "shuffled-real" }'))
    file = _write(tmp_path, "stylegan", features)

    result = evaluate(file, two_sides[1], [protocol, shuffled], settings=NO_CACHE)

    assert result.scores[-1].value is None and "made of real videos" in str(result.scores[-1].reason)
    with pytest.raises(SourceError, match="statistics of 53 features, the protocol's network has 54"):
        evaluate(_write(tmp_path, "stylegan", features[:, 1:]), two_sides[1], protocol, settings=NO_CACHE)


class Touch:
    """Pickles as a command."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {self._file}",)


SQUARE = np.eye(54)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([1, 2], "an object of type list"),
        ({}, "holds nothing: expected a dict of mu and sigma"),
        ({"mu": np.zeros(54), "sigma": np.zeros((54, 53))}, r"\[54\], its covariance of \[54, 53\]"),
        ({"mu": np.zeros(54), "sigma": SQUARE + np.eye(54, k=1)}, "not symmetric"),
        ({"mu": np.zeros(54), "sigma": SQUARE * np.nan}, "not finite"),
        ({"mu": np.zeros(54), "sigma": -SQUARE}, "eigenvalues down to -1"),
        ({"mu": np.zeros(54), "sigma": np.diag([1.0] * 53 + [-2e-5])}, "eigenvalues down to -2e-05"),
        ({"mu": np.zeros(54), "sigma": "large"}, "its sigma is no array"),
        ({"mu": np.zeros(54, complex), "sigma": SQUARE}, "which is no number"),
        ({"raw_mean": np.zeros(54), "raw_cov": SQUARE, "num_items": 1}, "num_items is 1"),
        ({"raw_mean": np.zeros(54), "raw_cov": SQUARE, "num_items": "many"}, "num_items is 'many'"),
        (
            {"raw_mean": np.zeros(54), "raw_cov": np.eye(3), "num_items": 9},
            r"of 54 numbers and its raw_cov of \[3, 3\]",
        ),
        ({"all_features": [np.ones((3, 54)), np.ones((3, 5))]}, "no arrays of one width"),
        ({"all_features": [np.ones((1, 54))]}, r"\[1, 54\], or not finite"),
        ({"all_features": [np.full((9, 54), np.inf)]}, "not finite"),
        ({"mu": np.zeros(5000), "sigma": np.zeros((5000, 5000), np.float16)}, "at most 4096"),
        ({"mu": Touch(Path("trace"))}, "wants to call posix.system, which statistics never do"),
    ],
)
def test_pickles_of_anything_else_are_refused(tmp_path, monkeypatch, protocol, tree, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "stats.pkl"
    file.write_bytes(pickle.dumps(tree))

    with pytest.raises(SourceError, match=rf"stats.pkl cannot be the real side: .*{message}"):
        evaluate(file, tmp_path, protocol, settings=NO_CACHE)

    assert not Path("trace").exists()


def test_one_array_that_is_named_again_and_again_is_refused(tmp_path, protocol) -> None:
    part = np.ones((1000, 54), np.float32)
    (tmp_path / "stats.pkl").write_bytes(pickle.dumps({"all_features": [part] * 100_000}))

    with pytest.raises(SourceError, match="no arrays of one width"):
        evaluate(tmp_path / "stats.pkl", tmp_path, protocol, settings=NO_CACHE)


def _npy(header: str) -> bytes:
    out = io.BytesIO()
    text = header.encode().ljust(117) + b"\n"
    out.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 64)
    return out.getvalue()


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (
            _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}"),
            "is not of the 8,000,000,000,0",
        ),
        (_npy("{'descr': '|O', 'fortran_order': False, 'shape': (8, 8)}"), "expected numbers"),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-8, 8)}"), "expected numbers"),
        (_npy("__import__('os')"), "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_archives_are_not_believed(tmp_path, protocol, sigma: bytes, message: str) -> None:
    with zipfile.ZipFile(tmp_path / "stats.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mu.npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (8,)}"))
        archive.writestr("sigma.npy", sigma)

    with pytest.raises(SourceError, match=message):
        evaluate(tmp_path / "stats.npz", tmp_path, protocol, settings=NO_CACHE)


@pytest.mark.parametrize("cut", [0, 1, 40, 2000, -1])
def test_truncated_pickles_are_told(tmp_path, protocol, features, cut: int) -> None:
    file = _write(tmp_path, "stylegan", features)
    file.write_bytes(file.read_bytes()[:cut])

    with pytest.raises(SourceError, match="is damaged, or no pickle of plain statistics"):
        evaluate(file, tmp_path, protocol, settings=NO_CACHE)


def test_a_file_that_is_not_there_is_told(tmp_path, protocol) -> None:
    with pytest.raises(SourceError, match=r"stats\.pkl does not exist"):
        evaluate(tmp_path / "stats.pkl", tmp_path, protocol, settings=NO_CACHE)

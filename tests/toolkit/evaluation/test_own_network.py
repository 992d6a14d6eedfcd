"""A network of the user's own in a score: in all that the score is known by, and in the place of a protocol's own."""

import copy
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench import FrechetVideoDistance, allow_code, evaluate, frechet_distance, rank
from fvd_bench.errors import ArgumentError, FvdBenchError, NetworkError, NotComparableError, ProtocolError
from fvd_bench.evaluation.comparisons.comparability import pairs, protocols_of
from fvd_bench.evaluation.manifest import Manifest, evaluate_and_record
from fvd_bench.evaluation.replay import replay
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.networks import NETWORKS
from fvd_bench.networks.declared import network as declare
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.networks.pixels import PixelsExtractor
from fvd_bench.settings import Settings

NAME = "of_mine:means"
UNKEPT = Settings(cache=None)


@pytest.fixture(scope="session")
def clips() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(3)
    return {
        side: [rng.integers(0, most, (9, 16, 16, 3), dtype=np.uint8) for _ in range(count)]
        for side, most, count in (("real", 255, 6), ("fake", 200, 5))
    }


@pytest.fixture
def sides(clips) -> tuple[list[np.ndarray], list[np.ndarray]]:
    allow_code(NAME)
    return clips["real"], clips["fake"]


class Means(torch.nn.Module):
    """Means of colours, and dropout that must be off."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x.mean(dim=tuple(range(2, x.ndim))) * self.scale)


def test_the_score_is_that_of_the_networks_features(plugins, sides, own_protocol) -> None:
    plugins.network()

    result = evaluate(*sides, own_protocol(NAME), settings=UNKEPT, progress=False)

    torch.manual_seed(0)
    scale = torch.rand(6).double().numpy()
    features = []
    for side in sides:
        values = np.stack(side).astype(np.float64) / 255
        changes = np.abs(np.diff(values, axis=1)).mean(axis=(1, 2, 3))
        features.append(np.concatenate([values.mean(axis=(1, 2, 3)), changes], axis=1) * scale)
    assert result.value == pytest.approx(frechet_distance(*features), rel=1e-4)  # of float32
    assert result.weights.keys() == {"means"}


def test_name_version_and_weights_are_in_all_that_a_score_is_known_by(plugins, sides, own_protocol) -> None:
    plugins.network()
    file = own_protocol(NAME)
    result, manifest = evaluate_and_record(*sides, file, settings=UNKEPT)
    (score,), digest = result.scores, result.weights["means"]
    named = f"means@1#{digest[:12]}"

    assert f"|features:{named}:features,as-is," in score.signature and f"|weights:{digest[:8]}|" in score.signature
    assert result.protocols[score.digest]["features.network"] == named
    assert json.loads(manifest.to_json())["protocols"][load(file).digest()]["features"]["network"] == named
    assert Result.from_json(result.to_json()).protocols == result.protocols
    again = replay(Manifest.from_json(manifest.to_json()), *sides, settings=UNKEPT)
    assert again.value == result.value

    for other in ({"version": "2"}, {"seed": 1}):
        plugins.network(**other)
        found = evaluate(*sides, file, settings=UNKEPT, progress=False)
        assert found.scores[0].digest != score.digest
        with pytest.raises(NotComparableError, match=rf"features\.network is means@.* and was {named[:8]}"):
            pairs(result, found)
        with pytest.raises(NotComparableError, match=r"features\.network"):
            protocols_of(result, [file])
        with pytest.raises(ProtocolError, match=f"network = '{named}', and {NAME} is means@"):
            replay(manifest, *sides, settings=UNKEPT)
    plugins.network()
    assert [p.digest() for p in protocols_of(result, [file])] == [load(file).digest()]


def test_a_protocol_may_pin_its_network(plugins, sides, own_protocol) -> None:
    plugins.network()
    named = load(own_protocol(NAME)).features.network
    pinned = own_protocol(NAME, features=f'network = "{named}"')

    assert load(pinned).features.network == named
    plugins.network(seed=1)
    with pytest.raises(ProtocolError, match=rf"own\.toml: network = '{named}', and {NAME} is means@1#"):
        load(pinned)
    with pytest.raises(ProtocolError, match="pixels is of fvd-bench itself"):
        load(own_protocol("pixels", features='network = "pixels@1#0"'))


def test_stored_features_are_those_of_one_version_and_its_weights(
    plugins, sides, own_protocol, tmp_path: Path, monkeypatch
) -> None:
    plugins.network()
    file, settings = own_protocol(NAME), Settings(cache=tmp_path / "cache")
    first = evaluate(*sides, file, settings=settings, progress=False)
    ran: list[int] = []
    begin = TorchExtractor.begin
    monkeypatch.setattr(TorchExtractor, "begin", lambda self, clips: ran.append(len(clips)) or begin(self, clips))

    again = evaluate(*sides, file, settings=settings, progress=False)
    handed = evaluate(*sides, file, settings=settings, progress=False, network=NETWORKS[NAME])
    assert (again.value, handed.value, ran) == (first.value, first.value, [])

    for other in ({"version": "2"}, {"seed": 1}):
        plugins.network(**other)
        evaluate(*sides, file, settings=settings, progress=False)
        assert sum(ran) == 11
        ran.clear()


def test_a_library_of_a_network_is_in_all_that_a_score_is_known_by(
    plugins, sides, own_protocol, tmp_path: Path, monkeypatch
) -> None:
    plugins.package("of-layers")
    plugins.network(software=("of-layers",))
    file, settings = own_protocol(NAME), Settings(cache=tmp_path / "cache")
    result, manifest = evaluate_and_record(*sides, file, settings=settings)
    ran: list[int] = []
    begin = TorchExtractor.begin
    monkeypatch.setattr(TorchExtractor, "begin", lambda self, clips: ran.append(len(clips)) or begin(self, clips))

    (score,) = result.scores
    assert f"|weights:{result.weights['means'][:8]}|of-layers:1.0|fvd-bench:" in score.signature
    assert result.environment["of-layers"] == manifest.environment["of-layers"] == "1.0"
    plugins.package("of-layers", version="2.0")
    other = evaluate(*sides, file, settings=settings, progress=False)
    assert sum(ran) == 11 and "|of-layers:2.0|" in other.scores[0].signature

    plugins.network()  # which names none: its features are stored as if there were no such thing
    without = evaluate(*sides, file, settings=settings, progress=False)
    assert sum(ran) == 22 and without.scores[0].signature == score.signature.replace("of-layers:1.0|", "")
    plugins.package("of-layers", version="1.0")
    evaluate(*sides, file, settings=settings, progress=False)
    assert sum(ran) == 22


def test_a_torch_module_stands_in_for_the_protocols_network(sides, pixels_protocol, tmp_path: Path) -> None:
    module, cache = Means(), tmp_path / "cache"
    file = pixels_protocol()

    result = evaluate(*sides, file, network=module, settings=Settings(cache=cache), progress=False)

    scale = module.scale.detach().double().numpy()
    features = [(np.stack(side).mean(axis=(1, 2, 3)) * 2 / 255 - 1) * scale for side in sides]
    (score,) = result.scores
    assert score.value == pytest.approx(frechet_distance(*features), rel=1e-4)
    assert module.training and module.dropout.training
    assert score.protocol == "pixels-on-Means" and "|features:Means@file-" in score.signature
    (told,) = [found.message for found in result.warnings if found.code == "not-comparable"]
    assert told == "pixels-on-Means: its features are those of Means, in the place of pixels"
    assert not cache.exists()  # nothing tells what else such a module computed
    assert not any(name.startswith("given:") for name in NETWORKS._found)


def test_frames_and_functions_stand_in_too(sides, pixels_protocol) -> None:
    def brightness(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.mean(dim=(1, 2, 3, 4)), x.amax(dim=(1, 2, 3, 4))], dim=1)

    result = evaluate(*sides, pixels_protocol(), network=brightness, settings=UNKEPT, progress=False)

    assert result.value is not None and result.weights == {}
    assert "weights-unverified" in {found.code for found in result.warnings}
    with pytest.raises(ProtocolError, match="fid is computed on features of inception, not of given:Means"):
        evaluate(*sides, "stylegan-v-fid", network=Means(), settings=UNKEPT, progress=False)


def test_a_module_gets_all_that_the_protocol_prepares(sides, pixels_protocol) -> None:
    """Clips as long as their videos, and blue first."""
    file = Path(pixels_protocol(frames='"whole"'))
    file.write_text(file.read_text().replace('{ real = "random", fake = "first" }', '"first"\nmin_frames = 4'))
    file.write_text(file.read_text().replace("[metric]", 'channels = "bgr"\n[metric]'))
    module = Means()

    result = evaluate(*sides, str(file), network=module, settings=UNKEPT, progress=False)

    scale = module.scale.detach().double().numpy()
    features = [(np.stack(side).mean(axis=(1, 2, 3))[:, ::-1] * 2 / 255 - 1) * scale for side in sides]
    assert result.value == pytest.approx(frechet_distance(*features), rel=1e-4)


def test_a_ranking_is_on_the_network_that_is_handed_over(sides, pixels_protocol, tmp_path: Path) -> None:
    module, settings = Means(), Settings(cache=tmp_path / "cache")
    alone = evaluate(*sides, pixels_protocol(), network=module, settings=UNKEPT, progress=False)

    fakes = {"a": sides[1], "b": sides[0][:5]}
    ranked = rank(sides[0], fakes, pixels_protocol(), network=module, settings=settings, progress=False)

    assert ranked.scores[0].scores["a"] == alone.scores[0]
    assert not Path(str(settings.cache)).exists()


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_metric_in_a_training_loop_is_on_the_network_that_is_handed_over(
    plugins, sides, pixels_protocol, is_declared: bool
) -> None:
    plugins.network()
    network = NETWORKS.find(NAME) if is_declared else Means()
    (expected,) = evaluate(*sides, pixels_protocol(), network=network, settings=UNKEPT, progress=False).scores

    metric = FrechetVideoDistance(pixels_protocol(), real=sides[0], settings=UNKEPT, progress=False, network=network)
    if not is_declared:
        with torch.no_grad():
            network.scale.zero_()  # training goes on, and the metric's own copy does not
    metric.update(fake=np.stack(sides[1])[:2])
    copied = copy.deepcopy(metric).to("cpu")  # which loads the network again
    for each in (metric, copied):
        each.update(fake=np.stack(sides[1])[2:])
        assert each.compute() == pytest.approx(expected.value, rel=1e-9)
        assert each.scores()[0].signature == expected.signature
        assert "not-comparable" in {found.code for found in each.findings}
    own = FrechetVideoDistance(pixels_protocol(), settings=UNKEPT)
    with pytest.raises(FvdBenchError, match="cannot be merged"):
        own.merge(metric)
    assert not any(name.startswith("given:") for name in NETWORKS._found)


def test_two_networks_of_one_name_do_not_meet(pixels_protocol) -> None:
    first, second = (
        FrechetVideoDistance(pixels_protocol(), settings=UNKEPT, network=Means()).extraction for _ in range(2)
    )

    with first.findable():
        before = NETWORKS["given:Means"]
        with second.findable():
            assert NETWORKS["given:Means"] is not before
        assert NETWORKS["given:Means"] is before


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (3, ArgumentError, "network is of type int: expected a torch module"),
        (torch.nn.Linear(2, 2), NetworkError, "Linear: trying it on one input failed: RuntimeError: mat1 and mat2"),
        (torch.nn.Identity(), NetworkError, r"Identity gives \[1, 3, 9, 224, 224\] for one input"),
        (lambda x: 3, NetworkError, r"lambda gives a int for one input \[1, 3, 9, 224, 224\]: expected a tensor"),
    ],
)
def test_what_is_no_network_is_told(sides, pixels_protocol, network, error, message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(*sides, pixels_protocol(), network=network, settings=UNKEPT, progress=False)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("[np.zeros((1, 4), np.float32)] * len(clips)", r"gave features float32 \[1, 4\]: expected float32 \[1, 3\]"),
        ("[np.zeros((2, 3), np.float32)] * len(clips)", r"gave features float32 \[2, 3\]"),
        ("[np.zeros((1, 3))] * len(clips)", r"gave features float64 \[1, 3\]"),
        ("[np.zeros((1, 3), np.float32)]", "gave the features of 1 clip: expected 2"),
        ("[np.full((1, 3), np.nan, np.float32)] * len(clips)", "not finite; .*`fvd-bench networks check of_mine:mine`"),
    ],
)
def test_a_hand_made_extractor_is_held_to_what_it_says(
    plugins, sides, own_protocol, results: str, message: str
) -> None:
    mine = plugins.extractor(results)
    allow_code(mine)

    with pytest.raises(FvdBenchError, match=message):
        evaluate(*sides, own_protocol(mine), settings=UNKEPT, progress=False)


def test_several_networks_share_the_decoding_and_the_jpeg(
    plugins, own_protocol, pixels_protocol, two_sides, monkeypatch
) -> None:
    from fvd_bench.videos import clips as reading
    from fvd_bench.videos import preprocess

    plugins.network()
    allow_code(NAME)
    count = {"decoded": 0, "prepared": 0, "pixels": 0, "means": 0}

    def counted(name: str, original):
        def call(*given, **more):
            count[name] += 1
            return original(*given, **more)

        return call

    monkeypatch.setattr(reading, "read_clips", counted("decoded", reading.read_clips))
    monkeypatch.setattr(preprocess, "clip_images", counted("prepared", preprocess.clip_images))
    monkeypatch.setattr(PixelsExtractor, "_features", counted("pixels", PixelsExtractor._features))
    monkeypatch.setattr(TorchExtractor, "_prepared", counted("means", TorchExtractor._prepared))
    alike = pixels_protocol(images='jpeg = "always"')
    own = Path(own_protocol(NAME))
    start = Path(alike).read_text().split("[clip]")[1].split("[features]")[0]
    own.write_text(own.read_text().replace("[clip]\nframes = 9", f"[clip]{start}"))

    result = evaluate(*two_sides, [alike, own], settings=UNKEPT, progress=False)

    videos = sum(score.real.clips + score.fake.clips for score in result.scores[:1])
    assert count == {"decoded": videos, "prepared": videos, "pixels": videos, "means": videos}
    assert len(result.scores) == 2 and videos == 11


def test_networks_of_one_name_in_two_threads_are_two(clips, own_protocol) -> None:
    protocol = own_protocol("pixels")

    def scaled(factor: float):
        def means(x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3, 4)) * factor

        return means

    def score(factor: float, real: object) -> None:
        found[factor] = evaluate(real, clips["fake"], protocol, settings=UNKEPT, network=scaled(factor)).value

    other_began, is_done = threading.Event(), threading.Event()

    def after_the_other() -> Iterator[np.ndarray]:
        other.start()
        assert other_began.wait(60)
        yield from clips["real"]

    def until_this_is_done() -> Iterator[np.ndarray]:
        other_began.set()
        assert is_done.wait(60)
        yield from clips["real"]

    found: dict[float, float | None] = {}
    other = threading.Thread(target=score, args=(2.0, until_this_is_done()))
    score(1.0, after_the_other())
    is_done.set()
    other.join()

    together = dict(found)
    for factor in together:
        score(factor, clips["real"])
    assert together == found
    assert found[2.0] == pytest.approx(4 * found[1.0])


class Timed(torch.nn.Module):
    """Means of colours with weights, and with times that are made anew each time, of the default type and device."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Linear(3, 3)
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        times = torch.arange(x.shape[2]) / 7
        return self.weight((x.mean(dim=(3, 4)) * times.sin()).sum(dim=2) - self.mean).exp()


def _timed() -> Timed:
    torch.manual_seed(0)
    return Timed()


@pytest.mark.parametrize("given", ["declared", "bare"])
@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16, "meta"])
def test_default_types_and_devices_of_the_program_move_no_feature(clips, own_protocol, given: str, default) -> None:
    network = (
        declare(name="timed", version="1", dim=3, size=16, range=(0, 1))(_timed) if given == "declared" else _timed()
    )
    set_default, usual = (
        (torch.set_default_device, None) if default == "meta" else (torch.set_default_dtype, torch.float32)
    )

    def score() -> float | None:
        return evaluate(*clips.values(), own_protocol("pixels"), settings=UNKEPT, progress=False, network=network).value

    expected = score()
    set_default(default)
    try:
        found = score()
        assert str(default).removeprefix("torch.") in f"{torch.get_default_dtype()} {torch.get_default_device()}"
    finally:
        set_default(usual)
    assert found == expected

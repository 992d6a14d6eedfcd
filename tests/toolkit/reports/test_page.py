"""The page of a result: what is on it, in which order, and that nothing on it is obeyed."""

import base64
import io
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.evaluation.comparisons.ranking import Contrast, Entrant, RankedScore, Ranking
from fvd_bench.evaluation.comparisons.result_files import ranked
from fvd_bench.evaluation.details.shown_clips import ShownClip
from fvd_bench.finding import Finding
from fvd_bench.inspection.checkup import Checkup
from fvd_bench.metrics.neighbours import covered
from fvd_bench.reports.charts.score_charts import Row, scores_chart
from fvd_bench.reports.page import Made, checkup_page, clips, ranking_page, result_page
from fvd_bench.reports.page import page as pages
from fvd_bench.reports.page.page import Charts, Details, Page, Section, Strip, Table, Verdict
from fvd_bench.reports.page.protocol_words import protocol_words

MADE = Made("fvd-bench compute --html page.html", "2026-11-28 12:00")
EVIL = '"><script>document.title = "broken"</script>\u202e\x1b[31m'
SHOWN = EVIL.replace("\u202e", r"\u202e").replace("\x1b", r"\x1b")


class Outline(HTMLParser):
    """What a page is made of: its tags, the addresses in it, its titles of sections and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag == "h2":
            self.titles.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            return
        if self.tags and self.tags[-1] == "h2":
            self.titles[-1] += data.strip()
        self.text += data


@pytest.fixture(scope="module")
def page(showing) -> str:
    result, exhibits, _ = showing
    return result_page(result, exhibits, MADE).html()


def test_everything_that_counts_is_on_the_page_in_its_order(showing, page: str) -> None:
    result, exhibits, _ = showing
    (score,) = result.scores
    outline = Outline(page)

    wanted = [f"{score.value:.2f}", f"{score.interval[0]:.2f}", score.signature, "too short: 3 frames", MADE.command]
    wanted += [MADE.date, result.real.path, result.fake.path, "JPEG of quality 20", "covariances are divided by N"]
    wanted += [warned.message for warned in result.warnings] + [*result.environment.values()]
    assert [text for text in wanted if text not in outline.text] == []
    assert outline.titles == [
        "What the network saw",
        "The fakes that hurt most",
        "Real videos that nothing covers",
        "All scores on one axis",
        "Findings",
        "Where the videos lie",
        "Motion",
        "The score at fewer videos, and at infinity",
        "All numbers",
        "How it was made",
    ]
    assert len(exhibits.clips["real"]) == len(exhibits.clips["fake"]) == 8


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    outline = Outline(page)

    assert all(link.startswith("#") for link in outline.links)
    assert not {"script", "iframe", "object", "link", "img", "image", "a", "form"} & set(outline.tags)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    addresses = re.findall(r"url\(\s*[\"']?([^)\"']{1,40})", page)
    assert addresses and all(address.startswith(("#", "data:image/webp;base64,")) for address in addresses)
    assert "@import" not in page and "javascript:" not in page


def test_names_cannot_break_out_of_the_page(showing) -> None:
    result, exhibits, _ = showing
    clip = replace(exhibits.clips["real"][0], video=EVIL)
    gone = ShownClip(EVIL, reason=EVIL)
    nasty = replace(
        result,
        fake=replace(result.fake, path=EVIL),
        scores=tuple(replace(score, protocol=EVIL) for score in result.scores),
        warnings=(Finding("x", EVIL),),
        environment={EVIL: EVIL},
        protocols={score.digest: {EVIL: EVIL, "real.start": EVIL} for score in result.scores},
    )
    listed = [replace(exhibits.worst[0], clip=clip, nearest=gone)]

    page = result_page(nasty, replace(exhibits, clips={"real": [clip, gone]}, worst=listed), Made(EVIL, EVIL)).html()

    outline = Outline(page)
    assert "script" not in outline.tags
    assert outline.text.count(SHOWN) >= 12
    assert "\u202e" not in page and "\x1b" not in page


def test_names_of_generators_cannot_break_out_of_a_ranking(showing) -> None:
    result, exhibits, _ = showing
    both = ranked({name: Entrant(result, {}, None) for name in (EVIL, "b")})

    page = ranking_page(both, {EVIL: exhibits, "b": exhibits}, Made()).html()

    outline = Outline(page)
    assert "script" not in outline.tags and "\u202e" not in page and "\x1b" not in page
    assert outline.text.count(SHOWN) >= 6


def test_a_ranking_without_known_errors_says_so_and_a_doubtful_one_is_red(showing) -> None:
    result, _, _ = showing
    both = ranked({name: Entrant(result, {}, None) for name in ("a", "b")})
    same = replace(result, warnings=(Finding("same-videos", "the same"),))
    doubtful = ranked({"a": Entrant(result, {}, None), "b": Entrant(same, {}, None)})

    page, red = ranking_page(both).html(), ranking_page(doubtful).html()

    assert 'class="verdict unsure"' in page and "a is first" in page
    assert 'class="verdict bad"' in red and '"warning">b: Do not trust this number' in red


def test_a_generator_is_not_best_of_those_whose_difference_nobody_knows(showing) -> None:
    result, _, _ = showing
    both = Contrast("a", "b", 1.0, 0.1, paired=False, p=0.0, corrected=0.0, is_real=True)
    other = Contrast("a", "c", 1.0, None, paired=False, p=None, corrected=None, is_real=None)
    scores = RankedScore(dict.fromkeys("abc", result.scores[0]), (both, other))

    page = ranking_page(Ranking(dict.fromkeys("abc", result), (scores,), ()))

    assert page.verdict.tone == "unsure"
    assert page.verdict.sentence.startswith("a is better than b by more than chance explains; of c that is not known.")


def _frames(page: str, place: int) -> list[np.ndarray]:
    data = re.findall(r'\.film\d+ \{ background-image: url\("data:image/webp;base64,([^"]+)"', page)[place]
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGB")).astype(float))
    return frames


def test_clips_are_the_frames_that_the_network_saw(showing, page: str, colourful: tuple[Path, Path]) -> None:
    """Found again by hand: the first nine fake frames, through JPEG of quality 20."""
    _, exhibits, _ = showing
    shown = exhibits.clips["fake"][0]
    files = sorted((colourful[1] / shown.video).glob("*.png"), key=lambda file: int(file.stem))[:9]

    assert shown.frames is not None and shown.frames.shape == (9, 80, 107, 3)
    played = _frames(page, 8)
    assert len(played) == 9
    for file, kept, film in zip(files, shown.frames, played, strict=True):
        coded = io.BytesIO()
        Image.open(file).convert("RGB").save(coded, "JPEG", quality=20)
        expected = np.asarray(Image.open(coded).resize((107, 80), Image.Resampling.BOX)).astype(float)
        assert np.abs(kept - expected).max() == 0
        assert np.abs(film - expected).mean() < 6
        unchanged = np.asarray(Image.open(file).convert("RGB").resize((107, 80), Image.Resampling.BOX)).astype(float)
        assert np.abs(kept - unchanged).mean() > 1  # the codec is seen


def test_swapped_colours_are_seen(showing, colourful: tuple[Path, Path]) -> None:
    _, exhibits, _ = showing
    swapped = next(clip for clip in exhibits.clips["fake"] if clip.video == "04")

    assert swapped.frames is not None
    stored = np.asarray(Image.open(colourful[1] / "04" / "0.png").resize((107, 80), Image.Resampling.BOX)).astype(int)
    gap = np.abs(swapped.frames[0] - stored).mean()
    assert gap < 0.6 * np.abs(swapped.frames[0] - stored[..., ::-1]).mean()


def test_the_worst_are_those_of_the_table_of_videos(showing) -> None:
    result, exhibits, records = showing
    fakes = [record for record in records if record.side == "fake" and record.influence is not None]
    fakes = sorted((record for record in fakes if record.influence > 0), key=lambda record: -record.influence)

    assert exhibits.worst and [listed.clip.video for listed in exhibits.worst] == [f.video for f in fakes[:12]]
    for listed, record in zip(exhibits.worst, fakes, strict=False):
        assert listed.share == pytest.approx(record.influence / result.value)
        assert listed.nearest is not None and listed.nearest.video == record.nearest_other
        assert listed.distance == record.distance_other


def test_the_uncovered_are_those_of_coverage_the_loneliest_first(showing) -> None:
    _, exhibits, records = showing
    reals = [record for record in records if record.side == "real"]
    points = exhibits.points
    alone = ~covered(points["real"].features, points["fake"].features)
    expected = sorted((r for r, a in zip(reals, alone, strict=True) if a), key=lambda record: -record.distance_other)

    assert exhibits.num_uncovered == (alone.sum(), 20) and alone.any()
    assert [listed.clip.video for listed in exhibits.uncovered] == [record.video for record in expected[:12]]


def test_a_result_alone_has_no_clips_and_says_all_else(showing) -> None:
    result, _, _ = showing

    outline = Outline(result_page(result, made=MADE).html())

    assert outline.titles == ["All scores on one axis", "Findings", "Motion", "All numbers", "How it was made"]
    assert result.scores[0].signature in outline.text


def test_the_same_things_give_the_same_page(showing, page: str) -> None:
    result, exhibits, _ = showing

    assert result_page(result, exhibits, MADE).html() == page


def test_scores_that_could_not_be_computed_have_their_reason(showing) -> None:
    result, _, _ = showing
    failed = replace(
        result.scores[0], value=None, values=(), interval=None, reason="too few", floor=None, infinite=None
    )

    text = Outline(result_page(replace(result, scores=(failed,))).html()).text

    assert "There is no score." in text and "too few" in text


@pytest.mark.parametrize(
    ("code", "value", "floor", "tone"),
    [("x", 1.0, 1.0, "good"), ("x", 2.9, 1.0, "fair"), ("x", 9.0, 1.0, "bad"), ("x", 9.0, None, "unsure"),
     ("same-videos", 1.0, 1.0, "bad")],
)  # fmt: skip
def test_the_verdict_is_coloured_by_floors(showing, code: str, value: float, floor: float | None, tone: str) -> None:
    result, _, _ = showing
    found = None if floor is None else replace(result.scores[0].floor, value=floor, interval=(0.8 * floor, 1.2 * floor))
    score = replace(result.scores[0], value=value, values=(value,), interval=(0.9 * value, 1.1 * value), floor=found)

    page = result_page(replace(result, scores=(score,), warnings=(Finding(code, "some words"),))).html()

    assert f'class="verdict {tone}"' in page
    assert ("Do not trust this number" in page) == (code == "same-videos")


def _decoded(films: clips.Films) -> list[tuple[int, tuple[int, int]]]:
    """The number of frames and the size of each film."""
    images = [Image.open(io.BytesIO(base64.b64decode(f.moving.partition(",")[2]))) for f in films.each()]
    return [(getattr(image, "n_frames", 1), image.size) for image in images]


def test_what_is_given_up_is_said_and_in_order(noise) -> None:
    """Quality, then frames, then sizes, then the last clips."""
    shown = [ShownClip(str(seed), noise(seed)[:8]) for seed in range(3)]

    found = {most: clips.films(shown, most) for most in (10**6, 300_000, 100_000, 20_000, 4_000)}

    for most, films in found.items():
        assert sum(film.size for film in films.each()) <= most
    said = "To keep this page small, its clips have a lower quality"
    assert [(len(f.of), f.note) for f in found.values()] == [
        (3, ""),
        (3, f"{said}."),
        (3, f"{said}, one frame in 4."),
        (3, f"{said}, one frame in 4 and half the size."),
        (2, f"{said}, one frame in 8 and half the size; the last 1 of 3 clips is left out."),
    ]
    assert _decoded(found[10**6]) == [(8, (160, 80))] * 3
    assert _decoded(found[20_000]) == [(2, (80, 40))] * 3


def test_clips_of_the_same_frames_are_on_a_page_once(noise) -> None:
    shown = [ShownClip("a", noise(0)[:4]), ShownClip("b", noise(0)[:4]), ShownClip("gone", reason="gone")]

    films = clips.films(shown, 10**9)

    assert len(films.each()) == 1 and set(films.of) == {id(clip) for clip in shown[:2]}


def test_no_page_is_larger_than_its_bound(noise, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of tables go first, then what clips are made of, and the page says so. Here the bound is a tenth of ours."""
    monkeypatch.setattr(pages, "MOST_BYTES", 300_000)
    monkeypatch.setattr(pages, "_MOST_BYTES_OF_FILMS", 200_000)
    shown = [ShownClip(f"clip {seed}", noise(seed)) for seed in range(12)]
    long = Table(("video",), [(f"{number:04d} {'x' * 800}",) for number in range(900)])
    page = Page("t", Verdict("good", "s"), [Section("a", [Details("d", [Strip("all", "real", shown)]), long])], MADE)

    text = page.html()

    assert 50_000 < len(text.encode()) <= 300_000
    assert "The first 100; 800 more are in the JSON." in text and "0099 x" in text and "0100 x" not in text
    assert "To keep this page small, its clips have a lower quality" in text
    assert text.count('class="film ') == 12

    monkeypatch.setattr(pages, "MOST_BYTES", 15_000)
    monkeypatch.setattr(pages, "_MOST_BYTES_OF_FILMS", 10_000)
    chart = scores_chart([Row(str(place), float(place)) for place in range(30)], "FVD")
    short = Page("t", Verdict("good", "s"), [Section("a", [Charts([chart])])], MADE).html()

    assert len(short) < 15_000 and "Charts are left out" in short and "<svg" not in short


def test_passwords_and_tokens_in_addresses_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = ["--real", "https://me:secret@host/a b.zip?Signature=secret&e=1", "--fake", "c/??.mp4"]
    monkeypatch.setattr(sys, "argv", ["x", "compute", *sides])

    command = "fvd-bench compute --real 'https://***@host/a b.zip?***' --fake 'c/??.mp4'"
    assert Made.by("fvd-bench").command == command


def test_a_finding_about_very_many_videos_makes_no_large_page() -> None:
    many = {f"a/long/folder/of/videos/{number:06d}.mp4": "12 frames" for number in range(50_000)}

    page = checkup_page(Checkup((), (Finding.of("too-short", "50000 videos: too short", many),))).html()

    assert len(page) < 500_000
    assert "000999.mp4" in page and "001000.mp4" not in page
    assert "49000 more are in the JSON" in page


@pytest.mark.parametrize(("stride", "words"), [(1, "16 frames in a row"), (2, "every 2nd one"), ("x", "every x one")])
def test_a_protocol_says_which_frames_it_takes(stride: object, words: str) -> None:
    real, *_ = protocol_words({"real.frames": 16, "real.start": "first", "real.stride": stride})

    assert words in real

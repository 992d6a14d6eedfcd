"""Labels of a chart: each stands where it can be read."""

import itertools

from fvd_bench.reports.charts.labels import write_labels
from tests.lazy_module import LazyModule

matplotlib = LazyModule("matplotlib.figure")


def test_labels_cover_none_of_the_others_and_stay_within_the_axes() -> None:
    figure = matplotlib.Figure(figsize=(7, 4.5))
    axes = figure.subplots()
    axes.set(xlim=(0, 1.3), ylim=(0, 6000))
    places = {
        "videogpt": (0.05, 1144.0),
        "mocogan": (0.14, 1126.0),
        "stylegan2": (1.0, 3447.0),
        "mocogan-hd": (1.05, 3625.0),
        "digan": (1.28, 5802.0),
    }

    write_labels(figure, axes, places, size="small")

    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]  # lines have no text
    assert len(boxes) == 5 and max(box.x1 for box in boxes) <= axes.bbox.x1
    assert not any(first.overlaps(second) for first, second in itertools.combinations(boxes, 2))

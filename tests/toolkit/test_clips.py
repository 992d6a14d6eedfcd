from pathlib import Path

import numpy as np

from fvd_bench.clips import Draw, DrawEnd, DrawnClip, read_draws
from fvd_bench.frame_folder import FrameFolder
from fvd_bench.rules import ClipRule


def test_a_draw_ends_as_it_would_alone(tmp_path: Path, moving_frames, write_frames) -> None:
    """One draw needs a frame that does not decode, another only frames behind it, a third more than there are."""
    frames = moving_frames(40, 96, 128)
    folder = write_frames(tmp_path / "a", frames, suffix=".jpg")
    (folder / "12.jpg").write_bytes((folder / "12.jpg").read_bytes()[:-200])
    late = next(seed for seed in range(99) if np.random.default_rng([seed, 0]).integers(0, 32) > 12)
    draws = [
        Draw(ClipRule(frames=16), "fake", 0),
        Draw(ClipRule(frames=9, start="random"), "real", late),
        Draw(ClipRule(frames=50), "fake", 0),
    ]

    items = list(read_draws(FrameFolder(folder, [f.name for f in folder.iterdir()]), draws, 0))

    ends = {item.draw: item for item in items if isinstance(item, DrawEnd)}
    clips = [item for item in items if isinstance(item, DrawnClip)]
    assert "12.jpg" in str(ends[draws[0]].skipped)
    assert ends[draws[0]].found is None
    assert ends[draws[1]].skipped is None
    assert [clip.draw for clip in clips] == [draws[1]]
    assert ends[draws[2]].skipped == "too short: 40 frames decode, the clip needs 50"
    assert ends[draws[2]].found == 40
    assert len(items) == 4

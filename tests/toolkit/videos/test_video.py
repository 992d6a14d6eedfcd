import weakref
from pathlib import Path

import numpy as np

from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Frame, Video, read_clips


def _all(source: Video) -> np.ndarray:
    return np.stack([f.pixels for f in source.frames(np.arange(source.num_frames))])


def _folder(path: Path) -> FrameFolder:
    return FrameFolder(path, [f.name for f in path.iterdir()])


def test_lossless_files_and_folders_give_the_frames_that_were_written(
    tmp_path: Path, moving_frames, write_video, write_frames
) -> None:
    frames = moving_frames(14)

    ffv1 = write_video(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    png = write_frames(tmp_path / "b", frames)
    webp = write_frames(tmp_path / "c", frames, suffix=".webp", lossless=True)

    np.testing.assert_array_equal(_all(VideoFile(ffv1)), frames)
    np.testing.assert_array_equal(_all(_folder(png)), frames)
    np.testing.assert_array_equal(_all(_folder(webp)), frames)


def test_frames_are_let_go_when_no_clip_needs_them() -> None:
    """Of a long video that is read clip by clip, only one clip's frames are alive at a time."""
    born: list[weakref.ref[np.ndarray]] = []
    most_alive = 0

    class Counted:
        num_frames = 400

        def frames(self, indices: np.ndarray):
            nonlocal most_alive
            for i in indices.tolist():
                pixels = np.full((2, 2, 3), i % 256, dtype=np.uint8)
                born.append(weakref.ref(pixels))
                yield Frame(pixels)
                del pixels
                most_alive = max(most_alive, sum(ref() is not None for ref in born))

    wanted = [np.arange(s, s + 10) for s in range(0, 400, 10)]
    clips = [clip.frames[0, 0, 0, 0] for _, clip in read_clips(Counted(), wanted)]  # type: ignore[arg-type]

    assert clips == [s % 256 for s in range(0, 400, 10)]
    assert 9 <= most_alive <= 11

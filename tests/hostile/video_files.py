"""Video files among healthy ones: damaged, absurd, or something else under their name."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Good, broken

_FORMATS = ("mp4", "mkv", "avi", "gif", "webm")


def make(good: Good, folder: Path) -> Iterator[Case]:
    for suffix in _FORMATS:
        data = (good.videos / f"a.{suffix}").read_bytes()
        for seed, (name, changed) in enumerate(broken(data, 1)):
            yield _beside(good, folder, f"{suffix}-{name}", suffix, changed, exact=not changed or seed in (1, 7, 8, 11))
    for name, suffix, data in _impostors(good):
        yield _beside(good, folder, name, suffix, data, exact=True)
    avi = bytearray((good.videos / "a.avi").read_bytes())
    place = avi.index(b"strf") + 12
    avi[place : place + 8] = struct.pack("<ii", 60000, 60000)  # the frames themselves may know better
    yield _beside(good, folder, "avi-of-60000-squared", "avi", bytes(avi), exact=False)
    yield from _odd_files(good, folder)


def _impostors(good: Good) -> Iterator[tuple[str, str, bytes]]:
    secret = good.root / "secret.mp4"
    shutil.copy(good.videos / "a.mp4", secret)
    yield "playlist-to-a-file", "mp4", f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    yield "playlist-to-the-network", "ts", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n"
    yield "concat-script", "mkv", f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    # The names are of good files beside it, which FFmpeg thinks safe.
    yield "list-of-neighbours", "mp4", b"ffconcat version 1.0\nfile a.mkv\nfile b.mkv\n"
    yield "playlist-of-neighbours", "mp4", b"#EXTM3U\n#EXTINF:1,\na.mkv\n#EXTINF:1,\nb.mkv\n#EXT-X-ENDLIST\n"
    yield (
        "manifest-of-neighbours",
        "webm",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        b'<Period><AdaptationSet mimeType="video/webm"><Representation id="1" bandwidth="1"><BaseURL>a.mkv</BaseURL>'
        b"</Representation></AdaptationSet></Period></MPD>",
    )
    yield "session-description", "mkv", b"v=0\nc=IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    yield "image", "mp4", (good.frames / "a" / "0003.png").read_bytes()
    yield "manifest-with-entity", "mov", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><MPD>&e;</MPD>'
    yield "shell-script", "mp4", f"#!/bin/sh\ntouch {good.sentinel}\n".encode()
    yield "gif-of-65535-squared", "gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0;"
    mp4 = bytearray((good.videos / "a.mp4").read_bytes())
    place = mp4.index(b"tkhd") + 44
    sheared = struct.pack(">9i", 1 << 16, 9999, 0, 9999, 1 << 16, 0, 0, 0, 1 << 30)
    yield "sheared-display", "mp4", bytes(mp4[:place] + sheared + mp4[place + 36 :])
    place = mp4.index(b"stsz")
    mp4[place + 8 : place + 16] = struct.pack(">II", 0xFFFFFFF0, 0xFFFFFFF0)
    yield "mp4-of-huge-samples", "mp4", bytes(mp4)


def _odd_files(good: Good, folder: Path) -> Iterator[Case]:
    pipe = _with_good(good, folder / "pipe")
    os.mkfifo(pipe / "bad.mp4")
    yield Case("video/pipe-beside", str(pipe), "skipped")  # it is not waited for
    archive = _with_good(good, folder / "pipe-archive")
    os.mkfifo(archive / "bad.tar")
    yield Case("video/pipe-named-like-an-archive", str(archive), "used-or-skipped")
    link = _with_good(good, folder / "dead-link")
    (link / "bad.mp4").symlink_to(folder / "nowhere.mp4")
    yield Case("video/dead-link", str(link), "skipped")
    circle = _with_good(good, folder / "circle")
    (circle / "bad.mp4").symlink_to(circle / "bad.mp4")
    yield Case("video/link-to-itself", str(circle), "skipped")
    loop = _with_good(good, folder / "loop")
    (loop / "again").symlink_to(loop)
    (loop / "above").symlink_to(folder)
    yield Case("video/folder-loop", str(loop), "used-or-skipped")
    (_with_good(good, folder / "device") / "bad.mp4").symlink_to("/dev/zero")
    yield Case("video/link-to-a-device", str(folder / "device"), "skipped")
    (_with_good(good, folder / "folder") / "bad.mp4").mkdir()
    yield Case("video/folder-named-like-a-file", str(folder / "folder"), "used-or-skipped")
    for name, raw in {
        "newline": b"bad\nname.mp4",
        "invalid-utf8": b"bad\xff\xfename.mp4",
        "escape-codes": b"bad\x1b[31mname\x07.mp4",
        "option": b"--real.mp4",
        "markup": b"[bold]bad[red].mp4",
        "script": b"<script>alert(1)<script>.mp4",
        "protocol": b"concat:bad|worse.mp4",
        "percent": b"bad%05d.mp4",
    }.items():
        odd = _with_good(good, folder / f"name-{name}")
        (odd / os.fsdecode(raw)).write_bytes(b"no video")
        yield Case(f"video/name-{name}", str(odd), "used-or-skipped")
    nothing = folder / "nothing"
    nothing.mkdir()
    yield Case("video/empty-folder", str(nothing), "refused")
    yield Case("video/no-such-folder", str(folder / "missing"), "refused")
    pipes = folder / "a-pipe"
    os.mkfifo(pipes)
    yield Case("video/a-pipe-as-a-side", str(pipes), "refused")
    yield Case("video/a-device-as-a-side", "/dev/zero", "refused")


def _with_good(good: Good, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in "abc":
        shutil.copy(good.videos / f"{name}.mkv", folder)
    return folder


def _beside(good: Good, folder: Path, name: str, suffix: str, data: bytes, *, exact: bool) -> Case:
    """A bad file beside good ones. exact: no frame of it can be read."""
    side = _with_good(good, folder / name)
    (side / f"bad.{suffix}").write_bytes(data)
    return Case(f"video/{name}", str(side), "skipped" if exact else "used-or-skipped")

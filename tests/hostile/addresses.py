"""Addresses: a server on this machine that lies, breaks off, and leads elsewhere."""

from __future__ import annotations

import gzip
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.case import Case, Expected, Good


@dataclass(frozen=True)
class _Answer:
    """What the server says. headers: in place of its own; raw: instead of a whole answer."""

    body: bytes = b""
    expected: Expected = "refused"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


def make(good: Good, folder: Path) -> Iterator[Case]:
    videos = {f"{name}.mkv": (good.videos / f"{name}.mkv").read_bytes() for name in "abc"}
    whole = _zip(videos)
    answers = {
        "ends-early.zip": _Answer(whole[:-100], headers={"Content-Length": str(len(whole))}),
        "longer-than-it-says.zip": _Answer(whole, headers={"Content-Length": "1000"}),
        "of-a-petabyte.zip": _Answer(whole, headers={"Content-Length": str(1 << 50)}),
        "of-negative-length.zip": _Answer(whole, headers={"Content-Length": "-5"}),
        "of-no-number.zip": _Answer(whole, headers={"Content-Length": "many"}),
        "packed-tightly.zip": _Answer(
            gzip.compress(bytes(64 << 20), 1), "used-or-refused", headers={"Content-Encoding": "gzip"}
        ),
        "packed-and-not.zip": _Answer(whole, "used-or-refused", headers={"Content-Encoding": "gzip"}),
        "to-a-local-file.zip": _Answer(status=302, headers={"Location": f"file://{good.root}/videos.npy"}),
        "to-a-local-path.zip": _Answer(status=302, headers={"Location": "/etc/passwd"}),
        "to-itself.zip": _Answer(status=302, headers={"Location": "to-itself.zip"}),
        "to-nowhere.zip": _Answer(status=302, headers={"Location": "http://"}),
        "of-long-headers.zip": _Answer(whole, headers={"X-Long": "x" * 100_000}),
        "fails.zip": _Answer(whole, status=500),
        "of-no-protocol.zip": _Answer(raw=b"\x1b[2J\0\xff" * 100),
        "says-nothing.zip": _Answer(raw=b""),
        "of-a-local-path.txt": _Answer(f"{good.videos}/a.mkv\n".encode()),
        "out-of-its-folder.txt": _Answer(b"../../videos/a.mkv\n"),
        "of-a-file-address.csv": _Answer(f"video\nfile://{good.videos}/a.mkv\n".encode()),
        "of-itself.txt": _Answer(b"of-itself.txt\n"),
        "of-control-characters.txt": _Answer(b"\x1b[2J\x07.mkv\n"),
        "links/": _Answer(
            b"<a href='../../../escaped.mkv'>x</a><a href='/etc/escaped.mkv'>x</a>"
            b"<a href='%2e%2e/escaped.mkv'>x</a><a href='file:///etc/escaped.mkv'>x</a>",
            headers={"Content-Type": "text/html"},
        ),
    }
    port = _serve(answers)
    for name, answer in answers.items():
        yield Case(f"address/{name.rstrip('/')}", f"http://127.0.0.1:{port}/{name}", answer.expected)


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def _serve(answers: Mapping[str, _Answer]) -> int:
    """Serve answers by path until this process ends. Return the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            answer = answers.get(self.path.removeprefix("/"), _Answer(status=404))
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Leave stderr alone."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Leave stderr alone: clients hang up on what they do not want."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])

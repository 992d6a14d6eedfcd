"""A web server on this machine: files at addresses, in ranges, cut off, moved and forbidden."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import socketserver
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class FileServer:
    """Files at addresses of this machine. They may be cut off, and are served in ranges unless `ranges` is off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.cut: int | None = None
        self.ranges = True
        self.requests: list[tuple[str, str, str | None]] = []
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path: str, body: bytes, tag: str | None = '"1"') -> str:
        self.files[path] = body
        self.tags[path] = tag or ""
        return self.address + path

    def folder(self, folder: Path, above: str = "/") -> None:
        """Serve the files of a folder, with pages that list them."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(f"{above}{file.relative_to(folder).as_posix()}", file.read_bytes())
        for place in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
            names = [f"{p.name}/" if p.is_dir() else p.name for p in sorted(place.iterdir())]
            page = "".join(f'<a href="{name}">{name}</a>' for name in ["../", "?C=N;O=D", *names])
            inside = "" if place == folder else f"{place.relative_to(folder).as_posix()}/"
            self.put(above + inside, page.encode())

    def gets(self, path: str) -> int:
        return sum(command == "GET" and found.partition("?")[0] == path for command, found, _ in self.requests)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, owner: FileServer, request: Any, client: Any, server: socketserver.BaseServer) -> None:
        self._owner = owner
        super().__init__(request, client, server)  # this answers at once

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        files = self._owner.files
        path = self.path.partition("?")[0]
        path = path if path in files else unquote(path)
        asked = self.headers["Range"]
        self._owner.requests.append((self.command, self.path, asked))
        if f"{path}/" in files:
            self._head(301, 0, Location=f"{path}/")
        elif path not in files:
            self.send_error(403 if path.startswith("/secret") else 404)
        else:
            part = self._head_of_file(path, asked)
            if with_body:
                self._body(files[path], part)

    def _head_of_file(self, path: str, asked: str | None) -> range | None:
        """Send the head of an answer. Return the bytes that are to follow, None for the whole file."""
        size = len(self._owner.files[path])
        headers = {
            "Accept-Ranges": "bytes" if self._owner.ranges else "none",
            "Content-Type": "text/html" if path.endswith("/") else "application/octet-stream",
        }
        if tag := self._owner.tags.get(path):
            headers["ETag"] = tag
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
        if span is None or not self._owner.ranges:
            self._head(200, size, **headers)
            return None
        part = range(int(span[1]), min(int(span[2]), size - 1) + 1)
        self._head(206, len(part), **headers, **{"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"})
        return part

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _body(self, body: bytes, part: range | None) -> None:
        cut = self._owner.cut
        if cut is not None and (part is None or part.start >= cut):
            self.wfile.write(body[:cut] if part is None else b"")
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):  # the client has read as much as it wanted
            self.wfile.write(body if part is None else body[part.start : part.stop])

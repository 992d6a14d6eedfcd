"""A web server on this machine: files at addresses, in ranges, cut off, moved and forbidden."""

import contextlib
import http.server
import re
from pathlib import Path
from urllib.parse import unquote


class Server:
    """Files at addresses of this machine. They may be cut off, and are served in ranges unless `ranges` is off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.cut: int | None = None
        self.ranges = True
        self.requests: list[tuple[str, str, str | None]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, *, with_body: bool) -> None:
                path = self.path.partition("?")[0]
                path = path if path in server.files else unquote(path)
                asked = self.headers["Range"]
                server.requests.append((self.command, self.path, asked))
                if f"{path}/" in server.files:
                    self.send_response(301)
                    self.send_header("Location", f"{path}/")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if path not in server.files:
                    self.send_error(403 if path.startswith("/secret") else 404)
                    return
                body, status = server.files[path], 200
                span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
                if span and server.ranges:
                    first, last = int(span[1]), min(int(span[2]), len(body) - 1)
                    whole, body, status = len(body), body[first : last + 1], 206
                self.send_response(status)
                if status == 206:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
                self.send_header("Accept-Ranges", "bytes" if server.ranges else "none")
                self.send_header("Content-Type", "text/html" if path.endswith("/") else "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                if tag := server.tags.get(path):
                    self.send_header("ETag", tag)
                self.end_headers()
                if not with_body:
                    return
                if server.cut is not None and (status == 200 or first >= server.cut):
                    self.wfile.write(body[: server.cut if status == 200 else 0])
                    self.close_connection = True
                    return
                with contextlib.suppress(ConnectionError):  # the client has read as much as it wanted
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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

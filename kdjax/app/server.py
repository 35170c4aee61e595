"""Serves one folder of static pages to browsers on this machine."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kdjax.system.errors import UserError

ADDRESS = "127.0.0.1"
"""Loopback: other machines cannot connect."""
_HOSTS = (ADDRESS, "localhost")
"""The names by which a browser may ask. A page of another site, whose name leads to this machine,
asks by its own name."""
PORTS = range(8350, 8370)
"""The ports that are tried where the user names none."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".bin": "application/octet-stream",
}
"""The types of the files that are served, by suffix; others are not found."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A browser asks again each time, and gets the file only if it has changed.
    "Cache-Control": "no-cache",
}

Refresh = Mapping[str, Callable[[], object]]
"""Functions by the path of a file in the folder: called before the file is served."""


class Server(ThreadingHTTPServer):
    """A server of the files below a folder, and of nothing else."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, refresh: Refresh):
        self.folder = folder.resolve()
        self.refresh = refresh
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"


def start(folder: Path, port: int | None, refresh: Refresh) -> Server:
    """A server that listens, on the first free port of `PORTS` if none is named.

    Raises:
        UserError: the port is in use or not allowed, or no port is free.
    """
    for number in PORTS if port is None else [port]:
        try:
            return Server(folder, number, refresh)
        except OSError as error:
            if port is not None:
                raise UserError(
                    f"cannot listen on port {port}: {error.strerror}; choose another --port"
                ) from error
    raise UserError(f"ports {PORTS[0]} to {PORTS[-1]} are all in use; name a free one with --port")


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "kdjax", ""
    protocol_version = "HTTP/1.1"
    # Seconds after which an idle connection is closed.
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *arguments: object) -> None:
        """Prints nothing: every picture of a page would be a line."""

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self, *, with_body: bool) -> None:
        host = (self.headers.get("Host") or ADDRESS).rpartition(":")
        if (host[0] or host[2]) not in _HOSTS:
            self.send_error(HTTPStatus.FORBIDDEN, "pages are for this machine alone")
            return
        try:
            path = self._file()
        # A name that is too long, a loop of links, or a file that cannot be written anew.
        except (OSError, RuntimeError, UserError):
            path = None
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        # A browser that leaves a page stops reading.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._send(path, with_body)

    def _file(self) -> Path | None:
        """The file that the request names, if it lies in the folder."""
        asked = unquote(urlsplit(self.path).path)
        names = (asked.removeprefix("/") or "index.html").split("/")
        if any(not name or name.startswith(".") or {"\\", "\0"} & {*name} for name in names):
            return None
        refresh = self.server.refresh.get("/".join(names))
        if refresh is not None:
            refresh()
        # A symbolic link may lead out of the folder.
        path = self.server.folder.joinpath(*names).resolve()
        inside = path.is_relative_to(self.server.folder) and path.is_file()
        return path if inside and path.suffix in TYPES else None

    def _send(self, path: Path, with_body: bool) -> None:
        with path.open("rb") as file:
            state = path.stat()
            tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
            if self.headers.get("If-None-Match") == tag:
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self.send_header("ETag", tag)
                self.end_headers()
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", TYPES[path.suffix])
            self.send_header("Content-Length", str(state.st_size))
            self.send_header("ETag", tag)
            self.end_headers()
            if with_body:
                shutil.copyfileobj(file, self.wfile)

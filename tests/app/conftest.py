"""A folder of pages of a real run, a browser, and files in place of onnxruntime-web."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pytest

from kdjax.app import server, site, web_runtime
from kdjax.app.server import Server
from kdjax.system.errors import UserError

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
"""Chromium draws a moving picture in place of a camera, and allows it."""


class Pages(NamedTuple):
    """The pages of a run."""

    folder: Path
    directory: Path
    """The run's workdir."""
    options: site.Options


@pytest.fixture(scope="session")
def fake_runtime(tmp_path_factory) -> Path:
    """A folder that looks as if npm had installed onnxruntime-web into it."""
    folder = tmp_path_factory.mktemp("web")
    write_runtime(folder, web_runtime.VERSION)
    return folder


def write_runtime(folder: Path, version: str) -> None:
    package = folder / "node_modules" / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": version}))
    for name in web_runtime.FILES:
        (package / "dist" / name).write_text(name)


@pytest.fixture(scope="session")
def pages(two_phases, tmp_path_factory, fake_runtime) -> Pages:
    """Pages of the run of two phases, without the files of onnxruntime-web."""
    for module in ("onnx", "onnx_ir", "onnxruntime", "equinox", "jax2onnx"):
        pytest.importorskip(module, reason=f"exports need {module}")
    folder = tmp_path_factory.mktemp("pages") / "app"
    options = site.Options(images=12)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # jax2onnx's and onnx_ir's own.
        warnings.simplefilter("ignore", DeprecationWarning)
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        patch.setenv("KDJAX_WEB", str(fake_runtime))
        site.write(folder, [two_phases[0]], options, served=True)
    return Pages(folder, two_phases[0], options)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """`serve(folder, refresh)`: a server in a thread, on a free port."""
    with serving() as start:
        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, through Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    try:
        web_runtime.find()
    except UserError as error:
        pytest.skip(str(error))
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


class serving:
    """Servers in threads, until the end of the block."""

    def __enter__(self) -> Callable[..., Server]:
        self._servers: list[Server] = []
        return self._start

    def _start(self, folder: Path, refresh: server.Refresh | None = None) -> Server:
        import threading

        started = Server(folder, 0, refresh or {})
        self._servers.append(started)
        threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True).start()
        return started

    def __exit__(self, *_: object) -> None:
        for started in self._servers:
            started.shutdown()
            started.server_close()

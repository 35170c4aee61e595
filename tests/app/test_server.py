"""The server answers browsers on this machine, with files of its folder alone."""

import http.client
import os
import socket

import pytest

from kdjax.app import server
from kdjax.system.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """A folder to serve, beside a secret."""
    (tmp_path / "secret.json").write_text("secret")
    folder = tmp_path / "site"
    (folder / "runs" / "0").mkdir(parents=True)
    for name in ("index.html", "a.mjs", "a.wasm", "a.onnx", "runs/0/compare.json", "run.py"):
        (folder / name).write_text(f"content of {name}")
    (folder / ".hidden.json").write_text("secret")
    os.symlink(tmp_path / "secret.json", folder / "link.json")
    os.symlink(tmp_path, folder / "up")
    os.symlink("index.html", folder / "same.html")
    return folder


def ask(started, path, method="GET", **headers):
    """The answer to a request whose path is sent as it is."""
    connection = http.client.HTTPConnection(server.ADDRESS, started.server_address[1], timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_it_serves_the_files_of_its_folder_with_their_types(serve, folder):
    started = serve(folder)
    for path, name, kind in (
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/a.mjs", "a.mjs", "text/javascript; charset=utf-8"),
        ("/a.wasm?version=1", "a.wasm", "application/wasm"),
        ("/a.onnx", "a.onnx", "application/octet-stream"),
        ("/runs/0/compare.json", "runs/0/compare.json", "application/json"),
        ("/same.html", "index.html", "text/html; charset=utf-8"),
    ):
        answer, body = ask(started, path)
        assert (answer.status, body) == (200, f"content of {name}")
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.json",
        "/%2e%2e/secret.json",
        "/runs/../../secret.json",
        "/..%2fsecret.json",
        "/..%5csecret.json",
        "/runs/%2e%2e/%2e%2e/secret.json",
        "//secret.json",
        "/link.json",
        "/up/secret.json",
        "/.hidden.json",
        "/run.py",
        "/runs",
        "/runs/",
        "/runs/0",
        "/none.json",
        "/index.html/",
        "/index.html%00.json",
        "/%ff%fe",
        "/" + 300 * "a" + ".json",
    ],
)
def test_it_serves_nothing_else(serve, folder, path):
    answer, body = ask(serve(folder), path)
    assert answer.status == 404
    assert "secret" not in body
    assert "Index of" not in body


def test_an_absolute_path_does_not_leave_the_folder(serve, folder, tmp_path):
    answer, body = ask(serve(folder), f"/{tmp_path}/secret.json")
    assert (answer.status, "secret" in body) == (404, False)


def test_it_listens_on_loopback_alone(serve, folder):
    started = serve(folder)
    assert started.socket.getsockname()[0] == "127.0.0.1"
    assert started.url.startswith("http://127.0.0.1:")


def test_a_page_of_another_site_gets_nothing(serve, folder):
    """A site whose name leads to this machine asks by its own name."""
    started = serve(folder)
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io"):
        assert ask(started, "/", Host=host)[0].status == 403
    for host in ("localhost:9000", "127.0.0.1", "localhost"):
        assert ask(started, "/", Host=host)[0].status == 200


def test_only_reading_is_possible(serve, folder):
    started = serve(folder)
    for method in ("POST", "PUT", "DELETE"):
        assert ask(started, "/a.mjs", method)[0].status == 501
    answer, body = ask(started, "/a.mjs", "HEAD")
    assert (answer.status, body, answer.headers["Content-Length"]) == (200, "", "16")


def test_a_file_is_sent_again_only_if_it_has_changed(serve, folder):
    started = serve(folder)
    tag = ask(started, "/a.mjs")[0].headers["ETag"]
    assert ask(started, "/a.mjs", If_None_Match=tag)[0].status == 304
    (folder / "a.mjs").write_text("another content")
    answer, body = ask(started, "/a.mjs", If_None_Match=tag)
    assert (answer.status, body) == (200, "another content")


def test_a_file_can_be_renewed_when_it_is_asked_for(serve, folder):
    def renew():
        (folder / "runs" / "0" / "live.json").write_text("{}")

    started = serve(folder, {"runs/0/live.json": renew})
    assert ask(started, "/runs/0/live.json")[1] == "{}"


def test_a_port_in_use_is_one_line_and_without_a_port_the_next_is_taken(folder, monkeypatch):
    with socket.socket() as taken:
        taken.bind((server.ADDRESS, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port}: .* choose another --port"):
            server.start(folder, port, {})
        monkeypatch.setattr(server, "PORTS", range(port, port + 1))
        with pytest.raises(UserError, match="all in use; name a free one with --port"):
            server.start(folder, None, {})
        monkeypatch.setattr(server, "PORTS", range(port, port + 20))
        started = server.start(folder, None, {})
        assert started.server_address[1] > port
        started.server_close()

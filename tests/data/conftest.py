"""Small sources of images, made anew for each test, and a cache of each test's own."""

import http.server
import threading

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "the-cache"
    monkeypatch.setenv("STRIATE_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """Ask the servers of the tests, not a proxy that this machine may have."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def make_folder(tmp_path):
    """Make a folder of small pictures from {"part/class/name.png": colour}."""

    def make(*paths, root="photos", size=(12, 10)):
        folder = tmp_path / root
        for number, path in enumerate(paths):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (10 * number % 256, 128, 255 - number)).save(target)
        return folder

    return make


@pytest.fixture
def two_classes(make_folder):
    return make_folder(*(f"{name}/{number}.png" for name in ("ants", "bees") for number in range(5)))


@pytest.fixture
def generator():
    return np.random.default_rng(5)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        content = server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        most = server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start : start + most])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A real HTTP server: ``files`` by name; ``breaks``: after how many bytes transfers break off."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as serving:
        serving.files, serving.breaks, serving.requests, serving.ranges = {}, [], [], True
        serving.address = f"http://127.0.0.1:{serving.server_port}/"
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()

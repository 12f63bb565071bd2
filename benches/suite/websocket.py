"""WebSocket connections through a proxy: messages that the backend sends back."""

import json
import tempfile
from pathlib import Path

from .errors import BenchError
from .http import HttpKeepalive
from .machine import Process, free_port
from .work import Tools, Work, settled


class WebSocket(HttpKeepalive):
    """256 octets there and back on each of 64 WebSocket connections over HTTP/1.1, one message in the air on each."""

    name, unit = "websocket", "message"

    def __init__(self, tools: Tools):
        self._tools = tools

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="windrose-bench-")
        self._certificate = None
        self._backend_port = free_port()
        argv = [self._tools.loadgen, "websocket-echo", "--listen", f"127.0.0.1:{self._backend_port}"]
        self._backend = Process(argv, Path("/dev/null"), self._tools.cpus.load)
        settled(self._backend, self._backend_port, lambda: self._fetches(self._backend_port, "http"), "the backend")
        return self

    def drive(self, contender: str, port: int, seconds: float) -> Work:
        seen = self._exchange(port, self._connections, seconds)
        problems = [f"{seen['closed']} connections were closed"] if seen["closed"] else []
        return Work(seen["messages"], seen["elapsed_s"], problems, {})

    def _exchange(self, port: int, connections: int, seconds: float) -> dict:
        return json.loads(self._tools.load(
            [self._tools.loadgen, "websocket", "--server", f"127.0.0.1:{port}", "--host", self.host, "--path", self.path,
             "--connections", connections, "--seconds", seconds], seconds))

    def _fetches(self, port: int, _scheme: str) -> bool:
        try:
            return self._exchange(port, 1, 0.01)["messages"] > 0
        except BenchError:  # nobody listens yet
            return False

"""Calls of gRPC through a proxy, HTTP/2 on both sides."""

import subprocess
import tempfile
from pathlib import Path

from . import proxies, windrose
from .http import Http2In
from .machine import Process, free_port
from .peers import program
from .work import Tools, settled

# A message of 16 octets behind its five of framing.
_MESSAGE = b"\0\0\0\0\x10" + b"x" * 16


class GrpcUnary(Http2In):
    """Unary calls of 16 octets there and back, as 64 streams of 8 connections of HTTP/2; trailers; HTTP/2 to the backend."""

    name, unit = "grpc-unary", "call"
    peers = {"haproxy": proxies.haproxy_http2}
    path = "/bench.Echo/Say"

    def __init__(self, tools: Tools):
        super().__init__(tools)
        self._nghttpd = program("nghttpd", "nghttp2-server")

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="windrose-bench-")
        self._certificate = None
        folder = Path(self._folder.name)
        served = folder / "served" / self.path.lstrip("/")
        served.parent.mkdir(parents=True)
        for file in (served, folder / "call"):
            file.write_bytes(_MESSAGE)
        self._call = folder / "call"
        self._backend_port = free_port()
        # It answers a POST with the file.
        argv = [self._nghttpd, "--no-tls", "-n1", "-a", "127.0.0.1", "--trailer", "grpc-status: 0", "-d", folder / "served", self._backend_port]
        self._backend = Process(argv, Path("/dev/null"), self._tools.cpus.load)
        settled(self._backend, self._backend_port, lambda: self._fetches(self._backend_port, "http"), "the backend")
        return self

    def _windrose(self, contender, binary, folder, port):
        return windrose.grpc(binary, folder, port, self._backend_port)

    def _loading(self, port: int, *how: str) -> list:
        fields = [word for line in ("content-type: application/grpc", "te: trailers") for word in ("-H", line)]
        return [*super()._loading(port, *how), "-d", self._call, *fields]

    def _fetches(self, port: int, _scheme: str) -> bool:
        done = subprocess.run([str(word) for word in self._loading(port, "-c1", "-n1")], capture_output=True, text=True, timeout=5)
        # An error of a proxy's own is a 200, too, and has no message.
        return "1 succeeded" in done.stdout and "1 2xx" in done.stdout and f"({len(_MESSAGE)}) data" in done.stdout

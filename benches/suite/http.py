"""The HTTP workload: who takes part, how each is started, what load it gets."""

import re
import urllib.error
import urllib.request
from pathlib import Path

from . import proxies, scene, windrose
from .errors import BenchError
from .machine import Process, free_port
from .peers import program
from .work import Tools, Work, settled


class HttpKeepalive:
    """1 KiB over 64 kept connections, host and path routing, one backend that is far cheaper than a proxy."""

    name, unit = "http-keepalive", "request"
    peers = {"haproxy": proxies.haproxy, "nginx": proxies.nginx}
    variants = ()
    _connections, _body_bytes = 64, 1024

    def __init__(self, tools: Tools):
        self._tools = tools
        self._wrk = program("wrk", "wrk")

    def __enter__(self):
        self._backend_port = free_port()
        argv = [self._tools.loadgen, "backend", "--listen", f"127.0.0.1:{self._backend_port}", "--body-bytes", self._body_bytes]
        self._backend = Process(argv, Path("/dev/null"), self._tools.cpus.load)
        settled(self._backend, self._backend_port, lambda: self._fetches(self._backend_port), "the backend")
        return self

    def __exit__(self, *_):
        self._backend.stop()

    def start(self, contender: str, binary, folder: Path):
        port = free_port()
        if binary:
            argv = windrose.http_keepalive(binary, folder, port, self._backend_port)
        else:
            argv = self.peers[contender](folder, port, self._backend_port)
        process = Process(argv, folder / "log", self._tools.cpus.server)
        return settled(process, port, lambda: self._fetches(port), contender)

    def drive(self, contender: str, port: int, seconds: float) -> Work:
        argv = [self._wrk, "-t1", f"-c{self._connections}", f"-d{max(1, round(seconds))}s", "--latency",
                "-H", f"Host: {scene.APP_HOST}", f"http://127.0.0.1:{port}/index.html"]
        text = self._tools.load(argv, seconds)
        done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", text)
        if not done:
            raise BenchError(f"wrk's output has no count of requests:\n{text}")
        problems = [line.strip() for line in text.splitlines() if "Non-2xx" in line or "Socket errors" in line]
        elapsed = float(done[2]) * {"ms": 1e-3, "s": 1, "m": 60}[done[3]]
        latency = dict(re.findall(r"(\d\d)%\s+([\d.]+\w+)", text))
        return Work(int(done[1]), elapsed, problems, {"latency": latency})

    def helpers_cpu_s(self):
        return self._backend.cpu().ticks_s

    def facts(self, *_):
        return {}

    def compare(self, runs):
        return {}

    def _fetches(self, port: int) -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/index.html", headers={"host": scene.APP_HOST})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2) as reply:
                return len(reply.read()) == self._body_bytes
        except (OSError, urllib.error.URLError):
            return False

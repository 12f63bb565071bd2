"""The proxy workloads: who takes part, how each is started, what load it gets."""

import re
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from . import proxies, scene, windrose
from .errors import BenchError
from .machine import Process, free_port
from .peers import program
from .work import Tools, Work, settled

# A name, because addresses make no server name of a handshake.
_HERE = "localhost"


class HttpKeepalive:
    """1 KiB over 64 kept connections, host and path routing, one backend that is far cheaper than a proxy."""

    name, unit = "http-keepalive", "request"
    peers = {"haproxy": proxies.haproxy, "nginx": proxies.nginx}
    variants = ()
    scheme, body_bytes, headers = "http", 1024, ()
    host, path = scene.APP_HOST, "/index.html"
    _connections = 64

    def __init__(self, tools: Tools):
        self._tools = tools
        self._wrk = program("wrk", "wrk")

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="windrose-bench-")
        self._certificate = certificate(Path(self._folder.name)) if self.scheme == "https" else None
        self._backend_port = free_port()
        argv = [self._tools.loadgen, "backend", "--listen", f"127.0.0.1:{self._backend_port}", "--body-bytes", self.body_bytes]
        self._backend = Process(argv, Path("/dev/null"), self._tools.cpus.load)
        settled(self._backend, self._backend_port, lambda: self._fetches(self._backend_port, "http"), "the backend")
        return self

    def __exit__(self, *_):
        self._backend.stop()
        self._folder.cleanup()

    def start(self, contender: str, binary, folder: Path):
        port = free_port()
        argv = self._windrose(contender, binary, folder, port) if binary else self._peer(contender, folder, port)
        process = Process(argv, folder / "log", self._tools.cpus.server)
        return settled(process, port, lambda: self._fetches(port, self.scheme), contender)

    def drive(self, contender: str, port: int, seconds: float) -> Work:
        argv = [self._wrk, "-t1", f"-c{self._connections}", f"-d{max(1, round(seconds))}s", "--latency", *self._asking(contender),
                f"{self.scheme}://{_HERE}:{port}{self.path}"]
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

    def _asking(self, contender: str) -> list:
        """What tells wrk which requests to send."""
        return [word for line in (f"Host: {self.host}", *self.headers) for word in ("-H", line)]

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port, self._backend_port, self._certificate)

    def _windrose(self, contender, binary, folder, port):
        return windrose.http(binary, folder, port, self._backend_port, self._certificate)

    def _fetches(self, port: int, scheme: str) -> bool:
        request = urllib.request.Request(f"{scheme}://{_HERE}:{port}{self.path}", headers={"host": self.host})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_unverified()))
        try:
            with opener.open(request, timeout=2) as reply:
                return len(reply.read()) == self.body_bytes
        except (OSError, urllib.error.URLError):
            return False


class HttpsKeepalive(HttpKeepalive):
    """The same over TLS 1.3, an ECDSA certificate."""

    name, scheme = "https-keepalive", "https"


class HttpsHandshake(HttpKeepalive):
    """A connection, a full handshake and a request of 1 KiB each time."""

    name, unit, scheme, headers = "https-handshake", "handshake", "https", ("Connection: close",)


class HttpLarge(HttpKeepalive):
    """1 MiB over 16 kept connections."""

    name, body_bytes, _connections = "http-large", 1024 * 1024, 16


class HttpsLarge(HttpLarge):
    """The same over TLS."""

    name, scheme = "https-large", "https"


class TcpRelay(HttpKeepalive):
    """The requests of `http-keepalive` through a TCP listener, which does not read them."""

    name = "tcp-relay"
    peers = {"haproxy": proxies.haproxy_tcp, "nginx": proxies.nginx_tcp}

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port, self._backend_port)

    def _windrose(self, contender, binary, folder, port):
        return windrose.tcp(binary, folder, port, self._backend_port)


class Http2In(HttpKeepalive):
    """The requests of `http-keepalive` as 64 streams of 8 connections of HTTP/2, in the clear; HTTP/1.1 to the backend."""

    name = "http2-in"
    peers = {"haproxy": proxies.haproxy, "nginx": proxies.nginx_http2}
    _connections, _streams = 8, 8

    def __init__(self, tools: Tools):
        self._tools = tools
        self._h2load = program("h2load", "nghttp2-client")

    def drive(self, contender: str, port: int, seconds: float) -> Work:
        argv = self._loading(port, f"-c{self._connections}", f"-m{self._streams}", f"-D{max(1, round(seconds))}")
        text = self._tools.load(argv, seconds)
        counts = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        elapsed = re.search(r"finished in ([\d.]+)(us|ms|s|m),", text)
        if not counts or not elapsed:
            raise BenchError(f"h2load's output has no count of requests:\n{text}")
        problems = [counts[0]] if any(int(counts[n]) for n in (2, 3, 4)) else []
        unit = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[elapsed[2]]
        return Work(int(counts[1]), float(elapsed[1]) * unit, problems, {})

    def _loading(self, port: int, *how: str) -> list:
        return [self._h2load, "-t1", *how, f"--connect-to=127.0.0.1:{port}", f"http://{self.host}{self.path}"]

    def _fetches(self, port: int, scheme: str) -> bool:
        if port == self._backend_port:
            return super()._fetches(port, scheme)
        done = subprocess.run(self._loading(port, "-c1", "-n1"), capture_output=True, text=True, timeout=5)
        return "1 succeeded" in done.stdout and "1 2xx" in done.stdout


class HttpRoutes(HttpKeepalive):
    """10,000 hosts of 10 routes each, a host and a route drawn at random, against one host with one route."""

    name, peers, variants = "http-routes", {}, ("one-route",)
    host, path = scene.ROUTE_HOST % 0, f"{scene.ROUTE_PATH % 0}/index.html"
    _hosts, _routes = 10_000, 10

    def facts(self, contender, process, port, folder):
        return {"resident MiB": process.resident_mib()}

    def _asking(self, contender):
        script = Path(self._folder.name) / f"{contender}.lua"
        script.write_text(f"""local drawn = {{}}
math.randomseed(1)
for number = 1, 20000 do
  local host, route = math.random(0, {self._hosts - 1}), math.random(0, {self._routes - 1})
  if {str(contender in self.variants).lower()} then host, route = 0, 0 end
  drawn[number] = "GET " .. string.format("{scene.ROUTE_PATH}", route) .. "/index.html HTTP/1.1\\r\\nHost: "
    .. string.format("{scene.ROUTE_HOST}", host) .. "\\r\\n\\r\\n"
end
local at = 0
request = function()
  at = at % #drawn + 1
  return drawn[at]
end
""")
        return ["-s", script]

    def _windrose(self, contender, binary, folder, port):
        hosts, routes = (1, 1) if contender in self.variants else (self._hosts, self._routes)
        return windrose.http_routes(binary, folder, port, self._backend_port, hosts, routes)


def certificate(folder: Path) -> Path:
    """A fresh ECDSA certificate for the scene's host and its key, in one file."""
    made = folder / "edge.pem"
    key, chain = folder / "key.pem", folder / "chain.pem"
    argv = [program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={scene.APP_HOST}", "-addext", f"subjectAltName=DNS:{scene.APP_HOST},DNS:{_HERE}", "-keyout", key, "-out", chain]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"openssl made no certificate: {done.stderr.strip()[-500:]}")
    made.write_text(chain.read_text() + key.read_text())
    made.chmod(0o600)
    return made


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

"""The workloads: who takes part, how each is started, what load it gets, and what counts as work done."""

import json
import re
import socket
import struct
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from . import geo, peers, scene, windrose
from .errors import BenchError
from .machine import Cpus, Process, bound_to, free_port, wait_until


@dataclass
class Work:
    """What the load saw in one slice: units done, and the reasons not to trust them."""

    units: int
    elapsed_s: float
    problems: list = field(default_factory=list)
    detail: dict = field(default_factory=dict)


@dataclass
class Tools:
    """What the workloads are driven with."""

    loadgen: Path
    cache: Path
    cpus: Cpus

    def load(self, argv, seconds: float) -> str:
        """Runs a load generator to its end; returns its standard output."""
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=seconds + 30,
                              preexec_fn=bound_to(self.cpus.load))
        if done.returncode:
            raise BenchError(f"{Path(argv[0]).name} failed: {done.stderr.strip()[-500:]}")
        return done.stdout


class DnsStatic:
    """1,000 A names of one zone, drawn at random, without EDNS."""

    name, unit = "dns-static", "query"
    _template, _probe, _flags = scene.HOST_TEMPLATE, "host0042.example.com", ()
    peers = {"gdnsd": peers.gdnsd, "knot": peers.knot}

    def __init__(self, tools: Tools):
        self._tools = tools

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, contender: str, binary, folder: Path):
        """Starts a contender (`binary` for a Windrose); returns its process and port once it answers."""
        port = free_port()
        argv = self._windrose(binary, folder, port) if binary else self._peer(contender, folder, port)
        process = Process(argv, folder / "log", self._tools.cpus.server)
        return _settled(process, port, lambda: _answers(port, self._probe), contender)

    def drive(self, port: int, seconds: float) -> Work:
        argv = [self._tools.loadgen, "dns", "--server", f"127.0.0.1:{port}", "--name", self._template,
                "--seconds", seconds, *self._flags]
        seen = json.loads(self._tools.load(argv, seconds))
        problems = []
        if seen["noerror_with_answer"] != seen["received"]:
            problems.append(f"not every answer is NOERROR with a record: {seen['by_rcode']}")
        if seen["lost"] + seen["unexpected"] > seen["sent"] / 1000:
            problems.append(f"{seen['lost']} lost and {seen['unexpected']} unexpected of {seen['sent']}")
        return Work(seen["received"], seen["elapsed_s"], problems, seen)

    def helpers_cpu_s(self) -> float:
        """CPU seconds so far of what runs beside contender and load and is neither."""
        return 0.0

    def compare(self, runs: dict) -> dict:
        """By contender, how its answers in one round differ so much that figures cannot be compared."""
        return {}

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port)

    def _windrose(self, binary, folder, port):
        return windrose.dns_static(binary, folder, port)


class DnsSteered(DnsStatic):
    """One app steered by continent and country, a random client subnet (/24) in each query."""

    name = "dns-steered"
    _template, _probe, _flags = scene.APP_HOST, scene.APP_HOST, ("--ecs",)

    def __init__(self, tools: Tools):
        super().__init__(tools)
        self._database = geo.database(tools.cache)
        # What Windrose probes: its connections stand in the backlog, nobody accepts them.
        self._endpoint = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def compare(self, runs):
        shares = {
            contender: {address: sum(detail["by_address"].get(address, 0) for detail in run.details) / run.units
                        for *_, address in scene.CLUSTERS.values()}
            for contender, run in runs.items()
        }
        first = next((contender for contender in shares if contender in self.peers), next(iter(shares), None))
        return {
            contender: f"it sends {share:.1%} to {address}, {first} sends {shares[first][address]:.1%}"
            for contender, of in shares.items() for address, share in of.items()
            if abs(share - shares[first][address]) > 0.01
        }

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port, self._database)

    def _windrose(self, binary, folder, port):
        return windrose.dns_steered(binary, folder, port, self._database, self._endpoint.getsockname()[1])


class HttpKeepalive:
    """1 KiB over 64 kept connections, host and path routing, one backend that is far cheaper than a proxy."""

    name, unit = "http-keepalive", "request"
    peers = {"haproxy": peers.haproxy, "nginx": peers.nginx}
    _connections, _body_bytes = 64, 1024

    def __init__(self, tools: Tools):
        self._tools = tools
        self._wrk = peers.program("wrk", "wrk")

    def __enter__(self):
        self._backend_port = free_port()
        argv = [self._tools.loadgen, "backend", "--listen", f"127.0.0.1:{self._backend_port}", "--body-bytes", self._body_bytes]
        self._backend = Process(argv, Path("/dev/null"), self._tools.cpus.load)
        _settled(self._backend, self._backend_port, lambda: self._fetches(self._backend_port), "the backend")
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
        return _settled(process, port, lambda: self._fetches(port), contender)

    def drive(self, port: int, seconds: float) -> Work:
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

    def compare(self, runs):
        return {}

    def _fetches(self, port: int) -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/index.html", headers={"host": scene.APP_HOST})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2) as reply:
                return len(reply.read()) == self._body_bytes
        except (OSError, urllib.error.URLError):
            return False


ALL = {workload.name: workload for workload in (DnsStatic, DnsSteered, HttpKeepalive)}


def _settled(process: Process, port: int, ready, what: str):
    try:
        wait_until(ready, process, what)
    except BaseException:
        process.stop()
        raise
    return process, port


def _answers(port: int, name: str) -> bool:
    """Whether the server answers this name with at least one record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", 0x5752, 0, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        try:
            udp.connect(("127.0.0.1", port))
            udp.send(query)
            answer = udp.recv(1232)
        except OSError:
            return False
    identity, flags, _, answers = struct.unpack(">4H", answer[:8])
    return identity == 0x5752 and flags & 0x0F == 0 and answers > 0

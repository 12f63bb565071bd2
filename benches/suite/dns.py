"""The DNS workloads that hold Windrose against peers: who takes part, how each is started, what load it gets."""

import json
import socket
from pathlib import Path

from . import geo, peers, scene, windrose
from .machine import Process, free_port
from .work import Tools, Work, answers, settled

# Answers whatever it is asked, so its code and records mean nothing.
_ECHO = "echo"


class DnsStatic:
    """1,000 A names of one zone, drawn at random, without EDNS."""

    name, unit = "dns-static", "query"
    peers = {"gdnsd": peers.gdnsd, "knot": peers.knot, "nsd": peers.nsd, "hickory": peers.hickory, _ECHO: peers.echo}
    # The same Windrose with another configuration.
    variants = ()
    _probe = "host0042.example.com"
    _load = ("dns",)

    def __init__(self, tools: Tools):
        self._tools = tools

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, contender: str, binary, folder: Path):
        """Starts a contender (`binary` for a Windrose); returns its process and port once it answers."""
        port = free_port()
        argv = self._windrose(contender, binary, folder, port) if binary else self._peer(contender, folder, port)
        process = Process(argv, folder / "log", self._tools.cpus.server)
        return settled(process, port, lambda: answers(port, self._probe), contender)

    def drive(self, contender: str, port: int, seconds: float) -> Work:
        command, *flags = self._load
        argv = [self._tools.loadgen, command, "--server", f"127.0.0.1:{port}", "--name", self._template(contender),
                "--seconds", seconds, *flags]
        seen = json.loads(self._tools.load(argv, seconds))
        problems = []
        if self._good(contender, seen) != seen["received"]:
            problems.append(f"not every answer is the one that was to come: {seen['by_rcode']}")
        if seen["lost"] + seen["unexpected"] > seen["sent"] / 1000:
            problems.append(f"{seen['lost']} lost and {seen['unexpected']} unexpected of {seen['sent']}")
        return Work(seen["received"], seen["elapsed_s"], problems, seen)

    def facts(self, contender: str, process: Process, port: int, folder: Path) -> dict:
        """What is worth telling of a contender beside its cost: name -> number."""
        return {}

    def helpers_cpu_s(self) -> float:
        """CPU seconds so far of what runs beside contender and load and is neither."""
        return 0.0

    def compare(self, runs: dict) -> dict:
        """By contender, how its answers in one round differ so much that figures cannot be compared."""
        return {}

    def _template(self, contender: str) -> str:
        return scene.HOST_TEMPLATE

    def _good(self, contender: str, seen: dict) -> int:
        return seen["noerror_with_answer"]

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port)

    def _windrose(self, contender, binary, folder, port):
        return windrose.dns_static(binary, folder, port)


class DnsSteered(DnsStatic):
    """One app steered by place and weight with failover behind it, a random client subnet (/24) in each query."""

    name = "dns-steered"
    peers = {"gdnsd": peers.gdnsd, "knot": peers.knot, "powerdns": peers.powerdns}
    _probe, _load = scene.APP_HOST, ("dns", "--ecs")
    # Its geo module has no weights.
    _unweighted = ("knot",)

    def __init__(self, tools: Tools):
        super().__init__(tools)
        self._database = geo.database(tools.cache)
        # What Windrose probes: its connections stand in the backlog, nobody accepts them.
        self._endpoint = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def compare(self, runs):
        regions = {region: scene.addresses(region) for region in scene.REGIONS}
        weighted = {contender: run for contender, run in runs.items() if contender not in self._unweighted}
        clusters = {address: [address] for _, address, _ in scene.CLUSTERS.values()}
        return self._differ(runs, regions) | self._differ(weighted, clusters)

    def _differ(self, runs, groups: dict) -> dict:
        """Who sends another share to a group of addresses than the first peer does."""
        shares = {
            contender: {group: sum(detail["by_address"].get(address, 0) for detail in run.details for address in of) / run.units
                        for group, of in groups.items()}
            for contender, run in runs.items()
        }
        first = next((contender for contender in shares if contender in self.peers), next(iter(shares), None))
        return {
            contender: f"it sends {share:.1%} to {group}, {first} sends {shares[first][group]:.1%}"
            for contender, of in shares.items() for group, share in of.items()
            if abs(share - shares[first][group]) > 0.01
        }

    def _template(self, contender):
        return scene.APP_HOST

    def _peer(self, contender, folder, port):
        return self.peers[contender](folder, port, self._database)

    def _windrose(self, contender, binary, folder, port):
        return windrose.dns_steered(binary, folder, port, self._database, self._endpoint.getsockname()[1], self._steps(contender))

    def _steps(self, contender) -> list:
        return windrose.all_steps()


class DnsDepth(DnsSteered):
    """The same after a step of each kind, and after one step that leads to the same tiers."""

    name, peers, variants = "dns-depth", {}, ("one-level",)

    def _steps(self, contender):
        return [windrose.geo_step()] if contender in self.variants else windrose.all_steps()[:-1]


class DnsTcp(DnsStatic):
    """The static names over 32 kept TCP connections, one query at a time on each."""

    name = "dns-tcp"
    peers = {"gdnsd": peers.gdnsd, "knot": peers.knot, "nsd": peers.nsd, "hickory": peers.hickory}
    _load = ("dns-tcp", "--connections", "32", "--window", "1")


class DnsTcpPipelined(DnsTcp):
    """The same with 16 queries outstanding on each connection."""

    name = "dns-tcp-pipelined"
    _load = ("dns-tcp", "--connections", "32", "--window", "16")


class DnsFlood(DnsStatic):
    """A flood of random names below the zone, none of which exists, against names that do."""

    name, peers, variants = "dns-flood", {}, ("positive",)

    def _template(self, contender):
        return scene.HOST_TEMPLATE if contender in self.variants else f"{'#' * 12}.{scene.ZONE}"

    def _good(self, contender, seen):
        return super()._good(contender, seen) if contender in self.variants else seen["by_rcode"].get("nxdomain", 0)

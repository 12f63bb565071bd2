"""The DNS workloads about large and moving tables, which Windrose runs against itself."""

import re
import socket
import threading
import time
import urllib.request

from . import scene, windrose
from .dns import DnsStatic
from .errors import BenchError
from .machine import Process, free_port
from .work import answers, settled

_here = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DnsMillion(DnsStatic):
    """1,000,000 names and 10,000 steered apps, against 1,000 names and none."""

    name, peers, variants = "dns-million", {}, ("thousand",)
    _names, _apps = 1_000_000, 10_000

    def __init__(self, tools):
        super().__init__(tools)
        self._endpoint = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._started = {}

    def start(self, contender, binary, folder):
        port = free_port()
        argv = self._windrose(contender, binary, folder, port)
        began = time.monotonic()
        process = Process(argv, folder / "log", self._tools.cpus.server)
        found = settled(process, port, lambda: answers(port, f"host{0:0{self._digits(contender)}}.{scene.ZONE}"), contender, 120)
        self._started[contender] = time.monotonic() - began
        return found

    def facts(self, contender, process, port, folder):
        before, text = process.cpu(), (folder / "zone").read_text()
        # One record more; the node takes the file up by itself.
        windrose.write_zone(folder, text + "fresh A 10.255.255.255\n")
        end = time.monotonic() + 60
        while not answers(port, f"fresh.{scene.ZONE}"):
            if time.monotonic() > end:
                raise BenchError(f"a new record did not appear within 60 s:\n{process.tail()}")
            time.sleep(0.05)
        return {"start s": self._started[contender], "resident MiB": process.resident_mib(),
                "reload of a zone file with one new record, CPU ms": 1000 * before.until(process.cpu())}

    def _template(self, contender):
        return scene.host_template(scene.HOSTS if contender in self.variants else self._names)

    def _digits(self, contender):
        return 4 if contender in self.variants else len(str(self._names - 1))

    def _windrose(self, contender, binary, folder, port):
        names, apps = (scene.HOSTS, 0) if contender in self.variants else (self._names, self._apps)
        return windrose.dns_million(binary, folder, port, self._endpoint.getsockname()[1], names, apps)


class DnsSwaps(DnsStatic):
    """At least 20 tables a second published under full load, because clusters come and go; against none published."""

    name, peers, variants = "dns-swaps", {}, ("still",)
    # Each is down and up for 25 s in turn: a target that flaps returns after up to 8 successes.
    _apps, _flips_per_s = 1_000, 40
    # Whatever is up at the moment, an answer names one of these two.
    _load = ("dns", "--expect", ",".join(scene.CLUSTERS[cluster][1] for cluster in ("virginia", "frankfurt")))
    _probe = f"flip000.{scene.ZONE}"

    def __init__(self, tools):
        super().__init__(tools)
        self._flips, self._admin, self._began = {}, {}, {}

    def __exit__(self, *_):
        for flips in self._flips.values():
            flips.stop()

    def start(self, contender, binary, folder):
        if contender in self._flips:
            self._flips[contender].stop()
        self._flips[contender] = Flips(self._apps, 0 if contender in self.variants else self._flips_per_s)
        self._admin[contender] = free_port()
        found = super().start(contender, binary, folder)
        self._began[contender] = (time.monotonic(), self._publishes(contender))
        return found

    def drive(self, contender, port, seconds):
        work = super().drive(contender, port, seconds)
        if work.detail["wrong"] or work.detail["lost"]:
            work.problems.append(f"{work.detail['wrong']} answers are wrong and {work.detail['lost']} lost, none may be")
        return work

    def facts(self, contender, process, port, folder):
        began, before = self._began[contender]
        return {"tables published a second": (self._publishes(contender) - before) / (time.monotonic() - began)}

    def _publishes(self, contender) -> int:
        with _here.open(f"http://127.0.0.1:{self._admin[contender]}/metrics", timeout=5) as page:
            return int(re.search(r"^windrose_table_publishes_total (\d+)", page.read().decode(), re.MULTILINE)[1])

    def _template(self, contender):
        return f"flip###.{scene.ZONE}"

    def _windrose(self, contender, binary, folder, port):
        return windrose.dns_swaps(binary, folder, port, self._admin[contender], self._flips[contender].ports)


class Flips:
    """Endpoints that take connections and refuse them in turn; the last one always takes them.

    A port stays bound while it refuses, so that nobody else gets it.
    """

    def __init__(self, count: int, per_second: float):
        self._sockets = [socket.create_server(("127.0.0.1", free_port()), backlog=1024) for _ in range(count + 1)]
        self.ports = [one.getsockname()[1] for one in self._sockets]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(per_second,), daemon=True)
        if per_second:
            self._thread.start()

    def stop(self):
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        for one in self._sockets:
            one.close()

    def _run(self, per_second: float):
        up = True
        while True:
            up = not up
            for at in range(len(self._sockets) - 1):
                if self._ended.wait(1 / per_second):
                    return
                if up:
                    self._sockets[at].listen(1024)
                else:
                    # Linux: it no longer listens, and keeps the port that it was bound to by number.
                    self._sockets[at].shutdown(socket.SHUT_RD)


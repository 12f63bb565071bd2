#!/usr/bin/env python3
"""Route edits under load: what fails, and how long an edit takes to be effective.

Starts a backend and a node on loopback, sends a steady load, and rewrites the configuration again and
again: each edit changes what one route answers itself and adds a route of its own. An edit is effective
when a request sees it, counted from the moment the file has its name; from then on no request may see
the old state. Prints one line of JSON; exit code 1 if a request failed.

    python3 benches/edits.py target/release/windrose [edits] [requests a second] [apps]

`apps`: so many others stand in the same file. Needs the load generator, which benches/run builds
(LOADGEN names another).
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOADGEN = os.environ.get("LOADGEN", HERE.parent / "target/loadgen/release/loadgen")
HOST = "shop.example.com"


def configuration(folder, backend, edits, apps):
    endpoints = {"one": [f"127.0.0.1:{backend}"]}
    route = lambda path, body: {"match": {"path": {"exact": path}}, "respond": {"status": 200, "body": body}}
    routes = [route("/edit", f"edit {edits}")] + [route(f"/edit/{number}", f"{number}") for number in range(edits)]
    others = {f"app{number}": {"hosts": [f"app{number}.example.com"], "versions": {"v1": {"endpoints": endpoints}}}
              for number in range(apps)}
    return {
        "schema": 1,
        "node": {"threads": 1, "data_dir": str(folder / "data")},
        "listeners": {"http": ["127.0.0.1:0"], "admin": "127.0.0.1:0"},
        "data": {"geo": "none"},
        "regions": {"here": {"lat": 0, "lon": 0}},
        "clusters": {"one": {"region": "here", "addresses": ["192.0.2.1"]}},
        "apps": {"shop": {"hosts": [HOST], "versions": {"v1": {"endpoints": endpoints}}, "routes": routes}, **others},
    }


def listening(process, what):
    for line in process.stdout:
        words = line.split()
        if words[:2] == ["listening", what]:
            return int(words[2].rsplit(":", 1)[1])
    raise SystemExit("the node ended")


def main():
    numbers = [int(word) for word in sys.argv[2:]] + [20, 5_000, 0][len(sys.argv) - 2:]
    binary, (edits, rate, apps) = sys.argv[1], numbers
    with tempfile.TemporaryDirectory(prefix="windrose-bench-") as name:
        folder = Path(name)
        backend_port = free_port()
        backend = subprocess.Popen([LOADGEN, "backend", "--listen", f"127.0.0.1:{backend_port}"])
        path = folder / "shop.yaml"

        def write(edit):
            new = folder / "new"
            new.write_text(json.dumps(configuration(folder, backend_port, edit, apps)))
            began = time.monotonic()
            os.replace(new, path)
            return began

        write(0)
        node = subprocess.Popen([binary, "run", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = listening(node, "http")
            probe = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

            def ask(path):
                probe.request("GET", path, headers={"host": HOST})
                response = probe.getresponse()
                return response.status, response.read().decode()

            seconds = 2 + edits * 0.25
            load = subprocess.Popen(
                [LOADGEN, "http", "--server", f"127.0.0.1:{port}", "--host", HOST, "--rate", str(rate), "--seconds", str(seconds)],
                stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            took, stale = [], 0
            for edit in range(1, edits + 1):
                began = write(edit)
                while ask("/edit")[1] != f"edit {edit}":
                    pass
                took.append(time.monotonic() - began)
                stale += sum(ask("/edit")[1] != f"edit {edit}" for _ in range(50))
                stale += ask(f"/edit/{edit - 1}") != (200, f"{edit - 1}")
                time.sleep(max(0, began + 0.25 - time.monotonic()))
            seen = json.loads(load.communicate()[0])
        finally:
            for process in (node, backend):
                process.terminate()
                process.wait()
    took.sort()
    print(json.dumps({
        "edits": edits, "apps": apps, "stale": stale, "load": seen,
        "effective_ms": {"least": ms(took[0]), "median": ms(took[len(took) // 2]), "longest": ms(took[-1])},
    }))
    failed = seen["failed"]
    sys.exit(1 if failed or stale else 0)


def ms(seconds):
    return round(seconds * 1e3, 1)


def free_port():
    sys.path.insert(0, str(HERE))
    from suite.machine import free_port
    return free_port()


main()

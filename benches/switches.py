#!/usr/bin/env python3
"""Blue-green under load: switches the active version again and again, and counts what fails.

Starts two backends and a node on loopback, keeps clients asking over kept connections, edits
`active` in the file, waits until the other version answers, and goes on. Prints one line of JSON.

    python3 benches/switches.py target/release/windrose [switches] [clients]
"""

import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

CONFIG = """schema: 1
node: {{threads: 2, data_dir: {folder}/data}}
listeners: {{http: ["127.0.0.1:0"], admin: "127.0.0.1:0"}}
data: {{geo: none}}
regions: {{here: {{lat: 0, lon: 0}}}}
clusters: {{one: {{region: here, addresses: [192.0.2.1]}}}}
apps:
  shop:
    hosts: [shop.example.com]
    versions:
      blue: {{endpoints: {{one: ["127.0.0.1:{blue}"]}}}}
      green: {{endpoints: {{one: ["127.0.0.1:{green}"]}}}}
    active: {active}
"""


def backend(name):
    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    binary = sys.argv[1]
    switches = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    clients = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "shop.yaml")
    ports = {"blue": backend("blue"), "green": backend("green")}

    def write(active):
        with open(path + ".new", "w") as file:
            file.write(CONFIG.format(folder=folder, active=active, **ports))
        os.replace(path + ".new", path)

    write("blue")
    node = subprocess.Popen(
        [binary, "run", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    port = None
    while port is None:
        words = node.stdout.readline().split()
        if words[:2] == ["listening", "http"]:
            port = int(words[2].rsplit(":", 1)[1])
    stop = threading.Event()
    lock = threading.Lock()
    told = {"sent": 0, "failed": 0}
    seen = {"blue": 0, "green": 0}

    def ask(connection):
        connection.request("GET", "/", headers={"host": "shop.example.com"})
        response = connection.getresponse()
        body = response.read().decode()
        return response.status, body

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not stop.is_set():
            try:
                status, body = ask(connection)
                ok = status == 200 and body in seen
            except OSError as error:
                print(error, file=sys.stderr)
                connection.close()
                ok, body = False, None
            with lock:
                told["sent"] += 1
                told["failed"] += not ok
                if ok:
                    seen[body] += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    took = []
    for number in range(switches):
        active = ["green", "blue"][number % 2]
        began = time.monotonic()
        write(active)
        while ask(probe)[1] != active:
            pass
        took.append(time.monotonic() - began)
        # From here on nobody may see the other one.
        assert all(ask(probe)[1] == active for _ in range(20)), "the old version again"
    stop.set()
    for thread in threads:
        thread.join()
    node.terminate()
    node.wait()
    took.sort()
    print(json.dumps({
        "switches": switches, **told, **seen,
        "switch_s": {"median": round(took[len(took) // 2], 3), "longest": round(took[-1], 3)},
    }))
    sys.exit(1 if told["failed"] else 0)


main()

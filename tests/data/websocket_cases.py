"""The cases of the Autobahn test suite, as kosoku runs them, against a server of WebSocket (websockets):
at the server itself, then with a proxy in between. What the server gets wrong itself is its own affair;
a proxy must change nothing.

Prints the server's port, reads the proxy's address, and ends with the number of cases and "same", or with
those that differ. Without both packages it ends with 77. Left out are the cases of large messages (9) and
of compression (12, 13), which take minutes.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import kosoku  # noqa: F401
    import websockets
    from websockets.asyncio.server import serve
except ImportError:
    sys.exit(77)

LEFT_OUT = ("9.*", "12.*", "13.*")
# Two words for what conforms: whether an answer was on its way before a broken frame came is chance.
CONFORMS = ("OK", "NON-STRICT", "INFORMATIONAL")
CLI = "import sys; from kosoku._cli import main; sys.argv[0] = 'kosoku'; main()"


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosed:
        pass


async def verdicts(address):
    with tempfile.TemporaryDirectory() as folder:
        without = [word for case in LEFT_OUT for word in ("-x", case)]
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLI, *without, "-p", "4", "-o", folder, address,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, errors = await asyncio.wait_for(running.communicate(), 120)
        index = Path(folder) / "index.json"
        if not index.is_file():
            sys.exit(f"kosoku wrote no report: {errors.decode()[-1000:]}")
        (cases,) = json.loads(index.read_text()).values()
        verdict = lambda told: "good" if told["behavior"] in CONFORMS else told["behavior"]
        return {case: (verdict(told), told["behaviorClose"], told.get("remoteCloseCode")) for case, told in cases.items()}


async def main():
    async with serve(echo, "127.0.0.1", 0, max_size=2**25, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(port, flush=True)
        proxy = await asyncio.to_thread(sys.stdin.readline)
        direct = await verdicts(f"127.0.0.1:{port}")
        # The name is what the app is known by; kosoku knows no other way to say it.
        through = await verdicts(f"localhost:{proxy.strip().rsplit(':', 1)[1]}")
    differ = {case: (told, through.get(case)) for case, told in direct.items() if through.get(case) != told}
    good = sum(told[0] == "good" for told in through.values())
    print(f"{len(through)} cases, {good} good, {'same' if not differ else differ}")


asyncio.run(main())

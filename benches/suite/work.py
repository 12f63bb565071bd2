"""What all workloads are made of: the load's tools, the work it saw, and waiting for a server."""

import socket
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .errors import BenchError
from .machine import Cpus, Process, bound_to, wait_until


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


def settled(process: Process, port: int, ready, what: str, seconds: float = 30):
    """The process and its port, once it is ready."""
    try:
        wait_until(ready, process, what, seconds)
    except BaseException:
        process.stop()
        raise
    return process, port


def answers(port: int, name: str) -> bool:
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

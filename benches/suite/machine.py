"""Processes under measurement: started on their own CPU, read through /proc, ended by PID.

A server's CPU is that of all its threads and children. The kernel's schedstat tells it in
nanoseconds per thread; where the set of threads changed in between, the ticks of
/proc/PID/stat (which know the threads that ended) are used instead.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Cpus:
    """Which CPUs the server and the load run on; both on all if there is only one."""

    server: frozenset
    load: frozenset

    @classmethod
    def divide(cls) -> "Cpus":
        ours = sorted(os.sched_getaffinity(0))
        if len(ours) == 1:
            return cls(frozenset(ours), frozenset(ours))
        return cls(frozenset(ours[:1]), frozenset(ours[1:]))


@dataclass(frozen=True)
class CpuReading:
    threads_ns: dict
    ticks_s: float
    user_ticks_s: float = 0.0

    def until(self, later: "CpuReading") -> float:
        """CPU seconds from this reading to a later one."""
        if self.threads_ns.keys() == later.threads_ns.keys() and self.threads_ns:
            return (sum(later.threads_ns.values()) - sum(self.threads_ns.values())) / 1e9
        return later.ticks_s - self.ticks_s

    def user_until(self, later: "CpuReading") -> float:
        """The part of it outside the kernel, sampled by the timer: fine over seconds, not below."""
        ticks = later.ticks_s - self.ticks_s
        return self.until(later) * (later.user_ticks_s - self.user_ticks_s) / ticks if ticks else 0.0


class Process:
    """A program that runs until `stop`, or until this one ends."""

    def __init__(self, argv, log: Path, cpus):
        self.argv, self.log = [str(word) for word in argv], log
        with log.open("wb") as out:
            self._child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                           preexec_fn=bound_to(cpus))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ended(self) -> bool:
        return self._child.poll() is not None

    def cpu(self) -> CpuReading:
        threads, ticks, user = {}, 0, 0
        for pid in _with_children(self._child.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end while we look
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
                user += int(fields[11]) + int(fields[13])
                for task in Path(f"/proc/{pid}/task").iterdir():
                    threads[task.name] = int((task / "schedstat").read_text().split()[0])
        return CpuReading(threads, ticks * _TICK_S, user * _TICK_S)

    def resident_mib(self) -> float:
        """Memory that it and its children hold now; what they share counts for each."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _with_children(self._child.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def tail(self) -> str:
        """The end of its log, for an error's text."""
        return self.log.read_text(errors="replace").strip()[-1500:] or "(it wrote nothing)"

    def stop(self):
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                for pid in reversed(_with_children(self._child.pid)):
                    os.kill(pid, signal.SIGKILL)
                self._child.wait(timeout=10)


def bound_to(cpus):
    """What a child does before it becomes its program: take its CPUs, and end when we end."""

    def prepare():
        os.sched_setaffinity(0, cpus)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare


def free_port() -> int:
    """A port of 127.0.0.1 that is free for TCP and for UDP."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]
    raise BenchError("found no port that is free for TCP and UDP")


def wait_until(ready, process: Process, what: str, seconds: float = 30):
    """Asks `ready()` until it is true; the process must live so long."""
    end = time.monotonic() + seconds
    while not ready():
        if process.ended():
            raise BenchError(f"{what} ended before it answered:\n{process.tail()}")
        if time.monotonic() > end:
            raise BenchError(f"{what} did not answer within {seconds:.0f} s:\n{process.tail()}")
        time.sleep(0.02)


def busy_s() -> float:
    """CPU seconds that the whole machine has spent on anything."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    return (sum(fields) - fields[3] - fields[4]) * _TICK_S


def _with_children(pid: int) -> list:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
    return found

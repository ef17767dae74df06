# SPDX-License-Identifier: MIT
"""Processes as the kernel shows them."""

import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Process:
    """A process, told from a later one with the same pid by its start time."""

    pid: int
    parent: int = field(compare=False)
    state: str = field(compare=False)
    started: int

    @property
    def command(self) -> str:
        try:
            text = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return "(gone)"
        return text.replace(b"\0", b" ").decode(errors="replace").strip()

    @property
    def environment(self) -> dict[str, str]:
        try:
            text = Path(f"/proc/{self.pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return {}
        return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZX"

    def __str__(self) -> str:
        return f"{self.pid} {self.command}"


def process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything; what follows the last one is regular: state, parent, …, start time.
    fields = text.rpartition(")")[2].split()
    return Process(pid=pid, parent=int(fields[1]), state=fields[0], started=int(fields[19]))


def descendants(pid: int) -> list[Process]:
    """The living processes below `pid`, nearest first."""
    children: dict[int, list[Process]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := process(int(entry))) and found.is_alive:
            children.setdefault(found.parent, []).append(found)
    result: list[Process] = []
    pending = [pid]
    while pending:
        below = children.get(pending.pop(0), [])
        result += below
        pending += [child.pid for child in below]
    return result


def in_units(prefix: str) -> list[Process]:
    """The living processes in control groups of units whose names begin like that."""
    result = []
    for entry in os.listdir("/proc"):
        try:
            group = Path(f"/proc/{entry}/cgroup").read_text() if entry.isdigit() else ""
        except OSError:
            continue
        if f"/{prefix}" in group and (found := process(int(entry))) and found.is_alive:
            result.append(found)
    return result


def still_running(processes: list[Process]) -> list[Process]:
    """Those that are alive and not a later process with the same pid."""
    now = [process(known.pid) for known in processes]
    return [new for new, known in zip(now, processes) if new and new.is_alive and new.started == known.started]


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent ends, so that none can hide."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def adopted() -> list[Process]:
    """The living orphans that the kernel handed to this process, and what runs below them."""
    orphans = [child for child in _children() if child.is_alive and child.pid not in _started_here]
    return orphans + [below for orphan in orphans for below in descendants(orphan.pid)]


def reap_adopted() -> None:
    """Collects orphans that have ended; nobody else waits for them."""
    for child in _children():
        if child.state == "Z" and child.pid not in _started_here:
            os.waitpid(child.pid, os.WNOHANG)


def _children() -> list[Process]:
    found = [process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()]
    return [child for child in found if child and child.parent == os.getpid()]


_started_here: set[int] = set()


def started_here(pid: int) -> None:
    """Notes that this process waits for `pid` itself."""
    _started_here.add(pid)

# SPDX-License-Identifier: MIT
"""Nothing is left of a server that ended, whatever it started and whoever was killed."""

import os
import signal
from pathlib import Path

import pytest

from harness import processes, raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.places import SAMPLES_PYTHON, TESTS
from harness.processes import Process
from harness.waiting import until


def deploy(api: ControlPlane, name: str, folder: Path, *flags: str) -> None:
    body = {
        "name": name,
        "command": str(SAMPLES_PYTHON),
        "arguments": [str(TESTS / "servers" / "escapes.py"), str(folder), *flags],
        "transport": "stdio" if "stdio" in flags else "streamable-http",
    }
    answer = api.request("POST", "/adapters", json=body)
    assert answer.status_code == 201, answer.text
    api.wait_until_ready(name)
    if "stdio" in flags:
        answer, _ = raw.initialize(api.gateway.port, f"/adapters/{name}/mcp")
        assert answer.status == 200, answer


def escaped(folder: Path, kinds: int) -> list[Process]:
    """What the server of `folder` has left its group with, once all of it is there."""

    def all_there() -> list[Process] | None:
        found = [processes.process(int(path.name.rpartition("-")[2])) for path in folder.iterdir()]
        living = [process for process in found if process and process.is_alive]
        return living if len(living) >= kinds else None

    return until(all_there, "the server has started its processes", seconds=10)


def gone(strays: list[Process], seconds: float = 10) -> None:
    def none() -> bool:
        processes.reap_adopted()
        return not processes.still_running(strays)

    try:
        until(none, "what the server left behind is gone", seconds)
    except AssertionError:
        raise AssertionError(f"left behind: {[str(stray) for stray in processes.still_running(strays)]}") from None


def leader(gateway: Gateway, word: str) -> int:
    """The gateway's own child whose command line has `word` in it."""
    found = [child for child in gateway.servers() if child.parent == gateway.pid and word in child.command]
    assert len(found) == 1, [str(child) for child in found]
    return found[0].pid


@pytest.mark.parametrize("flags", [("nameless",), ("stdio", "nameless")], ids=["http", "stdio"])
def test_what_a_server_left_behind_ends_with_its_adapter(own_gateway: Gateway, own_api: ControlPlane, flags: tuple[str, ...]) -> None:
    folder = own_gateway.directory / "escaped"
    deploy(own_api, "escapes", folder, *flags)
    strays = escaped(folder, 4)
    own_api.delete("escapes")
    gone(strays)


@pytest.mark.parametrize("flags", [("nameless",), ("stdio", "nameless")], ids=["http server", "bridge"])
def test_what_a_killed_leader_left_behind_is_killed(own_gateway: Gateway, own_api: ControlPlane, flags: tuple[str, ...]) -> None:
    folder = own_gateway.directory / "escaped"
    deploy(own_api, "escapes", folder, *flags)
    strays = escaped(folder, 4)
    os.kill(leader(own_gateway, "bridge" if "stdio" in flags else "escapes.py"), signal.SIGKILL)
    gone(strays)
    own_api.wait_until_ready("escapes")


def control_group() -> Path | None:
    """Where this process may make control groups, if it may: the gateway is in the same one."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    if mount is None or own is None:
        return None
    folder = Path(mount + own)
    try:
        probe = folder / f"mcp-gateway-test-{os.getpid()}"
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return None
    return folder


needs_groups = pytest.mark.skipif(control_group() is None, reason="no control groups can be made here")


@needs_groups
def test_a_control_group_is_made_for_each_life_and_deleted(own_gateway: Gateway, own_api: ControlPlane) -> None:
    folder = control_group()
    assert folder is not None
    own_api.deploy("grouped", "mcp-example-stdio")
    [bridge] = [child.pid for child in own_gateway.servers() if child.parent == own_gateway.pid]

    def group() -> str:
        lines = Path(f"/proc/{bridge}/cgroup").read_text().splitlines()
        return next(line[3:] for line in lines if line.startswith("0::"))

    until(lambda: "mcp-gateway-" in group(), "the bridge is in a group of its own", seconds=5)
    name = Path(group()).name
    assert (folder / name).is_dir()
    own_api.delete("grouped")
    until(lambda: not (folder / name).exists(), "the group is deleted", seconds=10)


@pytest.mark.parametrize(
    "flags",
    [(), ("stdio",), pytest.param(("nameless",), marks=needs_groups), pytest.param(("stdio", "nameless"), marks=needs_groups)],
    ids=["http", "stdio", "http nameless", "stdio nameless"],
)
def test_the_next_start_kills_what_a_killed_gateway_left_behind(
    own_gateway: Gateway, own_api: ControlPlane, flags: tuple[str, ...]
) -> None:
    folder = own_gateway.directory / "escaped"
    deploy(own_api, "escapes", folder, *flags)
    strays = escaped(folder, 4 if "nameless" in flags else 3)
    own_gateway.signal(signal.SIGKILL)
    own_gateway.wait()
    assert processes.still_running(strays), "they outlive the gateway, or this test shows nothing"
    own_gateway.start()
    gone(strays)
    until(lambda: "killed what an earlier run left behind" in own_gateway.log, "the log says so", seconds=5)
    own_api.wait_until_ready("escapes")


def test_the_processes_of_another_gateway_are_left_alone(own_gateway: Gateway, tmp_path: Path) -> None:
    with Gateway(tmp_path) as other:
        api = ControlPlane(other)
        deploy(api, "escapes", tmp_path / "escaped")
        others = escaped(tmp_path / "escaped", 3)
        own_gateway.signal(signal.SIGKILL)
        own_gateway.wait()
        own_gateway.start()
        assert len(processes.still_running(others)) == len(others)


def test_no_zombie_is_left_of_orphans(own_gateway: Gateway, own_api: ControlPlane) -> None:
    folder = own_gateway.directory / "escaped"
    deploy(own_api, "escapes", folder)
    strays = escaped(folder, 3)
    for stray in strays:
        os.kill(stray.pid, signal.SIGKILL)

    def zombies() -> list[int]:
        found = [processes.process(stray.pid) for stray in strays]
        return [process.pid for process in found if process and process.parent == own_gateway.pid]

    until(lambda: not zombies(), "orphans that ended are reaped", seconds=10)
    assert own_api.status("escapes")["readyReplicas"] == 1

# SPDX-License-Identifier: MIT
"""Starting and stopping the gateway itself."""

import re
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from harness import processes, raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.places import BINARY, ROOT
from harness.waiting import until


def run(*arguments: str, seconds: float = 20, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(
        [str(BINARY), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | (environment or {}),
        cwd=ROOT,
    )
    processes.started_here(process.pid)
    output, errors = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def test_it_is_ready_when_it_says_that_it_listens(own_gateway: Gateway) -> None:
    assert raw.send(own_gateway.port, "GET", "/healthz").status == 200
    until(lambda: raw.send(own_gateway.port, "GET", "/readyz").status == 200, "it becomes ready", seconds=5)


def test_adapters_and_their_servers_come_back_after_a_restart(own_gateway: Gateway, own_api: ControlPlane) -> None:
    own_api.deploy("one", "mcp-example", description="kept")
    own_api.deploy("two", "mcp-example", replicaCount=2)
    own_gateway.restart()
    own_api.wait_until_ready("one")
    own_api.wait_until_ready("two", 2)
    assert own_api.request("GET", "/adapters/one").json()["description"] == "kept"


def test_a_killed_gateway_leaves_no_server_and_forgets_nothing(own_gateway: Gateway, own_api: ControlPlane) -> None:
    own_api.deploy("one", "mcp-example")
    own_api.deploy("pipes", "mcp-example-stdio")
    _, session = raw.initialize(own_gateway.port, "/adapters/pipes/mcp")
    assert session["Mcp-Session-Id"]
    assert len(own_gateway.servers()) >= 3, "a server, a bridge and its child"
    own_gateway.kill()
    own_gateway.start()
    own_api.wait_until_ready("one")
    own_api.wait_until_ready("pipes")


def test_sigterm_lets_a_request_under_way_finish(own_gateway: Gateway, own_api: ControlPlane) -> None:
    import socket

    own_api.deploy("slow", "tricks")
    target = "/adapters/slow/mcp"
    _, session = raw.initialize(own_gateway.port, target)
    call = raw.rpc("tools/call", {"name": "progress", "arguments": {"steps": 10, "pause": 0.2}}, id=9)
    with socket.create_connection(("127.0.0.1", own_gateway.port), timeout=15) as connection:
        connection.sendall(raw.head("POST", target, {**session, "Content-Length": str(len(call))}) + call)
        # The first bytes of the answer prove that the server has the request.
        connection.recv(1, socket.MSG_PEEK)
        own_gateway.signal(signal.SIGTERM)
        answer = raw.read_answer(connection, method="POST", seconds=15)
    assert answer.status == 200, answer
    assert raw.message(answer)["result"]["content"][0]["text"] == "10"
    assert own_gateway.wait() == 0
    assert not own_gateway.strays()


def test_a_second_sigterm_ends_it_at_once(own_gateway: Gateway, own_api: ControlPlane) -> None:
    import socket

    own_api.deploy("slow", "tricks")
    target = "/adapters/slow/mcp"
    _, session = raw.initialize(own_gateway.port, target)
    call = raw.rpc("tools/call", {"name": "wait", "arguments": {"name": "x", "seconds": 60}})
    with socket.create_connection(("127.0.0.1", own_gateway.port), timeout=15) as connection:
        connection.sendall(raw.head("POST", target, {**session, "Content-Length": str(len(call))}) + call)
        connection.recv(1, socket.MSG_PEEK)
        own_gateway.signal(signal.SIGTERM)
        until(lambda: "stopping" in own_gateway.log, "the first signal is noticed")
        own_gateway.signal(signal.SIGTERM)
        assert own_gateway.wait(seconds=5) == 128 + signal.SIGTERM
    until(lambda: not own_gateway.strays(), "nothing outlives it", seconds=10)


def test_it_stops_while_clients_hold_streams_open(own_gateway: Gateway, own_api: ControlPlane) -> None:
    import socket

    own_api.deploy("one", "mcp-example")
    _, session = raw.initialize(own_gateway.port, "/adapters/one/mcp")
    with socket.create_connection(("127.0.0.1", own_gateway.port), timeout=15) as stream:
        stream.sendall(raw.head("GET", "/adapters/one/mcp", {**session, "Accept": "text/event-stream"}))
        assert stream.recv(12).startswith(b"HTTP/1.1 200")
        own_gateway.stop()


def test_a_second_gateway_on_the_same_data_is_refused_with_words_that_help(own_gateway: Gateway) -> None:
    result = run("serve", "--port", "0", "--data-directory", str(own_gateway.directory / "data"))
    assert result.returncode not in (0, -6, -4, 139)
    assert str(own_gateway.directory / "data") in result.stderr, result.stderr
    assert raw.send(own_gateway.port, "GET", "/healthz").status == 200


def test_a_port_that_is_taken_is_named(own_gateway: Gateway, tmp_path: Path) -> None:
    result = run("serve", "--port", str(own_gateway.port), "--data-directory", str(tmp_path))
    assert result.returncode > 0
    assert str(own_gateway.port) in result.stderr, result.stderr


@pytest.mark.parametrize("damage", ["garbage", "newer schema"])
def test_a_database_it_can_not_use_is_refused_and_left_alone(tmp_path: Path, damage: str) -> None:
    gateway = Gateway(tmp_path)
    with gateway:
        ControlPlane(gateway).create("one", "mcp-example")
    files = [file for file in (tmp_path / "data").iterdir() if file.is_file()]
    databases = [file for file in files if file.read_bytes().startswith(b"SQLite format 3")]
    assert len(databases) == 1, databases
    if damage == "garbage":
        databases[0].write_bytes(b"no database at all" * 500)
    else:
        with sqlite3.connect(databases[0]) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            migrations = [name for name in tables if "migration" in name.lower()]
            if migrations:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({migrations[0]})")]
                kinds = [row[2].upper() for row in connection.execute(f"PRAGMA table_info({migrations[0]})")]
                values = [9999 if "INT" in kind else "from-the-future" for kind in kinds]
                marks = ", ".join("?" for _ in columns)
                connection.execute(f"INSERT INTO {migrations[0]} ({', '.join(columns)}) VALUES ({marks})", values)
            connection.execute("PRAGMA user_version = 9999")
        connection.close()
    content = databases[0].read_bytes()
    result = run("serve", "--port", "0", "--data-directory", str(tmp_path / "data"))
    assert result.returncode > 0, result
    assert str(databases[0]) in result.stderr, result.stderr
    assert databases[0].read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], ["listen.port", "70000", "0...65535"]),
        (["--port=-1"], ["listen.port", "-1", "0...65535"]),
        (["--set", "limits.replicas=many"], ["limits.replicas", "many", "1...1000"]),
        (["--set", "budget.memory=0"], ["budget.memory", "1MiB"]),
        (["--set", "budget.processes=few"], ["budget.processes", "few", "1...1000000"]),
        (["--set", "session.parkAfter=soon"], ["session.parkAfter", "soon", "never"]),
        (["--set", "runtime=kubernetes", "--set", "budget.processes=3"], ["budget.processes", "ResourceQuota"]),
        (["--set", "runtime=kubernetes", "--set", "session.parkAfter=1h"], ["session.parkAfter", "nothing is parked"]),
        (["--set", "no.such.key=1"], ["no.such.key"]),
        (["--config", "/nonexistent/gateway.yaml"], ["/nonexistent/gateway.yaml"]),
        (["--catalogue", "/nonexistent/catalogue.yaml"], ["/nonexistent/catalogue.yaml"]),
        (["--log-level", "loud"], ["log.level", "loud"]),
    ],
)
def test_a_wrong_setting_is_told_with_key_value_and_rule(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    result = run("serve", "--port", "0", "--data-directory", str(tmp_path), *arguments)
    assert result.returncode > 0, result
    for word in words:
        assert word in result.stderr, result.stderr


def test_settings_come_from_the_file_the_environment_and_flags_in_this_order(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("listen:\n  port: file\nlog:\n  level: file\nthreads: file\n")
    result = run(
        "serve", "--config", str(file), "--log-level", "flag", environment={"MCP_GATEWAY_THREADS": "environment"}
    )
    assert result.returncode > 0
    for word in ["listen.port", "'file'", "threads", "environment", "log.level", "flag"]:
        assert word.strip("'") in result.stderr, result.stderr


def test_help_names_every_setting(tmp_path: Path) -> None:
    result = run("serve", "--help")
    assert result.returncode == 0
    for key in ["listen.port", "MCP_GATEWAY_LISTEN_PORT", "dataDirectory", "catalogue", "session.keyFile", "timeouts.drain"]:
        assert key in result.stdout


def test_the_documentation_has_just_the_settings_that_there_are() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([^`]+)`<br>`(MCP_GATEWAY_[A-Z_]+)`", table, re.MULTILINE))
    real = set(re.findall(r"^ +(\S+)\s+\((MCP_GATEWAY_[A-Z_]+),\s+default", run("serve", "--help").stdout, re.MULTILINE))
    assert documented == real


def test_keys_and_data_are_for_the_owner_alone(own_gateway: Gateway) -> None:
    data = own_gateway.directory / "data"
    assert data.stat().st_mode & 0o077 == 0, oct(data.stat().st_mode)
    keys = data / "session-keys"
    assert keys.stat().st_mode & 0o077 == 0, oct(keys.stat().st_mode)


def test_it_can_be_stopped_from_the_moment_it_listens(tmp_path: Path) -> None:
    for attempt in range(100):
        # Checks that it ends with 0, and not by the signal.
        with Gateway(tmp_path / str(attempt)):
            pass

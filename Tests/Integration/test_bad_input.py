# SPDX-License-Identifier: MIT
"""Whatever is sent, the answer is a documented 4xx: never a 5xx, never silence, and never a gateway that is worse off."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness import processes, raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.raw import MCP_HEADERS, Answer, exchange, head, rpc, send

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1 << 20
TARGET = "/adapters/there/mcp"


@pytest.fixture(scope="module", autouse=True)
def unharmed(gateway: Gateway, api: ControlPlane) -> Iterator[None]:
    """After everything in here the gateway and the one server still work, and not one process more is there."""
    api.deploy("there", "mcp-example")
    before = [process.pid for process in gateway.servers()]
    yield
    assert [process.pid for process in gateway.servers()] == before
    assert [adapter["name"] for adapter in api.request("GET", "/adapters").json()] == ["there"]
    assert raw.initialize(gateway.port, TARGET)[0].status == 200
    log = gateway.log.lower()
    assert "fatal error" not in log and "precondition" not in log


def refused(answer: Answer, *statuses: int) -> Answer:
    """A 4xx of those allowed, quickly, with a body that says why in the form that the route promises."""
    assert answer.status in statuses, answer
    assert answer.seconds < 10, answer
    if answer.body:
        assert answer.content_type in ("application/problem+json", "application/json", "text/plain"), answer
        if answer.content_type != "text/plain":
            assert isinstance(answer.json, dict), answer
    return answer


def problem(api: ControlPlane, method: str, path: str, answer: Answer, *statuses: int) -> dict[str, Any]:
    refused(answer, *statuses)
    assert answer.content_type == "application/problem+json", answer
    assert answer.json["status"] == answer.status and answer.json["code"], answer
    api.contract.check(method, path, answer.status, answer.headers, answer.body)
    return answer.json


def rpc_error(answer: Answer, *statuses: int, id: Any = None) -> dict[str, Any]:
    refused(answer, *statuses)
    assert answer.content_type == "application/json", answer
    body = answer.json
    assert body["jsonrpc"] == "2.0" and isinstance(body["error"]["code"], int) and body["error"]["message"], answer
    assert body["id"] == id, answer
    code = body["error"]["code"]
    assert code in (-32020, -32021, -32022) or not -32099 <= code <= -32020, "a reserved code"
    return body["error"]


# MARK: bodies of the control plane

GOOD: dict[str, Any] = {"name": "bad", "imageName": "mcp-example", "imageVersion": "1.0.0"}

WRONG_TYPES: list[Any] = [None, True, 1, 1.5, [], {}, "", [1], {"a": 1}, "x" * 5000]
FIELDS = {
    "name": [None, True, 1, [], {}, "", "-a", "a-", "A", "a b", "a/b", "a.b", "ä", "a" * 51, "1a", "a\u0000b", "..", "healthz",
             "adapters", "metrics", "a\nb"],
    "imageName": [True, 1, [], {}, "", "\u0000"],
    "imageVersion": [True, 1, [], {}, ""],
    "environmentVariables": [True, 1, [], "A=b", {"A": 1}, {"A": None}, {"": "x"}, {"A=B": "x"}, {"1A": "x"}, {"A-B": "x"},
                             {"A": "b\u0000c"}],
    "replicaCount": [True, "1", 1.5, -1, 1e300, 10**30, 1_000_000, [], {}],
    "description": [True, 1, [], {}],
    "useWorkloadIdentity": [1, "true", [], {}],
    "requiredRoles": [True, "admin", 1, {}, [1], [None], [[]]],
    "transport": [True, 1, "", "pigeon", "HTTP", [], {}],
    "port": [True, "80", -1, 65536, 1.5, 10**20, [], {}],
    "path": [True, 1, "", "mcp", "/a b", "/a\r\nX: y", "/\u0000", [], {}],
    "command": [True, 1, "", [], {}, "a\u0000b"],
    "arguments": [True, "x", 1, {}, [1], [None], ["a\u0000b"]],
    "labels": [True, "x", 1, [], {"a": 1}],
    "resources": [True, "x", 1, []],
    "secretHeaders": [True, "x", 1, [], {"A": 1}, {"A=B": "x"}, {"A": "x"}],
    "secretEnvironmentVariables": [True, "x", 1, [], {"A": 1}, {"A=B": "x"}],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values],
                         ids=lambda value: repr(value)[:40])  # fmt: skip
def test_a_field_with_a_wrong_value_is_named(gateway: Gateway, api: ControlPlane, field: str, value: Any) -> None:
    body = json.dumps(GOOD | {field: value}).encode()
    answer = send(gateway.port, "POST", "/adapters", body, JSON)
    found = problem(api, "POST", "/adapters", answer, 400, 422)
    assert field in json.dumps(found), f"{field} is not named: {found}"


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"true", b"1", b'"x"', b"[]", b"[{}]", b"{", b"}", b"{}", b'{"name"}', b'{"name":}', b"{,}",
        b'{"name":"bad",}', b"{'name':'bad'}", b'{"name":"bad"} {}', b"\xff\xfe", b'{"name":"\xff"}', b'{"name":"\\ud800"}',
        b'\xef\xbb\xbf{"name":"-"}', b"[" * 100_000, b'{"a":' * 50_000, b'{"name":"bad","name":"bad"}',
        b'{"name":"bad","imageName":"mcp-example","imageVersion":"1.0.0","replicaCount":NaN}',
        b'{"name":"bad","imageName":"mcp-example","imageVersion":"1.0.0","replicaCount":-Infinity}',
        b'{"name":"bad","imageName":"mcp-example","imageVersion":"1.0.0","replicaCount":1e400}',
        b'{"name":"bad","imageName":"mcp-example","imageVersion":"1.0.0","command":"true"}',
        b'{"name":"bad"}',
    ],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_a_body_that_is_no_adapter_is_refused(gateway: Gateway, api: ControlPlane, body: bytes) -> None:
    problem(api, "POST", "/adapters", send(gateway.port, "POST", "/adapters", body, JSON), 400, 422)


def test_a_field_that_does_not_exist_is_refused_or_ignored_but_never_stored(gateway: Gateway, api: ControlPlane) -> None:
    body = json.dumps(GOOD | {"replicaCount": 0, "relpicaCount": 3}).encode()
    answer = send(gateway.port, "POST", "/adapters", body, JSON)
    if answer.status == 201:
        assert "relpicaCount" not in answer.json
        api.delete("bad")
    else:
        assert "relpicaCount" in json.dumps(problem(api, "POST", "/adapters", answer, 400, 422))


@pytest.mark.parametrize("kind", [None, "text/plain", "application/xml", "multipart/form-data; boundary=x", "json", "//"])
def test_a_body_of_another_kind_is_refused(gateway: Gateway, api: ControlPlane, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = send(gateway.port, "POST", "/adapters", json.dumps(GOOD).encode(), headers)
    problem(api, "POST", "/adapters", answer, 400, 415)


@pytest.mark.parametrize("size", [1 * MEBIBYTE, 10 * MEBIBYTE])
def test_a_body_that_is_too_large_is_413(gateway: Gateway, api: ControlPlane, size: int) -> None:
    body = json.dumps(GOOD | {"description": "x" * size}).encode()
    before = resident(gateway)
    for _ in range(3):
        problem(api, "POST", "/adapters", send(gateway.port, "POST", "/adapters", body, JSON), 413, 422)
    assert resident(gateway) - before < 40 * MEBIBYTE


def resident(gateway: Gateway) -> int:
    fields = open(f"/proc/{gateway.pid}/statm").read().split()
    return int(fields[1]) * 4096


@pytest.mark.parametrize("fields", [{"description": "x" * 100_000}, {"environmentVariables": {f"V{n}": "x" for n in range(5000)}},
                                    {"imageName": "x" * 100_000}], ids=["description", "variables", "imageName"])  # fmt: skip
def test_fields_that_are_too_large_are_refused(gateway: Gateway, api: ControlPlane, fields: dict[str, Any]) -> None:
    answer = send(gateway.port, "POST", "/adapters", json.dumps(GOOD | fields).encode(), JSON)
    if answer.status == 201:
        api.delete("bad")
        pytest.fail(f"{list(fields)} was taken")
    problem(api, "POST", "/adapters", answer, 400, 413, 422)


# MARK: paths and methods

@pytest.mark.parametrize(
    "target",
    [
        "/", "/nothing", "/adapters/", "/adapters//mcp", "/adapters/there/", "/adapters/there/nothing", "/adapters/there/mcp/x",
        "/adapters/there//mcp", "/adapters/../adapters/there", "/adapters/there/../../etc/passwd", "/adapters/%2e%2e/mcp",
        "/adapters/there%2Fmcp", "/adapters/%00/mcp", "/adapters/%zz", "/adapters/th%65re%", "/adapters/THERE",
        "/adapters/" + "a" * 51, "/adapters/" + "a" * 3000, "/adapters/ä".encode().decode("latin-1"), "/ADAPTERS", "//adapters",
        "/adapters/there/mcp%20", "/adapters/there;x=y", "/healthz/", "/.well-known/", "/adapters/there/sse/x",
    ],
    ids=lambda target: target[:40],
)  # fmt: skip
def test_a_path_that_is_nothing_is_404(gateway: Gateway, target: str) -> None:
    refused(send(gateway.port, "GET", target, headers={"Accept": "*/*"}), 400, 404)


@pytest.mark.parametrize("target", ["*", "there", "http://127.0.0.1/adapters", "adapters", "?x", "#x", "/adapters#x",
                                    "/adapters there", "\\adapters", "/adapters\x01", "/adapters\x7f"])  # fmt: skip
def test_a_request_target_of_another_form_is_handled(gateway: Gateway, target: str) -> None:
    target = target.replace("127.0.0.1", f"127.0.0.1:{gateway.port}")
    answer = send(gateway.port, "GET", target)
    if target.startswith("http"):  # the absolute form is legal, if it agrees with Host (RFC 9112 §3.2.2)
        assert answer.status == 200, answer
    else:
        refused(answer, 400, 404)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/adapters", {"GET", "POST"}),
        ("/adapters/there", {"GET", "PUT", "DELETE"}),
        ("/adapters/there/status", {"GET"}),
        ("/adapters/there/logs", {"GET"}),
        ("/adapters/there/mcp", {"GET", "POST", "DELETE"}),
        ("/adapters/there/sse", {"GET"}),
        ("/adapters/there/messages", {"POST"}),
        ("/healthz", {"GET"}),
        ("/readyz", {"GET"}),
        ("/openapi.json", {"GET"}),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST", "DELETE", "GET", "TRACE", "CONNECT", "BREW", "get", "X" * 40])
def test_a_method_that_a_path_does_not_have_is_405(
    gateway: Gateway, target: str, allowed: set[str], method: str
) -> None:
    if method in allowed:
        pytest.skip("allowed")
    answer = send(gateway.port, method, target, b"" if method in ("POST", "PUT", "PATCH") else None, JSON)
    refused(answer, 405, 400, 501) if method in ("CONNECT", "get", "X" * 40) else refused(answer, 405)
    if answer.status == 405:
        named = {part.strip() for part in answer.headers["allow"].split(",")}
        assert allowed <= named and method not in named, answer


# MARK: HTTP itself

@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\n\r\n" + b"x" * 10 + b"\r\n\r\n",
        b"GET\r\n\r\n", b"GET /healthz\r\n\r\n", b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b" GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1 x\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1x\r\nHost: a\r\n\r\n", b"GET /healthz http/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nA : b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n: b\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\x00c\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nA\x00: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\rX: y\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: +1\r\n\r\nx",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1, 2\r\n\r\nxx",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.0\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n0\r\n\r\n",
        b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100_000,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"X" * 200_000,
    ],
    ids=lambda data: repr(data[:70]),
)  # fmt: skip
@pytest.mark.parametrize("route", ["control", "mcp"])
def test_broken_http_is_refused(gateway: Gateway, route: str, data: bytes) -> None:
    if route == "mcp":
        data = data.replace(b" /adapters ", b" /adapters/there/mcp ", 1).replace(b" /healthz", b" /adapters/there/mcp", 1)
    answer = exchange(gateway.port, data, method="POST", half_close=True)
    refused(answer, 400, 404, 405, 413, 414, 415, 417, 421, 431, 501, 505)


@pytest.mark.parametrize("data", [b"", b"G", b"GET /healthz HTTP/1.1\r\n", b"POST /adapters HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
                                  b"POST /adapters/there/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"])  # fmt: skip
def test_a_request_that_is_cut_off_ends_the_connection(gateway: Gateway, data: bytes) -> None:
    answer = exchange(gateway.port, data, half_close=True)
    assert answer.status == 0 or 400 <= answer.status < 500, answer
    assert answer.seconds < 10


def test_requests_in_one_write_are_answered_in_order(gateway: Gateway) -> None:
    first = head("GET", "/adapters/absent", {})
    second = head("GET", "/healthz", {"Connection": "close"})
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(first + second)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert data.index(b"HTTP/1.1 404") == 0 and b"HTTP/1.1 200" in data


def test_a_refused_body_can_not_smuggle_a_request(gateway: Gateway) -> None:
    inner = head("DELETE", "/adapters/there", {})
    outer = head("POST", "/adapters", {**JSON, "Content-Length": "4", "Transfer-Encoding": "chunked"})
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(outer + b"0\r\n\r\n" + inner)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert data.count(b"HTTP/1.1 ") == 1 and data.startswith(b"HTTP/1.1 400"), data
    assert send(gateway.port, "GET", "/adapters/there").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "a b", "[::1", "127.0.0.1:x"])
def test_a_foreign_host_is_refused_on_a_loopback_listener(gateway: Gateway, host: str) -> None:
    refused(send(gateway.port, "GET", "/adapters", headers={"Host": host}), 400, 403, 421)
    refused(send(gateway.port, "POST", TARGET, rpc("ping"), {**MCP_HEADERS, "Host": host}), 400, 403, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9", "localhost", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_every_name_of_this_machine_is_fine(gateway: Gateway, host: str) -> None:
    assert send(gateway.port, "GET", "/adapters", headers={"Host": host}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1.evil.example", "null", "x"])
def test_a_foreign_origin_is_403(gateway: Gateway, origin: str) -> None:
    refused(send(gateway.port, "POST", TARGET, rpc("ping"), {**MCP_HEADERS, "Origin": origin}), 403)
    refused(send(gateway.port, "POST", "/adapters", json.dumps(GOOD).encode(), {**JSON, "Origin": origin}), 403)


def test_a_local_origin_is_fine(gateway: Gateway) -> None:
    assert send(gateway.port, "GET", "/adapters", headers={"Origin": "http://localhost:3000"}).status == 200


# MARK: the MCP routes

def test_an_adapter_that_is_not_there_is_404(gateway: Gateway) -> None:
    rpc_error(send(gateway.port, "POST", "/adapters/absent/mcp", rpc("initialize", {}, id=3), MCP_HEADERS), 404, id=3)
    refused(send(gateway.port, "GET", "/adapters/absent/sse", headers={"Accept": "text/event-stream"}), 404)
    refused(send(gateway.port, "POST", "/adapters/absent/messages?session_id=x", rpc("ping"), MCP_HEADERS), 404)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"null", b"1", b'"x"', b"\xff", b"{}x", b'{"jsonrpc":"2.0","id":1,"method":"ping"', b"[" * 50_000,
     b'{"a":' * 50_000, b"\x00", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', b"[]"],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_message_that_is_no_json_rpc_is_400(gateway: Gateway, era: str, body: bytes) -> None:
    headers = dict(MCP_HEADERS)
    if era == "modern":
        headers |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "ping"}
    answer = send(gateway.port, "POST", TARGET, body, headers)
    refused(answer, 400)
    assert answer.json["error"]["code"] in (-32700, -32600, -32020, -32602), answer
    assert answer.json.get("id") in (None, 1, "server-error"), answer


@pytest.mark.parametrize("id", [0, -1, 2**53, 1.5, "", "x" * 1000, "ü", "null"], ids=lambda id: repr(id)[:20])
def test_errors_carry_the_id_of_the_request_as_it_was(gateway: Gateway, id: Any) -> None:
    stale = {**MCP_HEADERS, "Mcp-Session-Id": "unknown"}
    rpc_error(send(gateway.port, "POST", TARGET, rpc("tools/list", {}, id=id), stale), 404, id=id)


@pytest.mark.parametrize("session", ["x", "x" * 200, "x" * 8000, "a.b.c", "AAAA", "!~", "=?base64?eA==?=", "../../x", "%00"],
                         ids=lambda session: session[:20])  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_an_unknown_session_is_404(gateway: Gateway, method: str, session: str) -> None:
    headers = {**MCP_HEADERS, "Mcp-Session-Id": session}
    if method == "GET":
        headers["Accept"] = "text/event-stream"
    body = rpc("tools/list", id=4) if method == "POST" else None
    rpc_error(send(gateway.port, method, TARGET, body, headers), 404, id=4 if method == "POST" else None)


@pytest.mark.parametrize("value", ["", "a b", "ä".encode().decode("latin-1"), "\x7f", "a\tb"])
def test_a_session_id_with_other_characters_is_refused(gateway: Gateway, value: str) -> None:
    answer = send(gateway.port, "POST", TARGET, rpc("tools/list", id=4), {**MCP_HEADERS, "Mcp-Session-Id": value})
    refused(answer, 400, 404)


def test_two_session_ids_are_refused(gateway: Gateway) -> None:
    _, session = raw.initialize(gateway.port, TARGET)
    headers = [*session.items(), ("Mcp-Session-Id", session["Mcp-Session-Id"])]
    refused(send(gateway.port, "POST", TARGET, rpc("tools/list"), headers), 400, 404)


@pytest.mark.parametrize("position", [0, 5, -1])
def test_a_session_id_that_was_tampered_with_is_unknown(gateway: Gateway, position: int) -> None:
    _, session = raw.initialize(gateway.port, TARGET)
    id = list(session["Mcp-Session-Id"])
    id[position] = "A" if id[position] != "A" else "B"
    answer = send(gateway.port, "POST", TARGET, rpc("tools/list", id=4), {**session, "Mcp-Session-Id": "".join(id)})
    rpc_error(answer, 404, id=4)
    assert send(gateway.port, "POST", TARGET, rpc("tools/list"), session).status == 200


def test_a_request_without_the_session_id_it_needs_is_400(gateway: Gateway) -> None:
    answer = refused(send(gateway.port, "POST", TARGET, rpc("tools/list", id=8), MCP_HEADERS), 400)
    # It is the server that insists on one, so the body is the server's.
    assert answer.json["error"]["code"] == -32600, answer


@pytest.mark.parametrize("accept", [None, "", "text/html", "application/json", "text/event-stream", "x", ",,;q"])
def test_a_post_that_can_not_take_the_answer_is_refused_or_served(gateway: Gateway, accept: str | None) -> None:
    headers = dict(JSON) | ({} if accept is None else {"Accept": accept})
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    answer = send(gateway.port, "POST", TARGET, rpc("initialize", params), headers)
    # Servers differ in what they insist on; theirs is passed on.
    assert answer.status in (200, 400, 406), answer


def test_a_get_without_accept_is_refused(gateway: Gateway) -> None:
    _, session = raw.initialize(gateway.port, TARGET)
    refused(send(gateway.port, "GET", TARGET, headers={"Mcp-Session-Id": session["Mcp-Session-Id"]}), 400, 406)


def test_a_body_of_10_mebibytes_is_answered(gateway: Gateway) -> None:
    """The gateway's own limit is higher; the server's is not, and its refusal is passed on."""
    _, session = raw.initialize(gateway.port, TARGET)
    call = rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2, "c": "x" * (10 * MEBIBYTE)}})
    before = resident(gateway)
    for _ in range(3):
        answer = send(gateway.port, "POST", TARGET, call, session)
        assert answer.status in (413, 400, 502), answer
        assert answer.status != 502 or answer.json["error"]
    assert resident(gateway) - before < 64 * MEBIBYTE
    assert send(gateway.port, "POST", TARGET, rpc("tools/list"), session).status == 200


def test_a_body_over_the_gateways_limit_is_413(gateway: Gateway) -> None:
    headers = {**MCP_HEADERS, "Content-Length": str(10 << 30)}
    refused(exchange(gateway.port, head("POST", TARGET, headers), method="POST"), 413)


def test_a_chunked_body_over_the_gateways_limit_is_refused(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=15) as connection:
        connection.sendall(head("POST", TARGET, {**MCP_HEADERS, "Transfer-Encoding": "chunked"}))
        chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
        try:
            for _ in range(80):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = raw.read_answer(connection, method="POST", seconds=10)
    assert answer.status in (0, 400, 413), answer


MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN = {**MCP_HEADERS, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "add"}
CALL = {"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": MODERN_META}


def test_a_right_modern_request_is_served(gateway: Gateway) -> None:
    answer = send(gateway.port, "POST", TARGET, rpc("tools/call", CALL, id=11), MODERN)
    assert answer.status == 200 and raw.message(answer)["result"]["content"][0]["text"] == "5", answer
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    "change",
    [
        {"Mcp-Method": None}, {"Mcp-Name": None}, {"Mcp-Method": "tools/list"}, {"Mcp-Name": "sub"}, {"Mcp-Name": "ADD"},
        {"Mcp-Method": ""}, {"Mcp-Name": "=?base64?!!?="}, {"MCP-Protocol-Version": "2025-11-25"},
        {"MCP-Protocol-Version": None}, {"MCP-Protocol-Version": "2099-01-01"}, {"MCP-Protocol-Version": "nonsense"},
    ],
    ids=repr,
)  # fmt: skip
def test_headers_that_contradict_the_body_are_400(gateway: Gateway, change: dict[str, str | None]) -> None:
    headers = {name: value for name, value in (MODERN | change).items() if value is not None}
    rpc_error(send(gateway.port, "POST", TARGET, rpc("tools/call", CALL, id=11), headers), 400, id=11)


@pytest.mark.parametrize("name", ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"])
def test_a_routing_header_given_twice_is_400(gateway: Gateway, name: str) -> None:
    rpc_error(
        send(gateway.port, "POST", TARGET, rpc("tools/call", CALL, id=11), [*MODERN.items(), (name, MODERN[name])]),
        400, id=11,
    )  # fmt: skip


def test_an_encoded_name_is_decoded_before_it_is_compared(gateway: Gateway) -> None:
    answer = send(gateway.port, "POST", TARGET, rpc("tools/call", CALL), MODERN | {"Mcp-Name": "=?base64?YWRk?="})
    assert answer.status == 200, answer


def test_initialize_with_a_modern_version_is_400(gateway: Gateway) -> None:
    headers = {**MCP_HEADERS, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "initialize"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    rpc_error(send(gateway.port, "POST", TARGET, rpc("initialize", params, id=2), headers), 400, id=2)


@pytest.mark.parametrize("query", ["", "session_id=", "session_id=x", "session_id=" + "x" * 5000, "sessionId=x", "a=b&c=d"],
                         ids=lambda query: query[:20])  # fmt: skip
def test_a_message_for_an_unknown_sse_session_is_refused(gateway: Gateway, query: str) -> None:
    answer = send(gateway.port, "POST", f"/adapters/there/messages?{query}", rpc("ping"), JSON)
    refused(answer, 400, 404)


def test_an_sse_get_without_accept_is_answered_at_once(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head("GET", "/adapters/there/sse", {"Accept": "text/html"}))
        assert connection.recv(12)[:8] == b"HTTP/1.1"


# MARK: endurance

def test_many_half_requests_do_not_keep_others_out(gateway: Gateway) -> None:
    held = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(400)]
    try:
        for index, connection in enumerate(held):
            connection.sendall([b"", b"GET /heal", head("POST", TARGET, {**MCP_HEADERS, "Content-Length": "100"}) + b"{"][index % 3])
        began = time.monotonic()
        assert send(gateway.port, "GET", "/healthz").status == 200
        assert raw.initialize(gateway.port, TARGET)[0].status == 200
        assert time.monotonic() - began < 5
    finally:
        for connection in held:
            connection.close()


def test_descriptors_are_given_back(gateway: Gateway) -> None:
    from harness.waiting import until
    import os

    def open_files() -> int:
        return len(os.listdir(f"/proc/{gateway.pid}/fd"))

    before = open_files()
    for _ in range(200):
        exchange(gateway.port, b"nonsense\r\n\r\n")
    until(lambda: open_files() <= before + 20, f"{before} descriptors were open before", seconds=15)
    assert processes.process(gateway.pid) is not None

# SPDX-License-Identifier: MIT
"""What reaches a server and what reaches a client, seen from a server that tells both."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from harness import raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.raw import MCP_HEADERS, Answer, head, rpc, send

TARGET = "/adapters/mirror/mcp"


@pytest.fixture(scope="module", autouse=True)
def mirror(api: ControlPlane) -> Iterator[None]:
    api.deploy("mirror", "mirror")
    yield


def ask(gateway: Gateway, sent: dict[str, str] | list[tuple[str, str]] | None = None, /, **answer: Any) -> Answer:
    """Asks the mirror for an answer; no session, as it gave none."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"} | ({"answer": answer} if answer else {})
    lines = [*MCP_HEADERS.items(), *(sent.items() if isinstance(sent, dict) else sent or [])]
    return send(gateway.port, "POST", TARGET, json.dumps(message).encode(), lines)


def reached(answer: Answer) -> dict[str, list[str]]:
    """The headers that reached the server, by lower-case name."""
    assert answer.status == 200, answer
    found: dict[str, list[str]] = {}
    for name, value in answer.json["result"]["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def test_a_server_that_gives_no_session_works(gateway: Gateway) -> None:
    answer, session = raw.initialize(gateway.port, TARGET)
    assert answer.status == 200 and "mcp-session-id" not in answer.headers
    assert "Mcp-Session-Id" not in session
    assert ask(gateway).status == 200


@pytest.mark.parametrize("id", ["1", "!~", "a" * 4000, "".join(map(chr, range(0x21, 0x7F))), "a,b;c=d", "=?base64?eA==?="],
                         ids=lambda id: id[:12])  # fmt: skip
def test_ids_of_servers_come_back_to_them_as_they_were(gateway: Gateway, id: str) -> None:
    opened = send(gateway.port, "POST", TARGET, rpc("initialize", {"session": id}), MCP_HEADERS)
    assert opened.status == 200, opened
    sealed = opened.headers["mcp-session-id"]
    assert sealed != id and all(0x21 <= ord(character) <= 0x7E for character in sealed)
    assert id not in sealed or len(id) < 4
    headers = reached(ask(gateway, {"Mcp-Session-Id": sealed}))
    assert headers["mcp-session-id"] == [id]
    for method in ("GET", "DELETE"):
        answer = send(gateway.port, method, TARGET, headers={"Accept": "text/event-stream", "Mcp-Session-Id": sealed})
        assert reached(answer)["mcp-session-id"] == [id], method
        assert answer.json["result"]["method"] == method


def test_a_session_that_was_deleted_is_gone(gateway: Gateway) -> None:
    opened = send(gateway.port, "POST", TARGET, rpc("initialize", {"session": "short"}), MCP_HEADERS)
    session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    assert ask(gateway, session).status == 200
    assert send(gateway.port, "DELETE", TARGET, headers=session).status == 200
    assert ask(gateway, session).status == 404


def test_a_failed_initialize_gives_no_session(gateway: Gateway) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"session": "x"}, "answer": {"status": 400}}
    answer = send(gateway.port, "POST", TARGET, json.dumps(message).encode(), MCP_HEADERS)
    assert answer.status == 400 and "mcp-session-id" not in answer.headers, answer


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 401, 403, 404, 405, 406, 409, 418, 422, 429, 500, 501, 502, 503, 599])
def test_statuses_and_bodies_of_servers_pass_untouched(gateway: Gateway, status: int) -> None:
    body = "" if status == 204 else f'  {{"strange" : {status}}}\r\n'
    answer = ask(gateway, status=status, body=body, headers=[["Content-Type", "application/x-whatever; a=b"], ["X-Own", "é"]])
    assert answer.status == status, answer
    assert answer.body == body.encode()
    assert answer.headers["content-type"] == "application/x-whatever; a=b"
    assert answer.headers["x-own"] == "é"


@pytest.mark.parametrize(
    "header",
    [("Allow", "POST"), ("Retry-After", "7"), ("WWW-Authenticate", 'Bearer resource_metadata="x"'), ("X-Accel-Buffering", "no"),
     ("Cache-Control", "no-cache"), ("Mcp-Param-Region", "eu"), ("MCP-Protocol-Version", "2025-11-25")],
    ids=lambda header: header[0],
)  # fmt: skip
def test_headers_of_servers_pass(gateway: Gateway, header: tuple[str, str]) -> None:
    assert ask(gateway, headers=[list(header)]).headers[header[0].lower()] == header[1]


def test_headers_of_the_connection_and_cookies_of_servers_do_not_pass(gateway: Gateway) -> None:
    answer = ask(
        gateway,
        headers=[["Set-Cookie", "a=b"], ["Keep-Alive", "timeout=5"], ["Connection", "X-Hop"], ["X-Hop", "1"],
                 ["Proxy-Authenticate", "Basic"], ["Upgrade", "h2c"], ["Trailer", "X-T"]],
    )  # fmt: skip
    assert answer.status == 200
    for name in ["set-cookie", "keep-alive", "x-hop", "upgrade", "proxy-authenticate", "trailer"]:
        assert name not in answer.headers, name


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_do_not_pass(gateway: Gateway, status: int) -> None:
    answer = ask(gateway, status=status, headers=[["Location", "http://127.0.0.1:1/elsewhere"]])
    assert "location" not in answer.headers and answer.status == 502, answer


def test_what_belongs_to_the_clients_connection_does_not_reach_the_server(gateway: Gateway) -> None:
    headers = reached(
        ask(gateway, [("Cookie", "a=b"), ("TE", "trailers"), ("Keep-Alive", "x"), ("Proxy-Authorization", "Basic x"),
                      ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Upgrade", "h2c"),
                      ("MCP-Gateway-Principal", "somebody")])
    )  # fmt: skip
    for name in ["cookie", "te", "proxy-authorization", "x-hop", "upgrade", "mcp-gateway-principal"]:
        assert name not in headers, name


def test_what_is_for_the_server_reaches_it(gateway: Gateway) -> None:
    sent = {"Mcp-Param-Region": "eu", "X-Custom": "a  b", "Accept-Language": "de", "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
            "Last-Event-ID": "7_3", "User-Agent": "test/1"}  # fmt: skip
    headers = reached(ask(gateway, sent))
    for name, value in sent.items():
        assert headers[name.lower()] == [value], name
    assert headers["accept"] == ["application/json, text/event-stream"]


def test_the_server_gets_its_own_host_and_the_clients_in_forwarded(gateway: Gateway) -> None:
    headers = reached(
        ask(gateway, {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher",
                      "Forwarded": "for=6.6.6.6;host=evil.example", "X-Real-IP": "6.6.6.6"})
    )  # fmt: skip
    assert len(headers["host"]) == 1 and headers["host"][0] != f"127.0.0.1:{gateway.port}"
    everything = json.dumps(headers)
    assert "6.6.6.6" not in everything and "evil.example" not in everything and "gopher" not in everything, headers
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]


def test_the_query_is_passed_on(gateway: Gateway) -> None:
    answer = send(gateway.port, "POST", TARGET + "?a=b&c=%20%2F", rpc("tools/list"), MCP_HEADERS)
    assert answer.json["result"]["target"] == "/mcp?a=b&c=%20%2F", answer


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 16, 5 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_every_size_arrive_whole(gateway: Gateway, size: int, chunked: bool) -> None:
    body = rpc("tools/list", {"x": "y" * size})
    if not chunked:
        answer = send(gateway.port, "POST", TARGET, body, MCP_HEADERS)
    else:
        parts = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(body[at : at + 40_000]), body[at : at + 40_000]) for at in range(0, len(body), 40_000))
        headers = head("POST", TARGET, {**MCP_HEADERS, "Transfer-Encoding": "chunked", "Connection": "close"})
        answer = raw.exchange(gateway.port, headers + parts + b"0\r\nX-Trailer: 1\r\n\r\n", method="POST", seconds=30)
    assert answer.status == 200, answer
    assert answer.json["result"]["bodyBytes"] == len(body)


def test_a_client_that_waits_for_100_continue_gets_it(gateway: Gateway) -> None:
    body = rpc("tools/list")
    headers = {**MCP_HEADERS, "Expect": "100-continue", "Content-Length": str(len(body)), "Connection": "close"}
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head("POST", TARGET, headers))
        interim = connection.recv(100, socket.MSG_PEEK)
        assert interim.startswith(b"HTTP/1.1 100"), interim
        connection.recv(interim.index(b"\r\n\r\n") + 4)
        connection.sendall(body)
        assert raw.read_answer(connection, method="POST", seconds=10).status == 200


def test_chunks_are_passed_on_and_a_cut_answer_is_cut(gateway: Gateway) -> None:
    whole = ask(gateway, chunks=["data: a\n\n", ": comment\n\n", "id: 7\ndata:\n\n"], headers=[["Content-Type", "text/event-stream"]])
    assert whole.body == b"data: a\n\n: comment\n\nid: 7\ndata:\n\n", whole
    message = {"jsonrpc": "2.0", "id": 1, "method": "x", "answer": {"chunks": ["data: a\n\n"], "close": "mid-body"}}
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        body = json.dumps(message).encode()
        connection.sendall(head("POST", TARGET, {**MCP_HEADERS, "Content-Length": str(len(body))}) + body)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert b"data: a\n\n" in data
    assert not data.endswith(b"0\r\n\r\n"), "a cut answer must not look whole"


def test_a_server_that_hangs_up_without_an_answer_is_502(gateway: Gateway) -> None:
    message = {"jsonrpc": "2.0", "id": "mine", "method": "tools/call", "params": {"name": "x"}, "answer": {"close": "early"}}
    answer = send(gateway.port, "POST", TARGET, json.dumps(message).encode(), MCP_HEADERS)
    assert answer.status == 502 and answer.json["id"] == "mine" and answer.json["error"]["code"] == -32603, answer


def test_a_connection_carries_many_requests(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        for number in range(50):
            body = rpc("tools/list", id=number)
            connection.sendall(head("POST", TARGET, {**MCP_HEADERS, "Content-Length": str(len(body))}) + body)
            answer = raw.read_answer(connection, method="POST", seconds=10)
            assert answer.status == 200 and answer.json["id"] == number

# SPDX-License-Identifier: MIT
"""What the gateway counts."""

import re

from harness import raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.raw import send


def metrics(api: ControlPlane) -> dict[str, float]:
    answer = api.request("GET", "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|summary))", line), line
            continue
        series = re.fullmatch(r"([a-z_]+(?:\{.*\})?) (-?[0-9.]+)", line)
        assert series, line
        assert series[1] not in found, "each series once"
        found[series[1]] = float(series[2])
    return found


def test_requests_and_sessions_are_counted_by_adapter(own_gateway: Gateway, own_api: ControlPlane) -> None:
    own_api.deploy("counted", "mcp-example")
    target = "/adapters/counted/mcp"
    answer, session = raw.initialize(own_gateway.port, target)
    assert answer.status == 200
    for _ in range(3):
        assert send(own_gateway.port, "POST", target, b"not json", session).status in (400, 200)
    assert send(own_gateway.port, "POST", "/adapters/none/mcp", b"{}", raw.MCP_HEADERS).status == 404
    seen = metrics(own_api)
    labels = 'adapter="counted",method="POST"'
    posts = sum(seen[f'mcp_gateway_requests_total{{{labels},status="{status}"}}'] for status in ("2xx", "4xx"))
    assert posts == 5, "initialize, initialized, and three more"
    assert seen['mcp_gateway_requests_total{adapter="",method="POST",status="4xx"}'] == 1
    assert seen['mcp_gateway_sessions{adapter="counted"}'] == 1
    assert seen['mcp_gateway_sessions_opened_total{adapter="counted"}'] == 1
    assert send(own_gateway.port, "DELETE", target, headers=session).status == 200
    seen = metrics(own_api)
    assert seen['mcp_gateway_sessions{adapter="counted"}'] == 0
    assert seen['mcp_gateway_sessions_closed_total{adapter="counted"}'] == 1
    assert seen['mcp_gateway_requests_in_flight{adapter="counted"}'] == 0
    assert seen['mcp_gateway_control_requests_total{route="/metrics",method="GET",status="200"}'] >= 1
    own_api.delete("counted")
    assert not [name for name in metrics(own_api) if 'adapter="counted"' in name], "series end with their adapter"

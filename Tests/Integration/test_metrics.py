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
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|summary|histogram))", line), line
            continue
        series = re.fullmatch(r"([a-z_]+(?:\{.*\})?) (-?[0-9.]+(?:e-?[0-9]+)?)", line)
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
    took = "mcp_gateway_request_duration_seconds"
    assert seen[f'{took}_count{{adapter="counted"}}'] == seen[f'{took}_bucket{{adapter="counted",le="+Inf"}}'] == 5
    assert 0 < seen[f'{took}_sum{{adapter="counted"}}'] < 60
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


def test_what_instances_use_and_the_sessions_on_them_are_shown(own_gateway: Gateway, own_api: ControlPlane) -> None:
    own_api.deploy("shown", "mcp-example-stdio", replicaCount=2)
    target = "/adapters/shown/mcp"
    opened = [raw.initialize(own_gateway.port, target)[1] for _ in range(3)]
    send(own_gateway.port, "POST", target, raw.rpc("tools/list"), opened[1])
    answer = own_api.request("GET", "/adapters/shown/sessions")
    assert answer.status_code == 200
    sessions = answer.json()
    assert sessions["count"] == len(sessions["sessions"]) == 3
    assert {session["instance"] for session in sessions["sessions"]} == {"shown-0", "shown-1"}
    assert sorted(session["requests"] for session in sessions["sessions"]) == [1, 1, 2], "initialized, and one tools/list"
    for session in opened:
        assert session["Mcp-Session-Id"] not in answer.text
    assert own_api.request("GET", "/adapters/shown/sessions?limit=1").json()["count"] == 3
    assert len(own_api.request("GET", "/adapters/shown/sessions?limit=1").json()["sessions"]) == 1
    assert own_api.request("GET", "/adapters/shown/sessions?limit=0").status_code == 400
    assert own_api.request("GET", "/adapters/none/sessions").status_code == 404

    used = own_api.status("shown")["instances"][0]["usage"]
    assert used["processes"] >= 1 and used["residentBytes"] > 1 << 20
    seen = metrics(own_api)
    for ordinal in range(2):
        labels = f'{{adapter="shown",instance="{ordinal}"}}'
        assert seen[f"mcp_gateway_instance_resident_bytes{labels}"] > 1 << 20
        assert seen[f"mcp_gateway_instance_processes{labels}"] >= 1
        assert seen[f"mcp_gateway_instance_cpu_seconds{labels}"] >= 0
    own_api.delete("shown")

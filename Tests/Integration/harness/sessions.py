# SPDX-License-Identifier: MIT
"""Sessions with `servers/podserver.py` that hold no connection, so that any gateway can be asked, and any answer seen."""

from harness import raw
from harness.gateway import Gateway


class Session:
    """A session without a connection of its own."""

    def __init__(self, gateway: Gateway, adapter: str) -> None:
        self.target = f"/adapters/{adapter}/mcp"
        answer, self.headers = raw.initialize(gateway.port, self.target)
        assert answer.status == 200, answer
        self.pod = self.call(gateway, "where")

    def post(self, gateway: Gateway, tool: str, seconds: float = 15, **arguments: object) -> raw.Answer:
        body = raw.rpc("tools/call", {"name": tool, "arguments": arguments})
        return raw.send(gateway.port, "POST", self.target, body, self.headers, seconds=seconds)

    def call(self, gateway: Gateway, tool: str, **arguments: object) -> str:
        answer = self.post(gateway, tool, **arguments)
        assert answer.status == 200, answer
        return raw.message(answer)["result"]["content"][0]["text"]

    def is_lost(self, gateway: Gateway) -> bool:
        """Whether the client is told, in the words of the protocol, that it has to begin anew."""
        answer = self.post(gateway, "where")
        if answer.status != 404:
            assert answer.status in (200, 502, 503, 504), answer
            return False
        error = raw.message(answer)
        assert (error["error"]["code"], error["id"]) == (-32001, 1), error
        return True


def session_on(gateway: Gateway, adapter: str, pod: str) -> Session:
    for _ in range(20):
        if (session := Session(gateway, adapter)).pod == pod:
            return session
    raise AssertionError(f"no session was placed on {pod}")

# SPDX-License-Identifier: MIT
"""The control plane as a client sees it; every answer is checked against the OpenAPI document."""

from typing import Any

import requests

from harness.contract import Contract
from harness.gateway import Gateway
from harness.waiting import until


class ControlPlane:
    """Requests to the control plane of one gateway."""

    def __init__(self, gateway: Gateway, headers: dict[str, str] | None = None) -> None:
        self.gateway = gateway
        # What every request has.
        self.headers = headers or {}
        self._contract: Contract | None = None

    @property
    def contract(self) -> Contract:
        if self._contract is None:
            self._contract = Contract.of(self.gateway.url)
        return self._contract

    def request(self, method: str, path: str, *, seconds: float = 15, **options: Any) -> requests.Response:
        headers = self.headers | options.pop("headers", {})
        answer = requests.request(method, f"{self.gateway.url}{path}", timeout=seconds, headers=headers, **options)
        body = b"" if method == "HEAD" else answer.content
        self.contract.check(method, path.split("?")[0], answer.status_code, dict(answer.headers), body)
        assert answer.status_code < 500, f"{method} {path} → {answer.status_code}: {answer.text}"
        return answer

    def create(self, name: str, image: str, version: str = "1.0.0", **fields: Any) -> dict[str, Any]:
        body = {"name": name, "imageName": image, "imageVersion": version} | fields
        answer = self.request("POST", "/adapters", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def deploy(self, name: str, image: str, version: str = "1.0.0", **fields: Any) -> dict[str, Any]:
        """Creates an adapter and waits until all its instances are ready."""
        created = self.create(name, image, version, **fields)
        self.wait_until_ready(name, created["replicaCount"])
        return created

    def names(self) -> set[str]:
        """The adapters that there are."""
        return {adapter["name"] for adapter in self.request("GET", "/adapters?limit=1000").json()}

    def delete(self, name: str) -> None:
        answer = self.request("DELETE", f"/adapters/{name}")
        assert answer.status_code == 204, answer.text

    def status(self, name: str) -> dict[str, Any]:
        answer = self.request("GET", f"/adapters/{name}/status")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_until_ready(self, name: str, replicas: int = 1, seconds: float = 60) -> dict[str, Any]:
        def ready() -> dict[str, Any] | None:
            self.last = self.status(name)
            # One that is parked soon may have been ready between two looks only.
            phases = [instance["phase"] for instance in self.last["instances"]]
            if phases.count("ready") + phases.count("parked") == replicas and self.last["replicaStatus"] == "Healthy":
                return self.last
            return None

        try:
            return until(ready, f"{name} is ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.last}; log:\n{self.gateway.log[-3000:]}") from None

# SPDX-License-Identifier: MIT
"""Adapters for servers at https addresses: a real server behind TLS, and servers that can't prove who they are."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from harness import processes
from harness.api import ControlPlane
from harness.clients import call, legacy_client, modern_client
from harness.gateway import Gateway
from harness.places import SAMPLES_PYTHON
from harness.waiting import until
from test_remote import free_port

pytestmark = pytest.mark.anyio

SERVER = """
import sys
from fastmcp import FastMCP
server = FastMCP("away")

@server.tool
def who() -> str:
    return "the one behind TLS"

server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False,
           uvicorn_config={"ssl_certfile": sys.argv[2], "ssl_keyfile": sys.argv[3]})
"""


@contextmanager
def server(folder: Path, authority: trustme.CA, *names: str) -> Iterator[int]:
    """A fastmcp server whose certificate is for `names`; gives its port."""
    leaf = authority.issue_cert(*names)
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    port = free_port()
    process = subprocess.Popen(
        [str(SAMPLES_PYTHON), "-c", SERVER, str(port), str(certificate), str(key)], stderr=subprocess.DEVNULL
    )
    processes.started_here(process.pid)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    with Gateway(folder, flags=["--set", f"tls.authoritiesFile={folder / 'authority.pem'}"]) as gateway:
        yield gateway


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_that_proves_who_it_is_is_served(
    gateway: Gateway, api: ControlPlane, authority: trustme.CA, tmp_path: Path, host: str
) -> None:
    with server(tmp_path, authority, host) as port:
        answer = api.request("POST", "/adapters", json={"name": "far", "url": f"https://{host}:{port}/mcp"})
        assert answer.status_code == 201, answer.text
        api.wait_until_ready("far")
        for client_of in (legacy_client, modern_client):
            async with client_of(gateway.mcp("far")) as client:
                assert await call(client, "who") == "the one behind TLS"
        api.delete("far")


def test_a_server_with_a_certificate_for_another_name_is_not_asked(
    api: ControlPlane, authority: trustme.CA, tmp_path: Path
) -> None:
    with server(tmp_path, authority, "other.example") as port:
        assert api.request("POST", "/adapters", json={"name": "else", "url": f"https://localhost:{port}/mcp"}).status_code == 201
        until(lambda: "localhost does not prove who it is" in str(api.status("else")["instances"]), "the status says it")
        api.delete("else")


def test_a_server_whose_authority_nobody_trusts_is_not_asked(api: ControlPlane, tmp_path: Path) -> None:
    with server(tmp_path, trustme.CA(), "localhost") as port:
        assert api.request("POST", "/adapters", json={"name": "else", "url": f"https://localhost:{port}/mcp"}).status_code == 201
        until(lambda: "localhost does not prove who it is" in str(api.status("else")["instances"]), "the status says it")
        api.delete("else")


def test_a_server_that_speaks_no_tls_is_not_asked(api: ControlPlane, gateway: Gateway) -> None:
    # The gateway itself is a server that speaks plain HTTP.
    assert api.request("POST", "/adapters", json={"name": "else", "url": f"https://localhost:{gateway.port}/mcp"}).status_code == 201
    until(lambda: "localhost does not prove who it is" in str(api.status("else")["instances"]), "the status says it")
    api.delete("else")

# SPDX-License-Identifier: MIT
"""HTTPS: the real client over TLS, certificates that are renewed under it, and what is refused."""

import json
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trustme

from harness.clients import call, client_over
from harness.gateway import Gateway
from harness.waiting import until

pytestmark = pytest.mark.anyio


class Authority:
    """A certificate authority, and the files that the gateway serves with."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = trustme.CA()
        self.root = folder / "root.pem"
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.authority.cert_pem.write_to_path(str(self.root))
        self.renew()

    def renew(self) -> bytes:
        """Replaces both files, one after the other as tools do; returns the new certificate in DER form."""
        leaf = self.authority.issue_cert("127.0.0.1", "localhost")
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        for path, text in [(self.certificate, chain), (self.key, leaf.private_key_pem.bytes())]:
            draft = path.with_suffix(".new")
            draft.write_bytes(text)
            draft.rename(path)
        return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())

    @property
    def flags(self) -> list[str]:
        return ["--set", f"tls.certificateFile={self.certificate}", "--set", f"tls.keyFile={self.key}"]

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.root))

    def shown_by(self, port: int) -> bytes:
        """The certificate that a new connection sees."""
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            with self.context().wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                shown = connection.getpeercert(binary_form=True)
                assert shown
                return shown


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), flags=authority.flags) as gateway:
        yield gateway


def ask(authority: Authority, gateway: Gateway, method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """One request over TLS, and all of its answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as plain:
        with authority.context().wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nConnection: close\r\n{headers}"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer


def deploy(authority: Authority, gateway: Gateway, image: str) -> None:
    body = json.dumps({"name": image, "imageName": image, "imageVersion": "1.0.0"}).encode()
    answer = ask(authority, gateway, "POST", "/adapters", body, "Content-Type: application/json\r\n")
    assert answer.startswith(b"HTTP/1.1 201"), answer


def test_its_url_says_https(gateway: Gateway, authority: Authority) -> None:
    assert gateway.url == f"https://127.0.0.1:{gateway.port}"
    assert ask(authority, gateway, "GET", "/healthz").startswith(b"HTTP/1.1 200")


async def test_the_real_client_works_while_the_certificate_is_renewed(gateway: Gateway, authority: Authority) -> None:
    deploy(authority, gateway, "mcp-example")
    async with httpx2.AsyncClient(verify=authority.context(), timeout=30) as http_client:
        async with client_over(gateway.mcp("mcp-example"), http_client, "legacy") as client:
            assert await call(client, "count") == 1
            renewed = authority.renew()
            until(lambda: authority.shown_by(gateway.port) == renewed, "new connections see the new certificate", 30)
            assert await call(client, "count") == 2


def test_the_server_is_told_that_the_client_came_over_https(gateway: Gateway, authority: Authority) -> None:
    deploy(authority, gateway, "mirror")
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    answer = ask(
        authority, gateway, "POST", "/adapters/mirror/mcp", body,
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n",
    )  # fmt: skip
    headers = {name.lower(): value for name, value in json.loads(answer.partition(b"\r\n\r\n")[2])["result"]["headers"]}
    assert headers["x-forwarded-proto"] == "https"
    assert ";proto=https" in headers["forwarded"]


def test_a_half_renewed_certificate_is_not_taken_up(gateway: Gateway, authority: Authority) -> None:
    before = authority.shown_by(gateway.port)
    whole = authority.key.read_bytes()
    authority.key.write_bytes(whole[: len(whole) // 2])
    until(lambda: "the last good one stays" in gateway.log, "the gateway says so", 30)
    assert authority.shown_by(gateway.port) == before
    authority.key.write_bytes(whole)


def test_only_tls_1_2_and_newer_are_spoken(gateway: Gateway, authority: Authority) -> None:
    old = authority.context()
    warnings.simplefilter("ignore", DeprecationWarning)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as plain, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.parametrize("ciphers, is_taken", [
    ("ECDHE+AESGCM", True), ("ECDHE+CHACHA20", True), ("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA", False), ("AES128-GCM-SHA256", False),
])
def test_ciphers_of_tls_1_2_are_those_that_http_2_takes(gateway: Gateway, authority: Authority, ciphers: str, is_taken: bool) -> None:
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as plain:
        if not is_taken:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(plain, server_hostname="127.0.0.1")
            return
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            assert connection.version() == "TLSv1.2" and connection.selected_alpn_protocol() == "h2"


def test_a_client_that_speaks_plain_http_is_let_go(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            while plain.recv(4096):
                pass
        except ConnectionResetError:
            pass


def test_files_that_do_not_fit_keep_it_from_starting(tmp_path: Path) -> None:
    one, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    cases = [
        ([one.certificate, other.key], "is not that of the first certificate"),
        ([one.key, one.key], "no certificate"),
        ([one.certificate, one.certificate], "no private key"),
        ([tmp_path / "absent", one.key], "no certificate"),
    ]
    for (certificate, key), message in cases:
        result = subprocess.run(
            [*Gateway(tmp_path).command, "--set", f"tls.certificateFile={certificate}", "--set", f"tls.keyFile={key}"],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert result.returncode == 78, result
        assert message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert one.key.read_text().splitlines()[1] not in result.stderr
    result = subprocess.run(
        [*Gateway(tmp_path).command, "--set", f"tls.keyFile={one.key}"], capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 78 and "tls.certificateFile is missing" in result.stderr

# SPDX-License-Identifier: MIT
"""Signing in with tokens: lines 15, 16 and 50 to 53 of the checklist, with the SDK's client and a real issuer."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx2
import jwt
import pytest
import requests
import trustme
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, client_over
from harness.gateway import Gateway
from harness.issuer import Issuer, Key
from harness.waiting import until

SCOPES = ("mcp.use", "mcp.more")
WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass
class Guarded:
    """A gateway that wants tokens, and who issues them."""

    gateway: Gateway
    issuer: Issuer

    @property
    def url(self) -> str:
        return self.gateway.url

    def token(self, adapter: str | None = None, **claims: Any) -> str:
        """A token for an adapter, or for the gateway as a whole."""
        return self.issuer.token(self.gateway.mcp(adapter) if adapter else self.url, **claims)

    def api(self, *roles: str, user: str = "root") -> ControlPlane:
        token = self.token(sub=user, roles=list(roles))
        return ControlPlane(self.gateway, headers={"Authorization": f"Bearer {token}"})


def guarded_gateway(directory: Any, issuer: Issuer, *flags: str) -> Gateway:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = str(reserved.getsockname()[1])
    return Gateway(
        directory,
        flags=[
            "--port", port, "--set", f"oidc.issuer={issuer.url}", "--set", f"oidc.scopes={','.join(SCOPES)}",
            "--set", "oidc.deployRoles=mcp.engineer", "--log-level", "trace", *flags,
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Issuer(SCOPES) as issuer, guarded_gateway(tmp_path_factory.mktemp("guarded"), issuer) as gateway:
        found = Guarded(gateway, issuer)
        api = found.api("mcp.admin")
        for name, image in (("example", "mcp-example"), ("old", "mcp-example-sse"), ("mirror", "mirror"), ("other", "mirror")):
            api.deploy(name, image)
        yield found


@pytest.fixture(autouse=True)
def no_token_in_the_log(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "guarded" in request.fixturenames:
        # Every token begins so: `{"alg` in base 64, or another member first.
        assert "eyJ" not in request.getfixturevalue("guarded").gateway.log


class Memory:
    """What the SDK's client keeps between its runs."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def sign_in(url: str, memory: Memory) -> OAuthClientProvider:
    """The SDK's whole flow: metadata, registration, consent, code and token. The browser is one that follows at once."""
    came_back: list[str] = []

    async def open_browser(address: str) -> None:
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(address)
        assert answer.status_code == 302, answer.text
        came_back.append(answer.headers["location"])

    async def wait_for_browser() -> AuthorizationCodeResult:
        query = parse_qs(urlparse(came_back[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    return OAuthClientProvider(
        url,
        OAuthClientMetadata(client_name="test", redirect_uris=[AnyUrl("http://127.0.0.1:1/back")], grant_types=["authorization_code"]),
        memory,
        redirect_handler=open_browser,
        callback_handler=wait_for_browser,
    )


def initialize(guarded: Guarded, adapter: str, token: str | None, session: str | None = None) -> raw.Answer:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    parameters = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    if session:
        parameters["session"] = session
    return raw.send(guarded.gateway.port, "POST", f"/adapters/{adapter}/mcp", raw.rpc("initialize", parameters), headers)


def parameters(challenge: str) -> dict[str, str]:
    """The parameters of a challenge of the scheme Bearer."""
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in rest.split(", "))}


# The SDK's client


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_checklist_50_51_the_sdks_client_finds_the_issuer_by_itself_and_gets_in(guarded: Guarded, mode: str) -> None:
    url = guarded.gateway.mcp("example")
    memory = Memory()
    async with httpx2.AsyncClient(auth=sign_in(url, memory), timeout=20) as http:
        async with client_over(url, http, mode) as client:
            assert await call(client, "add", a=2, b=3) == 5
    assert memory.tokens
    claims = jwt.decode(memory.tokens.access_token, options={"verify_signature": False})
    assert claims["aud"] == url
    assert set(claims["scope"].split()) == set(SCOPES), "the client asked for the scopes that the challenge named"


@pytest.mark.anyio
async def test_checklist_50_51_the_sdks_client_of_http_sse_gets_in(guarded: Guarded) -> None:
    url = guarded.gateway.sse("old")
    async with Client(sse_client(url, auth=sign_in(url, Memory())), mode="legacy") as client:
        assert await call(client, "add", a=2, b=3) == 5


# What is said to those who come without


@pytest.mark.parametrize("path", ["/adapters/example/mcp", "/adapters/old/sse", "/adapters/nobody-knows/mcp"])
def test_checklist_50_each_route_has_metadata_of_its_own_for_its_public_url(guarded: Guarded, path: str) -> None:
    answer = guarded.api().request("GET", WELL_KNOWN + path, headers={"Authorization": ""})
    assert answer.json() == {
        "resource": guarded.url + path,
        "authorization_servers": [guarded.issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(SCOPES),
    }


def test_checklist_50_the_root_has_the_metadata_of_the_whole_gateway(guarded: Guarded) -> None:
    assert guarded.api().request("GET", WELL_KNOWN).json()["resource"] == guarded.url


@pytest.mark.parametrize("path", ["/adapters/Not%20a%20name/mcp", "/adapters/example/messages", "/adapters/example"])
def test_there_is_no_metadata_of_what_is_no_resource(guarded: Guarded, path: str) -> None:
    assert requests.get(guarded.url + WELL_KNOWN + path, timeout=10).status_code == 404


def test_a_gateway_without_sign_in_has_no_metadata(own_gateway: Gateway, own_api: ControlPlane) -> None:
    assert own_api.request("GET", WELL_KNOWN).json()["code"] == "routeNotFound"
    assert own_api.request("GET", f"{WELL_KNOWN}/adapters/example/mcp").status_code == 404


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("path", ["/adapters/example/mcp", "/adapters/old/sse", "/adapters/nobody-knows/mcp"])
def test_checklist_51_without_a_token_the_answer_says_where_to_get_one(guarded: Guarded, method: str, path: str) -> None:
    answer = raw.send(guarded.gateway.port, method, path, raw.rpc("ping", id="x") if method == "POST" else None)
    assert answer.status == 401
    assert parameters(answer.headers["www-authenticate"]) == {
        "resource_metadata": f"{guarded.url}{WELL_KNOWN}{path}",
        "scope": " ".join(SCOPES),
    }
    error = json.loads(answer.body)
    assert "error" in error and error["id"] == ("x" if method == "POST" else None)


def test_checklist_51_a_token_that_lacks_a_scope_is_403_with_all_scopes_that_are_needed(guarded: Guarded) -> None:
    answer = initialize(guarded, "example", guarded.token("example", scope=SCOPES[0]))
    assert answer.status == 403
    challenge = parameters(answer.headers["www-authenticate"])
    assert challenge["error"] == "insufficient_scope"
    assert challenge["scope"] == " ".join(SCOPES)
    assert challenge["resource_metadata"] == f"{guarded.url}{WELL_KNOWN}/adapters/example/mcp"


# Which tokens are good


def unsigned(token: str) -> str:
    """The same claims, signed by nobody."""
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), None, algorithm="none")


def with_public_key_as_secret(guarded: Guarded) -> str:
    """The attack on readers that let the token choose how it is checked: the key that everybody has is the secret."""
    document = json.dumps(guarded.issuer.keys[-1].document).encode()
    claims = jwt.decode(guarded.token("example"), options={"verify_signature": False})
    return jwt.encode(claims, base64.b64encode(document), algorithm="HS256", headers={"kid": guarded.issuer.keys[-1].id})


NOW = int(time.time())
BAD: dict[str, Any] = {
    "of another adapter": lambda g: g.token("other"),
    "of another gateway": lambda g: g.issuer.token("https://elsewhere.example/adapters/example/mcp"),
    "whose audience only begins like this one": lambda g: g.issuer.token(g.gateway.mcp("example") + "2"),
    "without an audience": lambda g: g.issuer.token(None),
    "of another issuer": lambda g: g.token("example", iss="https://elsewhere.example/"),
    "without an issuer": lambda g: g.token("example", iss=None),
    "that has expired": lambda g: g.token("example", exp=NOW - 3600),
    "without an end": lambda g: g.token("example", exp=None),
    "whose end is no number": lambda g: g.token("example", exp=None, **{"exp ": "x"}),
    "that is not good yet": lambda g: g.token("example", nbf=NOW + 3600),
    "without a subject": lambda g: g.token("example", sub=None),
    "signed with another key of the same name": lambda g: g.token("example", key=Key(), header={"kid": g.issuer.keys[-1].id}),
    "signed with a key that is nobody's": lambda g: g.token("example", key=Key()),
    "signed by nobody": lambda g: unsigned(g.token("example")),
    "signed with the public key as a secret": with_public_key_as_secret,
    "cut in its signature": lambda g: g.token("example")[:-8],
    "changed in its claims": lambda g: g.token("example").replace(".", ".e", 1),
    "for the end of a session": lambda g: g.token("example", header={"typ": "logout+jwt"}),
    "with an extension that must be understood": lambda g: g.token("example", header={"crit": ["x"], "x": 1}),
    "that is none": lambda g: "opaque",
    "of a million dots": lambda g: "." * 20_000,
    "that is empty": lambda g: "",
}


@pytest.mark.parametrize("kind", BAD)
def test_checklist_52_no_token_gets_in(guarded: Guarded, kind: str) -> None:
    token = BAD[kind](guarded)
    answer = initialize(guarded, "example", token)
    assert answer.status == 401, answer
    challenge = parameters(answer.headers["www-authenticate"])
    assert challenge["resource_metadata"] == f"{guarded.url}{WELL_KNOWN}/adapters/example/mcp"
    if token:
        assert challenge["error"] == "invalid_token" and challenge["error_description"]
        assert token not in answer.headers["www-authenticate"] + answer.body.decode()


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_checklist_52_a_good_token_gets_in_whatever_it_is_signed_with(guarded: Guarded, algorithm: str) -> None:
    with Issuer(SCOPES) as issuer:
        issuer.keys = [Key(algorithm)]
        with guarded_gateway(guarded.gateway.directory / algorithm, issuer) as gateway:
            assert Guarded(gateway, issuer).api("mcp.admin").request("GET", "/adapters").json() == []


@pytest.mark.parametrize(
    "audience",
    ["{url}/adapters/example/mcp", "{url}/adapters/example/sse", "{url}", "{url}/", ["https://elsewhere.example", "{url}"]],
    ids=str,
)
def test_checklist_52_a_token_for_the_adapter_or_the_whole_gateway_gets_in(guarded: Guarded, audience: Any) -> None:
    filled = json.loads(json.dumps(audience).replace("{url}", guarded.url))
    assert initialize(guarded, "example", guarded.issuer.token(filled)).status == 200


def test_checklist_52_a_token_in_the_query_is_none(guarded: Guarded) -> None:
    token = guarded.token("example")
    answer = raw.send(guarded.gateway.port, "POST", f"/adapters/example/mcp?access_token={token}", raw.rpc("ping"))
    assert answer.status == 401


def test_checklist_52_a_token_of_one_adapter_is_no_token_of_the_api(guarded: Guarded) -> None:
    api = ControlPlane(guarded.gateway, headers={"Authorization": f"Bearer {guarded.token('example', roles=['mcp.admin'])}"})
    for path in ("/adapters", "/adapters/example", "/adapters/example/status", "/adapters/example/logs", "/metrics"):
        answer = api.request("GET", path)
        assert answer.status_code == 401, path
        assert parameters(answer.headers["WWW-Authenticate"])["resource_metadata"] == guarded.url + WELL_KNOWN


def test_a_token_that_ends_lets_nobody_in_any_more_on_the_same_connection(guarded: Guarded) -> None:
    # Ends when the difference is over that clocks may have.
    token = guarded.token("example", exp=int(time.time()) - 60 + 3)
    body = raw.rpc("ping", id="x")
    request = raw.head(
        "POST", "/adapters/example/mcp",
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Content-Length": str(len(body))},
        host=f"127.0.0.1:{guarded.gateway.port}",
    ) + body  # fmt: skip
    with socket.create_connection(("127.0.0.1", guarded.gateway.port)) as connection:

        def status() -> int:
            connection.sendall(request)
            return raw.read_answer(connection, method="POST", seconds=10).status

        assert status() != 401
        until(lambda: status() == 401, "the token has ended", seconds=15)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", WELL_KNOWN])
def test_what_probes_and_clients_need_first_is_open(guarded: Guarded, path: str) -> None:
    assert requests.get(guarded.url + path, timeout=10).status_code == 200


# Who may do what


def test_checklist_15_the_session_of_somebody_else_looks_like_none(guarded: Guarded) -> None:
    began = initialize(guarded, "mirror", guarded.token("mirror", sub="ada"), session="s-1")
    session = began.headers["mcp-session-id"]

    def ping(user: str, method: str = "POST", session: str = session) -> raw.Answer:
        headers = {"Authorization": f"Bearer {guarded.token('mirror', sub=user)}", "Mcp-Session-Id": session}
        headers["MCP-Protocol-Version"] = "2025-11-25"
        body = raw.rpc("ping") if method == "POST" else None
        return raw.send(guarded.gateway.port, method, "/adapters/mirror/mcp", body, headers)

    for method in ("POST", "GET", "DELETE"):
        foreign, unknown = ping("eve", method), ping("eve", method, session=session[:-4] + "AAAA")
        assert (foreign.status, foreign.body) == (404, unknown.body), method
    assert ping("ada").status == 200


def test_checklist_16_a_session_id_alone_lets_nobody_in(guarded: Guarded) -> None:
    session = initialize(guarded, "mirror", guarded.token("mirror"), session="s-2").headers["mcp-session-id"]
    for method in ("POST", "GET", "DELETE"):
        body = raw.rpc("ping") if method == "POST" else None
        answer = raw.send(guarded.gateway.port, method, "/adapters/mirror/mcp", body, {"Mcp-Session-Id": session})
        assert answer.status == 401, method


def test_checklist_53_the_token_does_not_reach_the_server(guarded: Guarded) -> None:
    token = guarded.token("mirror")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-Own": "kept"}
    answer = raw.send(guarded.gateway.port, "POST", "/adapters/mirror/mcp", raw.rpc("ping"), headers)
    assert answer.status == 200
    seen = {name.lower() for name, _ in json.loads(answer.body)["result"]["headers"]}
    assert "x-own" in seen and "authorization" not in seen
    assert token.encode() not in answer.body


def test_adapters_are_for_those_with_the_roles_that_they_require(guarded: Guarded) -> None:
    guarded.api("mcp.admin").deploy("closed", "mirror", requiredRoles=["readers"])
    try:
        assert initialize(guarded, "closed", guarded.token("closed", roles=["readers"])).status == 200
        refused = initialize(guarded, "closed", guarded.token("closed", roles=["writers"]))
        assert refused.status == 403 and "www-authenticate" not in refused.headers, "no other token of theirs would do"
    finally:
        guarded.api("mcp.admin").delete("closed")


def test_who_may_deploy_is_told_by_a_role(guarded: Guarded) -> None:
    body = {"name": "theirs", "imageName": "mirror", "imageVersion": "1.0.0"}
    refused = guarded.api("readers").request("POST", "/adapters", json=body)
    assert refused.status_code == 403 and "mcp.engineer" in refused.json()["detail"]
    engineer = guarded.api("mcp.engineer", user="ada")
    assert engineer.request("POST", "/adapters", json=body).status_code == 201
    adapter = engineer.request("GET", "/adapters/theirs").json()
    assert adapter["createdBy"] == f"{guarded.issuer.url}#ada"
    other = guarded.api("mcp.engineer", user="eve")
    assert other.request("PUT", "/adapters/theirs", json=body | {"replicaCount": 0}).status_code == 403
    assert other.request("DELETE", "/adapters/theirs").status_code == 403
    # Who has lost the role may still put away what is theirs, and not change what runs.
    former = guarded.api(user="ada")
    assert former.request("PUT", "/adapters/theirs", json=body | {"replicaCount": 0}).status_code == 403
    former.delete("theirs")


# Keys


def test_a_new_key_of_the_issuer_is_good_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Issuer(SCOPES) as issuer, guarded_gateway(tmp_path_factory.mktemp("rotation"), issuer) as gateway:
        guarded = Guarded(gateway, issuer)
        guarded.api("mcp.admin").deploy("mirror", "mirror")
        old = guarded.token("mirror")
        issuer.rotate()
        # Until some time after the last fetch, for the sake of the issuer, a new key may as well be a made-up one.
        until(lambda: initialize(guarded, "mirror", guarded.token("mirror")).status == 200, "the new key is known")
        issuer.rotate("ES256")
        issuer.hold = threading.Event()
        fetches = issuer.fetches

        # More than is kept of a body: the client is made to wait.
        body = raw.rpc("ping", {"filler": "x" * 3_000_000}, id="late")
        answers: list[raw.Answer] = []

        def ask() -> None:
            headers = {"Authorization": f"Bearer {guarded.token('mirror')}", "Content-Type": "application/json"}
            answers.append(raw.send(gateway.port, "POST", "/adapters/mirror/mcp", body, headers))

        # Those that come too early are refused at once; the first that is not waits.
        while issuer.fetches == fetches:
            answers.clear()
            waiting = threading.Thread(target=ask)
            waiting.start()
            until(lambda: issuer.fetches > fetches or not waiting.is_alive(), "refused, or keys are asked for")
        assert waiting.is_alive() and initialize(guarded, "mirror", old).status == 200, "known keys go on to be good"
        issuer.hold.set()
        waiting.join(15)
        assert answers[0].status == 200 and json.loads(answers[0].body)["result"]["bodyBytes"] == len(body)
        assert initialize(guarded, "mirror", old).status == 200


def test_made_up_keys_do_not_make_the_gateway_a_nuisance_to_the_issuer(guarded: Guarded) -> None:
    stranger = Key()
    before, began = guarded.issuer.fetches, time.monotonic()
    for _ in range(50):
        stranger.id += "x"
        assert initialize(guarded, "example", guarded.token("example", key=stranger)).status == 401
    assert guarded.issuer.fetches - before <= 1 + (time.monotonic() - began) / 5


def test_requests_wait_for_the_first_keys_with_their_bodies(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Issuer(SCOPES) as issuer:
        issuer.hold = threading.Event()
        with guarded_gateway(tmp_path_factory.mktemp("slow"), issuer) as gateway:
            guarded = Guarded(gateway, issuer)
            until(lambda: issuer.fetches == 1, "keys are asked for")
            body = raw.rpc("ping", {"filler": "x" * 30_000}, id="late")
            headers = {"Authorization": f"Bearer {guarded.token('none-yet')}", "Content-Type": "application/json"}
            with (
                socket.create_connection(("127.0.0.1", gateway.port)) as waiting,
                socket.create_connection(("127.0.0.1", gateway.port)) as gone,
            ):
                request = raw.head("POST", "/adapters/none-yet/mcp", headers | {"Content-Length": str(len(body))})
                gone.sendall(request + body[:1000])
                gone.close()
                waiting.sendall(request + body[:10_000])
                answers: list[httpx2.Response] = []

                def ask_over_http2() -> None:
                    with httpx2.Client(http1=False, http2=True, timeout=20) as client:
                        answers.append(client.post(gateway.mcp("none-yet"), content=body, headers=headers))

                over_http2 = threading.Thread(target=ask_over_http2)
                over_http2.start()
                # The gateway is alive meanwhile, and tells others what it can.
                for _ in range(10):
                    assert initialize(guarded, "none-yet", "opaque").status == 401
                assert not answers
                issuer.hold.set()
                waiting.sendall(body[10_000:])
                answer = raw.read_answer(waiting, method="POST", seconds=15)
            over_http2.join(20)
            for status, content in ((answer.status, answer.body), (answers[0].status_code, answers[0].content)):
                assert status == 404 and json.loads(content)["id"] == "late"
            api = guarded.api("mcp.admin")
            api.deploy("mirror", "mirror")
            assert initialize(guarded, "mirror", guarded.token("mirror")).status == 200


def test_an_issuer_that_is_away_is_a_503_until_it_is_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Issuer(SCOPES) as issuer:
        issuer.stop()
        with guarded_gateway(tmp_path_factory.mktemp("away"), issuer) as gateway:
            guarded = Guarded(gateway, issuer)
            answer = initialize(guarded, "example", guarded.token("example"))
            assert answer.status == 503 and answer.headers["retry-after"], answer
            api = requests.get(f"{gateway.url}/adapters", headers={"Authorization": f"Bearer {guarded.token()}"}, timeout=20)
            assert api.status_code == 503 and api.headers["Retry-After"]
            assert initialize(guarded, "example", None).status == 401, "who has no token is told so at once"
            assert "can't be fetched" in gateway.log and issuer.url.rstrip("/") in gateway.log
            issuer.start()
            until(lambda: initialize(guarded, "example", guarded.token("example")).status == 404, "it is back", seconds=40)


def test_an_issuer_with_a_certificate_of_ones_own_authority_is_trusted_where_that_is_set(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "issuer.pem"))
    with Issuer(SCOPES, certificate=tmp_path / "issuer.pem") as issuer:
        trust = ["--set", f"tls.authoritiesFile={tmp_path / 'authority.pem'}"]
        for name, flags, status in (("trusts", trust, 200), ("does-not", [], 503)):
            with guarded_gateway(tmp_path / name, issuer, *flags) as gateway:
                token = Guarded(gateway, issuer).token()
                answer = requests.get(f"{gateway.url}/adapters", headers={"Authorization": f"Bearer {token}"}, timeout=20)
                assert answer.status_code == status, f"{answer.text}; {gateway.log}"
                assert ("untrusted" in gateway.log) == (status == 503)


# Settings


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["oidc.issuer=http://issuer.example"], "oidc.issuer"),
        (["oidc.issuer=issuer.example"], "oidc.issuer"),
        (["oidc.issuer=https://issuer.example/?x"], "oidc.issuer"),
        (["oidc.issuer=https://issuer.example", "listen.publicUrl=http://gateway.example"], "listen.publicUrl"),
        (["oidc.issuer=https://issuer.example", "listen.publicUrl=https://gateway.example/path"], "listen.publicUrl"),
        (["oidc.issuer=https://issuer.example", "listen.host=0.0.0.0"], "listen.publicUrl"),
        (["oidc.issuer=https://issuer.example", 'oidc.scopes=a"b'], "oidc.scopes"),
        (["oidc.issuer=https://issuer.example", "oidc.rolesClaim=a..b"], "oidc.rolesClaim"),
    ],
    ids=str,
)
def test_settings_that_protect_nothing_are_refused(tmp_path_factory: pytest.TempPathFactory, settings: list[str], key: str) -> None:
    flags = [word for setting in settings for word in ("--set", setting)]
    gateway = Gateway(tmp_path_factory.mktemp("wrong"), flags=["--port", "8000", *flags])
    with pytest.raises(AssertionError) as failure:
        gateway.start()
    assert key in str(failure.value) and "exit code" in str(failure.value)
    assert gateway.wait() != 0

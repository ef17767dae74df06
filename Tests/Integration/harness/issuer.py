# SPDX-License-Identifier: MIT
"""An authorization server: registration, consent, codes and PKCE by the official SDK's handlers; tokens that PyJWT signs.

What the SDK leaves to whoever runs it is here: who the user is, and the tokens, which are JSON Web Tokens (RFC 9068).
"""

import asyncio
import json
import secrets
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "P-256", "EdDSA": "Ed25519"}


class Key:
    """A key that tokens are signed with."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self.id = secrets.token_hex(8)
        self.algorithm = algorithm
        match ALGORITHMS[algorithm]:
            case "RSA":
                self.private: Any = rsa.generate_private_key(65537, 2048)
            case "P-256":
                self.private = ec.generate_private_key(ec.SECP256R1())
            case _:
                self.private = ed25519.Ed25519PrivateKey.generate()

    @property
    def document(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public = json.loads(algorithm.to_jwk(self.private.public_key()))
        return public | {"kid": self.id, "use": "sig", "alg": self.algorithm}


class Issuer(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """`with Issuer() as issuer:` serves on a port of 127.0.0.1 that stays the same however often it stops and starts.

    With `certificate`, a PEM file with its key, it serves HTTPS.
    """

    def __init__(self, scopes: tuple[str, ...] = (), certificate: Path | None = None) -> None:
        self._certificate = certificate
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}/"
        self.scopes = scopes
        self.keys = [Key()]
        # Who signs in, and with which roles.
        self.user = "ada"
        self.roles: list[str] = []
        self.fetches = 0
        # While it is set, keys are held back.
        self.hold: threading.Event | None = None
        self._clients: dict[str, OAuthClientInformationFull] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # What tests ask for

    def token(self, audience: str | list[str] | None, *, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of `user`; a claim that is None is left out."""
        key = key or self.keys[-1]
        now = int(time.time())
        content = {
            "iss": self.url, "sub": self.user, "aud": audience, "iat": now, "exp": now + 600,
            "roles": self.roles, "scope": " ".join(self.scopes),
        } | claims  # fmt: skip
        return jwt.encode(
            {name: value for name, value in content.items() if value is not None},
            key.private, algorithm=key.algorithm, headers={"kid": key.id, "typ": "at+jwt"} | (header or {}),
        )  # fmt: skip

    def rotate(self, algorithm: str = "RS256") -> None:
        """From now on tokens are signed with a key that was never seen before; the old ones stay good."""
        self.keys.append(Key(algorithm))

    def start(self) -> None:
        application = Starlette(
            routes=[
                Route("/keys", self._show_keys),
                *create_auth_routes(
                    self,
                    AnyHttpUrl(self.url),
                    client_registration_options=ClientRegistrationOptions(
                        enabled=True, valid_scopes=list(self.scopes), default_scopes=list(self.scopes)
                    ),
                ),
            ]
        )
        # The SDK's document says nothing of keys, which it does not need itself.
        for index, route in enumerate(application.router.routes):
            if getattr(route, "path", "") == "/.well-known/oauth-authorization-server":
                application.router.routes[index] = Route(route.path, self._metadata(route))  # type: ignore[attr-defined]
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        certificate = str(self._certificate) if self._certificate else None
        self._server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off", ssl_certfile=certificate))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            if self.hold:
                self.hold.set()
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(20)
            assert not self._thread.is_alive()
        self._server = self._thread = None

    def __enter__(self) -> "Issuer":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._reserved.close()

    async def _show_keys(self, request: Request) -> Response:
        self.fetches += 1
        while self.hold and not self.hold.is_set():
            await asyncio.sleep(0.01)
        return JSONResponse({"keys": [key.document for key in self.keys]})

    def _metadata(self, route: Any) -> Any:
        async def show(request: Request) -> Response:
            shown: list[bytes] = []

            async def send(message: Any) -> None:
                shown.append(message.get("body", b""))

            await route.app(request.scope, request.receive, send)
            return JSONResponse(json.loads(b"".join(shown)) | {"jwks_uri": f"{self.url}keys"})

        return show

    # What the SDK asks for

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self._clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id
        self._clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        # The user is signed in already, and consents.
        assert client.client_id and params.resource, "a client has to say what the token is for (RFC 8707)"
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24), scopes=params.scopes or [], expires_at=time.time() + 60,
            client_id=client.client_id, code_challenge=params.code_challenge, redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly, resource=params.resource,
            subject=self.user,
        )  # fmt: skip
        self._codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client: OAuthClientInformationFull, authorization_code: str) -> AuthorizationCode | None:
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode) -> OAuthToken:
        if self._codes.pop(authorization_code.code, None) is None:
            raise TokenError("invalid_grant")
        token = self.token(
            authorization_code.resource, sub=authorization_code.subject, client_id=client.client_id,
            scope=" ".join(authorization_code.scopes),
        )  # fmt: skip
        return OAuthToken(access_token=token, expires_in=600, scope=" ".join(authorization_code.scopes))

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        return None

    async def exchange_refresh_token(self, client: Any, refresh_token: Any, scopes: list[str]) -> OAuthToken:
        raise TokenError("invalid_grant")

    async def load_access_token(self, token: str) -> AccessToken | None:
        return None

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        pass

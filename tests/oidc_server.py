"""A real OpenID provider on loopback: HTTPS, discovery, keys, code flow with PKCE; and every way to misbehave.

A test signs a person in by calling `authorize` with the URL that a browser would be sent to, and gets the URL that the
browser comes back with; or it sends a browser there. Everything else happens over the wire.
"""

import base64
import hashlib
import json
import secrets
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tests.smtp import _certified

CLIENT_ID, CLIENT_SECRET = "bailee at work", "s3cret: with a colon & more%"

type Json = dict[str, Any]


class Misbehaviour:
    """What the provider does wrong; nothing until a test says so."""

    def __init__(self) -> None:
        self.claims: Json = {}
        """Claims to put into ID tokens in place of the right ones; None leaves one out."""
        self.header: Json = {}
        self.sign: Callable[[OidcServer, Json, bytes], str] | None = None
        """Makes the ID token from header and payload."""
        self.discovery: Json = {}
        self.issuer_in_response: str | None = None
        """What to call itself in authorisation responses."""
        self.body: bytes | None = None
        """What to answer instead, whatever is asked."""
        self.redirect: str | None = None
        self.pause = 0.0


class OidcServer:
    """An OpenID provider in threads of its own."""

    def __init__(self, directory: Path, host: str) -> None:
        self.ca_file = directory / "oidc.pem"
        context = _certified(self.ca_file, ("localhost", "127.0.0.1"))
        self.host = host
        self.keys: list[Any] = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.algorithm = "RS256"
        self.wrong = Misbehaviour()
        self.claims: Json = {}
        """Of whoever signs in: sub, email, name, amr."""
        self.requests: list[str] = []
        self._codes: dict[str, Json] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="OpenID provider", daemon=True)
        self._thread.start()

    @property
    def issuer(self) -> str:
        return f"https://{self.host}:{self.port}"

    def person(self, subject: str, email: str, **claims: Any) -> None:
        """Who signs in next."""
        self.claims = {"sub": subject, "email": email, "email_verified": True, "name": "Somebody", **claims}

    def authorize(self, url: str) -> str:
        """What a browser does: goes where it was sent, signs in, and comes back to this URL."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(24)
        self._codes[code] = {**asked, "claims": dict(self.claims)}
        answer = {"state": asked["state"], "code": code, "iss": self.wrong.issuer_in_response or self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def discovery(self) -> Json:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
            **self.wrong.discovery,
        }

    def exchange(self, form: dict[str, str], authorization: str) -> Json | None:
        """The token endpoint's answer; None for a refusal."""
        asked = self._codes.pop(form.get("code", ""), None)
        name, _, secret = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        if (unquote(name), unquote(secret)) != (CLIENT_ID, CLIENT_SECRET) or asked is None:
            return None
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        )
        if asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return None
        return {"access_token": "unused", "token_type": "Bearer", "id_token": self.id_token(asked)}

    def id_token(self, asked: Json) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **asked["claims"], **self.wrong.claims,
        }  # fmt: skip
        payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
        header = {"alg": self.algorithm, "kid": self.keys[0].kid, "typ": "JWT", **self.wrong.header}
        if self.wrong.sign is not None:
            return self.wrong.sign(self, header, payload)
        with warnings.catch_warnings(category=SecurityWarning, action="ignore"):  # that EdDSA has a newer name
            return jws.serialize_compact(header, payload, self.keys[0], algorithms=[header["alg"]])

    def rotate(self, kind: str = "RSA") -> None:
        """A new key, and the old one no more."""
        kid = secrets.token_hex(4)
        made: dict[str, Callable[[], tuple[Any, str]]] = {
            "RSA": lambda: (RSAKey.generate_key(2048, {"kid": kid}), "RS256"),
            "EC": lambda: (ECKey.generate_key("P-256", {"kid": kid}), "ES256"),
            "OKP": lambda: (OKPKey.generate_key("Ed25519", {"kid": kid}), "EdDSA"),
        }
        key, self.algorithm = made[kind]()
        self.keys = [key]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def unsigned(_server: OidcServer, header: Json, payload: bytes) -> str:
    """An ID token with `alg: none`."""
    return f"{_b64(json.dumps({**header, 'alg': 'none'}).encode())}.{_b64(payload)}."


def signed_with_public_key(server: OidcServer, header: Json, payload: bytes) -> str:
    """An ID token whose HMAC's key is the provider's public key, as everybody knows it (RFC 8725 §2.1)."""
    public = OctKey.import_key(server.keys[0].as_pem(private=False))
    return jws.serialize_compact({**header, "alg": "HS256"}, payload, public, algorithms=["HS256"])


def signed_by_stranger(_server: OidcServer, header: Json, payload: bytes) -> str:
    """An ID token with a known key id and somebody else's signature."""
    return jws.serialize_compact(header, payload, RSAKey.generate_key(2048), algorithms=["RS256"])


def with_key_inside(_server: OidcServer, header: Json, payload: bytes) -> str:
    """An ID token that brings the key along which it wants to be verified with."""
    key = RSAKey.generate_key(2048)
    return jws.serialize_compact({**header, "jwk": key.as_dict(private=False)}, payload, key, algorithms=["RS256"])


@contextmanager
def oidc_server(host: str = "localhost") -> Iterator[OidcServer]:
    """An OpenID provider that runs for the duration, called by `host`."""
    with tempfile.TemporaryDirectory(prefix="bailee-oidc-") as directory:
        server = OidcServer(Path(directory), host)
        try:
            yield server
        finally:
            server.close()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _handler(server: OidcServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known: dict[str, Callable[[], Json]] = {
                "/.well-known/openid-configuration": server.discovery,
                "/jwks": lambda: {"keys": [key.as_dict(private=False) for key in server.keys]},
            }
            if self.path.startswith("/authorize?"):
                self.send_response(302)
                self.send_header("Location", server.authorize(self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = known.get(self.path)
            self._answer(found() if found else None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(raw).items()}
            self._answer(server.exchange(form, self.headers.get("Authorization", "")))

        def _answer(self, found: Json | None) -> None:
            server.requests.append(f"{self.command} {self.path}")
            time.sleep(server.wrong.pause)
            body = server.wrong.body if server.wrong.body is not None else json.dumps(found or {"error": "no"}).encode()
            self.send_response(302 if server.wrong.redirect else 200 if found else 400)
            if server.wrong.redirect:
                self.send_header("Location", server.wrong.redirect)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: tests read `requests`."""

    return Handler

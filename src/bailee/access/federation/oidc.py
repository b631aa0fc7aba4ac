"""An identity provider, spoken to: discovery, keys, the code's exchange, and the ID token's examination.

The sources are OpenID Connect Core 1.0 (Core), Discovery 1.0, RFC 6749, RFC 7636 (PKCE) and RFC 9700.
"""

import base64
import hashlib
import time
import warnings
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from bailee.access.addresses import normalise_email
from bailee.access.federation.errors import ProviderUnusable, TokenRefused
from bailee.access.federation.model import Client, Discovered, Json, Vouched
from bailee.access.federation.outbound import Outbound, verify_url
from bailee.foundation.clock import Clock

type Key = RSAKey | ECKey | OKPKey

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
"""Signatures that are taken, each with the kind of key it needs: a public key can never be a shared secret."""
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_MIN_RSA_BITS = 2048
_WELL_KNOWN = "/.well-known/openid-configuration"
_SCOPE = "openid email profile"
_KEPT_SECONDS = 600.0
_REFETCH_SECONDS = 30.0
_KEPT = 1000
_MAX_KEYS = 100
_SKEW = 60
_MAX_TOKEN = 64 * 1024
_MAX_SUBJECT = 255
_MAX_NAME = 100
_MAX_METHODS = 20


class _Keys(msgspec.Struct, frozen=True):
    """An identity provider's keys, and when they were fetched."""

    keys: list[Json]
    fetched: float


class IdentityProviders:
    """Everybody's identity providers. What they publish is remembered for ten minutes."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._discovered: OrderedDict[str, tuple[Discovered, float]] = OrderedDict()
        self._keys: OrderedDict[str, _Keys] = OrderedDict()

    async def discover(self, issuer: str, *, fresh: bool = False) -> Discovered:
        """What the provider publishes about itself. Raises ProviderUnusable."""
        known = self._discovered.get(issuer)
        if known and not fresh and time.monotonic() - known[1] < _KEPT_SECONDS:
            return known[0]
        found = examine(issuer, await self._outbound.get_json(verify_url(issuer).rstrip("/") + _WELL_KNOWN))
        _keep(self._discovered, issuer, (found, time.monotonic()))
        return found

    async def count_keys(self, discovered: Discovered) -> int:
        """How many of the provider's keys we would take a signature from. Raises ProviderUnusable."""
        keys = await self._fetch(discovered.jwks_uri)
        return sum(_import(raw) is not None for raw in keys)

    def authorization_url(
        self, discovered: Discovered, client_id: str, *, redirect_uri: str, state: str, nonce: str, verifier: str,
        login_hint: str, anew: bool = False,
    ) -> str:  # fmt: skip
        """Where the person goes to show who they are (Core §3.1.2.1), with PKCE's S256 (RFC 7636 §4.2)."""
        challenge = _b64(hashlib.sha256(verifier.encode()).digest())
        query = urlencode({
            "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": _SCOPE,
            "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
            "login_hint": login_hint, **({"prompt": "login", "max_age": "0"} if anew else {}),
        })  # fmt: skip
        joint = "&" if urlsplit(discovered.authorization_endpoint).query else "?"
        return f"{discovered.authorization_endpoint}{joint}{query}"

    async def exchange(
        self, discovered: Discovered, client: Client, *, code: str, redirect_uri: str, verifier: str
    ) -> str:
        """The ID token for a code (Core §3.1.3). Raises ProviderUnusable."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        secret = client.secret.reveal().decode()
        headers = {}
        if discovered.secret_in_body:
            form |= {"client_id": client.client_id, "client_secret": secret}
        else:
            # RFC 6749 §2.3.1: each part is form-encoded before both are joined.
            pair = f"{quote(client.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._outbound.post_form(discovered.token_endpoint, urlencode(form).encode(), headers)
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > _MAX_TOKEN:
            raise ProviderUnusable("The identity provider's answer has no ID token.")
        return token

    async def verify(self, discovered: Discovered, client_id: str, token: str, nonce: str) -> Vouched:
        """What an ID token proves (Core §3.1.3.7). Raises TokenRefused or ProviderUnusable.

        1. Its header names an algorithm of the list; nothing else in it is believed but the key's id.
        2. A key that the provider publishes for signing, of the kind that the algorithm needs, verifies it.
        3. Issuer, audience, authorised party.
        4. It is in force, give or take a minute.
        5. It answers this very sign-in: the nonce.
        """
        header = _header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenRefused("algorithm")
        keys = await self._candidates(discovered.jwks_uri, key_id, algorithm)
        claims = _claims(token, keys, algorithm)
        _verify_parties(claims, discovered.issuer, client_id)
        _verify_times(claims, int(self._clock.now().timestamp()))
        if claims.get("nonce") != nonce:
            raise TokenRefused("nonce")
        return _vouched(claims, discovered.issuer)

    # --- keys -----------------------------------------------------------------------------------------

    async def _candidates(self, uri: str, key_id: object, algorithm: str) -> list[Key]:
        """Keys that may have signed. An unknown id has them fetched again, not more than twice a minute."""
        known = self._keys.get(uri)
        age = time.monotonic() - known.fetched if known else _KEPT_SECONDS
        raw = known.keys if known and age < _KEPT_SECONDS else await self._fetch(uri)
        found = _fitting(raw, key_id, algorithm)
        if not found and known and _REFETCH_SECONDS <= age < _KEPT_SECONDS:
            found = _fitting(await self._fetch(uri), key_id, algorithm)
        if not found:
            raise TokenRefused("key")
        return found

    async def _fetch(self, uri: str) -> list[Json]:
        found = (await self._outbound.get_json(uri)).get("keys")
        if not isinstance(found, list) or len(found) > _MAX_KEYS:
            raise ProviderUnusable("The identity provider publishes no list of keys.")
        keys = [one for one in found if isinstance(one, dict)]
        _keep(self._keys, uri, _Keys(keys, time.monotonic()))
        return keys


def examine(issuer: str, document: Json) -> Discovered:
    """A discovery document (Discovery 1.0 §3 and §4.3). Raises ProviderUnusable."""
    if document.get("issuer") != issuer:
        raise ProviderUnusable("The identity provider calls itself something else than the issuer that you gave.")
    if "code" not in _strings(document, "response_types_supported", ["code"]):
        raise ProviderUnusable("The identity provider does not offer the authorisation code flow.")
    if "S256" not in _strings(document, "code_challenge_methods_supported", ["S256"]):
        raise ProviderUnusable("The identity provider does not offer PKCE with S256.")
    if ALGORITHMS.keys().isdisjoint(_strings(document, "id_token_signing_alg_values_supported", ["RS256"])):
        raise ProviderUnusable(f"The identity provider signs with none of: {', '.join(ALGORITHMS)}.")
    ways = _strings(document, "token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not {"client_secret_basic", "client_secret_post"} & set(ways):
        raise ProviderUnusable("The identity provider takes no client secret at its token endpoint.")
    return Discovered(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        jwks_uri=_endpoint(document, "jwks_uri"),
        secret_in_body="client_secret_basic" not in ways,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: Json, name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str):
        raise ProviderUnusable(f"The identity provider does not publish its {name}.")
    return verify_url(found)


def _strings(document: Json, name: str, default: list[str]) -> list[str]:
    found = document.get(name, default)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else default


def _header(token: str) -> Json:
    part = token.partition(".")[0]
    try:
        found = msgspec.json.decode(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenRefused("form")
    return found


def _fitting(keys: list[Json], key_id: object, algorithm: str) -> list[Key]:
    """Those with the id that the token names; all of the right kind where it names none."""
    found = []
    for raw in keys:
        if raw.get("kty") != ALGORITHMS[algorithm] or raw.get("alg", algorithm) != algorithm:
            continue
        if key_id is not None and raw.get("kid") != key_id:
            continue
        key = _import(raw)
        if key is not None:
            found.append(key)
    return found


def _import(raw: Json) -> Key | None:
    """A published key for signatures; None for one that is for something else, weak, or of a kind not taken."""
    kind = raw.get("kty")
    if raw.get("use", "sig") != "sig" or "d" in raw or _CURVES.get(str(kind), raw.get("crv")) != raw.get("crv"):
        return None
    try:
        with warnings.catch_warnings(category=SecurityWarning, action="ignore"):  # weak ones are refused, not warned of
            return _key_of(kind, raw)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _key_of(kind: object, raw: Json) -> Key | None:
    if kind == "RSA":
        rsa = RSAKey.import_key(_members(raw, "kty", "n", "e"))
        return rsa if rsa.public_key.key_size >= _MIN_RSA_BITS else None
    if kind == "EC":
        return ECKey.import_key(_members(raw, "kty", "crv", "x", "y"))
    return OKPKey.import_key(_members(raw, "kty", "crv", "x")) if kind == "OKP" else None


def _members(raw: Json, *names: str) -> Any:
    return {name: raw[name] for name in names}


def _claims(token: str, keys: list[Key], algorithm: str) -> Json:
    for key in keys:
        try:
            with warnings.catch_warnings(category=SecurityWarning, action="ignore"):  # that EdDSA has a newer name
                payload = jws.deserialize_compact(token, key, algorithms=[algorithm]).payload
            claims = msgspec.json.decode(payload or b"")
        except (JoseError, ValueError, TypeError, RecursionError):  # TypeError: a header parameter of another type
            continue
        if isinstance(claims, dict):
            return claims
    raise TokenRefused("signature")


def _verify_parties(claims: Json, issuer: str, client_id: str) -> None:
    if claims.get("iss") != issuer:
        raise TokenRefused("issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise TokenRefused("audience")
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise TokenRefused("authorised party")


def _verify_times(claims: Json, now: int) -> None:
    expires, issued, begins = _number(claims, "exp"), _number(claims, "iat"), _number(claims, "nbf")
    if expires is None or issued is None:
        raise TokenRefused("times")
    if expires <= now - _SKEW:
        raise TokenRefused("expired")
    if issued > now + _SKEW or (begins is not None and begins > now + _SKEW):
        raise TokenRefused("not yet in force")


def _number(claims: Json, name: str) -> float | None:
    found = claims.get(name)
    return found if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 2**53 else None


def _vouched(claims: Json, issuer: str) -> Vouched:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise TokenRefused("subject")
    email, name, methods = claims.get("email"), claims.get("name"), claims.get("amr")
    at = _number(claims, "auth_time")
    return Vouched(
        issuer, subject, normalise_email(email) if isinstance(email, str) else "",
        email_verified=_verified(claims),
        name=_name(name),
        methods=frozenset(one for one in methods[:_MAX_METHODS] if isinstance(one, str))
        if isinstance(methods, list) else frozenset(),
        authenticated_at=datetime.fromtimestamp(at, UTC) if at is not None and at < 2**35 else None,
    )  # fmt: skip


def _verified(claims: Json) -> bool | None:
    """Whether the provider has verified the address; None where it does not say. Entra has a claim of its own."""
    said = [claims[name] for name in ("email_verified", "xms_edov") if claims.get(name) is not None]
    return all(one in (True, "true", "1", 1) for one in said) if said else None


def _name(name: object) -> str:
    """A display name, without what could not be shown on a line."""
    if not isinstance(name, str):
        return ""
    return "".join(char for char in name if char.isprintable()).strip()[:_MAX_NAME]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _keep[V](places: OrderedDict[str, V], name: str, value: V) -> None:
    places[name] = value
    places.move_to_end(name)
    if len(places) > _KEPT:
        places.popitem(last=False)

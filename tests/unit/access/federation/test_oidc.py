"""What of an identity provider's keys and claims is taken."""

import warnings
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bailee.access.federation.errors import ProviderUnusable
from bailee.access.federation.model import Client
from bailee.access.federation.oidc import _import, _vouched, examine
from bailee.access.federation.sign_in import derived
from bailee.foundation.secrets import Secret

ISSUER = "https://id.example"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/a?tenant=1", "token_endpoint": f"{ISSUER}/t",
    "jwks_uri": "https://keys.example/j",
}  # fmt: skip


def _public(key: Any, **changes: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **changes}


def _weak() -> dict[str, Any]:
    with warnings.catch_warnings(category=SecurityWarning, action="ignore"):
        return _public(RSAKey.generate_key(1024))


def test_keys_for_signatures_are_taken() -> None:
    for key in (RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")):
        assert _import(_public(key)) is not None
        assert _import(_public(key, use="sig")) is not None


@pytest.mark.parametrize(
    "raw",
    [
        _weak(), _public(RSAKey.generate_key(2048), use="enc"),
        RSAKey.generate_key(2048).as_dict(private=True), _public(ECKey.generate_key("P-384")),
        _public(ECKey.generate_key("secp256k1")), _public(OKPKey.generate_key("X25519")),
        OctKey.generate_key(256).as_dict(private=True), {"kty": "RSA"}, {"kty": "RSA", "n": 7, "e": []}, {},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": ["RSA"]},
    ],
)  # fmt: skip
def test_a_weak_or_foreign_key_is_left_out(raw: dict[str, Any]) -> None:
    assert _import(raw) is None


def test_a_short_description_is_enough() -> None:
    found = examine(ISSUER, DOCUMENT)
    assert (found.jwks_uri, found.secret_in_body, found.names_itself) == ("https://keys.example/j", False, False)
    posts = examine(ISSUER, {**DOCUMENT, "token_endpoint_auth_methods_supported": ["client_secret_post"]})
    assert posts.secret_in_body


@pytest.mark.parametrize("issuer", ["https://id.example/", "https://ID.example", "https://id.example.evil.example"])
def test_an_issuer_is_compared_character_by_character(issuer: str) -> None:
    with pytest.raises(ProviderUnusable):
        examine(issuer, DOCUMENT)


def test_claims_of_every_shape_are_survived() -> None:
    claims = {
        "sub": "s", "email": ["x"], "name": {"a": 1}, "amr": [1, None, "pwd"], "auth_time": "now", "email_verified": 1,
    }  # fmt: skip
    found = _vouched(claims, ISSUER)
    assert (found.email, found.name, found.methods, found.authenticated_at) == ("", "", frozenset({"pwd"}), None)
    assert _vouched({"sub": "s", "name": " A\x1b[31m\u202eB\n "}, ISSUER).name == "A[31mB"
    assert _vouched({"sub": "s", "auth_time": 2**52}, ISSUER).authenticated_at is None


def test_what_a_browser_holds_gives_different_secrets_for_different_ends() -> None:
    nonce, verifier = derived("bsb_x", "nonce"), derived("bsb_x", "verifier")
    assert len({nonce, verifier, derived("bsb_y", "nonce")}) == 3
    assert len(verifier) == 43


def test_a_clients_secret_is_not_printed() -> None:
    assert "hush" not in repr(Client(ISSUER, "id", Secret(b"hush")))

"""An authenticator in software (WebAuthn Level 3, §6): a key, a counter, and no scruples."""

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url, encode_cbor

ORIGIN, HOST = "https://localhost:8443", "localhost"
_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _ATTESTED = 1, 4, 8, 16, 64


class Authenticator:
    """One credential. What it answers with is honest unless a test says otherwise."""

    def __init__(self, *, counts: bool = True, synced: bool = False) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._counts = counts
        self._synced = synced
        self.credential_id = secrets.token_bytes(16)
        self.count = 0

    def create(self, options: dict[str, Any], **lies: Any) -> bytes:
        """Answers `navigator.credentials.create`."""
        numbers = self._key.public_key().public_numbers()
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        credential = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cose
        data = self._data(_ATTESTED, **lies) + credential
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = _client_data("webauthn.create", options, lies)
        response = {
            "clientDataJSON": bytes_to_base64url(client), "attestationObject": bytes_to_base64url(attestation),
            "transports": ["internal", "carrier-pigeon"],
        }  # fmt: skip
        return self._answer(response)

    def get(self, options: dict[str, Any], **lies: Any) -> bytes:
        """Answers `navigator.credentials.get`."""
        if self._counts and "count" not in lies:
            self.count += 1
        data = self._data(0, **lies)
        client = _client_data("webauthn.get", options, lies)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": bytes_to_base64url(client), "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(lies.get("signature", signature)),
        }  # fmt: skip
        return self._answer(response)

    def _data(self, flags: int, **lies: Any) -> bytes:
        flags |= _PRESENT if lies.get("present", True) else 0
        flags |= _VERIFIED if lies.get("verified", True) else 0
        flags |= _ELIGIBLE | _BACKED_UP if self._synced else 0
        host = hashlib.sha256(lies.get("host", HOST).encode()).digest()
        count: int = lies.get("count", self.count)
        return host + bytes([flags]) + count.to_bytes(4)

    def _answer(self, response: dict[str, Any]) -> bytes:
        name = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response}).encode()


def _client_data(ceremony: str, options: dict[str, Any], lies: dict[str, Any]) -> bytes:
    told = {"type": ceremony, "challenge": options["challenge"], "origin": ORIGIN}
    return json.dumps({name: lies.get(name, value) for name, value in told.items()}).encode()


def other_challenge() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")

"""Passkeys and security keys (W3C Web Authentication, Level 3): the relying party's half, without state."""

import json
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import webauthn
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

_NAME = "Bailee"
_MAX_ANSWER = 16 * 1024
TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})


class NewCredential(msgspec.Struct, frozen=True):
    """A registered key."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    synced: bool
    user_verified: bool


class RelyingParty:
    """Us, as browsers know us: the host and the origin of the configured address, never of a request."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.host = parts.hostname or "localhost"
        default = parts.port in (None, 443)
        self.origin = f"{parts.scheme}://{self.host}" + ("" if default else f":{parts.port}")

    def registration(self, account_id: UUID, email: str, name: str, challenge: bytes, known: list[bytes]) -> str:
        """Options for `navigator.credentials.create`, as JSON."""
        options = webauthn.generate_registration_options(
            rp_id=self.host,
            rp_name=_NAME,
            user_id=account_id.bytes,
            user_name=email,
            user_display_name=name,
            challenge=challenge,
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
        )
        return webauthn.options_to_json(options)

    def verify_registration(self, answer: bytes, challenge: bytes) -> NewCredential | None:
        """The key that a browser made, or None for an answer that does not verify."""
        document = _json(answer)
        if document is None:
            return None
        try:
            made = webauthn.verify_registration_response(
                credential=document,
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return None
        response = document.get("response")
        offered = response.get("transports") if isinstance(response, dict) else None
        transports = [one for one in offered if isinstance(one, str)] if isinstance(offered, list) else []
        return NewCredential(
            made.credential_id,
            made.credential_public_key,
            made.sign_count,
            sorted(TRANSPORTS.intersection(transports)),
            made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            made.user_verified,
        )

    def authentication(self, challenge: bytes, known: list[bytes]) -> str:
        """Options for `navigator.credentials.get`, as JSON; without known keys any that the browser has for us."""
        options = webauthn.generate_authentication_options(
            rp_id=self.host,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
            user_verification=UserVerificationRequirement.PREFERRED if known else UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    def verify_authentication(
        self, answer: bytes, challenge: bytes, public_key: bytes, *, user_verified: bool
    ) -> int | None:
        """The key's new counter, or None. `user_verified` asks that the key has verified its user (PIN, finger).

        The counter is compared by whoever stores it.
        """
        document = _json(answer)
        if document is None:
            return None
        try:
            verified = webauthn.verify_authentication_response(
                credential=document,
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=user_verified,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return None
        return verified.new_sign_count


def credential_id_of(answer: bytes) -> bytes | None:
    """Which key an answer says that it is from."""
    document = _json(answer)
    try:
        return webauthn.base64url_to_bytes(str(document["rawId"])) if document else None
    except (KeyError, ValueError):
        return None


def _json(answer: bytes) -> dict[str, object] | None:
    if len(answer) > _MAX_ANSWER:
        return None
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None

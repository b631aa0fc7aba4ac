"""Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 s, as every authenticator app has them."""

import base64
import secrets
from datetime import datetime

import pyotp

from bailee.foundation.secrets import Secret

_INTERVAL = 30
_DRIFT = 1


def new_totp_secret() -> Secret:
    """160 random bits (RFC 4226 §4)."""
    return Secret(secrets.token_bytes(20))


def totp_text(secret: Secret) -> str:
    """The secret as a person types it into an app."""
    return base64.b32encode(secret.reveal()).decode()


def totp_uri(secret: Secret, email: str, issuer: str) -> str:
    """What the QR code holds."""
    return pyotp.TOTP(totp_text(secret)).provisioning_uri(name=email, issuer_name=issuer)


def matching_step(secret: Secret, code: str, now: datetime, last_step: int) -> int | None:
    """The time step that `code` belongs to, at most one away from now and later than `last_step`."""
    if not (code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(totp_text(secret))
    current = int(now.timestamp()) // _INTERVAL
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if step > last_step and pyotp.utils.strings_equal(totp.at(step * _INTERVAL), code):
            return step
    return None

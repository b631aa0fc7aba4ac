"""Search without plaintext: a keyed hash of a normalised value, the same for equal values of one field.

    field key = HMAC-SHA-256(tenant's index key, "bailee/index/v1" ‖ 00 ‖ scope)
    token     = HMAC-SHA-256(field key, normalised value)[:16]

A token tells nothing about the value without the key, and equal values of two fields or two tenants have
unrelated tokens. What it does tell, to somebody who reads the database, is which records share a value.
"""

import hmac
import re
import unicodedata

from bailee.foundation.errors import Invalid
from bailee.foundation.secrets import Secret

TOKEN = 16
MAX_VALUE = 1000
"""Characters in a searchable value. NFKC takes quadratic time over piles of combining marks."""
_DOMAIN = b"bailee/index/v1\x00"
_SPACE = re.compile(r"\s+")
_NOT_DIGIT = re.compile(r"[^0-9]")


class IndexKey:
    """A tenant's key for blind indexes."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._scopes: dict[str, bytes] = {}

    def token(self, scope: str, value: str) -> bytes:
        """The token of a normalised value in one scope (a field, or the tenant's subjects)."""
        key = self._scopes.get(scope)
        if key is None:
            key = self._scopes[scope] = hmac.digest(self._secret.reveal(), _DOMAIN + scope.encode(), "sha256")
        return hmac.digest(key, value.encode(), "sha256")[:TOKEN]


def normalise(how: str, value: str) -> str:
    """A value as it is compared: `exact`, `text`, `email`, `phone` or `date`.

    text: compatibility characters unified (NFKC), case folded, white space collapsed. email: as text, without
    spaces. phone: its digits, a leading + or 00 kept as +. date and exact: unchanged but for NFC.
    Raises Invalid for a value of more than MAX_VALUE characters, or with half a surrogate pair.
    """
    if len(value) > MAX_VALUE:
        raise Invalid(f"A searchable value has at most {MAX_VALUE} characters.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise Invalid("A searchable value is valid Unicode.")
    match how:
        case "text" | "email":
            return _SPACE.sub(" ", unicodedata.normalize("NFKC", value).casefold()).strip()
        case "phone":
            text = unicodedata.normalize("NFKC", value).strip()
            digits = _NOT_DIGIT.sub("", text)
            if text.startswith("+"):
                return f"+{digits}"
            return f"+{digits[2:]}" if digits.startswith("00") else digits
        case _:
            return unicodedata.normalize("NFC", value)

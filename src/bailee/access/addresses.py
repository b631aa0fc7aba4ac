"""E-mail addresses, as they name accounts: ASCII only, so that no two look alike.

An address with characters beyond ASCII is refused instead of folded: the fold would let one person's spelling
become another's account (UTS #39, confusable detection). Domains beyond ASCII are written in their xn-- form.
"""

import hashlib
import re

from bailee.foundation.settings import MAILBOX

MAX = 254
_SHAPE = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.ASCII
)
RULE = "Give an e-mail address such as name@example.com, in ASCII characters alone."


SEALED = "break-glass@sealed.invalid"
"""The name of the sealed account."""
_NOBODYS = (".invalid", "@invalid")
"""Where no mail ever goes (RFC 2606): the names of the sealed account and of the people that checks make up."""


def normalise_email(email: str) -> str:
    """As it is stored and compared: trimmed, lower case. What cannot be an account's address becomes empty."""
    if len(email) > MAX * 2 or not email.isascii():
        return ""
    trimmed = email.strip().lower()
    return trimmed if len(trimmed) <= MAX and _SHAPE.fullmatch(trimmed) and MAILBOX.fullmatch(trimmed) else ""


def account_digest(email: str) -> bytes:
    """What failures of an address are counted by, whether or not it has an account."""
    return hashlib.sha256(b"sign-in\0" + email.encode()).digest()


def domain_of(email: str) -> str:
    """The part after the @."""
    return email.rpartition("@")[2]


def may_be_a_persons(email: str) -> bool:
    """Whether somebody could be reached there: an address that is ours to make up is nobody's."""
    return bool(email) and not email.endswith(_NOBODYS)

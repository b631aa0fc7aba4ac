"""The addresses that people may be sent to: registered in full, and compared as text (RFC 9700 §2.1, §4.1)."""

import ipaddress
from urllib.parse import urlsplit

_MAX = 1000
_MAX_LIST = 20
RULE = (
    "Give addresses such as https://app.example.com/callback: https (http only on a loopback address), in ASCII, "
    f"without a fragment, a user name or a wildcard, of at most {_MAX} characters; at most {_MAX_LIST}, each once."
)


def are_registrable(uris: list[str]) -> bool:
    """Whether each is an absolute address that may be registered."""
    return len(uris) <= _MAX_LIST and len(set(uris)) == len(uris) and all(map(_is_registrable, uris))


def is_registered(uri: str, registered: list[str]) -> bool:
    """Exactly as registered: prefixes, other cases, other ports and added parts are other addresses."""
    return uri in registered


def _is_registrable(uri: str) -> bool:
    if len(uri) > _MAX or not uri.isascii() or not uri.isprintable() or any(one in uri for one in ' #\\*"<>'):
        return False
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not uri.startswith((f"{parts.scheme}://",)):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

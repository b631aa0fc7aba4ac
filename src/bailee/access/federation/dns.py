"""Looking a domain's verification record up."""

import ipaddress
from enum import StrEnum

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from bailee.access.federation.model import RECORD_KEY, RECORD_PREFIX
from bailee.foundation.errors import ConfigurationError

_SECONDS = 5.0
_DNS_PORT = 53
_MAX_PORT = 65_535


class Found(StrEnum):
    """What DNS says about a record."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """No answer, or a failing server: it says nothing about the record."""


class DomainRecords:
    """Asks the configured name servers, or those of the system. Raises ConfigurationError for servers that are none."""

    def __init__(self, servers: list[str]) -> None:
        self._servers = [_nameserver(server) for server in servers]

    async def holds(self, domain: str, token: str) -> Found:
        """Whether the domain publishes the token. CNAMEs are followed, search lists are not used."""
        name = f"{record_name(domain)}."
        try:
            answer = await self._resolver().resolve(
                name, "TXT", search=False, lifetime=_SECONDS, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return Found.NO
        except (dns.exception.DNSException, OSError, ValueError):
            return Found.UNKNOWN
        wanted = record_value(token).encode()
        texts = [b"".join(record.strings) for record in answer if record.rdtype == dns.rdatatype.TXT]
        return Found.YES if wanted in texts else Found.NO

    def _resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = list(self._servers)
        resolver.timeout = _SECONDS / 2
        return resolver


def record_name(domain: str) -> str:
    """Where the record is published."""
    return f"{RECORD_PREFIX}.{domain}"


def record_value(token: str) -> str:
    """What the record says."""
    return f"{RECORD_KEY}{token}"


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    address, port = text.strip(), str(_DNS_PORT)
    if address.startswith("[") and "]" in address:
        address, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
    try:
        if 1 <= int(port) <= _MAX_PORT:
            return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(address)), int(port))
    except ValueError:
        pass
    raise ConfigurationError("access.dns_servers holds addresses such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53.")

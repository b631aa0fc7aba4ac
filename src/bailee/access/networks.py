"""Internet addresses and networks. An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is the IPv4 one."""

import ipaddress
from collections.abc import Iterable

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def address_of(text: str | None) -> Address | None:
    """The address that a text names, or None."""
    try:
        found = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def network_of(text: str) -> Network:
    """The network in CIDR notation, without its host bits. Raises ValueError."""
    found = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
        # The last 32 of an IPv6 network's 128 bits are the IPv4 address, and 96 of its prefix stand before them.
        shorter = found.prefixlen - _MAPPED.prefixlen
        return ipaddress.IPv4Network((int(found.network_address) & 0xFFFF_FFFF, shorter))
    return found


def is_within(address: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    found = address_of(address)
    return found is not None and any(found in network for network in networks)

"""Addresses that nobody outside reaches, in every notation there is."""

import ipaddress

import pytest

from bailee.access.federation.errors import ProviderUnusable
from bailee.access.federation.outbound import verify_url
from bailee.foundation.outbound import is_public

PRIVATE = [
    "0.0.0.0",  # noqa: S104  nothing is bound to it
    "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
    "192.168.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "2001:0:0:0:0:0:f5ff:fffe", "2001:db8::1", "fc00::1", "fd12:3456::1", "fe80::1", "ff02::1", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_everybodys_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"])
def test_an_address_of_everybodys_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "", "https:", "https://", "https:///path", "http://example.com", "HTTP://example.com", "ftp://example.com",
        "//example.com", "example.com", "javascript:alert(1)", "file:///etc/passwd", "https://user@example.com",
        "https://user:pass@example.com", "https://@example.com", "https://example.com#x", "https://example.com/#",
        "https://example.com:0", "https://example.com:99999", "https://example.com:x", "https://exa mple.com",
        "https://example.com/\n", "https://example.com\\@evil.example", "https://ex\u00e4mple.com", "https://[::1",
        "https://example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_is_no_plain_https_is_refused(url: str) -> None:
    with pytest.raises(ProviderUnusable):
        verify_url(url)


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com:8443/a?b=c", "https://[2606:4700::1]/"])
def test_a_plain_https_url_is_taken_as_it_is(url: str) -> None:
    assert verify_url(url) == url

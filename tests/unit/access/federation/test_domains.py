"""What can be a domain, and where records are asked for."""

import pytest

from bailee.access.federation.dns import DomainRecords, record_name, record_value
from bailee.access.federation.domains import normalise_domain
from bailee.foundation.errors import ConfigurationError, Invalid


@pytest.mark.parametrize(
    "text",
    [
        "", "com", "localhost", ".", "example", "example..com", ".example.com", "-a.example", "a-.example",
        "a_b.example",
        "192.0.2.1", "1.2", "[::1]", "::1", "2001:db8::1", "example.com/path", "https://example.com", "a@example.com",
        "ex\u00e4mple.com", "\u0435xample.com", "example.com.evil\x00", "*.example.com", "example.com:443",
        "a b.example",
        "a" * 64 + ".example", ("a" * 60 + ".") * 5 + "example", "x" * 400,
    ],
)  # fmt: skip
def test_what_is_nobodys_domain_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        normalise_domain(text)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("example.com", "example.com"), (" Example.COM. ", "example.com"), ("xn--exmple-cua.com", "xn--exmple-cua.com"),
        ("a.b.c.example", "a.b.c.example"), ("3m.example", "3m.example"), ("1.2.example", "1.2.example"),
    ],
)  # fmt: skip
def test_a_domain_is_taken_in_one_form(text: str, expected: str) -> None:
    assert normalise_domain(text) == expected


def test_the_record_says_where_and_what() -> None:
    assert record_name("example.com") == "_bailee-challenge.example.com"
    assert record_value("abc") == "bailee-domain-verification=abc"


@pytest.mark.parametrize(
    "server,expected",
    [
        ("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)), ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)), ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)  # fmt: skip
def test_a_name_server_is_an_address_with_a_port_or_without(server: str, expected: tuple[str, int]) -> None:
    (found,) = DomainRecords([server])._servers
    assert (found.address, found.port) == expected


@pytest.mark.parametrize(
    "server", ["", "ns.example.com", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:99999", "[::1", "1.2.3"]
)
def test_a_name_server_that_is_no_address_is_a_configuration_error(server: str) -> None:
    with pytest.raises(ConfigurationError):
        DomainRecords([server])

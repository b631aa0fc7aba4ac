"""Addresses and networks, and how attempts are counted by them."""

import pytest

from bailee.access.networks import address_of, is_within, network_of
from bailee.access.sign_in import throttle_key


@pytest.mark.parametrize(
    "text, network",
    [
        ("192.0.2.77/24", "192.0.2.0/24"), ("192.0.2.1", "192.0.2.1/32"), (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"), ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"), ("::ffff:0:0/96", "0.0.0.0/0"), ("::/0", "::/0"),
    ],
)  # fmt: skip
def test_a_network_has_one_form(text: str, network: str) -> None:
    assert str(network_of(text)) == network


@pytest.mark.parametrize("text", ["", "anywhere", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2", "192.0.2.1/24/8"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        network_of(text)


@pytest.mark.parametrize(
    "address, network, within",
    [
        ("192.0.2.1", "192.0.2.0/24", True), ("::ffff:192.0.2.1", "192.0.2.0/24", True),
        ("192.0.2.1", "::ffff:192.0.2.0/120", True), ("192.0.3.1", "192.0.2.0/24", False),
        ("2001:db8::1", "2001:db8::/32", True), ("2001:db9::1", "2001:db8::/32", False),
        ("192.0.2.1", "2001:db8::/32", False), ("192.0.2.1", "::/0", False), ("2001:db8::1", "0.0.0.0/0", False),
        ("fe80::1%eth0", "fe80::/10", True), ("", "0.0.0.0/0", False), ("unknown", "::/0", False),
        (None, "0.0.0.0/0", False),
    ],
)  # fmt: skip
def test_an_address_lies_in_a_network_whatever_its_clothes(address: str | None, network: str, within: bool) -> None:
    assert is_within(address, [network_of(network)]) is within
    assert is_within(address, []) is False


def test_what_is_no_address_is_none() -> None:
    for text in (None, "", "localhost", "192.0.2.1:80", "[::1]", "1.2.3", "٣.٣.٣.٣"):
        assert address_of(text) is None


@pytest.mark.parametrize(
    "address, key",
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"), (None, "unknown"), ("", "unknown"), ("no address", "unknown"),
    ],
)  # fmt: skip
def test_attempts_are_counted_by_what_one_customer_has(address: str | None, key: str) -> None:
    assert throttle_key(address) == key

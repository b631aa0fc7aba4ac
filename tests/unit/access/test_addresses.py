"""Addresses name accounts, so no two of them may look alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.access.addresses import MAX, account_digest, domain_of, may_be_a_persons, normalise_email


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com\n", "ada@example.com"),
        ("ada+tag@sub.example.com", "ada+tag@sub.example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_one_address_has_one_form(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept


@pytest.mark.parametrize(
    "email",
    [
        "", "ada", "@example.com", "ada@", "ada@localhost", "ada@@example.com", "a da@example.com", "ada@exam ple.com",
        "ada@example.com,eve@example.com", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\x00",
        '"ada"@example.com', "ada@[192.0.2.1]", "ada@-example.com", "ada@example-.com", "ada@example..com",
        "a" * 65 + "@example.com", "ada@" + "a." * 130 + "com",
        "\u0430da@example.com", "\uff41da@example.com", "\u212aate@example.com", "adm\u0131n@example.com",
        "a\u200dda@example.com", "ada\u0301@example.com", "\u202eada@example.com", "ada\uff20example.com",
        "ada@ex\u0430mple.com", "ﬁ@example.com", "ada\u00ad@example.com", "\ud800@example.com",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_cannot_be_an_accounts_address_is_none(email: str) -> None:
    assert normalise_email(email) == ""


@given(st.text())
def test_normalising_is_done_once_and_never_lengthens(text: str) -> None:
    found = normalise_email(text)
    assert found.isascii()
    assert len(found) <= MAX
    assert normalise_email(found) == found


@pytest.mark.parametrize("email", ["", "probe-1@probe.invalid", "break-glass@sealed.invalid", "a@invalid"])
def test_names_that_are_ours_to_make_up_are_nobodys(email: str) -> None:
    assert not may_be_a_persons(email)
    assert may_be_a_persons("ada@example.com")
    assert may_be_a_persons("ada@invalid.example")


def test_failures_are_counted_by_a_digest_that_names_nobody() -> None:
    assert len(account_digest("ada@example.com")) == 32
    assert account_digest("ada@example.com") != account_digest("eve@example.com")
    assert domain_of("ada@example.com") == "example.com"

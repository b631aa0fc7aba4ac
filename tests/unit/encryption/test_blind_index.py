import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.encryption.blind_index import TOKEN, IndexKey, normalise
from bailee.foundation.secrets import Secret

SECRET = bytes(range(32))
KEY = IndexKey(Secret(SECRET))


@pytest.mark.parametrize(
    "how, same",
    [
        ("text", ["Lovelace", "lovelace", " LOVELACE ", "\uff2c\uff2f\uff36elace", "\tLovelace\n"]),
        ("text", ["Straße 1", "STRASSE 1", "strasse  1", "strasse\u00a01"]),
        ("text", ["café", "cafe\u0301", "CAFÉ"]),
        ("text", ["ﬁnance", "finance"]),
        ("email", ["Ada@Example.org", "ada@example.org", " ada@example.org "]),
        (
            "phone",
            ["+44 20 7946 0000", "0044 20 7946 0000", "+44 (20) 7946-0000", "+442079460000", "\uff0b442079460000"],
        ),
        ("phone", ["020 7946 0000", "020/79460000"]),
        ("exact", ["café", "cafe\u0301"]),
        ("date", ["2026-03-01"]),
    ],
)
def test_spellings_of_one_value_are_one(how: str, same: list[str]) -> None:
    assert len({normalise(how, one) for one in same}) == 1


@pytest.mark.parametrize(
    "how, one, other",
    [
        ("text", "ada lovelace", "adalovelace"),
        ("text", "a", "á"),
        ("exact", "Ada", "ada"),
        ("exact", "a", " a"),
        ("date", "2026-03-01", "2026-3-1"),
        ("email", "ada@example.org", "ada@example.com"),
        ("phone", "+44 20 7946 0000", "44 20 7946 0000"),
        ("phone", "020 7946 0000", "+20 7946 0000"),
    ],
)
def test_different_values_stay_different(how: str, one: str, other: str) -> None:
    assert normalise(how, one) != normalise(how, other)


@given(st.sampled_from(["text", "email", "phone", "exact", "date"]), st.text(max_size=60))
def test_exact_forms_do_not_change_again(how: str, value: str) -> None:
    if how in {"phone", "exact", "date"}:
        once = normalise(how, value)
        assert normalise(how, once) == once


@given(st.text(st.characters(max_codepoint=0x24F), max_size=60))
def test_latin_text_does_not_change_again(value: str) -> None:
    once = normalise("text", value)
    assert normalise("text", once) == once


def test_token_is_as_documented() -> None:
    field_key = hmac.digest(SECRET, b"bailee/index/v1\x00" + b"field:people:email", hashlib.sha256)
    expected = hmac.digest(field_key, "ädä@example.org".encode(), hashlib.sha256)[:16]
    assert KEY.token("field:people:email", "ädä@example.org") == expected
    assert TOKEN == 16


def test_equal_values_of_two_fields_or_tenants_have_unrelated_tokens() -> None:
    other = IndexKey(Secret(bytes(32)))
    tokens = {
        KEY.token("field:people:a", "x"), KEY.token("field:people:b", "x"), KEY.token("field:staff:a", "x"),
        KEY.token("subject", "x"), KEY.token("field:people:a", "y"), other.token("field:people:a", "x"),
    }  # fmt: skip
    assert len(tokens) == 6
    assert KEY.token("field:people:a", "x") in tokens

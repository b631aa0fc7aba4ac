"""Tokens: well-formed ones are taken apart, and nothing else is."""

import base64
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.access import tokens
from bailee.access.tokens import API_KEY, LINK, SESSION, TokenKind, digest_of, same
from bailee.foundation.ids import new_id

KINDS = [kind for kind in vars(tokens).values() if isinstance(kind, TokenKind)]


def test_kinds_are_told_apart_by_their_beginning() -> None:
    prefixes = [kind.prefix for kind in KINDS]
    assert len(prefixes) == len(set(prefixes)) >= 10
    assert all(not a.startswith(b) for a in prefixes for b in prefixes if a != b)
    assert all(kind.secret >= 24 for kind in KINDS), "192 random bits at least"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.prefix)
def test_a_token_names_its_ids_and_hides_its_secret(kind: TokenKind) -> None:
    ids = [new_id() for _ in range(kind.ids)]
    token, digest = kind.new(*ids)
    parsed = kind.parse(token)
    assert parsed is not None
    assert list(parsed.ids) == ids
    assert parsed.id == ids[-1]
    assert parsed.digest == digest
    assert kind.new(*ids)[1] != digest
    assert digest.hex() not in token
    for other in KINDS:
        if other is not kind:
            assert other.parse(token) is None


@pytest.mark.parametrize("kind", [API_KEY, SESSION, LINK], ids=lambda kind: kind.prefix)
def test_every_slip_of_the_pen_is_noticed(kind: TokenKind) -> None:
    token, _ = kind.new(*(new_id() for _ in range(kind.ids)))
    for at in range(len(kind.prefix), len(token)):
        wrong = "a" if token[at] != "a" else "b"
        assert kind.parse(token[:at] + wrong + token[at + 1 :]) is None
    for damaged in (token[:-1], token + "a", token.upper(), " " + token, token + "\n", token + "=", token * 2):
        assert kind.parse(damaged) is None


def test_a_right_checksum_makes_no_token_of_the_wrong_length() -> None:
    for size in range(80):
        raw = bytes(size)
        text = base64.b32encode(raw + zlib.crc32(raw).to_bytes(4)).decode().rstrip("=").lower()
        expected = 16 * SESSION.ids + SESSION.secret
        assert (SESSION.parse(SESSION.prefix + text) is not None) == (size == expected)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(), st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567=", max_size=210)),
    st.sampled_from(["", *(kind.prefix for kind in KINDS)]),
)
def test_malformed_token_is_nobodys(text: str, prefix: str) -> None:
    assert all(kind.parse(prefix + text) is None for kind in KINDS)


def test_digests_are_compared_whole() -> None:
    assert same(digest_of(b"a"), digest_of(b"a"))
    assert not same(digest_of(b"a"), digest_of(b"b"))
    assert not same(b"", digest_of(b"a"))

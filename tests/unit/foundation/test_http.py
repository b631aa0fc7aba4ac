from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.foundation.errors import Invalid, Malformed
from bailee.foundation.http import (
    decode_cursor,
    decode_id_cursor,
    decode_json,
    encode_cursor,
    etag,
    page_of,
    parse_uuid,
    version_of,
)

ID = UUID("0190a000-0000-7000-8000-00000000000a")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_cursor_comes_back_as_it_was_given(position: str) -> None:
    cursor = encode_cursor(position)
    assert cursor.isascii()
    assert not set(cursor) & set("=&?/+ ")
    assert decode_cursor(cursor) == position


def test_id_cursor() -> None:
    assert decode_id_cursor(encode_cursor(ID)) == ID
    assert decode_id_cursor(None) is None
    assert decode_cursor(None) is None


@pytest.mark.parametrize("cursor", ["é", "a", "*", "_w", "AAAAA"])
def test_forged_cursor_is_malformed(cursor: str) -> None:
    with pytest.raises(Malformed):
        decode_cursor(cursor)


@pytest.mark.parametrize("position", ["", "people", "0190a000"])
def test_cursor_of_another_list_is_malformed(position: str) -> None:
    with pytest.raises(Malformed):
        decode_id_cursor(encode_cursor(position))


@pytest.mark.parametrize("count, following", [(0, False), (2, False), (3, False), (4, True)])
def test_row_too_many_means_another_page(count: int, following: bool) -> None:
    page = page_of([f"row{n}" for n in range(count)], 3, lambda row: row)
    assert len(page.items) == min(count, 3)
    assert (page.next is not None) == following
    if following:
        assert decode_cursor(page.next) == "row2"


@given(st.integers(1, 10**18 - 1))
def test_version_survives_its_entity_tag(version: int) -> None:
    assert version_of(etag(version)) == version


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_any_version(header: str | None) -> None:
    assert version_of(header) is None


@pytest.mark.parametrize("header", ["", "3", '"x"', 'W/"3"', '"3", "4"', '"-3"', '"٣"', '"' + "9" * 19 + '"'])
def test_other_entity_tags_are_malformed(header: str) -> None:
    with pytest.raises(Malformed):
        version_of(header)


def test_uuid_in_its_canonical_form_alone() -> None:
    assert parse_uuid(str(ID)) == parse_uuid(str(ID).upper()) == ID
    for text in ("", "x", ID.hex, f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}"):
        assert parse_uuid(text) is None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: list[int] = []


def test_body_is_decoded() -> None:
    assert decode_json(b'{"name": "a", "inner": [1]}', Body) == Body("a", [1])


@pytest.mark.parametrize(
    "raw, path",
    [(b"{}", "body"), (b'{"name": 1}', "name"), (b'{"name": "a", "inner": ["x"]}', "inner"), (b"[]", "body")],
)
def test_body_of_the_wrong_shape_is_invalid_where_it_is_wrong(raw: bytes, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_json(raw, Body)
    assert path in caught.value.errors[0].path


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"name": "\xff"}', b'"\\ud800"', b"NaN", b'{"x":' * 100_000, b'{"name": "a"} {}']
)
def test_body_that_cannot_be_read_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode_json(raw, dict)


def test_error_never_repeats_the_body() -> None:
    for raw in (b'{"name": "a", "bailee-secret": 1}', b'{"name": "a", "inner": ["bailee-secret"]}', b'{"bailee-secret'):
        with pytest.raises((Invalid, Malformed)) as caught:
            decode_json(raw, Body)
        assert "bailee-secret" not in caught.value.detail + str(caught.value.errors)

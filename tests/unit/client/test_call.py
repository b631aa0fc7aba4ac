from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.client.call import idempotency, segment
from bailee.client.calls import files, keys, records, sessions, subjects
from bailee.client.connection import Connection

_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    "text, encoded",
    [
        ("ada", "ada"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("a b?c#d;e", "a%20b%3Fc%23d%3Be"),
        ("Zoë", "Zo%C3%AB"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        ("a\nb\\c", "a%0Ab%5Cc"),
    ],
)
def test_segment_encodes_what_would_change_the_path(text: str, encoded: str) -> None:
    assert segment(text) == encoded


def test_empty_segment_is_refused_since_it_names_another_resource() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        subjects.get("")


@given(_ANY_TEXT)
def test_every_subject_reaches_the_wire_as_one_segment(subject: str) -> None:
    target = Connection("https://bailee.test", None, None, 1, 0).url(subjects.get(subject).target)
    wire = httpx2.URL(target).raw_path.decode()
    *_, last = wire.split("/")
    assert wire.count("/") == 4
    assert unquote(last) == subject


def test_where_repeats_and_encodes_its_values() -> None:
    where: records.Where = {"name.last": "O'Neil & Søn", "age": [18, 19], "active": True, "born": date(1990, 1, 2)}
    query = urlsplit(records.page("people", subject="a/b", where=where, limit=5).target).query
    assert unquote(query) == (
        "subject=a/b&where.name.last=O'Neil & Søn&where.age=18&where.age=19&where.active=true"
        "&where.born=1990-01-02&limit=5"
    )
    assert "&where.name.last=O%27Neil%20%26%20S%C3%B8n&" in query


@pytest.mark.parametrize("version, header", [(None, None), (3, '"3"'), ("*", "*")])
def test_version_becomes_if_match(version: records.Version | None, header: str | None) -> None:
    assert records.delete("people", "1", if_match=version).headers.get("If-Match") == header


def test_patch_is_a_merge_patch_in_which_none_removes() -> None:
    call = records.patch("people", "1", {"email": None})
    assert call.headers["Content-Type"] == "application/merge-patch+json"
    assert call.body == b'{"data":{"email":null}}'


def test_each_mutation_gets_its_own_idempotency_key() -> None:
    first, second = (records.create("people", {}).headers["Idempotency-Key"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("key", ["", " a", "a ", "a\r\nX-Evil: 1", "ä", "x" * 256])
def test_idempotency_key_that_cannot_be_a_header_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        idempotency(key)


@pytest.mark.parametrize("key", ["a", "import 7", "x" * 255])
def test_idempotency_key_of_the_caller_is_sent_as_it_is(key: str) -> None:
    assert idempotency(key) == {"Idempotency-Key": key}


def test_only_requests_that_are_safe_to_repeat_are_repeatable() -> None:
    assert records.create("people", {}).repeatable
    assert records.patch("people", "1", {}).repeatable
    assert subjects.erase("ada").repeatable
    assert files.put("a", b"x").repeatable
    assert not keys.create("ci", ["records:read"]).repeatable
    assert not sessions.sign_in("a@example.org", "password", "123456").repeatable


def test_expiry_is_sent_in_utc_and_needs_a_time_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert b'"2026-01-01T10:00:00Z"' in bytes(keys.create("ci", [], expires_at=noon).body)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time zone"):
        keys.create("ci", [], expires_at=datetime.now(UTC).replace(tzinfo=None))


def test_representation_of_a_call_shows_no_secret_and_no_subject() -> None:
    assert "hunter2" not in repr(sessions.sign_in("a@example.org", "hunter2", "123456"))
    assert "ada" not in repr(subjects.get("ada"))

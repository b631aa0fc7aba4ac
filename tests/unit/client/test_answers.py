import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from bailee.client import (
    ApiError,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Record,
    TooLarge,
    Unauthorized,
    Unavailable,
    VersionMismatch,
)
from bailee.client.answers import failure, json_answer, ndjson_answer, text_answer
from tests.unit.client.harness import problem, record


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, VersionMismatch),
        (413, TooLarge),
        (415, ApiError),
        (422, Invalid),
        (429, RateLimited),
        (500, ApiError),
        (503, Unavailable),
    ],
)
def test_status_chooses_the_exception(status: int, kind: type[ApiError]) -> None:
    error = failure(problem(status, "some_code"))
    assert type(error) is kind
    assert (error.status, error.code) == (status, "some_code")


def test_error_carries_the_problem_document() -> None:
    errors = [{"path": "data.email", "message": "must be an e-mail address"}]
    error = failure(problem(422, "invalid", errors=errors, max_bytes=7))
    assert error.problem.errors == (FieldError("data.email", "must be an e-mail address"),)
    assert error.problem.extra == {"max_bytes": 7}
    assert error.problem.request_id == "req-1"
    assert str(error) == ("Do it differently. (422 invalid); data.email: must be an e-mail address [request req-1]")


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(502, text="<html>bad gateway</html>", headers={"X-Request-Id": "req-2"}),
        httpx2.Response(502, content=b"{", headers={"Content-Type": "application/json", "X-Request-Id": "req-2"}),
        httpx2.Response(502, json=["no", "object"], headers={"X-Request-Id": "req-2"}),
        httpx2.Response(502, json={"code": 7, "errors": "?"}, headers={"X-Request-Id": "req-2"}),
    ],
)
def test_answer_without_a_problem_document_gets_a_made_one(response: httpx2.Response) -> None:
    made = failure(response).problem
    assert (made.status, made.code, made.title, made.request_id) == (502, "http_502", "Bad Gateway", "req-2")
    assert made.errors == ()
    assert "html" not in str(failure(response))


def test_status_that_nobody_knows_is_an_error_all_the_same() -> None:
    assert failure(httpx2.Response(599)).problem.title == "Unknown status"


def test_redirect_is_an_error_and_not_followed_with_the_token() -> None:
    assert failure(httpx2.Response(308, headers={"Location": "https://evil.test/"})).code == "http_308"


@pytest.mark.parametrize(
    "header, member, seconds",
    [("7", 3, 7.0), (None, 3, 3.0), (None, True, None), (None, -1, None), ("soon", None, None), ("soon", 4, 4.0)],
)
def test_retry_after_is_read_from_the_header_or_the_document(
    header: str | None, member: object, seconds: float | None
) -> None:
    headers = {"Retry-After": header} if header else {}
    assert failure(problem(429, "rate_limited", headers=headers, retry_after=member)).problem.retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    asked = failure(problem(503, "away", headers={"Retry-After": date})).problem.retry_after
    assert asked is not None
    assert 15 < asked <= 20
    past = failure(problem(503, "away", headers={"Retry-After": "Fri, 01 Jan 2021 00:00:00 -0000"}))
    assert past.problem.retry_after == 0


def test_members_that_this_version_does_not_know_are_passed_over() -> None:
    parsed = json_answer(Record)(httpx2.Response(200, json=record(colour="blue")))
    assert parsed.data == {"email": "ada@example.org"}
    assert parsed.updated_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"id":"1"}'])
def test_success_that_cannot_be_understood_is_an_error(content: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        json_answer(Record)(httpx2.Response(200, content=content))
    assert (caught.value.status, caught.value.code) == (200, "unreadable_answer")


def test_broken_line_of_ndjson_is_an_error() -> None:
    with pytest.raises(ApiError, match="could not be understood"):
        ndjson_answer(dict[str, int])(httpx2.Response(200, content=b'{"line":1}\n{"li'))


def test_text_must_be_utf_8() -> None:
    with pytest.raises(ApiError, match="UTF-8"):
        text_answer(httpx2.Response(200, content=b"\xff"))


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(failure(problem(404, "not_found"))))  # noqa: S301 - made on this line
    assert isinstance(error, NotFound)
    assert error.code == "not_found"

import sys
from uuid import UUID

import msgspec
import pytest

from bailee.foundation.errors import Error, FieldError, Invalid, NotFound, Unavailable
from bailee.foundation.http import problem_of
from bailee.web import app


def every_kind(base: type[Error] = Error) -> list[type[Error]]:
    assert app.__name__ in sys.modules  # imported for what it imports: every error
    return [
        kind
        for one in base.__subclasses__()
        for kind in [one, *every_kind(one)]
        if kind.__module__.startswith("bailee")
    ]


@pytest.mark.parametrize("kind", sorted(set(every_kind()), key=str))
def test_every_error_says_what_it_is(kind: type[Error]) -> None:
    assert kind.code == kind.code.lower()
    assert kind.code.replace("_", "").isalnum()
    assert 400 <= kind.status < 600
    assert kind.title
    assert kind.__doc__


def test_problem_is_rfc_9457s() -> None:
    error = Invalid("Look.", errors=[FieldError("data.f", "Wrong.")], max_bytes=5)
    problem = problem_of(error, UUID(int=1))
    assert problem == {
        "type": "urn:bailee:problem:invalid", "title": "The input is not valid", "status": 422, "detail": "Look.",
        "code": "invalid", "request_id": str(UUID(int=1)), "errors": [{"path": "data.f", "message": "Wrong."}],
        "max_bytes": 5,
    }  # fmt: skip
    msgspec.json.encode(problem)


def test_absent_and_forbidden_read_alike() -> None:
    assert problem_of(NotFound(), None)["detail"] == "There is nothing here that you may see."


def test_unavailable_says_when_to_come_back() -> None:
    assert Unavailable("Away.").retry_after == 2

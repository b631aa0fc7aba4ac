"""Support cases: staff ask and read, customers grant and end."""

from collections.abc import Mapping, Sequence
from typing import Any

from bailee.client.answers import json_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.data import Record
from bailee.client.models.monitoring import SupportCase


def every(*, state: str | None = None, page_size: int | None = None) -> Call[Page[SupportCase]]:
    """Cases, newest first: of the caller's tenant, for staff of all. `state`: requested, granted, refused, ended."""
    parameters = query(state=state)
    return with_followers(paged(Page[SupportCase], api("support-cases"), parameters=parameters, limit=page_size))


def get(case_id: str) -> Call[SupportCase]:
    """One case. Raises NotFound."""
    return Call(method="GET", path=api("support-cases", case_id), parse=json_answer(SupportCase))


def request(
    tenant_id: str, reason: str, *, hours: int, collections: Sequence[str] = (), subjects: Sequence[str] = (),
    records: Sequence[str] = (),
) -> Call[SupportCase]:  # fmt: skip
    """Ask a customer to let you see something for 1 to 168 hours. Raises NotFound, Invalid, Conflict."""
    document = {
        "tenant": tenant_id, "reason": reason, "hours": hours, "collections": list(collections),
        "subjects": list(subjects), "records": list(records),
    }  # fmt: skip
    return sent_json("POST", api("support-cases"), document, json_answer(SupportCase))


def grant(
    case_id: str, *, hours: int | None = None, collections: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None, records: Sequence[str] | None = None,
) -> Call[SupportCase]:  # fmt: skip
    """Let them see it, or the part that is given. Needs a fresh second factor. Raises NotFound, Invalid, Conflict."""
    given: Mapping[str, Any] = {
        "hours": hours, "collections": collections, "subjects": subjects, "records": records
    }  # fmt: skip
    document = {
        name: value if isinstance(value, int) else list(value) for name, value in given.items() if value is not None
    }
    return sent_json("POST", api("support-cases", case_id, "grant"), document, json_answer(SupportCase))


def refuse(case_id: str) -> Call[SupportCase]:
    """Do not let them. Raises NotFound, Conflict."""
    return act(api("support-cases", case_id, "refuse"), json_answer(SupportCase))


def end(case_id: str) -> Call[SupportCase]:
    """End it at once. Raises NotFound, Conflict."""
    return act(api("support-cases", case_id, "end"), json_answer(SupportCase))


def records(case_id: str, *, page_size: int | None = None) -> Call[Page[Record]]:
    """The records within a case, opened; the customer sees that you look. Raises NotFound, Conflict."""
    path = api("support-cases", case_id, "records")
    return with_followers(paged(Page[Record], path, limit=page_size))


def record(case_id: str, record_id: str) -> Call[Record]:
    """One record within a case. Raises NotFound, Conflict."""
    path = api("support-cases", case_id, "records", record_id)
    return Call(method="GET", path=path, parse=json_answer(Record))

"""Data subjects: what is held about a person, and its erasure (GDPR, articles 15 and 17)."""

import dataclasses

import httpx2
import msgspec

from bailee.client.answers import json_answer
from bailee.client.call import Call, api, at_cursor, idempotency, query
from bailee.client.models.data import ErasureReceipt, SubjectView


def page(subject: str, *, cursor: str | None = None, limit: int | None = None) -> Call[SubjectView]:
    """One page of what is held about the subject (1–256 characters of any kind)."""
    parameters = query(cursor=cursor, limit=limit)
    return Call(method="GET", path=api("subjects", subject), query=parameters, parse=json_answer(SubjectView))


def get(subject: str, *, page_size: int | None = None) -> Call[SubjectView]:
    """All that is held about the subject: every page, in one view."""
    return _joined(page(subject, limit=page_size))


def erase(subject: str, *, idempotency_key: str | None = None) -> Call[ErasureReceipt]:
    """Erase the subject: its records and files, and the keys that could read copies of them.

    The receipt is the proof: keep it. Repeated after a lost answer, it is the same receipt.
    """
    headers = idempotency(idempotency_key)
    return Call(method="DELETE", path=api("subjects", subject), headers=headers, parse=json_answer(ErasureReceipt))


def _joined(call: Call[SubjectView], before: SubjectView | None = None) -> Call[SubjectView]:
    """The call, followed by the calls for the pages after it, each of which adds to what came before."""

    def parse(response: httpx2.Response) -> SubjectView:
        view = call.parse(response)
        if before is None:
            return view
        return msgspec.structs.replace(view, records=before.records + view.records, files=before.files + view.files)

    def follow(view: SubjectView) -> Call[SubjectView] | None:
        return None if view.next is None else _joined(at_cursor(call, view.next), view)

    return dataclasses.replace(call, parse=parse, follow=follow)

"""Notices of breaches: written by the operator's staff, read by the customers."""

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.incidents import BulkResult, Notice, NoticeDetails, NoticeSubject, SentNotice


def every(*, page_size: int | None = None) -> Call[Page[Notice]]:
    """What the caller's tenant was told, newest first; of each incident the latest version."""
    return with_followers(paged(Page[Notice], api("notices"), limit=page_size))


def get(incident_id: str) -> Call[SentNotice]:
    """A notice to the caller's tenant; that it was read is on record. Raises NotFound."""
    return Call(method="GET", path=api("notices", incident_id), parse=json_answer(SentNotice))


def subjects(
    incident_id: str, *, sureness: str = "certain", page_size: int | None = None
) -> Call[Page[NoticeSubject]]:  # fmt: skip
    """The people whom it concerns: those reached for `certain`, or everybody `possible`. Raises NotFound, Invalid."""
    path = api("notices", incident_id, "subjects")
    return with_followers(
        paged(Page[NoticeSubject], path, parameters=query(sureness=sureness), limit=page_size)
    )  # fmt: skip


def show(incident_id: str, tenant_id: str) -> Call[NoticeDetails]:
    """As staff: every version for a customer, how it went out, and who has read it. Raises NotFound."""
    path = api("incidents", incident_id, "notices", tenant_id)
    return Call(method="GET", path=path, parse=json_answer(NoticeDetails))


def draft(incident_id: str, tenant_id: str) -> Call[Notice]:
    """A draft for a customer, or a supplement to what was sent. Raises NotFound, Conflict."""
    return act(api("incidents", incident_id, "notices", tenant_id), json_answer(Notice))


def edit(
    incident_id: str, tenant_id: str, version: int, *, nature: str | None = None, impact: str | None = None,
    mitigation_taken: str | None = None, mitigation_planned: str | None = None, contact: str | None = None,
    late_reason: str | None = None,
) -> Call[Notice]:  # fmt: skip
    """Write parts of a draft; the others stay. It has to be approved again. Raises NotFound, Invalid, Conflict."""
    document = {
        "nature": nature, "impact": impact, "mitigation_taken": mitigation_taken,
        "mitigation_planned": mitigation_planned, "contact": contact, "late_reason": late_reason,
    }  # fmt: skip
    path = api("incidents", incident_id, "notices", tenant_id, str(version))
    return sent_json("PUT", path, document, json_answer(Notice))


def approve(incident_id: str, tenant_id: str, version: int) -> Call[Notice]:
    """Find a draft right that somebody else wrote. Needs a fresh second factor. Raises NotFound, Invalid, Conflict."""
    return act(api("incidents", incident_id, "notices", tenant_id, str(version), "approve"), json_answer(Notice))


def send(incident_id: str, tenant_id: str, version: int) -> Call[Notice]:
    """Send an approved version. Needs a fresh second factor. Raises NotFound, Invalid, Conflict."""
    return act(api("incidents", incident_id, "notices", tenant_id, str(version), "send"), json_answer(Notice))


def discard(incident_id: str, tenant_id: str, version: int, reason: str) -> Call[None]:
    """Throw a draft away. Raises NotFound, Invalid, Conflict."""
    path = api("incidents", incident_id, "notices", tenant_id, str(version), "discard")
    return sent_json("POST", path, {"reason": reason}, no_answer)


def edit_all(
    incident_id: str, *, nature: str | None = None, impact: str | None = None, mitigation_taken: str | None = None,
    mitigation_planned: str | None = None, contact: str | None = None, late_reason: str | None = None,
) -> Call[BulkResult]:  # fmt: skip
    """Write the same into every draft of an incident; parts that are not given stay. Raises Invalid."""
    document = {
        "nature": nature, "impact": impact, "mitigation_taken": mitigation_taken,
        "mitigation_planned": mitigation_planned, "contact": contact, "late_reason": late_reason,
    }  # fmt: skip
    return sent_json("PUT", api("incidents", incident_id, "notices"), document, json_answer(BulkResult))


def approve_all(incident_id: str) -> Call[BulkResult]:
    """Find every complete draft right that somebody else wrote. Needs a fresh second factor."""
    return act(api("incidents", incident_id, "approve-notices"), json_answer(BulkResult))


def send_all(incident_id: str) -> Call[BulkResult]:
    """Send every approved version. Needs a fresh second factor."""
    return act(api("incidents", incident_id, "send-notices"), json_answer(BulkResult))

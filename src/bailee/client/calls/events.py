"""Security events and measures: what happened, and whether what was promised holds."""

from bailee.client.answers import json_answer
from bailee.client.call import Call, api, paged, query, with_followers
from bailee.client.models.admin import Event, Measure, Report
from bailee.client.models.base import Page


def event_page(
    *, action: str | None = None, tenant: str | None = None, cursor: str | None = None, limit: int | None = None
) -> Call[Page[Event]]:
    """One page of events. Staff see all tenants, or the one named by `tenant`."""
    parameters = query(action=action, tenant=tenant)
    return paged(Page[Event], api("events"), parameters=parameters, cursor=cursor, limit=limit)


def every_event(
    *, action: str | None = None, tenant: str | None = None, cursor: str | None = None, page_size: int | None = None
) -> Call[Page[Event]]:
    """All events, from `cursor` on if given."""
    return with_followers(event_page(action=action, tenant=tenant, cursor=cursor, limit=page_size))


def report() -> Call[Report]:
    """Every measure of the TOM document, in its order, with its present state."""
    return Call(method="GET", path=api("measures"), parse=json_answer(Report))


def measure(measure_id: str) -> Call[Measure]:
    """One measure, with its present state. Raises NotFound."""
    return Call(method="GET", path=api("measures", measure_id), parse=json_answer(Measure))

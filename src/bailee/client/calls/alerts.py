"""Alerts: look at them, handle them, have a rule be quiet for a while."""

from bailee.client.answers import json_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.alerts import Alert, AlertDetails, AlertNote, Suppression
from bailee.client.models.base import Page


def every(
    *, status: str | None = None, level: str | None = None, page_size: int | None = None
) -> Call[Page[Alert]]:  # fmt: skip
    """Alerts, newest first. `status`: open, acknowledged, closed, or unfinished for the first two."""
    parameters = query(status=status, level=level)
    return with_followers(paged(Page[Alert], api("alerts"), parameters=parameters, limit=page_size))


def get(alert_id: str) -> Call[AlertDetails]:
    """One alert with its events and notes. Raises NotFound."""
    return Call(method="GET", path=api("alerts", alert_id), parse=json_answer(AlertDetails))


def acknowledge(alert_id: str) -> Call[Alert]:
    """Somebody is at it. Raises NotFound, Conflict."""
    return act(api("alerts", alert_id, "acknowledge"), json_answer(Alert))


def assign(alert_id: str, account_id: str | None) -> Call[Alert]:
    """Who is to look after it, or nobody. Raises NotFound, Invalid."""
    return sent_json("POST", api("alerts", alert_id, "assign"), {"assignee": account_id}, json_answer(Alert))


def close(alert_id: str, resolution: str) -> Call[Alert]:
    """Done with it: `handled`, `expected` or `false_alarm`. Raises NotFound, Invalid, Conflict."""
    return sent_json("POST", api("alerts", alert_id, "close"), {"resolution": resolution}, json_answer(Alert))


def note(alert_id: str, text: str) -> Call[list[AlertNote]]:
    """Write something about it; the notes there are now. Raises NotFound, Invalid."""
    return sent_json("POST", api("alerts", alert_id, "notes"), {"note": text}, json_answer(list[AlertNote]))


def suppress(alert_id: str, *, days: int, reason: str, everything: bool = False) -> Call[Suppression]:
    """Have its rule be quiet for 1 to 90 days, about this alert's group or everything. Raises NotFound, Invalid."""
    document = {"days": days, "reason": reason, "everything": everything}
    return sent_json("POST", api("alerts", alert_id, "suppress"), document, json_answer(Suppression))


def suppressions(*, page_size: int | None = None) -> Call[Page[Suppression]]:
    """Rules that are, or were, quiet for a while; newest first."""
    return with_followers(paged(Page[Suppression], api("suppressions"), limit=page_size))


def end_suppression(suppression_id: str) -> Call[Suppression]:
    """Have the rule told again. Raises NotFound, Conflict."""
    return act(api("suppressions", suppression_id, "end"), json_answer(Suppression))

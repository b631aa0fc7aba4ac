"""Incidents, their breaches and blast radius, exercises, and what opens them; for the operator's staff."""

from collections.abc import Sequence
from datetime import datetime

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.incidents import (
    Attachment,
    BegunExercise,
    Breach,
    ExerciseResult,
    Incident,
    IncidentDetails,
    IncidentTask,
    IncidentTrigger,
    LinkedAlert,
    Playbook,
    Reach,
    TimelineEntry,
)


def every(
    *, state: str | None = None, search: str | None = None, page_size: int | None = None
) -> Call[Page[Incident]]:  # fmt: skip
    """Incidents, newest first. `state`: a phase, `unfinished`, or `exercise`."""
    parameters = query(state=state, search=search)
    return with_followers(paged(Page[Incident], api("incidents"), parameters=parameters, limit=page_size))


def get(incident_id: str) -> Call[IncidentDetails]:
    """One incident with everything that belongs to it. Raises NotFound."""
    return Call(method="GET", path=api("incidents", incident_id), parse=json_answer(IncidentDetails))


def open(  # noqa: A001  what is done with an incident
    title: str, summary: str, *, impact: str, extent: str, subprocessor: str = "", subprocessor_reference: str = ""
) -> Call[Incident]:
    """Open an incident. `impact`: none, limited, serious, severe; `extent`: one, some, many. Raises Invalid."""
    document = {
        "title": title, "summary": summary, "impact": impact, "extent": extent, "subprocessor": subprocessor,
        "subprocessor_reference": subprocessor_reference,
    }  # fmt: skip
    return sent_json("POST", api("incidents"), document, json_answer(Incident))


def change(
    incident_id: str, title: str, summary: str, *, subprocessor: str = "", subprocessor_reference: str = "",
    version: int | None = None,
) -> Call[Incident]:  # fmt: skip
    """Describe it better; with `version`, only if nobody has meanwhile. Raises NotFound, Invalid, Conflict."""
    document = {
        "title": title, "summary": summary, "subprocessor": subprocessor,
        "subprocessor_reference": subprocessor_reference, "version": version,
    }  # fmt: skip
    return sent_json("PUT", api("incidents", incident_id), document, json_answer(Incident))


def assess(incident_id: str, *, impact: str, extent: str) -> Call[Incident]:
    """Say how grave it is. Raises NotFound, Invalid, Conflict."""
    document = {"impact": impact, "extent": extent}
    return sent_json("PUT", api("incidents", incident_id, "severity"), document, json_answer(Incident))


def assign(incident_id: str, *, owner: str | None, deputy: str | None = None) -> Call[Incident]:
    """Who answers for it, and who if they do not. Raises NotFound, Invalid, Conflict."""
    document = {"owner": owner, "deputy": deputy}
    return sent_json("PUT", api("incidents", incident_id, "people"), document, json_answer(Incident))


def move(incident_id: str, to: str, reason: str) -> Call[Incident]:
    """To the next phase, or back to an earlier one. Raises NotFound, Invalid, Conflict while something is missing."""
    return sent_json("POST", api("incidents", incident_id, "move"), {"to": to, "reason": reason}, json_answer(Incident))


def note(
    incident_id: str, text: str, *, at: datetime | None = None, event_id: str | None = None
) -> Call[TimelineEntry]:  # fmt: skip
    """Add a line to the timeline, about a moment or about an event of the log. Raises NotFound, Invalid."""
    document = {"text": text, "at": at.isoformat() if at else None, "event": event_id}
    return sent_json("POST", api("incidents", incident_id, "timeline"), document, json_answer(TimelineEntry))


def add_task(
    incident_id: str, title: str, *, assignee: str | None = None, due_at: datetime | None = None
) -> Call[IncidentTask]:
    """Something more to do. Raises NotFound, Invalid, Conflict."""
    document = {"title": title, "assignee": assignee, "due_at": due_at.isoformat() if due_at else None}
    return sent_json("POST", api("incidents", incident_id, "tasks"), document, json_answer(IncidentTask))


def complete_task(incident_id: str, task_id: str, *, done: bool = True) -> Call[IncidentTask]:
    """Tick a task, or untick it. Raises NotFound, Conflict."""
    return sent_json(
        "PUT", api("incidents", incident_id, "tasks", task_id), {"done": done}, json_answer(IncidentTask)
    )  # fmt: skip


def follow_playbook(incident_id: str, playbook: str) -> Call[list[IncidentTask]]:
    """Make a task of each box of a playbook; those that are new. Raises NotFound, Invalid, Conflict."""
    path = api("incidents", incident_id, "playbook")
    return sent_json("POST", path, {"playbook": playbook}, json_answer(list[IncidentTask]))


def link_alert(incident_id: str, alert_id: str) -> Call[LinkedAlert]:
    """Say that an alert belongs to it. Raises NotFound, Conflict."""
    return sent_json("POST", api("incidents", incident_id, "alerts"), {"alert": alert_id}, json_answer(LinkedAlert))


def attach(
    incident_id: str, name: str, content: bytes, *, content_type: str = "application/octet-stream"
) -> Call[Attachment]:
    """Keep a file of up to 6 MiB as evidence. Raises NotFound, Invalid, TooLarge, Conflict."""
    return Call(
        method="PUT",
        path=api("incidents", incident_id, "evidence", name),
        headers={"Content-Type": content_type},
        body=content,
        parse=json_answer(Attachment),
    )


def review(incident_id: str, *, cause: str, lessons: str, tasks: Sequence[str] = ()) -> Call[Incident]:
    """Write the post-mortem; each of `tasks` becomes one. Raises NotFound, Invalid, Conflict."""
    document = {"cause": cause, "lessons": lessons, "tasks": list(tasks)}
    return sent_json("PUT", api("incidents", incident_id, "postmortem"), document, json_answer(Incident))


def playbooks() -> Call[list[Playbook]]:
    """The playbooks there are."""
    return Call(method="GET", path=api("playbooks"), parse=json_answer(list[Playbook]))


def verify_breach(incident_id: str, facts: str, *, at: datetime | None = None) -> Call[Breach]:
    """Say that it is a breach of personal data: the 24 hours begin. Needs a fresh second factor.

    Raises NotFound, Invalid, Conflict.
    """
    document = {"facts": facts, "at": at.isoformat() if at else None}
    return sent_json("POST", api("incidents", incident_id, "breach"), document, json_answer(Breach))


def dismiss_breach(incident_id: str, reason: str) -> Call[Incident]:
    """Say that it is none. Needs a fresh second factor. Raises NotFound, Invalid, Conflict."""
    path = api("incidents", incident_id, "breach", "dismiss")
    return sent_json("POST", path, {"reason": reason}, json_answer(Incident))


def trace(
    incident_id: str, *, since: datetime, until: datetime, accounts: Sequence[str] = (), keys: Sequence[str] = (),
    sessions: Sequence[str] = (), addresses: Sequence[str] = (), store: str = "", subprocessor: str = "",
) -> Call[Reach]:  # fmt: skip
    """Compute the blast radius from the log. Raises NotFound, Invalid, Conflict."""
    document = {
        "since": since.isoformat(), "until": until.isoformat(), "accounts": list(accounts), "keys": list(keys),
        "sessions": list(sessions), "addresses": list(addresses), "store": store, "subprocessor": subprocessor,
    }  # fmt: skip
    return sent_json("POST", api("incidents", incident_id, "reach"), document, json_answer(Reach))


def triggers() -> Call[list[IncidentTrigger]]:
    """Which alerts open an incident."""
    return Call(method="GET", path=api("incident-triggers"), parse=json_answer(list[IncidentTrigger]))


def set_trigger(
    *, impact: str, extent: str, rule_id: str | None = None, level: str | None = None, playbook: str = ""
) -> Call[IncidentTrigger]:
    """Have the alerts of a rule, or all from a level on, open an incident. Needs a fresh second factor.

    Raises Invalid.
    """
    document = {"impact": impact, "extent": extent, "rule_id": rule_id, "level": level, "playbook": playbook}
    return sent_json("POST", api("incident-triggers"), document, json_answer(IncidentTrigger))


def remove_trigger(trigger_id: str) -> Call[None]:
    """Have them open none any more. Needs a fresh second factor. Raises NotFound."""
    return Call(method="DELETE", path=api("incident-triggers", trigger_id), parse=no_answer)


def exercises() -> Call[list[ExerciseResult]]:
    """How the last exercises went, newest first."""
    return Call(method="GET", path=api("exercises"), parse=json_answer(list[ExerciseResult]))


def begin_exercise(*, drill: bool = False) -> Call[BegunExercise]:
    """Begin an exercise that people go through, or have a drill go through by itself."""
    return sent_json("POST", api("exercises"), {"drill": drill}, json_answer(BegunExercise))


def end_exercise(incident_id: str) -> Call[ExerciseResult]:
    """End an exercise. Raises NotFound, Conflict."""
    return act(api("incidents", incident_id, "end-exercise"), json_answer(ExerciseResult))

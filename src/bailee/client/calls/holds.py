"""Legal holds."""

from collections.abc import Sequence
from datetime import date

from bailee.client.answers import json_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.downloads import head_of
from bailee.client.models.base import Page
from bailee.client.models.data import FileHead
from bailee.client.models.retention import ArchivePage, CustomerHold, Hold, WaitingErasure


def every(*, state: str | None = None, page_size: int | None = None) -> Call[Page[Hold]]:
    """Legal holds, newest first."""
    return with_followers(paged(Page[Hold], api("holds"), parameters=query(state=state), limit=page_size))


def get(hold_id: str) -> Call[Hold]:
    """One hold. Raises NotFound."""
    return Call(method="GET", path=api("holds", hold_id), parse=json_answer(Hold))


def request(
    kind: str, basis: str, ends_on: date, *, everything: bool = False, collections: Sequence[str] = (),
    subjects: Sequence[str] = (), records: Sequence[str] = (),
) -> Call[Hold]:  # fmt: skip
    """Ask for a hold. `kind`: tax, litigation, authority or other_law. Needs a fresh second factor. Raises Invalid."""
    document = {
        "kind": kind, "basis": basis, "ends_on": ends_on, "everything": everything, "collections": list(collections),
        "subjects": list(subjects), "records": list(records),
    }  # fmt: skip
    return sent_json("POST", api("holds"), document, json_answer(Hold))


def withdraw(hold_id: str) -> Call[Hold]:
    """Take back what was asked for. Raises NotFound, Conflict."""
    return act(api("holds", hold_id, "withdraw"), json_answer(Hold))


def approve(hold_id: str) -> Call[Hold]:
    """Put it into force, as a second person with a fresh second factor. Raises NotFound, Conflict."""
    return act(api("holds", hold_id, "approve"), json_answer(Hold))


def refuse(hold_id: str) -> Call[Hold]:
    """Do not put it into force. Raises NotFound, Conflict."""
    return act(api("holds", hold_id, "refuse"), json_answer(Hold))


def lift(hold_id: str, reason: str) -> Call[Hold]:
    """Ask to lift it: `placed_in_error`, `basis_ended` or `scope_too_wide`. Raises NotFound, Invalid, Conflict."""
    return sent_json("POST", api("holds", hold_id, "lift"), {"reason": reason}, json_answer(Hold))


def extend(hold_id: str, ends_on: date) -> Call[Hold]:
    """Ask for a later last day. Raises NotFound, Invalid, Conflict."""
    return sent_json("POST", api("holds", hold_id, "extend"), {"ends_on": ends_on}, json_answer(Hold))


def decide(hold_id: str, *, approved: bool) -> Call[Hold]:
    """Decide what was asked for, as a second person with a fresh second factor. Raises NotFound, Conflict."""
    return sent_json("POST", api("holds", hold_id, "decide"), {"approved": approved}, json_answer(Hold))


def look(hold_id: str, purpose: str, *, cursor: str | None = None) -> Call[ArchivePage]:
    """Look into the archive: for `legal_claim`, `authority_request`, `audit` or `return_to_controller`, as its kind
    admits. Each look is an event. Raises NotFound, Forbidden, Conflict.
    """
    document = {"purpose": purpose, "cursor": cursor}
    return sent_json("POST", api("holds", hold_id, "look"), document, json_answer(ArchivePage))


def waiting() -> Call[list[WaitingErasure]]:
    """Erasures that wait for the archive."""
    return Call(method="GET", path=api("erasures"), parse=json_answer(list[WaitingErasure]))


def open_file(hold_id: str, archive_id: str, purpose: str) -> Call[FileHead]:
    """An archived file, as a stream to use in a `with` block. `archive_id` is that of a look's `files`. Each opening is
    an event. Raises NotFound, Forbidden, Conflict.
    """
    return sent_json("POST", api("holds", hold_id, "files", archive_id, "look"), {"purpose": purpose}, head_of)


# --- for staff ------------------------------------------------------------------------------------------


def customers(
    *, waiting: bool = False, state: str | None = None, tenant_id: str | None = None, page_size: int | None = None
) -> Call[Page[CustomerHold]]:
    """Holds of all customers or of one, newest first; with `waiting` those that wait for a second person. For staff."""
    parameters = query(waiting="true" if waiting else None, state=state, tenant=tenant_id)
    return with_followers(paged(Page[CustomerHold], api("tenant-holds"), parameters=parameters, limit=page_size))


def get_for(tenant_id: str, hold_id: str) -> Call[CustomerHold]:
    """One of a customer's holds. For staff. Raises NotFound."""
    return Call(method="GET", path=api("tenants", tenant_id, "holds", hold_id), parse=json_answer(CustomerHold))


def approve_for(tenant_id: str, hold_id: str) -> Call[Hold]:
    """Put a customer's hold into force that has no second person of its own. For staff, with a fresh second factor.

    Raises NotFound, Conflict; Forbidden where the customer has one.
    """
    return act(api("tenants", tenant_id, "holds", hold_id, "approve"), json_answer(Hold))


def refuse_for(tenant_id: str, hold_id: str) -> Call[Hold]:
    """Do not put such a customer's hold into force. For staff, with a fresh second factor.

    Raises NotFound, Conflict; Forbidden where the customer has a second person.
    """
    return act(api("tenants", tenant_id, "holds", hold_id, "refuse"), json_answer(Hold))


def decide_for(tenant_id: str, hold_id: str, *, approved: bool) -> Call[Hold]:
    """Decide what was asked for of such a customer's hold. For staff, with a fresh second factor.

    Raises NotFound, Conflict; Forbidden where the customer has a second person.
    """
    path = api("tenants", tenant_id, "holds", hold_id, "decide")
    return sent_json("POST", path, {"approved": approved}, json_answer(Hold))


def lift_for(tenant_id: str, hold_id: str, reason: str) -> Call[Hold]:
    """Ask to lift the hold of a customer whose contract has ended. For staff, with a fresh second factor.

    Raises NotFound, Invalid, Conflict.
    """
    path = api("tenants", tenant_id, "holds", hold_id, "lift")
    return sent_json("POST", path, {"reason": reason}, json_answer(Hold))


def extend_for(tenant_id: str, hold_id: str, ends_on: date) -> Call[Hold]:
    """Ask for a later last day of such a customer's hold. For staff, with a fresh second factor.

    Raises NotFound, Invalid, Conflict.
    """
    path = api("tenants", tenant_id, "holds", hold_id, "extend")
    return sent_json("POST", path, {"ends_on": ends_on}, json_answer(Hold))


def look_for(tenant_id: str, hold_id: str, purpose: str, *, cursor: str | None = None) -> Call[ArchivePage]:
    """Look into the archive of a customer whose contract has ended. For staff, with a fresh second factor. Each look is
    an event in the customer's log. Raises NotFound, Forbidden, Conflict.
    """
    path = api("tenants", tenant_id, "holds", hold_id, "look")
    return sent_json("POST", path, {"purpose": purpose, "cursor": cursor}, json_answer(ArchivePage))


def open_file_for(tenant_id: str, hold_id: str, archive_id: str, purpose: str) -> Call[FileHead]:
    """An archived file of such a customer, as a stream to use in a `with` block. For staff, with a fresh second factor.

    Raises NotFound, Forbidden, Conflict.
    """
    path = api("tenants", tenant_id, "holds", hold_id, "files", archive_id, "look")
    return sent_json("POST", path, {"purpose": purpose}, head_of)

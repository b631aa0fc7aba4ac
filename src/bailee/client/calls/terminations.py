"""Ends of contracts: terminations, the return of data, certificates, the rotation calendar."""

from datetime import date

from bailee.client.answers import json_answer
from bailee.client.call import Call, act, api, query, sent_json
from bailee.client.downloads import head_of
from bailee.client.models.data import FileHead
from bailee.client.models.retention import Certificate, RotationCalendar, Termination


def get_own() -> Call[Termination]:
    """The end of the caller's own contract. Raises NotFound where it goes on."""
    return Call(method="GET", path=api("termination"), parse=json_answer(Termination))


def request_own() -> Call[Termination]:
    """End the caller's own contract. Needs a fresh second factor. Raises Conflict."""
    return act(api("termination"), json_answer(Termination))


def cancel_own() -> Call[Termination]:
    """Have it go on. Needs a fresh second factor. Raises NotFound, Conflict."""
    return act(api("termination", "cancel"), json_answer(Termination))


def every() -> Call[list[Termination]]:
    """Ends of contracts, newest first. For staff."""
    return Call(method="GET", path=api("terminations"), parse=json_answer(list[Termination]))


def get(tenant_id: str) -> Call[Termination]:
    """The end of a customer's contract. Raises NotFound."""
    return Call(method="GET", path=api("tenants", tenant_id, "termination"), parse=json_answer(Termination))


def request(tenant_id: str, contract_ended_on: date, *, grace_days: int | None = None) -> Call[Termination]:
    """End a customer's contract. Needs a fresh second factor. Raises NotFound, Invalid, Conflict."""
    document = {"contract_ended_on": contract_ended_on, "grace_days": grace_days}
    return sent_json("POST", api("tenants", tenant_id, "termination"), document, json_answer(Termination))


def cancel(tenant_id: str) -> Call[Termination]:
    """Have a customer's contract go on. Raises NotFound, Conflict."""
    return act(api("tenants", tenant_id, "termination", "cancel"), json_answer(Termination))


def close(tenant_id: str) -> Call[Termination]:
    """End a grace period at once that the operator has given. Raises NotFound, Conflict."""
    return act(api("tenants", tenant_id, "termination", "close"), json_answer(Termination))


def certificate(tenant_id: str, number: int = 1) -> Call[Certificate]:
    """A certificate of deletion. Raises NotFound, Unavailable until the ledger has its event."""
    return act(api("tenants", tenant_id, "certificates", str(number)), json_answer(Certificate))


def certificate_pdf(tenant_id: str, number: int = 1) -> Call[FileHead]:
    """The same as PDF, as a stream to use in a `with` block. Raises NotFound."""
    return act(api("tenants", tenant_id, "certificates", str(number), "pdf"), head_of)


def export() -> Call[FileHead]:
    """All data of the caller's tenant as one ZIP, as a stream to use in a `with` block. Needs a fresh second factor."""
    return act(api("export"), head_of)


def calendar(subject: str) -> Call[RotationCalendar]:
    """Which backups hold a data subject, stored or erased. Raises NotFound."""
    path = api("rotation-calendar")
    return Call(method="GET", path=path, query=query(subject=subject), parse=json_answer(RotationCalendar))


def calendar_of(tenant_id: str) -> Call[RotationCalendar]:
    """Which backups hold a customer. For staff. Raises NotFound."""
    path = api("tenants", tenant_id, "rotation-calendar")
    return Call(method="GET", path=path, parse=json_answer(RotationCalendar))

"""The operator's staff: accounts, invitations, roles, the emergency account."""

from collections.abc import Iterable

from bailee.client.answers import json_answer, member_answer, no_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.people import (
    Account,
    BreakGlassState,
    Invitation,
    Privileges,
    SealedEnvelope,
    StaffRole,
)


def every(*, search: str | None = None, page_size: int | None = None) -> Call[Page[Account]]:
    """All staff accounts, or those whose name or address contains `search`."""
    return with_followers(paged(Page[Account], api("staff"), parameters=query(search=search), limit=page_size))


def get(account_id: str) -> Call[Account]:
    """One of the staff. Raises NotFound."""
    return Call(method="GET", path=api("staff", account_id), parse=json_answer(Account))


def find_person(email: str) -> Call[Account]:
    """A customer's person, by the whole address. Raises NotFound."""
    return Call(method="GET", path=api("people"), query=query(email=email), parse=json_answer(Account))


def disable(account_id: str) -> Call[Account]:
    """Shut somebody out at once. Raises NotFound, Conflict."""
    return act(api("staff", account_id, "disable"), json_answer(Account))


def enable(account_id: str) -> Call[Account]:
    """Let somebody in again. Raises NotFound, Conflict."""
    return act(api("staff", account_id, "enable"), json_answer(Account))


def off_board(account_id: str) -> Call[Account]:
    """Somebody leaves: sessions, factors and roles are gone. Raises NotFound, Conflict."""
    return act(api("staff", account_id, "off-board"), json_answer(Account))


def reset_factors(account_id: str, reason: str) -> Call[str | None]:
    """Reset somebody's lost second factors; a link to enrol new ones, where no mail server sends it.

    Raises NotFound, Conflict, Invalid.
    """
    path = api("staff", account_id, "reset-factors")
    return sent_json("POST", path, {"reason": reason}, member_answer("link", str | None))  # type: ignore[arg-type]  # a union


def end_sessions(account_id: str) -> Call[int]:
    """End every session of somebody; how many they were. Raises NotFound."""
    return act(api("staff", account_id, "end-sessions"), member_answer("count", int))


# --- invitations --------------------------------------------------------------------------------------


def invitations(*, page_size: int | None = None) -> Call[Page[Invitation]]:
    """Invitations to the staff, newest first."""
    return with_followers(paged(Page[Invitation], api("staff", "invitations"), limit=page_size))


def invite(email: str, name: str, roles: Iterable[str]) -> Call[Invitation]:
    """Ask somebody to join the staff. Nobody gives a role that permits more than they may do themselves.

    Raises Invalid, Forbidden, Conflict.
    """
    document = {"email": email, "name": name, "roles": list(roles)}
    return sent_json("POST", api("staff", "invitations"), document, json_answer(Invitation))


def withdraw_invitation(invitation_id: str) -> Call[None]:
    """Make an invitation's link worthless. Raises NotFound, Conflict."""
    return Call(method="DELETE", path=api("staff", "invitations", invitation_id), parse=no_answer)


# --- roles --------------------------------------------------------------------------------------------


def roles() -> Call[list[StaffRole]]:
    """The roles of staff, and what each permits."""
    return Call(method="GET", path=api("staff", "roles"), parse=json_answer(list[StaffRole]))


def grant(account_id: str, role: str) -> Call[None]:
    """Give somebody a role. Raises NotFound, Invalid, Forbidden, Conflict."""
    return Call(method="PUT", path=api("staff", account_id, "roles", role), parse=no_answer)


def withdraw(account_id: str, role: str) -> Call[None]:
    """Take a role away at once. Raises NotFound, Forbidden, or Conflict for the last owner."""
    return Call(method="DELETE", path=api("staff", account_id, "roles", role), parse=no_answer)


def privileges() -> Call[list[Privileges]]:
    """What everybody may do, and has done or not done within 90 days."""
    return Call(method="GET", path=api("staff", "privileges"), parse=json_answer(list[Privileges]))


# --- the emergency account ------------------------------------------------------------------------------


def break_glass() -> Call[BreakGlassState]:
    """Whether the emergency account is sealed."""
    return Call(method="GET", path=api("break-glass"), parse=json_answer(BreakGlassState))


def seal() -> Call[SealedEnvelope]:
    """Seal the emergency account anew; what opened it before opens it no more."""
    return act(api("break-glass", "seal"), json_answer(SealedEnvelope))

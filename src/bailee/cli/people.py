"""Commands about the operator's staff: people, elevations, access reviews."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import out, say, show_json, show_table
from bailee.client import Account, Client, Elevation, Invitation, NotFound, Review, ReviewItem
from bailee.foundation.errors import ConfigurationError

staff = cyclopts.App(name="staff", help="The operator's people: invite, roles, disable, off-board.")
elevation = cyclopts.App(name="elevation", help="Roles held for a time, with a second person's approval.")
review = cyclopts.App(name="review", help="Access reviews: each role is confirmed by somebody else, or goes.")

type Who = Annotated[str, cyclopts.Parameter(help="Address or id of the person.")]
type Roles = Annotated[list[str], cyclopts.Parameter(name="--role", negative=(), help="A role; may be repeated.")]
type Why = Annotated[str, cyclopts.Parameter(help="Why, in 10 to 500 characters.")]


# --- staff ------------------------------------------------------------------------------------------------


@staff.command(name="list")
def list_staff(*, search: str | None = None, json: bool = False) -> None:
    """List the staff."""
    with connect() as client:
        _show_accounts(list(client.staff.list(search=search)), json=json)


@staff.command
def invite(email: str, name: str, *, role: Roles, json: bool = False) -> None:
    """Invite somebody to the staff. Without a mail server the link is shown, for you to hand over."""
    with connect() as client:
        show_invited(client.staff.invitations.create(email, name, role), json=json)


@staff.command(name="invitations")
def list_invitations(*, json: bool = False) -> None:
    """List the invitations to the staff, newest first."""
    with connect() as client:
        show_invitations(list(client.staff.invitations.list()), json=json)


@staff.command
def uninvite(invitation_id: str) -> None:
    """Make an invitation's link worthless."""
    with connect() as client:
        client.staff.invitations.withdraw(invitation_id)
    say("The invitation is withdrawn.")


@staff.command
def person(email: str, *, json: bool = False) -> None:
    """Look a customer's person up by address, to disable, enable or off-board them, or reset a lost factor."""
    with connect() as client:
        _show_accounts([client.staff.find_person(email)], json=json)


@staff.command
def disable(person: Who) -> None:
    """Shut somebody out, at once and everywhere."""
    with connect() as client:
        _show_accounts([client.staff.disable(_staff_id(client, person))], json=False)


@staff.command
def enable(person: Who) -> None:
    """Let somebody in again."""
    with connect() as client:
        _show_accounts([client.staff.enable(_staff_id(client, person))], json=False)


@staff.command(name="off-board")
def off_board(person: Who, *, yes: bool = False) -> None:
    """Somebody leaves: sessions, factors and roles are gone. A new invitation begins anew."""
    if not yes and input(f"Off-board {person}? Type it again: ").strip() != person:
        say("Nothing was done.")
        return
    with connect() as client:
        _show_accounts([client.staff.off_board(_staff_id(client, person))], json=False)


@staff.command(name="reset-factors")
def reset_factors(person: Who, *, reason: Why) -> None:
    """Reset somebody's lost second factor. The person is told, and gets a link to enrol a new one."""
    with connect() as client:
        link = client.staff.reset_factors(_staff_id(client, person), reason)
    if link is None:
        say("Done. The link goes by mail.")
    else:
        say("Done. No mail server is configured: hand this link over. It works once.")
        out.print(link, markup=False)


@staff.command(name="end-sessions")
def end_sessions(person: Who) -> None:
    """End every session of somebody, for the suspicion that one was stolen."""
    with connect() as client:
        count = client.staff.end_sessions(_staff_id(client, person))
    say(f"{count} sessions ended.")


@staff.command(name="roles")
def list_roles(*, json: bool = False) -> None:
    """List the roles of staff, and what each permits."""
    with connect() as client:
        found = client.staff.roles()
    if json:
        show_json({"items": found})
        return
    rows = ((r.name, r.title, "elevation only" if r.elevation_only else "", r.permissions) for r in found)
    show_table(["Name", "Title", "", "Permissions"], rows, empty="There are no roles.")


@staff.command
def grant(person: Who, role: str) -> None:
    """Give somebody a role; never one that permits more than you may do yourself."""
    with connect() as client:
        client.staff.grant(_staff_id(client, person), role)
    say(f"{person} is {role} from now on.")


@staff.command
def withdraw(person: Who, role: str) -> None:
    """Take a role away, at once and everywhere."""
    with connect() as client:
        client.staff.withdraw(_staff_id(client, person), role)
    say(f"{person} is {role} no longer.")


@staff.command
def privileges(*, json: bool = False) -> None:
    """Report what everybody may do and has not done within 90 days."""
    with connect() as client:
        found = client.staff.privileges()
    if json:
        show_json({"items": found})
        return
    rows = ((p.email, p.roles, len(p.used), p.unused) for p in found)
    show_table(["Person", "Roles", "Used", "Held and not used"], rows, empty="Nobody has a role.")


# --- elevations -------------------------------------------------------------------------------------------


@elevation.command(name="list")
def list_elevations(*, json: bool = False) -> None:
    """List elevations, newest first."""
    with connect() as client:
        _show_elevations(list(client.elevations.list()), json=json)


@elevation.command
def request(role: str, *, reason: Why, minutes: int = 60, json: bool = False) -> None:
    """Ask for a role for 5 to 480 minutes, from its approval by somebody else."""
    with connect() as client:
        _show_elevations([client.elevations.request(role, reason=reason, minutes=minutes)], json=json)


@elevation.command
def approve(elevation_id: str, *, json: bool = False) -> None:
    """Approve somebody else's request. It begins now, and ends by itself."""
    with connect() as client:
        _show_elevations([client.elevations.approve(elevation_id)], json=json)


@elevation.command
def refuse(elevation_id: str, *, json: bool = False) -> None:
    """Refuse somebody else's request."""
    with connect() as client:
        _show_elevations([client.elevations.refuse(elevation_id)], json=json)


@elevation.command
def end(elevation_id: str, *, json: bool = False) -> None:
    """End an elevation before its time, or take a request back."""
    with connect() as client:
        _show_elevations([client.elevations.end(elevation_id)], json=json)


# --- access reviews -----------------------------------------------------------------------------------------


@review.command(name="list")
def list_reviews(*, json: bool = False) -> None:
    """List access reviews, newest first."""
    with connect() as client:
        _show_reviews(list(client.reviews.list()), json=json)


@review.command(name="open")
def open_review(title: str, *, days: int = 14, json: bool = False) -> None:
    """Put every role before a reviewer. What is not confirmed within so many days is revoked."""
    with connect() as client:
        _show_reviews([client.reviews.open(title, due_at=datetime.now(UTC) + timedelta(days=days))], json=json)


@review.command
def items(review_id: str, *, json: bool = False) -> None:
    """List what a review is about: all of it, or your part."""
    with connect() as client:
        _show_items(list(client.reviews.items(review_id)), json=json)


@review.command
def confirm(review_id: str, item_id: str, *, json: bool = False) -> None:
    """Confirm a role of somebody else."""
    with connect() as client:
        _show_items([client.reviews.confirm(review_id, item_id)], json=json)


@review.command
def revoke(review_id: str, item_id: str, *, json: bool = False) -> None:
    """Revoke a role of somebody else, at once."""
    with connect() as client:
        _show_items([client.reviews.revoke(review_id, item_id)], json=json)


@review.command(name="close")
def close_review(review_id: str, *, json: bool = False) -> None:
    """End a review: what nobody has confirmed is revoked."""
    with connect() as client:
        _show_reviews([client.reviews.close(review_id)], json=json)


# --- inside -------------------------------------------------------------------------------------------------


def show_invited(invitation: Invitation, *, json: bool) -> None:
    """What has become of an invitation just made."""
    if json:
        show_json(invitation)
    elif invitation.link is None:
        say(f"{invitation.email} is invited. The link goes by mail.")
    else:
        say(f"{invitation.email} is invited. No mail server is configured: hand this link over. It works once.")
        out.print(invitation.link, markup=False)


def show_invitations(found: list[Invitation], *, json: bool) -> None:
    """Invitations, and how they stand."""
    if json:
        show_json({"items": found})
        return
    rows = ((i.id, i.email, i.roles, i.created_at, i.expires_at, _state_of(i)) for i in found)
    show_table(
        ["Id", "Address", "Roles", "Invited", "Good until", "Status"], rows, empty="Nobody has been invited yet."
    )


def _state_of(invitation: Invitation) -> str:
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.withdrawn_at is not None:
        return "withdrawn"
    expired = invitation.expires_at is not None and invitation.expires_at < datetime.now(UTC)
    return "expired" if expired else "open"


def _staff_id(client: Client, person: str) -> str:
    """The id of somebody named by address or id. Raises ConfigurationError."""
    if "@" not in person:
        return person
    for account in client.staff.list(search=person):
        if account.email == person.strip().lower():
            return account.id
    try:
        return client.staff.find_person(person).id
    except NotFound:
        raise ConfigurationError(
            "Nobody of the staff has that address, nor has a customer's person. `bailee staff list` shows the staff."
        ) from None


def _show_accounts(found: list[Account], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((a.id, a.name, a.email, a.state, a.roles, "yes" if a.mfa else "no", a.seen_at) for a in found)
    show_table(["Id", "Name", "Address", "Status", "Roles", "MFA", "Last seen"], rows, empty="There is nobody.")


def _show_elevations(found: list[Elevation], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((e.id, e.email, e.role, e.minutes, e.state, e.requested_at, e.expires_at, e.reason) for e in found)
    show_table(
        ["Id", "Person", "Role", "Minutes", "Status", "Requested", "Until", "Reason"],
        rows,
        empty="There are no elevations.",
    )


def _show_reviews(found: list[Review], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((r.id, r.title, r.state, f"{r.decided} of {r.items}", r.due_at, r.closed_at) for r in found)
    show_table(["Id", "Title", "Status", "Decided", "Due", "Closed"], rows, empty="There are no reviews.")


def _show_items(found: list[ReviewItem], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((i.id, i.email, i.role, i.reviewer, i.decision or "open", i.decided_at) for i in found)
    show_table(["Id", "Person", "Role", "Reviewer", "Status", "Decided"], rows, empty="There is nothing to review.")

"""Commands about legal holds and the archive. With --tenant they are for staff, about a customer's."""

from datetime import datetime
from pathlib import Path

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import CustomerHold, Hold

hold = cyclopts.App(name="hold", help="Legal holds: what the law has kept apart.")


@hold.command(name="list")
def list_holds(*, state: str | None = None, json: bool = False) -> None:
    """List holds, newest first."""
    with connect() as client:
        _show(list(client.holds.list(state=state)), json=json)


@hold.command
def customers(
    *, waiting: bool = False, state: str | None = None, tenant: str | None = None, json: bool = False
) -> None:  # fmt: skip
    """List customers' holds, newest first; with --waiting those that wait for a second person. For staff."""
    with connect() as client:
        _show_customers(list(client.holds.customers(waiting=waiting, state=state, tenant_id=tenant)), json=json)


@hold.command
def show(hold_id: str, *, tenant: str | None = None, json: bool = False) -> None:
    """Show one hold; staff name the customer."""
    with connect() as client:
        if tenant:
            _show_customers([client.holds.get_for(tenant, hold_id)], json=json)
        else:
            _show([client.holds.get(hold_id)], json=json)


@hold.command
def request(
    kind: str, *, basis: str, until: datetime, everything: bool = False, collection: list[str] | None = None,
    subject: list[str] | None = None, record: list[str] | None = None,
) -> None:  # fmt: skip
    """Ask for a hold. Kind: tax, litigation, authority, other_law. A second person has to approve it."""
    with connect() as client:
        asked = client.holds.request(
            kind, basis, until.date(), everything=everything, collections=collection or (), subjects=subject or (),
            records=record or (),
        )  # fmt: skip
    _show([asked], json=False)


@hold.command
def withdraw(hold_id: str) -> None:
    """Take back what was asked for."""
    with connect() as client:
        _show([client.holds.withdraw(hold_id)], json=False)


@hold.command
def approve(hold_id: str, *, tenant: str | None = None) -> None:
    """Put it into force, as a second person; staff name the customer that has none."""
    with connect() as client:
        _show([client.holds.approve_for(tenant, hold_id) if tenant else client.holds.approve(hold_id)], json=False)


@hold.command
def refuse(hold_id: str, *, tenant: str | None = None) -> None:
    """Do not put it into force; staff name the customer that has no second person."""
    with connect() as client:
        _show([client.holds.refuse_for(tenant, hold_id) if tenant else client.holds.refuse(hold_id)], json=False)


@hold.command
def lift(hold_id: str, *, reason: str, tenant: str | None = None) -> None:
    """Ask to lift it. Reason: placed_in_error, basis_ended, scope_too_wide. Staff name a customer whose contract has
    ended.
    """
    with connect() as client:
        asked = client.holds.lift_for(tenant, hold_id, reason) if tenant else client.holds.lift(hold_id, reason)
    _show([asked], json=False)


@hold.command
def extend(hold_id: str, *, until: datetime, tenant: str | None = None) -> None:
    """Ask for a later last day. Staff name a customer whose contract has ended."""
    day = until.date()
    with connect() as client:
        asked = client.holds.extend_for(tenant, hold_id, day) if tenant else client.holds.extend(hold_id, day)
    _show([asked], json=False)


@hold.command
def decide(hold_id: str, *, approve: bool, tenant: str | None = None) -> None:
    """Decide what was asked for, as a second person: --approve or --no-approve."""
    with connect() as client:
        if tenant:
            _show([client.holds.decide_for(tenant, hold_id, approved=approve)], json=False)
        else:
            _show([client.holds.decide(hold_id, approved=approve)], json=False)


@hold.command
def look(hold_id: str, *, purpose: str, tenant: str | None = None) -> None:
    """Show what the archive holds, as JSON. Purpose: legal_claim, authority_request, audit, return_to_controller. Staff
    name a customer whose contract has ended.
    """
    with connect() as client:
        cursor: str | None = None
        while True:
            if tenant:
                page = client.holds.look_for(tenant, hold_id, purpose, cursor=cursor)
            else:
                page = client.holds.look(hold_id, purpose, cursor=cursor)
            show_json(page)
            cursor = page.next
            if cursor is None:
                break
    say("This look is on record.")


@hold.command(name="file")
def open_file(hold_id: str, archive_id: str, *, purpose: str, out: Path, tenant: str | None = None) -> None:
    """Take a file out of the archive, by the archive_id that `look` shows, into a file of yours. Staff name a customer
    whose contract has ended.
    """
    temporary = out.with_name(f".{out.name}.part")
    try:
        with connect() as client:
            opened = (
                client.holds.open_file_for(tenant, hold_id, archive_id, purpose) if tenant
                else client.holds.open_file(hold_id, archive_id, purpose)
            )  # fmt: skip
            with opened as stream, temporary.open("wb") as file:
                for block in stream:
                    file.write(block)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    say(f"It is in {out}. This is on record.")


@hold.command
def waiting(*, json: bool = False) -> None:
    """List erasures that wait for the archive."""
    with connect() as client:
        found = client.holds.waiting()
    if json:
        show_json(found)
        return
    show_table(
        ["Id", "Since", "Until", "Basis"], ((o.id, o.began_at, o.until, "; ".join(o.bases)) for o in found),
        empty="No erasure waits.",
    )  # fmt: skip


def _show_customers(found: list[CustomerHold], *, json: bool) -> None:
    if json:
        show_json(found)
        return
    rows = (
        (
            one.hold.id,
            one.hold.tenant_id,
            one.tenant_name,
            _state(one.hold),
            one.hold.kind,
            one.hold.ends_on,
            "you: the contract has ended" if one.ended else "you: it has nobody else" if one.alone else "the customer",
        )
        for one in found
    )
    show_table(["Id", "Tenant", "Customer", "State", "Kind", "Last day", "Who decides"], rows, empty="No hold.")


def _show(found: list[Hold], *, json: bool) -> None:
    if json:
        show_json(found)
        return
    rows = (
        (
            h.id,
            _state(h),
            h.kind,
            h.basis,
            _scope(h),
            h.ends_on,
            h.items,
        )
        for h in found
    )
    show_table(["Id", "State", "Kind", "Basis", "Scope", "Last day", "Items"], rows, empty="No hold.")


def _state(found: Hold) -> str:
    return found.state + (f", {found.change} asked for" if found.change else "")


def _scope(found: Hold) -> str:
    if found.everything:
        return "everything"
    parts = [", ".join(found.collections), f"{found.subjects} people" * bool(found.subjects)]
    parts.append(f"{len(found.records)} records" * bool(found.records))
    return "; ".join(part for part in parts if part)

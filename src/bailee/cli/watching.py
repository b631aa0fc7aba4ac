"""Commands about support cases and webhooks."""

from typing import Annotated, Literal

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import SupportCase, WebhookDelivery

type Topic = Literal["alerts", "notices", "support"]

support = cyclopts.App(name="support", help="Support cases: what a customer lets the staff see, and for how long.")
webhook = cyclopts.App(name="webhook", help="Webhooks: where alerts, notices and support cases are sent to.")


@support.command(name="list")
def list_cases(*, state: str | None = None, json: bool = False) -> None:
    """List cases, newest first. State: requested, granted, refused or ended."""
    with connect() as client:
        _show_cases(list(client.support_cases.list(state=state)), json=json)


@support.command
def ask(
    tenant_id: str, *, reason: str, hours: int, collection: list[str] | None = None, subject: list[str] | None = None,
    record: list[str] | None = None, json: bool = False,
) -> None:  # fmt: skip
    """Ask a customer to let you see collections, data subjects or records for some hours."""
    with connect() as client:
        case = client.support_cases.request(
            tenant_id, reason, hours=hours, collections=collection or (), subjects=subject or (), records=record or ()
        )
    _show_cases([case], json=json)


@support.command
def grant(case_id: str, *, hours: int | None = None, collection: list[str] | None = None, json: bool = False) -> None:
    """Let them see it; with --hours or --collection a part of it."""
    with connect() as client:
        _show_cases([client.support_cases.grant(case_id, hours=hours, collections=collection)], json=json)


@support.command
def refuse(case_id: str) -> None:
    """Do not let them."""
    with connect() as client:
        _show_cases([client.support_cases.refuse(case_id)], json=False)


@support.command
def end(case_id: str) -> None:
    """End a case at once."""
    with connect() as client:
        _show_cases([client.support_cases.end(case_id)], json=False)


@support.command
def records(case_id: str) -> None:
    """Read the records within a case, as JSON lines. The customer sees that you look."""
    with connect() as client:
        for one in client.support_cases.records(case_id):
            show_json(one)


# --- webhooks ----------------------------------------------------------------------------------------------


@webhook.command(name="list")
def list_webhooks(*, json: bool = False) -> None:
    """List your webhooks."""
    with connect() as client:
        found = client.webhooks.list()
    if json:
        show_json({"items": found})
        return
    show_table(["Id", "Address", "About"], ((w.id, w.url, ", ".join(w.topics)) for w in found), empty="There is none.")


@webhook.command
def add(
    url: str, *, topic: Annotated[list[Topic], cyclopts.Parameter(help="About what.")], json: bool = False
) -> None:  # fmt: skip
    """Add a webhook. Its secret is shown this once."""
    with connect() as client:
        made = client.webhooks.add(url, topic)
    if json:
        show_json({"id": made.id, "url": made.url, "secret": made.secret})
        return
    say(f"Added {made.id}. Its secret, which is not shown again: {made.secret}")


@webhook.command
def remove(webhook_id: str) -> None:
    """Remove a webhook."""
    with connect() as client:
        client.webhooks.remove(webhook_id)
    say("Nothing more goes there.")


@webhook.command(name="try")
def try_out(webhook_id: str) -> None:
    """Send something harmless there."""
    with connect() as client:
        say(f"On its way: {client.webhooks.try_out(webhook_id)}")


@webhook.command
def deliveries(*, state: str | None = None, json: bool = False) -> None:
    """List what went out, newest first. State: waiting, delivered, or dead for what nobody took."""
    with connect() as client:
        _show_deliveries(list(client.webhooks.deliveries(state=state)), json=json)


@webhook.command(name="send-again")
def send_again(delivery_id: str) -> None:
    """Send a dead delivery again."""
    with connect() as client:
        _show_deliveries([client.webhooks.send_again(delivery_id)], json=False)


def _show_cases(found: list[SupportCase], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((c.id, c.tenant_id, c.state, c.hours, c.expires_at, c.reason) for c in found)
    show_table(["Id", "Customer", "State", "Hours", "Until", "Why"], rows, empty="There is no case.")


def _show_deliveries(found: list[WebhookDelivery], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((d.id, d.created_at, d.topic, d.state, d.attempts, d.reason) for d in found)
    show_table(["Id", "When", "About", "State", "Attempts", "Why not"], rows, empty="Nothing went out.")

"""Commands about retention: rules, floors and ceilings."""

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import RetentionLimit
from bailee.foundation.errors import ConfigurationError

retention = cyclopts.App(name="retention", help="What is deleted by rule, and what the law and the contract say.")
floor = cyclopts.App(name="floor", help="How long the law has data kept.")
ceiling = cyclopts.App(name="ceiling", help="How long the contract lets data be kept. For staff.")
retention.command(floor)
retention.command(ceiling)


@retention.command
def preview(*, json: bool = False) -> None:
    """Show what the rules would delete, now and within 30 days. Nothing is changed."""
    with connect() as client:
        found = client.retention.preview()
    if json:
        show_json(found)
        return
    rows = (
        (o.collection, o.rule or "until instruction", o.records, o.due, o.due_soon, o.oldest) if o.complete
        else (o.collection, o.rule, o.records, f"{o.due} or more", f"{o.due_soon} or more", o.oldest)
        for o in found
    )  # fmt: skip
    show_table(
        ["Collection", "Kept", "Records", "Due now", "Within 30 days", "Oldest since"], rows, empty="No collection."
    )


@retention.command
def run(*, json: bool = False) -> None:
    """Delete now what is due."""
    with connect() as client:
        done = client.retention.run()
    if json:
        show_json(done)
        return
    show_table(["Collection", "Deleted"], done.collections.items(), empty="Nothing was due.")
    say(f"{done.keys} people had nothing left; their keys are destroyed.")


@retention.command
def limits(*, tenant: str | None = None, json: bool = False) -> None:
    """List floors and ceilings; staff name the customer."""
    with connect() as client:
        _show(client.retention.limits_of(tenant) if tenant else client.retention.limits(), json=json)


@retention.command
def calendar(subject: str | None = None, *, tenant: str | None = None, json: bool = False) -> None:
    """Show which backups hold a data subject, or for staff a customer: until when readable, until when at all."""
    with connect() as client:
        if tenant is not None:
            found = client.terminations.calendar_of(tenant)
        elif subject is not None:
            found = client.terminations.calendar(subject)
        else:
            raise ConfigurationError("Name a data subject, or with --tenant a customer.")
    if json:
        show_json(found)
        return
    rows = ((b.server, b.kind, b.taken_at, b.expires_at) for b in found.backups)
    show_table(["Server", "Kind", "Taken", "Gone by"], rows, empty="No backup of ours holds it.")
    if not found.backups_taken:
        say("Bailee takes no backups here; ask whoever does.")
    if found.unreadable_from:
        say(f"Not readable any more from {found.unreadable_from:%Y-%m-%d %H:%M} UTC on.")


@floor.command(name="set")
def set_floor(collection: str, at_least: str, *, basis: str) -> None:
    """Say how long the law has a collection kept, as P10Y; '*' for all."""
    with connect() as client:
        _show([client.retention.set_floor(collection, at_least, basis)], json=False)


@floor.command(name="remove")
def remove_floor(collection: str) -> None:
    """Let a floor go."""
    with connect() as client:
        client.retention.remove_floor(collection)
    say("The floor is removed.")


@ceiling.command(name="set")
def set_ceiling(tenant: str, collection: str, at_most: str, *, basis: str) -> None:
    """Say how long the contract lets a collection be kept, as P3Y; '*' for all."""
    with connect() as client:
        _show([client.retention.set_ceiling(tenant, collection, at_most, basis)], json=False)


@ceiling.command(name="remove")
def remove_ceiling(tenant: str, collection: str) -> None:
    """Let a ceiling go."""
    with connect() as client:
        client.retention.remove_ceiling(tenant, collection)
    say("The ceiling is removed.")


def _show(found: list[RetentionLimit], *, json: bool) -> None:
    if json:
        show_json(found)
        return
    rows = ((o.kind, "all" if o.collection == "*" else o.collection, o.duration, o.basis, o.set_at) for o in found)
    show_table(["Limit", "Collection", "Duration", "Basis", "Since"], rows, empty="No limit.")

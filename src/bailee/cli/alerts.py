"""Commands about alerts."""

from typing import Annotated, Literal

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import Alert, Suppression

alert = cyclopts.App(name="alert", help="Alerts: what the rules have found, and what became of it.")

type Status = Literal["open", "acknowledged", "closed", "unfinished"]
type Why = Annotated[str, cyclopts.Parameter(help="Why, in 10 to 500 characters.")]


@alert.command(name="list")
def list_alerts(*, status: Status = "unfinished", level: str | None = None, json: bool = False) -> None:
    """List alerts, newest first."""
    with connect() as client:
        _show(list(client.alerts.list(status=status, level=level)), json=json)


@alert.command
def show(alert_id: str, *, json: bool = False) -> None:
    """Show an alert with its events and notes."""
    with connect() as client:
        found = client.alerts.get(alert_id)
    if json:
        show_json(found)
        return
    _show([found.alert], json=False)
    show_table(["Event"], ((one,) for one in found.event_ids), empty="Its events have been forgotten.")
    show_table(["Written", "By", "Note"], ((n.written_at, n.author, n.note) for n in found.notes), empty="No note.")


@alert.command
def acknowledge(alert_id: str) -> None:
    """Say that you are at it."""
    with connect() as client:
        _show([client.alerts.acknowledge(alert_id)], json=False)


@alert.command
def assign(alert_id: str, account_id: str | None = None) -> None:
    """Give it to somebody, by account id; to nobody without one."""
    with connect() as client:
        _show([client.alerts.assign(alert_id, account_id)], json=False)


@alert.command
def note(alert_id: str, text: str) -> None:
    """Write something about it."""
    with connect() as client:
        client.alerts.note(alert_id, text)
    say("The note is kept.")


@alert.command
def close(alert_id: str, *, resolution: Literal["handled", "expected", "false_alarm"]) -> None:
    """Be done with it. The next match opens a new one."""
    with connect() as client:
        _show([client.alerts.close(alert_id, resolution)], json=False)


@alert.command
def suppress(alert_id: str, *, days: int, reason: Why, everything: bool = False, json: bool = False) -> None:
    """Have its rule be quiet for a while; about its group, or about everything."""
    with connect() as client:
        _show_suppressions(
            [client.alerts.suppress(alert_id, days=days, reason=reason, everything=everything)], json=json
        )


@alert.command
def suppressions(*, json: bool = False) -> None:
    """List the rules that are, or were, quiet for a while."""
    with connect() as client:
        _show_suppressions(list(client.alerts.suppressions()), json=json)


@alert.command(name="end-suppression")
def end_suppression(suppression_id: str) -> None:
    """Have a rule told again."""
    with connect() as client:
        _show_suppressions([client.alerts.end_suppression(suppression_id)], json=False)


def _show(found: list[Alert], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((a.id, a.level, a.status, a.title, a.matches, a.last_at, a.reason) for a in found)
    show_table(["Id", "Level", "Status", "Title", "Times", "Last", "Why"], rows, empty="Nothing waits for anybody.")


def _show_suppressions(found: list[Suppression], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = (
        (
            s.id,
            s.title,
            "one group" if s.of_one_group else "everything",
            s.reason,
            s.expires_at if s.in_force else "over",
            s.matches,
        )
        for s in found
    )
    show_table(["Id", "Rule", "Of what", "Reason", "Until", "Not told"], rows, empty="Every rule is told.")

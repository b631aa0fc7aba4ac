"""How the instance does, in numbers: what waits, what is late, what was given up."""

from typing import LiteralString

import msgspec

from bailee.foundation.database import OperatorReader

_QUERIES: dict[str, tuple[str, LiteralString]] = {
    "ledger_pending": ("Commitments that wait for their number", "SELECT count(*) FROM ledger_pending"),
    "ledger_leaves": ("Leaves of the ledger", "SELECT coalesce(max(size), 0) FROM ledger_state"),
    "detector_waiting": (
        "Events that the rules have not looked at",
        "SELECT coalesce(max(s.size), 0) - coalesce(max(d.next_leaf), 0) FROM ledger_state s LEFT JOIN detector_state d"
        " ON true",
    ),
    "detector_seconds_since_move": (
        "Since the detector has last moved on",
        "SELECT coalesce(extract(epoch FROM now() - max(looked_at)), 0)::float8 FROM detector_state",
    ),
    "jobs_waiting": ("Jobs that wait", "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"),
    "jobs_failed": ("Jobs that were given up", "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"),
    "mail_waiting": ("Mail on its way", "SELECT count(*) FROM mail_outbox WHERE failed_at IS NULL"),
    "mail_failed": ("Mail given up within a week", "SELECT count(*) FROM mail_outbox WHERE failed_at IS NOT NULL"),
    "webhooks_waiting": (
        "Webhook deliveries on their way", "SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting'",
    ),
    "webhooks_dead": (
        "Webhook deliveries that nobody took", "SELECT count(*) FROM webhook_deliveries WHERE state = 'dead'",
    ),
    "exports_waiting": (
        "Events that the slowest export has not sent",
        "SELECT coalesce((SELECT max(size) FROM ledger_state) - (SELECT min(next_leaf) FROM event_exports), 0)",
    ),
    "alerts_unfinished": ("Alerts that nobody has closed", "SELECT count(*) FROM alerts WHERE status <> 'closed'"),
    "alerts_unfinished_critical": (
        "Critical alerts that nobody has closed",
        "SELECT count(*) FROM alerts WHERE status <> 'closed' AND level = 'critical'",
    ),
    "database_connections": (
        "Connections to the main server", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    ),
}  # fmt: skip


class Health(msgspec.Struct, frozen=True):
    """Numbers by name, and what each is."""

    values: dict[str, float]
    help: dict[str, str]


async def measure(tx: OperatorReader) -> Health:
    """Everything, from one snapshot."""
    values = {name: float(await tx.value(query)) for name, (_, query) in _QUERIES.items()}
    return Health(values, {name: text for name, (text, _) in _QUERIES.items()})

"""What the endpoints and the pages of this room share."""

from collections.abc import Iterable
from datetime import datetime

import anyio.to_thread
import msgspec

from bailee.backup.backups import Backups
from bailee.backup.drills import Drills
from bailee.backup.keys import BackupKeys
from bailee.backup.model import POSTGRES
from bailee.backup.planning import Access, Span, list_spans
from bailee.backup.runbook import runbook
from bailee.foundation.database import Database
from bailee.foundation.settings import Settings


class Stretch(msgspec.Struct, frozen=True):
    """From one moment until another without a gap: each moment of it can be restored."""

    server: str
    since: datetime
    until: datetime


async def spans_of(backups: Backups, keys: BackupKeys) -> list[Span]:
    """What can be restored of each server, as it lies in the repository now. Raises RepositoryUnavailable."""
    access = Access(backups.place.repository, [await keys.drill_identity()], list(backups.place.signer.verifiers))
    return await anyio.to_thread.run_sync(lambda: [span for server in POSTGRES for span in list_spans(access, server)])


def joined(spans: Iterable[Span]) -> list[Stretch]:
    """Spans that meet, as one; the newest first of each server."""
    found: list[Stretch] = []
    for span in sorted(spans, key=lambda one: (one.server, one.since)):
        last = found[-1] if found else None
        if last is not None and last.server == span.server and span.since <= last.until:
            found[-1] = Stretch(span.server, last.since, max(last.until, span.until))
        else:
            found.append(Stretch(span.server, span.since, span.until))
    return sorted(found, key=lambda one: (POSTGRES.index(one.server), -one.until.timestamp()))


async def written_runbook(settings: Settings, database: Database, backups: Backups, drills: Drills) -> str:
    """The runbook with what the last drill has measured."""
    async with database.operator_read() as tx:
        held = await drills.page(tx, limit=1)
    return runbook(settings, backups, next(iter(held), None))

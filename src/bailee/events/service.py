"""Recording events and proving them."""

from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.events import store
from bailee.events.catalogue import Details, EventsForgotten, LogSilent, retention_classes
from bailee.events.model import Event, Object, Outcome, make_event
from bailee.events.store import EventRow, NewEvent
from bailee.events.verbs import SYSTEM, verb
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorWriter, Reader, TenantReader, Writer
from bailee.foundation.errors import Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import Principal
from bailee.ledger.commitment import canonical, commit, new_salt
from bailee.ledger.errors import LedgerPending
from bailee.ledger.evidence import Evidence, EvidenceItem, encode
from bailee.ledger.service import Ledger
from bailee.ledger.store import Pending

MAX_BUNDLE = 1000


class ListedEvent(Event, frozen=True):
    """An event with its place in the ledger, once it has one."""

    ledger_index: int | None = None


class Events:
    """The recorder."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def record(
        self,
        tx: Writer,
        details: Details,
        *,
        by: Principal,
        on: Object | None = None,
        tenant: TenantId | None = None,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> UUID:
        """Writes one event that exists if, and only if, `tx` commits. Answers its id.

        The event belongs to the transaction's tenant; an operator's transaction names the tenant concerned, or none.
        """
        owner = tx.tenant if isinstance(tx, TenantReader) else tenant
        event_id = new_id()
        now = self._clock.now()
        event = make_event(
            event_id=event_id, time=now, tenant=owner, by=by, details=details, object_=on, outcome=outcome
        )
        body, salt = canonical(msgspec.to_builtins(event)), new_salt()
        key = owner or OPERATOR
        row = NewEvent(
            key, event_id, now, event.action, event.actor.kind, event.actor.id, event.outcome.value, body, salt,
            by.address, by.session_id, on.id if on else None, getattr(details, "collection", None),
            details.reached if details.reach and outcome is Outcome.SUCCESS else None,
        )  # fmt: skip
        await store.insert_event(tx, row)
        await self._ledger.append(tx, [Pending(key, event_id, commit(salt, body))])
        tx.recorded.append(event.action)
        return event_id

    async def page(
        self, tx: Reader, *, action: str | None = None, tenant: UUID | None = None, before: UUID | None, limit: int
    ) -> list[ListedEvent]:
        """Events that `tx` may see, newest first; `action` is one action or the part before its dot."""
        rows = await store.list_events(tx, action=action, tenant=tenant, before=before, limit=limit)
        return [_listed(row) for row in rows]

    async def listed(self, tx: Reader, ids: list[UUID]) -> list[ListedEvent]:
        """Those of `ids` that `tx` may see and that have not been forgotten, newest first."""
        rows = await store.list_by_ids(tx, ids)
        return [_listed(row) for row in reversed(rows)]

    @verb(EventsForgotten, permission=SYSTEM)
    async def forget(self, tx: OperatorWriter, kind: str, *, days: int, most: int, by: Principal) -> int:
        """Deletes up to `most` bodies and salts of a retention class that are older than `days`; how many it were.

        The commitments stay in the ledger, which verifies as before: without its salt none can be told from noise. What
        has no number yet, or has not passed the rules, stays.
        """
        actions = retention_classes()[kind]
        gone = await store.delete_old(tx, actions, self._clock.now() - timedelta(days=days), most)
        details = msgspec.convert({"kind": kind, "count": gone, "days": days}, EventsForgotten)
        await self.record(tx, details, by=by)
        return gone

    @verb(LogSilent, permission=SYSTEM)
    async def note_silence(self, tx: OperatorWriter, minutes: int, *, by: Principal) -> None:
        """Says in the log that nothing was said in it for so long."""
        await self.record(tx, LogSilent(minutes), by=by)

    async def prove(self, tx: Reader, ids: list[UUID]) -> Evidence:
        """An evidence bundle of events that `tx` may see. Raises NotFound, LedgerPending or Invalid."""
        if not 1 <= len(ids) <= MAX_BUNDLE:
            raise Invalid(f"A bundle holds 1 to {MAX_BUNDLE} events.")
        rows = await store.list_by_ids(tx, ids)
        if len(rows) != len(set(ids)):
            raise NotFound
        published = await self._ledger.published()
        indices = [row.leaf_index for row in rows if row.leaf_index is not None]
        if len(indices) != len(rows):
            raise LedgerPending("That event is committed, and not yet in the ledger. Try again in a second.")
        places = await self._ledger.prove(indices, published)
        items = [
            EvidenceItem(msgspec.json.decode(row.body), encode(row.salt), place.index, place.proof)
            for row, place in zip(rows, places, strict=True)
        ]
        return Evidence(self._ledger.origin, self._ledger.vkeys, published.note, items)


def _listed(row: EventRow) -> ListedEvent:
    event = msgspec.json.decode(row.body, type=ListedEvent)
    return msgspec.structs.replace(event, ledger_index=row.leaf_index)
